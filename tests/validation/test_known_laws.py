"""Bounded integrals over blobs of one width, against closed forms and other quadratures; laws of wrong scores."""

from pathlib import Path

import numpy as np
import pytest
from scipy.integrate import quad

import mfgpde as mfg
from mfgpde.verify import load_module

known = load_module(Path(mfg.__file__).parents[1] / "validation" / "networks" / "_known.py")
lines = known.lines
affine = load_module(Path(mfg.__file__).parents[1] / "validation" / "lai2023" / "_affine.py")
ONE = {"1": 1.0}


def blob(place):
    return lines.Blobs(np.ones(1), np.array([place]))


def test_moments_of_one_blob_are_integrated_over_time():
    frame = lines.Frame(blob(0.7), lambda t: 1.0 + t)  # N(0.7/τ, 1/τ), τ = 1 + t
    found = lines.over_time(frame, lambda t: [(1.0, {"z": 1.0}, {"z": 1.0})], 0.0, 3.0)
    assert abs(found.value - (0.49 * 0.75 + np.log(4.0))) <= found.half_width < 2e-9
    assert found.kind is mfg.Kind.BOUND


def test_what_the_trapezoid_rule_leaves_is_nearly_its_bound(monkeypatch):
    monkeypatch.setattr(lines, "STEP", 1.5)
    frame = lines.Frame(blob(0.0), lambda t: 1.0 + 0.0 * t)
    found = lines.at(frame, lambda t: [(1.0, ONE, ONE)], 0.0)
    # by Poisson's formula the sum over a lattice is 1 + 2 Σ cos(2πkx₀/h) e^{−2π²k²/h²}, x₀ a point of it
    missed = 2 * np.exp(-2 * np.pi**2 / 1.5**2) * np.cos(2 * np.pi * lines.REACH / 1.5)
    assert found.value - 1 == pytest.approx(missed, rel=1e-3)
    assert abs(missed) <= found.half_width < 1.01 * abs(missed)


def test_what_gauss_leaves_over_time_is_in_the_bar(monkeypatch):
    monkeypatch.setattr(lines, "POINTS", 3)
    frame = lines.Frame(blob(0.0), lambda t: 1.0 * t)  # E ζ² = 1/t
    found = lines.over_time(frame, lambda t: [(1.0, {"z": 1.0}, {"z": 1.0})], 1.0, 3.0, tolerance=1.0)
    missed = abs(found.value - np.log(3.0))
    assert 1e-7 < missed <= found.half_width


@pytest.mark.parametrize("tau", [1e-3, 1e-6, 1e-10, 1e-12])
def test_nodes_of_a_thin_blob_far_from_zero_are_rounded(tau):
    found = lines.at(lines.Frame(blob(1.0), lambda t: tau + 0 * t), lambda t: [(1.0, ONE, ONE)], 0.5)
    assert abs(found.value - 1) <= found.half_width < 1e-13 * (1 + 0.1 / tau**0.5)


def test_logarithms_of_sums_are_refused_over_time():
    frame = lines.Frame(blob(0.7), lambda t: 1.0 + t)
    with pytest.raises(ValueError, match="at real times only"):
        lines.over_time(frame, lambda t: [(1.0, {"lp": 1.0}, ONE)], 0.0, 1.0)


TWO = lines.Frame(
    lines.Blobs(np.array([0.3, 0.7]), np.array([-1.0, 0.8])),
    lambda t: 0.2 + t,
    lines.Blobs(np.array([0.6, 0.4]), np.array([-0.5, 1.1])),
    1.4,
    lambda t: 0.3 * t,
)


def terms(t):
    """Return (μ̄ − ζ)(ν̄ − tζ) + ⟨μ²⟩⟨ν²⟩."""
    return [(1.0, {"p": 1.0, "z": -1.0}, {"q": 1.0, "z": -1.0 * t}), (1.0, {"pp": 1.0}, {"qq": 1.0})]


def integrand(z, t):
    """Return the same times the density of the frame's law, at complex ζ and t too, from the formulas of both laws."""
    tau, lag = 0.2 + t, 0.3 * t / (0.2 + t)
    p = [w * np.exp(m * z - m * m / (2 * tau)) for w, m in zip(*TWO.law, strict=True)]
    q = [w * np.exp(n / 1.4 * (z - lag) - n * n / (2.8 * tau)) for w, n in zip(*TWO.other, strict=True)]
    mean, square = (sum(m**k * one for m, one in zip(TWO.law.places, p, strict=True)) / sum(p) for k in (1, 2))
    other, wide = (sum(n**k * one for n, one in zip(TWO.other.places, q, strict=True)) / sum(q) for k in (1, 2))
    values = (mean - z) * (other - t * z) + square * wide
    return np.sqrt(tau / (2 * np.pi)) * np.exp(-0.5 * tau * z * z) * sum(p) * values


