"""Laws of scores that are wrong on purpose, against values from independent computations (Gaussian: scalar equations)."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.interpolate import CubicSpline
from scipy.stats import norm

import mfgpde as mfg
from mfgpde.verify import load_module

cases = load_module(Path(mfg.__file__).parents[1] / "validation" / "networks" / "_reference_cases.py")
family = load_module(Path(mfg.__file__).parents[1] / "validation" / "networks" / "_family.py")


def generated(case, n, nodes=33):
    """Return grid, log p_0, q^SDE and log q^ODE at t = 0, log p̂_0 and ∫D E_q|∇φ − ∇log q|² dt."""
    T, grid = case.process.horizon, mfg.CartesianGrid((case.box[0],), (case.box[1],), (n,))
    x, (times, weights) = grid.points, family.nodes(0.0, T, nodes)
    equation = mfg.FokkerPlanck.reverse(case.process, case.score)
    fields = mfg.solve(equation, mfg.FiniteVolume(grid, order=4), case.prior, times, rtol=1e-8).fields
    flow = mfg.Continuity.probability_flow(case.process, case.score)
    ode = mfg.solvers.log_density(flow, case.prior.log_density, x, T, 0.0, rtol=1e-9)
    phi, energies = case.score.potential(x, 0.0), []
    for tau, q in zip(times, fields, strict=True):
        values = np.maximum(q.at_points, 1e-13 * q.values.max())
        slope = mfg.Field(mfg.FiniteVolume(grid), np.log(values)).gradient().values
        energies.append(0.5 * float(grid.integrate(values * np.sum((case.score(x, T - tau) - slope) ** 2, axis=-1))))
    own = phi - np.log(grid.integrate(np.exp(phi)))
    return grid, case.data.log_density(x), fields[-1], ode, own, float(weights @ energies)


def w2_to_the_ode(case, grid, q):
    """Return W₂(q^ODE, q): the flow of the prior's quantiles against the distribution function of q."""
    T, edges = case.process.horizon, np.concatenate((grid.points[:, 0] - grid.spacing[0] / 2, [grid.upper[0]]))
    x = np.linspace(grid.lower[0] * 0.6, grid.upper[0] * 0.6, 8001)

    def back(t, y):
        return -(y + 0.5 * case.score(y[:, None], t)[:, 0])

    start = solve_ivp(back, (0, T), x, rtol=1e-9, atol=1e-11, method="DOP853").y[:, -1]
    u = norm.cdf((start - case.prior.means[0, 0]) / np.sqrt(case.prior.covariances[0, 0, 0]))
    fine = np.linspace(x[0], x[-1], 200001)
    distribution = CubicSpline(edges, np.concatenate(([0.0], np.cumsum(q.values) / q.values.sum())))(fine)
    return np.sqrt(np.trapezoid((x - np.interp(u, np.maximum.accumulate(distribution), fine)) ** 2, u))


@pytest.mark.slow
def test_gaussian_laws_of_a_wrong_score():
    case = cases.gaussian_case()
    grid, p, q, ode, own, energy = generated(case, 512)
    density = np.exp(p)

    def kl(other):
        return float(grid.integrate(density * (p - other)))

    # closed forms of two scalar equations; volumes of order four on 512 cells, steps to 1e-8
    assert kl(np.log(np.maximum(q.at_points, 1e-300))) == pytest.approx(0.142257872771, abs=2e-6)
    assert kl(ode) == pytest.approx(0.166496445729, abs=1e-8)
    assert kl(own) == pytest.approx(0.042443091, abs=1e-9)
    assert energy == pytest.approx(0.074004955, abs=5e-6)
    assert w2_to_the_ode(case, grid, q) == pytest.approx(0.0434926854, abs=2e-6)
    mean = q.expectation(lambda x: x[..., 0])
    assert mean == pytest.approx(0.95214185, abs=1e-6)
    assert q.expectation(lambda x: (x[..., 0] - mean) ** 2) == pytest.approx(0.16107785, abs=1e-6)


@pytest.mark.parametrize(("noise", "expected"), [(1, (0.95214185, 0.16107785)), (0, (0.98637050, 0.14025923))])
def test_scalar_equations_of_the_gaussian_case(noise, expected):
    assert cases.GaussianCase.law(noise)(0.0) == pytest.approx(expected, abs=5e-9)


