"""Linear systems by Taylor series, against closed forms: the bound holds what is missed, and is not idle."""

import numpy as np
import pytest

from mfgpde.core.taylor import NotEnclosed
from mfgpde.solvers.linear_system import linear_system

CASES = {
    "grows": (lambda t: [[3 * t**2]], [1.0], 0.0, 1.5, [np.exp(1.5**3)]),
    "falls": (lambda t: [[-1 / (1 + t)]], [2.0], 0.0, 3.0, [0.5]),
    "turns": (lambda t: [[0.0, -np.cos(t)], [np.cos(t), 0.0]], [1.0, 0.0], 0.0, 2.0,
              [np.cos(np.sin(2.0)), np.sin(np.sin(2.0))]),
    "backwards": (lambda t: [[1.0, np.exp(t)], [0.0, 0.0]], [np.e, 1.0], 1.0, 0.0, [0.0, 1.0]),
}  # fmt: skip
"""y′ = 3t²y; y′ = −y/(1 + t); a turn by sin t; y′ = y + e^t, whose solution is te^t"""


@pytest.mark.parametrize("name", CASES)
def test_bound_holds_the_closed_form(name):
    matrix, y, start, end, truth = CASES[name]
    found, missed = linear_system(matrix, y, start, end)
    assert np.abs(found - truth).max() <= missed < 1e-11 * max(1.0, np.abs(truth).max())


@pytest.mark.parametrize(("steps", "order"), [(2, 4), (4, 4), (4, 8), (12, 3)])
@pytest.mark.parametrize("name", CASES)
def test_few_coefficients_are_owned_to(name, steps, order):
    matrix, y, start, end, truth = CASES[name]
    found, missed = linear_system(matrix, y, start, end, steps=steps, order=order)
    assert np.abs(found - truth).max() <= missed


def test_bound_is_sharp_where_coefficients_stand_still():
    """y′ = y over one step: what is missed is e^ξ/n!, at most e times what e^0/n! would be."""
    found, missed = linear_system(lambda t: [[1.0]], [1.0], 0.0, 1.0, steps=1, order=6)
    off = np.e - found[0]
    assert off <= missed < 3 * off
    assert missed / np.e < off  # without the growth within the step the bound would not hold


def test_what_was_off_grows_along():
    """e^{−2} and e^{2} times what is off at first, by the logarithmic norm."""
    for rate in (-2.0, 2.0):
        _, sure = linear_system(lambda t, rate=rate: [[rate]], [1.0], 0.0, 1.0)
        _, missed = linear_system(lambda t, rate=rate: [[rate]], [1.0], 0.0, 1.0, off=1e-3)
        assert missed - sure == pytest.approx(1e-3 * np.exp(rate), rel=1e-6)


def test_what_is_no_formula_is_refused():
    with pytest.raises(NotEnclosed, match="no formula"):
        linear_system(lambda t: [["one"]], [1.0], 0.0, 1.0)
    with pytest.raises(NotEnclosed, match="holds zero"):
        linear_system(lambda t: [[1 / (t - 0.5)]], [1.0], 0.0, 1.0)
    with pytest.raises(ValueError, match="2 rows"):
        linear_system(lambda t: [[1.0]], [1.0, 2.0], 0.0, 1.0)
    with pytest.raises(ValueError, match="finite"):
        linear_system(lambda t: [[1.0]], [np.nan], 0.0, 1.0)
