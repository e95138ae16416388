"""Differences of a score known by its values alone, at the ends of its time."""

import numpy as np
import pytest

from mfgpde.scores import Differenced


def only_inside(x, t):
    if not 0 <= t <= 1:
        raise ValueError(f"asked outside its time, at t = {t}")
    return np.sin(2 * t + x)


@pytest.mark.parametrize("t", [0.0, 1e-3, 3.9e-3, 0.5, 0.995, 0.9985, 1.0])
def test_time_differences_stay_inside_and_keep_their_order(t, rng):
    """One-sided formulas of order four, twice as wide as the step: (2h)⁴·2⁵/5 is 3e-10 at h = 1e-3, what they state."""
    score, x = Differenced(only_inside, 2, end=1.0), rng.normal(size=(20, 2))
    error = np.abs(score.time_derivative(x, t) - 2 * np.cos(2 * t + x)).max()
    assert error <= score.uncertainty["time derivative"] + 1e-11 / score.time_step * 1e-3
    assert error < 1e-9
