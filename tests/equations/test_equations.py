"""Every equation, on every discretisation that knows it, against its closed form; residuals vanish on exact solutions."""

import numpy as np
import pytest

import mfgpde as mfg

OU, VP, DATA = mfg.OrnsteinUhlenbeck(), mfg.VariancePreserving(), mfg.densities.bimodal(1)
END = 0.4
FINE, WAVES = mfg.FiniteVolume(mfg.CartesianGrid.cube(7.0, 256, 1)), mfg.Spectral(mfg.CartesianGrid.cube(7.0, 128, 1))
WRAPPED = mfg.CartesianGrid.cube(np.pi, 64, 1, periodic=True)


def heat(x, t):
    """A solution of ∂_tη = ½Δη on a circle, positive."""
    return 2 + np.exp(-0.5 * t) * np.cos(x[..., 0]) + 0.3 * np.exp(-2 * t) * np.sin(2 * x[..., 0])


def characteristic(x, t):
    """E[cos(1.3 X_t) | X_0 = x] of the Ornstein–Uhlenbeck process."""
    step = OU.transition(0.0, t)
    return np.exp(-0.5 * 1.3**2 * float(step.covariance)) * np.cos(1.3 * float(step.factor) * x[..., 0])


def density(process):
    return lambda x, t: mfg.marginal(process, DATA, t).density(x)


def log_density(process, sign=1.0):
    return lambda x, t: sign * mfg.marginal(process, DATA, t).log_density(x)


def quadratic(x, p, t):
    return 0.5 * np.sum(p * p, axis=-1)


FLOW = mfg.Continuity.probability_flow(VP, mfg.ExactScore(VP, DATA))
COLE_HOPF = mfg.HamiltonJacobiBellman(quadratic, lambda t: 0.5)
# name: equation, exact solution, space, start, bound on the error weighted by p_t (256 cells: h² = 3e-3 times curvatures)
CASES = {
    "Fokker–Planck, finite volume": (mfg.FokkerPlanck.of(VP), density(VP), FINE, 0.1, 2e-3),
    "Fokker–Planck, spectral": (mfg.FokkerPlanck.of(VP), density(VP), WAVES, 0.1, 1e-6),
    "backward Kolmogorov": (mfg.BackwardKolmogorov.of(OU), characteristic, FINE, 0.0, 1e-3),
    "continuity, finite volume": (FLOW, density(VP), FINE, 0.1, 4e-3),
    "continuity, spectral": (FLOW, density(VP), WAVES, 0.1, 1e-5),
    "log-density": (mfg.LogDensity.of(VP), log_density(VP), FINE, 0.1, 4e-3),
    "value function": (mfg.HamiltonJacobiBellman.of(VP), log_density(VP, -1.0), FINE, 0.1, 4e-3),
    "Cole–Hopf, Fourier": (COLE_HOPF, lambda x, t: -np.log(heat(x, t)), mfg.Spectral(WRAPPED), 0.0, 1e-8),
}


@pytest.mark.parametrize("name", CASES)
def test_solutions(name):
    equation, exact, space, start, bound = CASES[name]
    solution = mfg.solve(equation, space, lambda x: exact(x, start), (start, END), rtol=1e-7)
    weight = mfg.marginal(VP, DATA, END).density(space.grid.points)
    error = mfg.diagnostics.weighted_error(solution.at(END), lambda x: exact(x, END), weight)
    scale = float(space.grid.integrate(np.abs(exact(space.grid.points, END)) * weight) / space.grid.integrate(weight))
    assert error <= bound * scale


def test_reversed_flows_return(rng):
    x = rng.normal(size=(20, 1))
    there, gain = mfg.solvers.flow(FLOW, x, 0.2, 0.9)
    back, loss = mfg.solvers.flow(FLOW.reversed(1.0), there, 0.1, 0.8)
    np.testing.assert_allclose(back, x, atol=1e-7)
    np.testing.assert_allclose(gain + loss, 0, atol=1e-7)


def test_reverse_fokker_planck_brings_the_data_back():
    score = mfg.ExactScore(VP, DATA)
    equation = mfg.FokkerPlanck.reverse(VP, score)
    start = mfg.marginal(VP, DATA, 1.0 - 0.2)
    solution = mfg.solve(equation, FINE, start, (0.2, 0.7), rtol=1e-6)
    assert mfg.l1_distance(solution.at(0.7), mfg.marginal(VP, DATA, 0.3)) < 3e-3  # 256 cells, second order
