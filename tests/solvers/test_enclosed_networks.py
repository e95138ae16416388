"""Networks in intervals: they hold what JAX computes, bounds of generating SDEs rest on them, and kinks are told."""

import numpy as np
import pytest

import mfgpde as mfg
from mfgpde.core.estimate import Kind
from mfgpde.core.taylor import Jet, NotEnclosed
from mfgpde.scores.files import Network, network_score
from mfgpde.solvers.enclosed_networks import UNITS, reverse_by_network
from mfgpde.solvers.reconstruction import Panels, Reconstruction

pytest.importorskip("jax")

PROCESS = mfg.VarianceExploding(0.3, 1.2)


def network(activation, output, dimension=1, width=12, inputs="xt", seed=0):
    rng, sizes = np.random.default_rng(seed), [dimension + 1, width, width, 1 if output == "potential" else dimension]
    arrays = {}
    for k in range(3):
        arrays[f"W{k}"] = rng.normal(size=(sizes[k + 1], sizes[k])) / np.sqrt(sizes[k])
        arrays[f"b{k}"] = 0.3 * rng.normal(size=sizes[k + 1])
    return network_score(arrays, Network(activation, 1.3, inputs, output), dimension)


@pytest.mark.parametrize(
    ("output", "inputs", "activation"),
    [  # each activation of one kind in turn; the others are slow
        pytest.param(*kind, activation, marks=[pytest.mark.slow] * ((i + k) % 2))
        for i, kind in enumerate((("vector", "xt"), ("potential", "tx")))
        for k, activation in enumerate(UNITS)
    ],
)
def test_intervals_hold_drift_divergence_and_their_rates(activation, output, inputs):
    equation = mfg.FokkerPlanck.reverse(PROCESS, network(activation, output, inputs=inputs))
    formula = reverse_by_network(equation.drift.__self__)
    low, high, begin, end = -0.4, -0.1, 0.2, 0.3
    x = np.linspace(low, high, 7)[:, None]
    point = np.empty(1, dtype=object)
    point[0] = Jet.variable(low, high, 2)
    moving = formula(point, Jet.constant(begin, end, 2))
    point[0] = Jet.constant(low, high, 2)
    timed = formula(point, Jet.variable(begin, end, 2))
    step = 1e-4
    for t in (begin, 0.25, end):
        for k, f in enumerate((lambda x, t: equation.drift(x, t)[..., 0], equation.divergence)):
            value = f(x, t)
            slope = (f(x + step, t) - f(x - step, t)) / (2 * step)
            rate = (f(x, t + step) - f(x, t - step)) / (2 * step)
            for jet, order, true in ((moving[k], 0, value), (moving[k], 1, slope), (timed[k], 1, rate)):
                slack = 1e-6 * (1 + np.abs(true))  # of differences in double precision
                assert np.all(jet.lower[order] <= true + slack)
                assert np.all(true - slack <= jet.upper[order])
    point[0] = Jet.constant(low, low + 1e-3, 2)
    narrow = formula(point, Jet.constant(begin, begin + 1e-3, 2))
    for jet, wide in zip(narrow, moving, strict=True):  # intervals of a point are a point
        assert float(jet.upper[0] - jet.lower[0]) < 0.02 * float(wide.upper[0] - wide.lower[0])


@pytest.mark.slow
@pytest.mark.parametrize(("activation", "output"), [("tanh", "vector"), ("silu", "potential")])
def test_the_generating_sde_of_a_network_has_a_bound(activation, output):
    equation, start = mfg.FokkerPlanck.reverse(PROCESS, network(activation, output)), mfg.gaussian(0.0, 0.5)
    space = mfg.FiniteVolume(mfg.CartesianGrid.cube(6.5, 72, 1))
    solution = mfg.solve(equation, space, start, (0.0, 0.4))
    bound = solution.error_bound()
    fine = mfg.solve(equation, mfg.FiniteVolume(mfg.CartesianGrid.cube(6.5, 432, 1), order=4), start, (0.0, 0.4))
    places = (Panels(space.grid.edges[0], np.full(72, 4)),)
    at, theirs = (Reconstruction.on(one, places) for one in (space, fine.discretisation))
    true = at.norm(at.value(solution.fields[-1].values) - theirs.value(fine.fields[-1].values))
    assert bound.kind is Kind.BOUND
    assert true < bound.value < 4 * true


@pytest.mark.slow
def test_kinks_and_the_plane_are_sampled_and_said():
    start, space = mfg.gaussian(0.0, 0.5), mfg.FiniteVolume(mfg.CartesianGrid.cube(6.5, 48, 1))
    kinked = mfg.solve(mfg.FokkerPlanck.reverse(PROCESS, network("relu", "vector")), space, start, (0.0, 0.2))
    bound = kinked.error_bound()
    assert bound.kind is Kind.EXTRAPOLATED
    assert bound.sampled == "units of relu have no derivatives in intervals; tanh, silu, softplus, sin do"
    plane, law = mfg.FiniteVolume(mfg.CartesianGrid.cube(6.5, 32, 2)), mfg.gaussian(0.0, 0.5, 2)
    equation = mfg.FokkerPlanck.reverse(PROCESS, network("silu", "potential", 2))
    bound = mfg.solve(equation, plane, law, (0.0, 0.1)).error_bound()
    assert bound.kind is Kind.EXTRAPOLATED
    assert "in more dimensions they are sampled" in bound.sampled


def test_other_scores_and_drifts_are_told_from_networks():
    exact = mfg.FokkerPlanck.reverse(PROCESS, mfg.ExactScore(PROCESS, mfg.gaussian(0.0, 1.0)))
    with pytest.raises(NotEnclosed, match="ExactScore, is known by its values alone"):
        reverse_by_network(exact.drift.__self__)
    assert reverse_by_network(None) is None
