"""What equations say of themselves, and that they survive the way to another process."""

import pickle

import numpy as np
import pytest

import mfgpde as mfg
from mfgpde.core.register import Register
from mfgpde.equations import Equation, Unknown

VP, OU, WELL = mfg.VariancePreserving(), mfg.OrnsteinUhlenbeck(horizon=2.7), mfg.processes.double_well(width=0.9)
TURNING = mfg.Linear(np.array([[-1.0, 2.0], [-1.5, -0.5]]), 0.7)
DATA = mfg.densities.bimodal(2)
SCORE = mfg.ExactScore(VP, DATA)
FLOW = mfg.Continuity.probability_flow(VP, SCORE)
MADE = {
    "Fokker–Planck": mfg.FokkerPlanck.of(VP),
    "in a double well": mfg.FokkerPlanck.of(WELL),
    "turning": mfg.FokkerPlanck.of(TURNING),
    "reverse": mfg.FokkerPlanck.reverse(VP, SCORE),
    "reverse, of a bare score": mfg.FokkerPlanck.reverse(VP, mfg.scores.Swirl(SCORE)),
    "backward": mfg.BackwardKolmogorov.of(VP),
    "backward in a double well": mfg.BackwardKolmogorov.of(WELL),
    "probability flow": FLOW,
    "reversed": FLOW.reversed(1.0),
    "log-density": mfg.LogDensity.of(OU),
    "score": mfg.ScoreFokkerPlanck.of(VP),
    "value": mfg.HamiltonJacobiBellman.of(VP),
}
COEFFICIENTS = ("drift", "velocity", "divergence", "potential")


def coefficients(equation, x, t):
    """Everything that a scheme asks of an equation."""
    found = [getattr(equation, name)(x, t) for name in COEFFICIENTS if getattr(equation, name, None) is not None]
    found += [
        float(getattr(equation, name)(t))
        for name in ("diffusivity", "quadratic_coefficient")
        if hasattr(equation, name)
    ]
    return found + ([equation.hamiltonian(x, 0.3 * x, t)] if hasattr(equation, "hamiltonian") else [])


@pytest.mark.parametrize("name", MADE)
def test_a_pickled_equation_has_the_same_coefficients(name, rng):
    equation, x = MADE[name], rng.normal(size=(9, 2))
    again = pickle.loads(pickle.dumps(equation))
    assert (again.horizon, again.time_dependent, type(again)) == (
        equation.horizon,
        equation.time_dependent,
        type(equation),
    )
    for t in (0.0, 0.4, equation.horizon if np.isfinite(equation.horizon) else 1.0):
        pairs = list(zip(coefficients(again, x, t), coefficients(equation, x, t), strict=True))
        assert pairs
        for got, expected in pairs:
            np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("name", MADE)
def test_only_coefficients_that_change_are_said_to(name, rng):
    equation, x = MADE[name], rng.normal(size=(9, 2))
    same = all(
        np.array_equal(a, b)
        for a, b in zip(coefficients(equation, x, 0.2), coefficients(equation, x, 0.9), strict=True)
    )
    assert equation.time_dependent or same


def test_a_law_is_read_as_the_unknown_needs_it(rng):
    x = rng.normal(size=(9, 2))
    for name, expected in (
        ("Fokker–Planck", DATA.density), ("probability flow", DATA.density),
        ("log-density", DATA.log_density), ("score", DATA.score),
    ):  # fmt: skip
        np.testing.assert_allclose(MADE[name].read(DATA)(x), expected(x), rtol=1e-14)
    for name in ("backward", "value"):
        with pytest.raises(TypeError, match="starts from a function of points, got the density GaussianMixture"):
            MADE[name].read(DATA)


def test_every_equation_says_what_it_is():
    for name, make in Register("mfgpde.equations", Equation, "equation").items():
        assert isinstance(make.unknown, Unknown), name
        assert isinstance(make.conservative, bool), name


def test_what_is_no_equation_is_refused():
    with pytest.raises(TypeError, match="an equation"):
        mfg.solve("heat", mfg.FiniteVolume(mfg.CartesianGrid.cube(1.0, 8, 1)), DATA, (0.0, 1.0))
