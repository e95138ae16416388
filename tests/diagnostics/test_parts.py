"""Parts of certificates against closed forms: the growth of a bound, and trajectories by Heun's scheme."""

import numpy as np

import mfgpde as mfg
from mfgpde.diagnostics.by_sampling import _trajectories
from mfgpde.diagnostics.ode_sde_gap import _cumulative


def growth(times, lipschitz):
    return _cumulative(lipschitz, times).max()


def test_the_largest_growth_is_that_of_the_integral():
    times = np.linspace(0.1, 2.1, 9) ** 2
    np.testing.assert_allclose(growth(times, np.full(9, 3.0)), 3 * (times[-1] - times[0]))
    np.testing.assert_allclose(growth(times, 2 * times), times[-1] ** 2 - times[0] ** 2)
    assert growth(times, -np.ones(9)) == 0.0
    falling = np.where(times < 2, 1.0, -1.0)
    assert 0 < growth(times, falling) < times[-1] - times[0]


def test_trajectories_of_the_flow_follow_a_gaussian_home(rng):
    """Under the exact flow of N(0, v) a point keeps its place in units of the deviation: to 3 % in its few steps."""
    process, v, stop = mfg.VariancePreserving(horizon=2.7), 0.25, 1e-3
    score, x = mfg.ExactScore(process, mfg.gaussian(np.zeros(2), v * np.eye(2))), rng.normal(size=(50, 2))

    def deviation(t):
        return np.sqrt(process.contraction(t) ** 2 * v + process.variance(t))

    times = tuple(process.horizon * np.array([1.0, 0.6, 0.2]))
    found = _trajectories(process, score, deviation(times[0]) * x, times, stop, None)
    for t, places in zip((*times, stop), found, strict=True):
        np.testing.assert_allclose(places / deviation(t), x, atol=3e-2 * np.abs(x).max())
