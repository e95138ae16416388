"""What calibration holds to be true is true: every family's closed form against quadrature, sampling or another formula."""

import types

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad, solve_ivp
from scipy.optimize import linprog
from scipy.stats import beta, binom, multivariate_normal, norm

import mfgpde as mfg
from mfgpde.calibration import Case, calibrate, drawn
from mfgpde.calibration.cell_transports import _move
from mfgpde.calibration.certificates import distances, generated
from mfgpde.calibration.contract import between
from mfgpde.calibration.convergences import _step
from mfgpde.calibration.couplings import paired
from mfgpde.calibration.draws import generator
from mfgpde.calibration.ledgers import _parts
from mfgpde.calibration.means import drawn_laws
from mfgpde.calibration.particles import linear, quadratic
from mfgpde.calibration.passages import Well, cumulative
from mfgpde.calibration.sampled_laws import affine, between_gaussians
from mfgpde.calibration.trajectories import Scaled, entropy, laws, squares
from mfgpde.calibration.trial import ALARM, Row, Tried
from mfgpde.core.estimate import Estimate, Kind
from mfgpde.diagnostics.score_residuals import score_residual
from mfgpde.samplers import DDIM, Ancestral, Euler, EulerMaruyama, LogSNR, Model
from mfgpde.samplers.generated import prior

SEEDS = st.integers(0, 10**6)


@settings(max_examples=60)
@given(st.floats(-3, 3), st.floats(0, 2), st.floats(-3, 3), st.floats(0, 1))
def test_ratios_are_distances_beyond_what_is_known_over_bars(value, bar, truth, known):
    case = Case("x", Estimate(value, bar, Kind.BOUND, "drawn"), truth, known)
    off = max(0.0, abs(value - truth) - known)
    assert case.off == pytest.approx(off)
    assert case.ratio == (pytest.approx(off / bar) if bar > 0 and off > 0 else 0.0 if off == 0 else np.inf)
    assert Case("x", Estimate(value, np.inf, Kind.BOUND, "drawn"), truth).ratio == 0.0
    held = between(min(value, truth), max(value, truth), "a bracket")
    assert (held.lower, held.upper) == (pytest.approx(min(value, truth)), pytest.approx(max(value, truth)))


@settings(max_examples=60)
@given(st.integers(1, 400), st.sampled_from(list(Kind)), st.integers(0, 30))
def test_rows_fail_where_chance_would_not_do_it(count, kind, misses):
    """So many failures as are allowed have a probability above 1/1000 at the promised rate, one more below."""
    misses = min(misses, count)
    row = Row("f", kind, [2.0] * misses + [0.5] * (count - misses))
    rate = 0.0 if kind in (Kind.BOUND, Kind.PROVED) else 0.01
    assert row.failures == misses
    assert row.kept == (binom.sf(misses - 1, count, rate) > ALARM) or binom.cdf(misses, count, rate) == pytest.approx(
        1 - ALARM
    )
    assert row.worst == (2.0 if misses else 0.5)
    assert row.sharpness == pytest.approx(1 / np.median(row.ratios))


def family(*cases, remembered=(), trouble=None):
    def given_(rng):
        if trouble:
            raise trouble
        yield from cases

    return types.SimpleNamespace(covers=(), remembered=remembered, cases=given_)


def test_trials_keep_apart_what_is_refused_what_breaks_and_what_is_missing():
    good = Case("x", Estimate(1.0, 0.1, Kind.BOUND, "m"), 1.0)
    found = calibrate(
        {"good": family(good), "no": family(trouble=ValueError("not posed")), "bad": family(trouble=KeyError("k")),
         "away": family(trouble=ImportError("library")), "moved": family(trouble=ImportError("m", name="mfgpde.moved"))}, 5,
    )  # fmt: skip
    assert len(found.tried) == 5
    assert not found.kept
    assert {name for name, *_ in found.refused} == {"no"}
    assert {name for name, *_ in found.broken} == {"bad", "moved"}
    assert found.missing == {"away": "library"}
    assert "KeyError" in found.broken[0][-1]
    assert len(calibrate({"good": family(good)}, 1).tried) == 1
    for families, cases in (({}, 5), ({"good": family(good)}, 0)):
        with pytest.raises(ValueError, match="at least one case"):
            calibrate(families, cases)
    with pytest.raises(ValueError, match="no case of the kind confidence"):
        calibrate({"good": family(good)}, 5, kind=Kind.CONFIDENCE)
    worse = [Tried("f", 0, k, Case("x", Estimate(0.0, 1.0, Kind.BOUND, "m"), float(k))) for k in range(4)]
    assert [one.draw for one in type(found)(worse).failures] == [3, 2]