@pytest.mark.parametrize(
    ("noise", "kl", "bound"), [(0.5, 0.174252525, 0.310787), (1, 0.142257872771, 0.199686), (2, 0.068710176, 0.310787)]
)
def test_samplers_between_flow_and_diffusion_on_the_gaussian_case(noise, kl, bound):
    G = cases.GaussianCase
    (m, v), (mean, variance) = G.DATA, G.law(noise)(0.0)
    assert 0.5 * (v / variance + (m - mean) ** 2 / variance - 1 - np.log(v / variance)) == pytest.approx(kl, abs=5e-9)
    times, weights = family.nodes(0.0, G.T, 65)
    decay, spread = np.exp(-times), G.variance(times)
    # s_θ − s = (1/v − κ)x + κc − 0.8e^{−t}/v under N(0.8e^{−t}, v)
    slope = 1 / spread - G.precision(times)
    shift = G.precision(times) * G.centre(times) - 0.8 * decay / spread
    loss = 0.5 * float(weights @ (slope**2 * spread + (slope * 0.8 * decay + shift) ** 2))
    (m, v), (mean, variance) = (0.8 * np.exp(-G.T), G.variance(G.T)), G.PRIOR
    before = 0.5 * (v / variance + (m - mean) ** 2 / variance - 1 - np.log(v / variance))
    assert before + (1 + noise**2) ** 2 / (4 * noise**2) * loss == pytest.approx(bound, abs=5e-7)


@pytest.mark.slow
def test_two_blobs_and_a_ripple():
    case = cases.mixture_case()
    grid, p, q, ode, own, energy = generated(case, 768)
    density = np.exp(p)
    # four digits by a Fourier method on [−6, 6], densities cut at 1e-11, which moves KL by 2e-5
    assert float(grid.integrate(density * (p - np.log(np.maximum(q.at_points, 1e-300))))) == pytest.approx(
        0.0759, abs=7e-5
    )
    assert float(grid.integrate(density * (p - own))) == pytest.approx(0.0638, abs=7e-5)
    q_log = np.log(np.maximum(q.at_points, 1e-300))
    assert float(grid.integrate(q.at_points * (q_log - own))) == pytest.approx(0.014899, abs=3e-5)
    assert energy == pytest.approx(0.0021096, abs=3e-6)
    # the same W₂ from densities on the grid: quantiles of both, ours of order two
    other = mfg.transport.wasserstein(np.exp(ode), np.maximum(q.values, 0), grid)
    assert w2_to_the_ode(case, grid, q) == pytest.approx(other, abs=1e-4)
    # three digits by quantiles of the clipped Fourier densities; paths and quantiles here agree to five
    assert other == pytest.approx(0.05059, abs=2e-4)
    assert mfg.transport.wasserstein(np.maximum(q.values, 0), density, grid) == pytest.approx(0.3386, abs=4e-4)
    assert mfg.transport.wasserstein(np.exp(ode), density, grid) == pytest.approx(0.3598, abs=4e-4)


@pytest.mark.slow
def test_a_bound_that_is_an_equality():
    # one variance for both laws, means that differ: s = −(x − c)/v, c = m_S + η; W₂ = |m_S − m_O|
    for v0, expected in ((0.09, 0.4171640024), (4.0, 0.4861451892)):

        def v(t, v0=v0):
            return v0 * np.exp(-2 * t) + 0.5 * (1 - np.exp(-2 * t))

        def rate(t, m, v=v):
            eta = 0.2 + 0.1 * np.cos(t)
            return [-m[0] - eta / v(t), -m[1] + 0.5 / v(t) * (m[1] - m[0] - eta)]

        means = solve_ivp(rate, (2.0, 0.0), [0.2, 0.2], rtol=1e-12, atol=1e-14, dense_output=True).sol
        assert abs(np.subtract(*means(0.0))) == pytest.approx(expected, abs=1e-9)

        def score(x, t, v=v, means=means):
            return -(x - means(t)[0] - 0.2 - 0.1 * np.cos(t)) / v(t)

        process, prior = mfg.OrnsteinUhlenbeck(horizon=2.0), mfg.gaussian(0.2, v(2.0))
        half = 8 * np.sqrt(max(v0, 0.5)) + 2
        space = mfg.FiniteVolume(mfg.CartesianGrid((-half,), (half,), (800,)), order=4)
        equation = mfg.FokkerPlanck.reverse(process, score)
        sde = mfg.solve(equation, space, prior, [0.0, 2.0], rtol=1e-7).fields[-1]
        # both laws are Gaussian with one variance, so that W₂ is what their means are apart
        mean = sde.expectation(lambda x: x[..., 0])
        assert mean == pytest.approx(means(0.0)[0], abs=2e-5)
        assert abs(mean - means(0.0)[1]) == pytest.approx(expected, abs=2e-5)


