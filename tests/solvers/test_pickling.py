"""What goes to other processes and comes back: solutions, laws and scores, the same numbers after a pickle."""

import pickle

import numpy as np
import pytest

import mfgpde as mfg

VP = mfg.VariancePreserving(0.3, 4.0, 2.7)
DATA = mfg.densities.bimodal(1)
GRID = mfg.CartesianGrid.cube(7.0, 48, 1)


def again(thing):
    return pickle.loads(pickle.dumps(thing))


@pytest.mark.parametrize("space", [mfg.FiniteVolume(GRID), mfg.Spectral(GRID)], ids=lambda s: type(s).__name__)
def test_a_solution(space):
    solution = mfg.solve(mfg.FokkerPlanck.of(VP), space, DATA, (0.5, 0.9, 1.4), rtol=1e-4)
    copy, x = again(solution), np.linspace(-3, 3, 7)[:, None]
    assert (copy.status, dict(copy.cost)) == (solution.status, dict(solution.cost))
    for a, b in zip(copy.fields, solution.fields, strict=True):
        np.testing.assert_array_equal(a.values, b.values)
        np.testing.assert_array_equal(a(x), b(x))


@pytest.mark.parametrize(
    "law",
    [
        DATA,
        mfg.marginal(VP, DATA, 0.4),
        mfg.densities.checkerboard(),
        mfg.densities.OnGrid(GRID, DATA.density(GRID.points)),
    ],
    ids=lambda law: type(law).__name__,
)
def test_a_law(law, rng):
    x = rng.normal(size=(9, len(law.box(0.9)[0])))
    np.testing.assert_array_equal(again(law).log_density(x), law.log_density(x))
    np.testing.assert_array_equal(
        again(law).sample(5, np.random.default_rng(0)), law.sample(5, np.random.default_rng(0))
    )


def test_an_operator_informed_score_after_use(rng):
    """Fitted and asked before it goes, so that all it keeps is there."""
    ou = mfg.OrnsteinUhlenbeck()
    samples = DATA.sample(400, rng)
    score = mfg.scores.OperatorInformed(mfg.scores.HermiteBasis(1, 4, ou.prior_variance), ou, samples)
    x = rng.normal(size=(9, 1))
    before = score(x, 0.3)
    np.testing.assert_array_equal(again(score)(x, 0.3), before)
    assert np.abs(before - score(x, 0.5)).max() > 1e-3


def test_an_exact_score_after_use(rng):
    score, x = mfg.ExactScore(VP, DATA), rng.normal(size=(9, 1))
    before = score(x, 0.3)
    np.testing.assert_array_equal(again(score)(x, 0.3), before)
    np.testing.assert_array_equal(again(score).time_derivative(x, 0.3), score.time_derivative(x, 0.3))