def test_remembered_draws_come_first_and_every_draw_is_its_own():
    seen = []
    one = types.SimpleNamespace(covers=(), remembered=((7, 3),))
    one.cases = lambda rng: seen.append(rng.random()) or iter([Case("x", Estimate(0.0, 1.0, Kind.BOUND, "m"), 0.0)])
    calibrate({"one": one}, 3, seed=5)
    assert seen == [generator("one", *where).random() for where in ((7, 3), (5, 0), (5, 1))]
    assert generator("one", 5, 0).random() != generator("two", 5, 0).random()


@pytest.mark.slow
@settings(max_examples=6)
@given(SEEDS)
def test_laws_of_affine_scores_are_those_of_their_equations(seed):
    """Mean and variance of ODE and SDE, by many of Euler's steps of both."""
    rng = np.random.default_rng(seed)
    process = mfg.OrnsteinUhlenbeck(float(rng.uniform(0.5, 1.5)), float(rng.uniform(0.7, 1.4)), 1.2)
    law = mfg.gaussian(float(rng.normal(0, 0.8)), float(rng.uniform(0.3, 0.9)) ** 2)
    score, stop = mfg.ExactScore(process, law), 0.1
    ode, sde = generated(process, score, stop)
    start = prior(Model(process, score))
    for found, noise in ((ode, 0.0), (sde, 1.0)):
        times = np.linspace(process.horizon, stop, 1001)
        scheme = Euler() if noise == 0 else EulerMaruyama()
        mean, deviation = affine(scheme, Model(process, score), times, start)
        assert found.means[0, 0] == pytest.approx(mean, abs=8e-3)
        assert np.sqrt(found.covariances[0, 0, 0]) == pytest.approx(deviation, abs=8e-3)
    both = laws(process, Scaled(score, 1.0), 1, stop)
    for one, other in zip(both, (ode, sde), strict=True):
        assert one.means == pytest.approx(other.means, abs=1e-8)
        assert one.covariances == pytest.approx(other.covariances, abs=1e-8)


@settings(max_examples=20)
@given(SEEDS, st.sampled_from([1.0, 0.9, 1.05]), st.floats(0.1, 0.9))
def test_mean_squares_along_trajectories_are_integrals(seed, factor, share):
    """E|s|², E|∂_t s|² and E|ε|² under a Gaussian, by Gauss–Hermite points and the library's own residual."""
    rng = np.random.default_rng(seed)
    process = mfg.VariancePreserving(0.2, 4.0, 1.5)
    exact = mfg.ExactScore(process, mfg.gaussian(float(rng.normal()), 0.6))
    score, law, t = Scaled(exact, factor), mfg.gaussian(0.3, 0.5), share * 1.5
    nodes, weights = np.polynomial.hermite_e.hermegauss(12)
    x, w = (0.3 + np.sqrt(0.5) * nodes)[:, None], weights / weights.sum()

    class Whole:
        def __call__(self, y, u):
            return factor * exact(y, u)

        def __getattr__(self, name):
            return lambda *a: factor * getattr(exact, name)(*a)

    whole = Whole()
    residual = whole.time_derivative(x, t) * 0
    D, f = float(process.diffusivity(t)), process.drift(x, t)
    J = whole.jacobian(x, t)[..., 0, 0]
    residual = whole.time_derivative(x, t)[:, 0] + J * (f - 2 * D * whole(x, t))[:, 0]
    residual += float(-process.relaxation(t)) * whole(x, t)[:, 0]  # ∇∇·s vanishes
    found = squares(process, score, law, t)
    assert found["score"] == pytest.approx(w @ whole(x, t)[:, 0] ** 2, rel=1e-8)
    assert found["time derivative"] == pytest.approx(w @ whole.time_derivative(x, t)[:, 0] ** 2, rel=1e-6)
    assert found["score residual"] == pytest.approx(w @ residual**2, rel=1e-6, abs=1e-9)
    if factor == 1.0:
        assert np.abs(score_residual(process, exact, x, t)).max() < 1e-8


