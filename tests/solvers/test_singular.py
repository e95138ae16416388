"""Drifts with poles between all points: where the residual is not integrable is refused, what only looks so is not."""

import numpy as np
import pytest

import mfgpde as mfg
from mfgpde.solvers.singular import pole

C = 0.0371


def bound(drift, divergence=None, cells=96):
    equation = mfg.FokkerPlanck(drift, lambda t: 0.5, divergence=divergence, time_dependent=False)
    space = mfg.FiniteVolume(mfg.CartesianGrid.cube(6.0, cells, 1))
    return mfg.solve(equation, space, mfg.gaussian(0.0, 0.5), (0.0, 0.2)).error_bound()


@pytest.mark.parametrize(
    ("power", "drift", "divergence"),
    [
        (2.0, lambda x, t: 0.2 / (x - C) - x, lambda x, t: -0.2 / (x[..., 0] - C) ** 2 - 1),
        (2.0, lambda x, t: 0.2 / (x - C) - x, None),
        (1.5, lambda x, t: -0.3 * np.sign(x - C) * np.abs(x - C) ** -0.5 - x, None),
        (1.0, lambda x, t: -0.3 * np.log(np.abs(x - C)) - x, lambda x, t: -0.3 / (x[..., 0] - C) - 1),
    ],
)
def test_a_pole_that_is_not_integrable_is_told_by_its_place_and_power(power, drift, divergence):
    with pytest.raises(ValueError, match=r"near c = \(0\.0371\), .* not integrable there") as told:
        bound(drift, divergence)
    assert float(str(told.value).split("^−")[1].split(" ")[0]) == pytest.approx(power, abs=0.15)


def test_a_root_a_steep_front_and_a_pole_that_is_integrable_are_no_such_poles():
    assert bound(lambda x, t: -np.sign(x - C) * np.sqrt(np.abs(x - C))).value < 1  # its divergence is |x − c|^−½
    assert bound(lambda x, t: -x - 0.5 * np.tanh(40 * (x - C))).value < 1


def test_the_power_and_the_place_are_found_in_the_plane():
    x = np.stack(np.meshgrid(*[np.linspace(-1, 1, 60)] * 2, indexing="ij"), axis=-1)
    middle = np.array([0.1234, -0.2345])

    def size(power):
        return lambda x, step: np.linalg.norm(x - middle, axis=-1) ** -power

    for power in (1.0, 2.0, 3.0):
        place, found = pole(size(power), x, size(power)(x, 0.0), np.full(2, 2 / 59))
        assert np.linalg.norm(place - middle) < 1e-5
        assert found == pytest.approx(power, abs=0.1)


def test_a_field_for_which_the_host_has_no_room_is_refused_before_anything_is_allocated():
    space = mfg.FiniteVolume(mfg.CartesianGrid.cube(6.0, 2_000_000, 2))
    with pytest.raises(MemoryError, match=r"6 fields on \(2000000, 2000000\) cells need about"):
        mfg.solve(mfg.FokkerPlanck.of(mfg.OrnsteinUhlenbeck()), space, mfg.gaussian([0.0, 0.0], 1.0), (0.0, 0.1))