def test_the_kernel_formula_on_gaussians():
    grid = mfg.CartesianGrid((-6.0,), (5.0,), (512,))
    start = np.exp(mfg.gaussian(-1.0, 0.2).log_density(grid.points))
    found = mfg.wasserstein_proximal(start, lambda x: (x[..., 0] - 0.4) ** 2, grid, horizon=0.7, beta=0.15)
    mean = found.density.expectation(lambda x: x[..., 0])
    assert mean == pytest.approx(-0.1833333, abs=1e-7)
    assert found.density.expectation(lambda x: (x[..., 0] - mean) ** 2) == pytest.approx(0.1222222, abs=1e-4)
    assert found.cost == pytest.approx(1.03132031, abs=1e-4)


class Steered:
    """f = −x, D = ½, T = 1, data N(0.8, 0.09), start N(0.1, 0.6), control A(τ)x + B(τ) off by 0.3 sin 3τ, 0.2."""

    T, DATA, START = 1.0, (0.8, 0.09), (0.1, 0.6)

    @classmethod
    def exact(cls, tau):
        """Return A and B of the best control, the score."""
        t = cls.T - tau
        v = 0.09 * np.exp(-2 * t) + 0.5 * (1 - np.exp(-2 * t))
        return -1 / v, 0.8 * np.exp(-t) / v

    @classmethod
    def control(cls, tau):
        A, B = cls.exact(tau)
        return A + 0.3 * np.sin(3 * tau), B + 0.2


def test_cost_of_a_wrong_control_is_the_value_and_the_gap():
    def rate(tau, y):
        (A, B), (a, b), m, v = Steered.control(tau), Steered.exact(tau), *y[:2]
        square, gap = (p**2 * (v + m**2) + 2 * p * q * m + q**2 for p, q in ((A, B), (A - a, B - b)))
        return [m + A * m + B, 2 * (1 + A) * v + 1, 0.5 * square - 1, 0.5 * gap]

    y = solve_ivp(rate, (0, Steered.T), [*Steered.START, 0, 0], rtol=1e-13, atol=1e-14, method="DOP853").y[:, -1]

    def paid(m, v, law):
        """Return −E log of a Gaussian under N(m, v)."""
        return 0.5 * np.log(2 * np.pi * law[1]) + 0.5 * (v + (m - law[0]) ** 2) / law[1]

    noised = 0.8 * np.exp(-1.0), 0.09 * np.exp(-2.0) + 0.5 * (1 - np.exp(-2.0))
    cost, value = y[2] + paid(*y[:2], Steered.DATA), paid(*Steered.START, noised)
    assert cost == pytest.approx(1.287256477418, abs=1e-12)
    assert value + y[3] == pytest.approx(1.287256477418, abs=1e-12)


def test_solvers_find_cost_and_value_of_the_wrong_control():
    process, data, start = mfg.OrnsteinUhlenbeck(horizon=1.0), mfg.gaussian(0.8, 0.09), mfg.gaussian(0.1, 0.6)
    grid = mfg.CartesianGrid((-5.0,), (5.0,), (400,))
    x, (times, weights) = grid.points, family.nodes(0.0, 1.0, 33)

    def drift(y, tau):
        A, B = Steered.control(tau)
        return y + A * y + B

    equation = mfg.FokkerPlanck(drift, lambda tau: 0.5, time_dependent=True)
    laws = mfg.solve(equation, mfg.FiniteVolume(grid, order=4), start, times, rtol=1e-8).fields
    running, gaps, score = [], [], mfg.ExactScore(process, data)
    for tau, law in zip(times, laws, strict=True):
        A, B = Steered.control(tau)
        v, s = (A * x + B)[:, 0], score(x, 1.0 - tau)[:, 0]
        running.append(law.expectation(0.5 * v**2 - 1))
        gaps.append(law.expectation(0.5 * (v - s) ** 2))
    cost = weights @ running - laws[-1].expectation(data.log_density(x))
    value = -float(grid.integrate(start.density(x) * mfg.marginal(process, data, 1.0).log_density(x)))
    assert cost == pytest.approx(1.287256477418, abs=5e-6)
    assert value + weights @ gaps == pytest.approx(1.287256477418, abs=5e-6)
    # the generic game solver knows neither score nor law: from the same start the least cost is the value
    game = replace(mfg.games.score_based_model(process, data), initial=start)
    assert mfg.equilibrium(game, mfg.CartesianGrid((-5.0,), (5.0,), (192,)), steps=24).discrete_primal == pytest.approx(
        value, abs=2e-3
    )