@settings(max_examples=12)
@given(st.floats(-2, 2), st.floats(0.3, 2), st.floats(-2, 2), st.floats(0.3, 2))
def test_distances_of_gaussians_on_a_line_are_integrals(m, s, n, r):
    """W₁, W₂ and KL by quantiles and quadrature, KS by a fine search, L¹ by areas."""
    found = between_gaussians(mfg.gaussian(m, s**2), (n, r))
    levels = norm.ppf((np.arange(20_000) + 0.5) / 20_000)
    gap = (m - n) + (s - r) * levels
    assert found["w1"] == pytest.approx(np.mean(np.abs(gap)), abs=1e-3)
    assert found["w2"] == pytest.approx(np.sqrt(np.mean(gap**2)), abs=5e-3)
    x = np.linspace(-20, 20, 30_001)
    apart = np.abs(norm.cdf(x, m, s) - norm.cdf(x, n, r))
    assert found["ks"] == pytest.approx(apart.max(), abs=1e-5)
    p, q = norm.pdf(x, m, s), norm.pdf(x, n, r)
    kl = np.trapezoid(np.where(p > 0, p * (norm.logpdf(x, m, s) - norm.logpdf(x, n, r)), 0.0), x)
    assert found["kl"] == pytest.approx(kl, abs=1e-6)
    other = distances(mfg.gaussian(m, s**2), mfg.gaussian(n, r**2))
    assert other["L1"] == pytest.approx(np.trapezoid(np.abs(p - q), x), abs=1e-4)
    assert other["KL(ode‖sde)"] == pytest.approx(found["kl"], abs=1e-9)
    assert other["W2"] == pytest.approx(found["w2"], rel=1e-9, abs=1e-7)


@settings(max_examples=20)
@given(SEEDS, st.sampled_from([DDIM(), DDIM(0.5), Ancestral(), EulerMaruyama()]))
def test_affine_samplers_have_the_moments_of_their_samples(seed, sampler):
    process = mfg.OrnsteinUhlenbeck(horizon=2.0)
    model = Model(process, mfg.ExactScore(process, mfg.gaussian(0.5, 0.3)))
    times, start = LogSNR().times(process, 6, 0.05), prior(Model(process, lambda x, t: -x))
    mean, deviation = affine(sampler, model, times, start)
    rng = np.random.default_rng(seed)
    x = start.sample(20_000, rng)
    for moves in sampler.run(model, times):
        for move in moves:
            x, noise = move(x)
            x = x + noise * rng.standard_normal(x.shape)
    assert x.mean() == pytest.approx(mean, abs=6 * deviation / np.sqrt(20_000))
    assert x.std() == pytest.approx(deviation, rel=0.05)


@settings(max_examples=30)
@given(SEEDS, st.floats(-0.4, 0.4), st.floats(0.1, 1.0))
def test_ledgers_of_eulers_scheme_are_its_steps(seed, by, variance):
    """All parts by carrying means and deviations step by step, the limit by an accurate integrator."""
    rng = np.random.default_rng(seed)
    times = np.sort(rng.uniform(0.05, 3.0, 7))[::-1]
    mean, start = 0.4, (0.9, 1.7)

    def moved(law, factor, exact):
        m, s = law
        if exact:
            run = solve_ivp(
                lambda t, y: 0.5 * factor * y / (variance + t), (times[0], times[-1]), [1.0], rtol=1e-10, atol=1e-12
            )
            k = float(run.y[0, -1])
        else:
            k = 1.0
            for t, s_ in zip(times[:-1], times[1:], strict=True):
                k *= 1 + (s_ - t) * 0.5 * factor / (variance + t)
        return mean + k * (m - mean), abs(k) * s

    def apart(a, b):
        return np.hypot(a[0] - b[0], a[1] - b[1])

    top, data = (mean, np.sqrt(variance + times[0])), (mean, np.sqrt(variance))
    stopped = (mean, np.sqrt(variance + times[-1]))
    learned, ours, whole = moved(top, 1 + by, True), moved(start, 1 + by, True), moved(start, 1 + by, False)
    wanted = {
        "stop": apart(data, stopped), "score": apart(stopped, learned), "prior": apart(stopped, moved(start, 1.0, True)),
        "discretisation": apart(stopped, moved(top, 1.0, False)), "prior_in_turn": apart(learned, ours),
        "discretisation_in_turn": apart(ours, whole), "whole": apart(data, whole),
    }  # fmt: skip
    found = _parts(times, mean, variance, 1 + by, start)
    assert found.keys() == wanted.keys()
    for name, value in wanted.items():
        assert found[name] == pytest.approx(value, abs=1e-7)