def test_two_mixtures_at_an_instant():
    found = lines.at(TWO, terms, 0.5)
    other, error = quad(integrand, -20.0, 20.0, args=(0.5,), epsabs=1e-13, limit=400)
    assert abs(found.value - other) <= found.half_width + error + 1e-13
    assert found.half_width < 1e-11


def test_another_law_may_have_a_width_of_its_own():
    frame = TWO._replace(narrow=lambda t: 0.5 + 0.1 * t)
    found = lines.at(frame, lambda t: [(1.0, {"q": 1.0}, {"z": 1.0})], 0.5)

    def values(z):
        q = [w * np.exp(n / 1.4 * (z - 0.15 / 0.7) - n * n * 0.55 / 2.8) for w, n in zip(*TWO.other, strict=True)]
        p = [w * np.exp(m * z - m * m / 1.4) for w, m in zip(*TWO.law, strict=True)]
        mean = sum(n * one for n, one in zip(TWO.other.places, q, strict=True)) / sum(q)
        return np.sqrt(0.7 / (2 * np.pi)) * np.exp(-0.35 * z * z) * sum(p) * mean * z

    other, error = quad(values, -20.0, 20.0, epsabs=1e-13, limit=400)
    assert abs(found.value - other) <= found.half_width + error + 1e-13


def test_complex_times_are_bounded():
    size = lines._bounded(TWO, terms, np.array([[0.5], [0.7]]))[0]
    angle = np.linspace(0.0, np.pi, 9)
    z = np.linspace(-40.0, 40.0, 8001)
    largest = 0.0
    for t in 0.6 + 0.1 * (1.25 * np.cos(angle) + 0.75j * np.sin(angle)):
        largest = max(largest, abs(np.sum(integrand(z, t)) * (z[1] - z[0])))
    assert largest <= size < 60 * largest


def test_a_pole_is_not_integrated_over():
    frame = lines.Frame(blob(0.0), lambda t: 1.0 + 0.0 * t)
    with pytest.raises(ValueError, match="panels"):
        lines.over_time(frame, lambda t: [(1.0 / (t - 0.5), ONE, ONE)], 0.0, 1.0)


def laws(case):
    """Return log q and the scores of SDE and ODE, functions of place and time, from the formulas of the family."""
    process = case.process

    def offset(t):
        return float(case.offset(t))

    def log_q(x, t):
        m, v = float(process.mean_coefficient(t)), float(process.variance(t))
        width = case.spread * (m * m * case.width + v)
        each = [w * np.exp(-((x - m * (nu + offset(t))) ** 2) / (2 * width)) for w, nu in zip(*case.made, strict=True)]
        return np.log(sum(each) / np.sqrt(2 * np.pi * width))

    h = 1e-3

    def slope(x, t):
        return (8 * (log_q(x + h, t) - log_q(x - h, t)) - (log_q(x + 2 * h, t) - log_q(x - 2 * h, t))) / (12 * h)

    def of_sde(x, t):
        return float(case.pull(t)) + 0.5 * (1 + case.spread) * slope(x, t)

    def of_ode(x, t):
        return 2 * float(case.pull(t)) + case.spread * slope(x, t)

    return log_q, slope, of_sde, of_ode


def differenced(f, at):
    return (8 * (f(at + 1e-3) - f(at - 1e-3)) - (f(at + 2e-3) - f(at - 2e-3))) / 12e-3


