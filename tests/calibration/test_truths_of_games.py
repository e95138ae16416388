"""What calibration holds to be true of games is true: against least costs over laws of few parameters."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad, solve_ivp
from scipy.optimize import minimize, minimize_scalar
from scipy.stats import norm

import mfgpde as mfg
from mfgpde.calibration.bridges import bridge, crowded, flow
from mfgpde.calibration.regrets import regrets


@settings(max_examples=15)
@given(st.floats(0.3, 2.0), st.floats(0.3, 3.0), st.floats(0.02, 0.5), st.floats(-1, 1), st.floats(0.3, 1.0))
def test_costs_of_linear_quadratic_games_solve_their_equation(weight, horizon, kappa, m, s):
    """U = ½a x² + c with a′ = a², c′ = −κa backwards from a(T) = w: the cost is E U(·, 0)."""
    run = solve_ivp(lambda t, y: [-(y[0] ** 2), kappa * y[0]], (0, horizon), [weight, 0.0], rtol=1e-10, atol=1e-12)
    a, c = run.y[:, -1]
    grown = 1 + weight * horizon
    assert a == pytest.approx(weight / grown, rel=1e-7)
    assert 0.5 * a * (m**2 + s**2) + c == pytest.approx(
        0.5 * weight / grown * (m**2 + s**2) + kappa * np.log(grown), rel=1e-7
    )
    game = mfg.games.linear_quadratic(mfg.gaussian(m, s**2), weight, horizon, viscosity=kappa)
    assert game.terminal.reference(np.array([[1.5]]), horizon)[0] == pytest.approx(0.5 * weight * 2.25)
    area = quad(lambda x: norm.pdf(x, m, s), -np.inf, np.inf)[0]
    assert area == pytest.approx(1.0)


def test_regrets_are_what_a_quadratic_programme_saves():
    """Means alone differ: minimise Σ½hv² + ½c(m − M)² + ½q(m_N − goal)² over the velocities, on 400 steps."""
    start, goal, pull, want, T, n = (
        np.array([-0.7, 0.5]),
        np.array([0.6, -0.8]),
        np.array([1.5, 2.5]),
        np.ones(2),
        1.0,
        400,
    )
    h = T / n
    reach = h * (np.tri(n + 1, n, -1))  # m at nodes from velocities
    weight = np.full(n + 1, h)
    weight[[0, -1]] *= 0.5

    def answer(i, other):
        bent = pull[i] * (reach.T * weight) @ reach + want[i] * np.outer(reach[-1], reach[-1]) + h * np.eye(n)
        right = pull[i] * (reach.T * weight) @ (other - start[i]) + want[i] * reach[-1] * (goal[i] - start[i])
        return np.linalg.solve(bent, right)

    def cost(i, v, other):
        m = start[i] + reach @ v
        return 0.5 * (h * v @ v + pull[i] * weight @ (m - other) ** 2 + want[i] * (m[-1] - goal[i]) ** 2)

    means = [np.full(n + 1, s) for s in start]
    for rounds in (1, 2):
        v = [answer(i, means[1 - i]) for i in (0, 1)]
        means = [start[i] + reach @ v[i] for i in (0, 1)]
        saved = [cost(i, v[i], means[1 - i]) - cost(i, answer(i, means[1 - i]), means[1 - i]) for i in (0, 1)]
        assert regrets(start, goal, pull, want, T, rounds) == pytest.approx(saved, rel=2e-2)


ENDS = st.tuples(st.floats(-1, 1), st.floats(0.3, 1.0), st.floats(-1, 1), st.floats(0.3, 1.0))


@settings(max_examples=25)
@given(ENDS, st.floats(0.1, 0.8), st.floats(0.3, 2.0))
def test_costs_of_bridges_are_the_least_entropies_of_plans(ends, kappa, horizon):
    """2κ KL of Gaussian plans to ρ₀ and heat, by the formula for matrices, over all their covariances."""
    m, s, n, r = ends
    v = 2 * kappa * horizon
    heat = np.array([[s**2, s**2], [s**2, s**2 + v]])

    def cost(share):
        plan = np.array([[s**2, share * s * r], [share * s * r, r**2]])
        apart = np.array([0.0, n - m])
        inverse = np.linalg.inv(heat)
        logs = np.log(np.linalg.det(heat) / np.linalg.det(plan))
        return 2 * kappa * 0.5 * (np.trace(inverse @ plan) - 2 + apart @ inverse @ apart + logs)

    best = minimize_scalar(cost, bounds=(-1 + 1e-9, 1 - 1e-9), method="bounded", options={"xatol": 1e-10})
    assert bridge(m, s, n, r, kappa, horizon) == pytest.approx(best.fun, rel=1e-6, abs=1e-8)


@settings(max_examples=25)
@given(ENDS, st.floats(0.3, 2.0))
def test_costs_of_flows_are_the_least_of_all_gaussians(ends, horizon):
    """(a − m)²/2T + (b − s)²/2T + KL(N(a, b²)‖N(n, r²)), the last by quadrature, over a and b."""
    m, s, n, r = ends
    x, weights = np.polynomial.hermite_e.hermegauss(4)  # exact for the squares of which the logarithms are made
    weights = weights / weights.sum()

    def cost(state):
        a, b = state[0], np.exp(state[1])
        kl = weights @ (0.5 * ((a + b * x - n) / r) ** 2 - 0.5 * x**2) + np.log(r) - state[1]
        return ((a - m) ** 2 + (b - s) ** 2) / (2 * horizon) + kl

    best = minimize(cost, [0.3, -0.7], method="BFGS", options={"gtol": 1e-7})
    assert flow(m, s, n, r, horizon) == pytest.approx(best.fun, abs=1e-8)


@pytest.mark.parametrize(
    ("m", "s", "weight", "horizon", "aversion"),
    [(0.4, 0.5, 0.6, 1.0, 0.3), (-0.7, 0.8, 0.2, 1.5, 0.15), (0.0, 0.35, 1.0, 0.5, 0.6)],
)
def test_costs_of_crowds_are_the_least_of_all_deviations(m, s, weight, horizon, aversion):
    """½∫σ̇² + λ∫E log ρ + ½w E x² over deviations at 200 times, and a mean that goes straight."""
    n = 200
    h = horizon / n
    share = np.append(np.full(n - 1, h), 0.5 * h)

    def cost(y):
        sigma, end = np.concatenate(([s], y[:n])), m + y[n] * horizon
        steps = np.diff(sigma) / h
        entropy = -0.5 * np.log(2 * np.pi * np.e) - np.log(sigma)
        value = 0.5 * h * steps @ steps + 0.5 * y[n] ** 2 * horizon + 0.5 * weight * (sigma[-1] ** 2 + end**2)
        slope = steps - np.append(steps[1:], -weight * sigma[-1]) - aversion * share / sigma[1:]
        return value + aversion * np.trapezoid(entropy, dx=h), np.append(slope, horizon * (y[n] + weight * end))

    bounds = [(1e-3, None)] * n + [(None, None)]
    best = minimize(
        cost, np.append(np.full(n, s), 0.0), jac=True, bounds=bounds, options={"maxiter": 5000, "maxfun": 9000}
    )
    assert best.success
    assert crowded(m, s, weight, horizon, aversion) == pytest.approx(best.fun, abs=1e-4)