@settings(max_examples=30)
@given(st.integers(1, 3), st.floats(0.5, 1.5), st.floats(0.2, 2.0), st.floats(0.5, 5.0))
def test_steps_of_schemes_have_their_order(order, factor, v, t):
    """What one step leaves of ((v + s)/(v + t))^{c/2} falls by 2^(order + 1)."""
    off = []
    for h in (0.1 * (v + t), 0.05 * (v + t)):
        off.append(abs(_step(order, factor, v, t, t - h) - ((v + t - h) / (v + t)) ** (0.5 * factor)))
    assert off[0] == pytest.approx(0.0, abs=0.02)
    assert off[1] < 1e-13 or np.log2(off[0] / off[1]) > order + 0.6


@settings(max_examples=20)
@given(SEEDS)
def test_drawn_laws_have_the_means_that_are_said(seed):
    rng = np.random.default_rng(seed)
    for name, values, truth in drawn_laws(rng, 40_000):
        assert np.mean(values) == pytest.approx(truth, abs=6 * np.std(values) / 200), name
    law = drawn.mixture(rng, 2)
    points = law.sample(40_000, rng)
    assert drawn.second_moment(law) == pytest.approx(np.mean((points**2).sum(axis=1)), rel=0.06)
    wave = np.cos(0.7 * points.sum(axis=1))
    assert drawn.wave_mean(law, 0.7) == pytest.approx(wave.mean(), abs=0.03)
    problem = drawn.forward(rng, 1, 40)
    assert float(problem.grid.integrate(problem.end.density(problem.grid.points))) == pytest.approx(1.0, abs=2e-2)


@pytest.mark.parametrize(
    ("theta", "w", "sigma", "T"), [(0.0, 1.0, 1.0, 1.0), (0.7, 1.4, 0.8, 1.3), (1.5, 0.3, 0.5, 0.4)]
)
def test_expectations_of_particles_solve_their_equations(theta, w, sigma, T):
    """cosh(T)^{−½} of Cameron and Martin; Riccati's equation; the mean by the Gaussian law of ∫X; volumes on a grid."""
    assert quadratic(0.0, 1.0, 1.0, T, mfg.gaussian(0.0, 1e-14)) == pytest.approx(np.cosh(T) ** -0.5)
    run = solve_ivp(
        lambda s, y: [w**2 - 2 * theta * y[0] - sigma**2 * y[0] ** 2, -0.5 * sigma**2 * y[0]],
        (0, T),
        (0, 0),
        rtol=1e-11,
    )
    A, log = run.y[:, -1]
    start = mfg.gaussian(np.array([0.6, -1.1]), 0.3, 2)
    each = [
        quad(lambda x, m=m: np.exp(log - 0.5 * A * x * x - (x - m) ** 2 / 0.6) / np.sqrt(0.6 * np.pi), -8, 8)[0]
        for m in (0.6, -1.1)
    ]
    assert quadratic(theta, sigma, w, T, start) == pytest.approx(np.prod(each), rel=1e-6)
    a, b = 0.6, -0.4
    walk = mfg.processes.Diffusion(lambda x, t: -theta * x, lambda x, t: 0.5 * sigma**2)
    equation = mfg.equations.FeynmanKac(walk, killing=lambda x, t: 4 + b * x[..., 0])  # the four is taken back
    space = mfg.FiniteVolume(mfg.CartesianGrid.cube(9.0, 400, 1))
    u = mfg.solve(equation, space, lambda x: np.exp(a * x[..., 0]), (0.0, T), rtol=1e-8).at(T)
    point = mfg.gaussian(0.5, 1e-14)
    found = linear(theta, sigma, np.array([a]), np.array([b]), T, point)
    assert found == pytest.approx(np.exp(4 * T) * float(u(np.array([[0.5]]))[0]), rel=1e-3)