@pytest.mark.parametrize("k", range(4))
def test_both_scores_generate_the_law(k):
    case = list(known.draw(np.random.default_rng(5)))[k]
    log_q, slope, of_sde, of_ode = laws(case)
    t = 0.4 * case.process.horizon
    a, D = float(case.process.relaxation(t)), float(case.process.diffusivity(t))
    for x in (-1.1, 0.2, 0.9):
        rise = differenced(lambda u, x=x: log_q(x, u), t)
        for speed, diffused in (
            (lambda y: -a * y - 2 * D * of_sde(y, t), True),  # of the SDE by the forward clock: −f + 2Ds against it
            (lambda y: -a * y - D * of_ode(y, t), False),
        ):
            back = -differenced(speed, x) - speed(x) * slope(x, t)
            if diffused:
                back -= D * (differenced(lambda y: slope(y, t), x) + slope(x, t) ** 2)
            assert back == pytest.approx(rise, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("k", range(4))
def test_residual_and_divergence_at_an_instant(k):
    case = list(known.draw(np.random.default_rng(6)))[k]
    log_q, _, of_sde, _ = laws(case)
    t, process = 0.3 * case.process.horizon, case.process
    a, D = float(process.relaxation(t)), float(process.diffusivity(t))
    B = 0.5 * (1 + case.spread)

    def residual(x):
        rise = differenced(lambda u: float(case.pull(u)) * x + B * log_q(x, u), t)
        return rise - (D * differenced(lambda y: of_sde(y, t), x) + D * of_sde(x, t) ** 2 + a * x * of_sde(x, t) + a)

    x = np.linspace(-14.0, 14.0, 4001)
    q = np.exp(log_q(x, t))
    found = lines.at(case.own_frame(), case.residual, t)
    assert found.value == pytest.approx(float(np.sum(q * residual(x)) * (x[1] - x[0])), rel=1e-6, abs=1e-7)
    m = float(process.mean_coefficient(t))
    V = m * m * case.width + float(process.variance(t))
    p = sum(w * np.exp(-((x - m * mu) ** 2) / (2 * V)) for w, mu in zip(*case.data, strict=True)) / np.sqrt(
        2 * np.pi * V
    )
    inside = p > 1e-200
    between = float(np.sum(p[inside] * (np.log(p[inside]) - log_q(x[inside], t))) * (x[1] - x[0]))
    assert abs(case.divergence(t).value - between) < 1e-11


@pytest.mark.parametrize("k", range(4))
def test_tilted_laws(k):
    case = list(known.draw(np.random.default_rng(7), spread=1.0))[k]
    log_q, _, _, _ = laws(case)
    t, x = 0.3 * case.process.horizon, np.linspace(-14.0, 14.0, 4001)
    q = np.exp(log_q(x, t))
    own = q * np.exp(float(case.pull(t)) * x)
    q, own = q / q.sum(), own / own.sum()
    apart, one, two = (float(value) for value in case.tilted(t))
    assert apart == pytest.approx(own @ x - q @ x, abs=1e-11)
    assert one == pytest.approx(q @ x**2 - (q @ x) ** 2, rel=1e-11)
    assert two == pytest.approx(own @ x**2 - (own @ x) ** 2, rel=1e-11)
    inside = q > 1e-300
    between = q[inside] @ (np.log(q[inside]) - np.log(own[inside]))
    assert float(case.own_divergence(np.array(t))) == pytest.approx(between, rel=1e-9, abs=1e-13)
    steep = differenced(lambda u: float(case.pull(u)), t) - float(case.process.relaxation(t) * case.pull(t))
    assert float(case.steepness(t)) == pytest.approx(steep, rel=1e-7, abs=1e-9)


@pytest.mark.parametrize("k", range(4))
def test_affine_scores_collect_what_their_paths_say(k):
    case = affine.one_blob(list(known.draw(np.random.default_rng(8)))[k])
    _, _, _, of_ode = laws(case)
    process, T = case.process, case.process.horizon
    t, x = 0.3 * T, 0.4
    a, D = float(process.relaxation(t)), float(process.diffusivity(t))
    bend = differenced(
        lambda y: D * differenced(lambda z: of_ode(z, t), y) + D * of_ode(y, t) ** 2 + a * y * of_ode(y, t), x
    )
    expected = differenced(lambda u: of_ode(x, u), t) - bend
    assert float(affine.residual(case, t)) == pytest.approx(expected, rel=1e-5, abs=1e-6)

    def size(u):
        return float(np.sqrt(process.mean_coefficient(u) ** 2 * case.width + process.variance(u)))

    def gathered(u):
        return quad(lambda v: size(v) * float(affine.residual(case, v)), u, T, epsabs=1e-12, limit=200)[0] / size(u)

    w, begun = affine.carried(case, np.array(t))
    assert float(begun["1"] - w["1"]) == pytest.approx(gathered(t), abs=1e-9)
    first = float(case.data.weights @ case.data.places)

    def rate(u):  # of a score that is affine, E_p of it is its value at the mean
        return float(process.diffusivity(u)) * of_ode(float(process.mean_coefficient(u)) * first, u) * gathered(u)

    nodes, weights = np.polynomial.legendre.leggauss(40)
    middle, half = 0.5 * (T + case.stop), 0.5 * (T - case.stop)
    total = half * sum(w * rate(middle + half * u) for u, w in zip(nodes, weights, strict=True))
    found = affine.collected(case)
    assert found.value == pytest.approx(total, abs=1e-7)
    assert found.half_width < 1e-9
