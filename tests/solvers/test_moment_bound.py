"""Second moments and W₂ from one solve: above what is true in closed form, near it, and refused where nothing is known."""

import numpy as np
import pytest

import mfgpde as mfg
from mfgpde.core.estimate import Kind
from mfgpde.solvers.moment_bound import grown
from mfgpde.solvers.reconstruction import Reconstruction

CASES = {
    "OU": (mfg.OrnsteinUhlenbeck(), mfg.gaussian(1.0, 0.5)),
    "VP": (mfg.VariancePreserving(0.2, 5.0), mfg.GaussianMixture([0.5, 0.5], [[-1.5], [1.0]], 0.3)),
    "VE": (mfg.VarianceExploding(0.05, 0.6), mfg.gaussian(0.5, 0.4)),
    "turning": (mfg.Linear(np.array([[-0.5, -1.0], [1.0, -0.7]])), mfg.gaussian([1.0, 0.0], 0.4, 2)),
}


def solved(name, order, cells=128):
    process, law = CASES[name]
    cells = cells if law.dimension == 1 else 48
    space = mfg.FiniteVolume(mfg.CartesianGrid.cube(6.5, cells, law.dimension), order=order)
    return mfg.solve(mfg.FokkerPlanck.of(process), space, law, (0.0, 1.0)), mfg.marginal(process, law, 1.0)


@pytest.mark.parametrize(
    ("name", "order"),
    [  # in the plane order four is slow
        pytest.param(name, order, marks=[pytest.mark.slow] * ((name, order) == ("turning", 4)))
        for name in CASES
        for order in (2, 4)
    ],
)
def test_second_moments_and_distances_are_bounded(name, order):
    solution, end = solved(name, order)
    bound = solution.error_bound()
    at = Reconstruction.of(solution.discretisation, 6)
    away = np.abs(at.value(solution.fields[-1].values) - np.exp(end.log_density(at.points)))
    true = float(np.sum(np.sum(at.points**2, axis=-1) * away * at.weights))
    assert true < bound.moment < 4 * true
    square = bound.mean(lambda x: np.sum(x**2, axis=-1), 0.0, growth=1.0)
    truth = float(end.weights @ (np.sum(end.means**2, axis=1) + np.trace(end.covariances, axis1=1, axis2=2)))
    assert square.kind is Kind.BOUND
    assert truth in square
    if end.dimension == 1 and order == 2:
        x = np.linspace(-6.5, 6.5, 20001)
        below = [
            np.cumsum(p) / np.sum(p) for p in (np.exp(end.log_density(x[:, None])), solution.fields[-1](x[:, None]))
        ]
        share = np.linspace(1e-6, 1 - 1e-6, 20001)
        apart = np.interp(share, below[0], x) - np.interp(share, below[1], x)
        assert float(np.sqrt(np.mean(apart**2))) in bound.wasserstein


def test_the_law_of_another_process_is_not_held_to_be_near():
    """Control: variance ½e^{−2} + 1 − e^{−2} against that of OU with twice the noise."""
    from dataclasses import replace

    solution, end = solved("OU", 2)
    other = mfg.solve(
        mfg.FokkerPlanck.of(mfg.OrnsteinUhlenbeck(1.1)), solution.discretisation, mfg.gaussian(1.0, 0.5), (0.0, 1.0)
    )
    wrong = replace(solution, fields=other.fields).error_bound()
    assert wrong.moment > 10 * solution.error_bound().moment
    square = wrong.mean(lambda x: x[..., 0] ** 2, 0.0, growth=1.0)
    assert float(end.means[0, 0] ** 2 + end.covariances[0, 0, 0]) in square


def test_errors_grow_no_faster_than_the_flow_lets_them():
    """Under dx = x dt without noise, |x|² grows by e^{2t}; under dx = −x dt + √2 dW, ∫|x|²|e| by no more than 2t ∫|e|."""
    grid = mfg.CartesianGrid.cube(6.0, 32, 1)
    away = mfg.FokkerPlanck.of(mfg.Linear(np.array([[1.0]]), scale=0.0))
    assert grown(away, grid, 0.0, 0.5, 0.3, 1.0) == pytest.approx(np.e, rel=1e-12)
    home = mfg.FokkerPlanck.of(mfg.OrnsteinUhlenbeck())
    noise = float(home.diffusivity(0.0))
    assert grown(home, grid, 0.0, 0.5, 0.3, 1.0) == pytest.approx(1.0 + 2 * noise * 0.5 * 0.3, rel=1e-12)


def test_where_nothing_is_known_it_is_said():
    space = mfg.FiniteVolume(mfg.CartesianGrid.cube(4.0, 64, 1))
    curved = mfg.FokkerPlanck(lambda x, t: -(x**3), lambda t: 0.5, time_dependent=False)
    bound = mfg.solve(curved, space, mfg.gaussian(0.0, 0.3), (0.0, 0.2)).error_bound()
    with pytest.raises(ValueError, match="no bound on the second moment is known: it needs"):
        bound.mean(lambda x: x[..., 0] ** 2, 0.0, growth=1.0)
    with pytest.raises(ValueError, match="no bound on the second moment is known: it needs"):
        _ = bound.wasserstein


@pytest.mark.parametrize("name", CASES)
def test_first_moments_and_w1_are_bounded(name):
    """∫|x||p_h − p| by fine sums, E x in closed form, and W₁ by quantiles on a line."""
    solution, end = solved(name, 2)
    bound = solution.error_bound()
    at = Reconstruction.of(solution.discretisation, 6)
    away = np.abs(at.value(solution.fields[-1].values) - np.exp(end.log_density(at.points)))
    true = float(np.sum(np.linalg.norm(at.points, axis=-1) * away * at.weights))
    assert true < bound.first_moment < 5 * true
    mean = bound.mean(lambda x: x[..., 0], 0.0, slope=1.0)
    assert float(end.weights @ end.means[:, 0]) in mean
    assert mean.half_width <= bound.mean(lambda x: x[..., 0], 0.5, growth=0.5).half_width  # |x| ≤ ½ + ½|x|²
    if end.dimension == 1:
        x = np.linspace(-6.5, 6.5, 20001)
        below = [
            np.cumsum(p) / np.sum(p) for p in (np.exp(end.log_density(x[:, None])), solution.fields[-1](x[:, None]))
        ]
        apart = float(np.sum(np.abs(below[0] - below[1])) * (x[1] - x[0]))
        assert apart in bound.wasserstein_1
        assert bound.wasserstein_1.upper < bound.wasserstein.upper


def test_first_moments_are_unknown_where_second_ones_are():
    solution, _ = solved("OU", 2)
    bound = mfg.solvers.ErrorBound("L1", {"start": 0.1})
    with pytest.raises(ValueError, match="no bound on the second moment"):
        bound.mean(1.0, 0.0, slope=1.0)
    with pytest.raises(ValueError, match="no bound on the second moment"):
        _ = bound.wasserstein_1
    assert bound.first_moment == np.inf
    assert solution.error_bound().first_moment < np.inf