def test_moves_on_tori_are_optimal(rng):
    """A linear programme over all cells, distances the shortest way, another solver."""
    grid = mfg.CartesianGrid((0.0, 1.0), (2.0, 4.0), (10, 8), (True, False))
    for _ in range(12):
        law, moved, way = _move(rng, grid)
        p, q = (one.ravel() / one.sum() for one in (law, moved))
        x, y = (grid.points.reshape(-1, 2)[one > 0] for one in (p, q))
        apart = np.abs(x[:, None] - y)
        apart[..., 0] = np.minimum(apart[..., 0], 2.0 - apart[..., 0])
        n, m = len(x), len(y)
        sums = np.concatenate((np.kron(np.eye(n), np.ones(m)), np.kron(np.ones(n), np.eye(m))))
        for order in (1, 2):
            costs = np.sum(apart**2, axis=-1) ** (order / 2)
            best = linprog(costs.ravel(), A_eq=sums, b_eq=np.concatenate((p[p > 0], q[q > 0])), method="highs-ds")
            assert best.fun ** (1 / order) == pytest.approx(way, abs=1e-6)


@settings(max_examples=25)
@given(*[st.floats(-2.5, 2.5)] * 4, st.floats(1.0, 4.0), st.floats(0.1, 0.9))
def test_wells_have_their_slopes_and_integrals(a, b, c, d, k, y):
    well, h = Well(a, b, c, d, k), 1e-4
    found = (well.value(np.array(y + h)) - well.value(np.array(y - h))) / (2 * h)
    assert well.slope(np.array(y)) == pytest.approx(float(found), abs=1e-5)
    whole, _ = quad(lambda z: float(np.exp(-well.value(np.array(z)))), 0.0, 1.0, epsabs=0.0, epsrel=1e-11)
    assert cumulative(np.exp(-well.value(well.nodes)))[-1] == pytest.approx(whole, rel=1e-9)


def test_every_kind_of_process_is_drawn(rng):
    """Six kinds, none of them twice as often as another."""
    drawn_ones = [type(drawn.process(rng)).__name__ for _ in range(600)]
    counts = {name: drawn_ones.count(name) for name in set(drawn_ones)}
    assert counts.keys() == {
        "Brownian", "OrnsteinUhlenbeck", "VariancePreserving", "SubVariancePreserving", "VarianceExploding", "Linear",
    }  # fmt: skip
    assert max(counts.values()) < 2 * min(counts.values())


@settings(max_examples=30)
@given(st.integers(1, 60), st.floats(0.1, 4.0), st.floats(-2, 2))
def test_pairs_of_one_rank_are_apart_by_beta_laws(n, a, b):
    """E U_(i) and E U_(i)² by the beta law of each rank, of both batches, which are independent."""
    law = beta(np.arange(1, n + 1), n + 1 - np.arange(1, n + 1))
    first, second = law.mean(), law.var() + law.mean() ** 2
    truth = np.mean(b**2 + a**2 * second + second + 2 * a * b * first - 2 * b * first - 2 * a * first**2)
    assert paired(n, a, b) == pytest.approx(truth, abs=1e-10)


@pytest.mark.parametrize("variances", [[0.3], [2.0, 0.1], [1.0, 5.0, 0.01]])
def test_entropies_of_gaussians(variances):
    law = mfg.gaussian(np.zeros(len(variances)), np.diag(variances))
    assert entropy(law) == pytest.approx(multivariate_normal(cov=np.diag(variances)).entropy())
