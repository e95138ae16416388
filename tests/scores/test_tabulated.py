"""A table serves points that come again: many at once, few when they were asked for often; others go to the field."""

import numpy as np
import pytest

import mfgpde as mfg
from mfgpde.scores.tabulated import OFTEN


class Counted:
    """sin(3t) x, counting how often it was asked."""

    def __init__(self):
        self.calls = 0

    def __call__(self, x, t):
        self.calls += 1
        return np.sin(3 * t) * x


@pytest.mark.parametrize("n", [2, 200])
def test_points_that_come_again_are_read_off_a_table(n):
    field, x = Counted(), np.linspace(-1, 1, n)[:, None]
    table = mfg.scores.Tabulated(field, 0.0, 2.0)
    for t in np.linspace(0, 2, 500):
        assert table(x, float(t)) == pytest.approx(np.sin(3 * t) * x, abs=1e-9)
    assert field.calls <= OFTEN + 65  # nodes of a table of sin 3t to ten digits


def test_few_points_that_change_are_not_tabulated():
    field = Counted()
    table = mfg.scores.Tabulated(field, 0.0, 2.0)
    for t in np.linspace(0, 2, 100):
        table(np.ones((3, 1)), float(t))
    assert field.calls == 100
    with pytest.raises(ValueError, match="asked at t = 3"):
        table(np.ones((3, 1)), 3.0)


def test_few_points_whose_table_would_not_be_fine_enough_stay_with_the_field():
    field = Counted()
    table, x = mfg.scores.Tabulated(lambda x, t: field(x, 1000 * t), 0.0, 2.0), np.ones((3, 1))
    for t in np.linspace(0, 2, 100):
        assert table(x, float(t)) == pytest.approx(np.sin(3000 * t) * x, abs=1e-12)
    with pytest.raises(ValueError, match="257"):
        table(np.ones((200, 1)), 1.0)


def test_equal_points_under_another_name_share_a_table():
    field, x = Counted(), np.linspace(-1, 1, 200)[:, None]
    table = mfg.scores.Tabulated(field, 0.0, 2.0)
    found, asked = table(x, 0.5), field.calls
    for _ in range(3):
        other = x.copy()
        assert np.array_equal(table(other, 0.5), found)
    assert field.calls == asked
    table(x + 1e-3, 0.5)
    assert field.calls > asked
