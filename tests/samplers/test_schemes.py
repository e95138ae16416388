"""One step of every scheme against closed forms: point masses, Gaussians, bridges, on random paths and times."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mfgpde as mfg
from mfgpde.samplers import (
    DDIM,
    Ancestral,
    Clipped,
    DPMSolver2,
    DPMSolver3,
    DPMSolverMultistep,
    Euler,
    EulerMaruyama,
    Exponential,
    Heun,
    Model,
    PredictorCorrector,
)

POINT = 1e-13
"""a variance so small that data are a point to rounding"""


@st.composite
def paths(draw):
    horizon = draw(st.floats(0.3, 3.0))
    make = draw(st.sampled_from(["vp", "sub-vp", "ve", "ou", "brownian", "straight", "cosine"]))
    low, more = draw(st.floats(0.1, 0.6)), draw(st.floats(0.5, 4.0))
    return {
        "vp": lambda: mfg.VariancePreserving(low, low + more, horizon),
        "sub-vp": lambda: mfg.processes.SubVariancePreserving(low, low + more, horizon),
        "ve": lambda: mfg.VarianceExploding(low, low * (1.5 + more), horizon),
        "ou": lambda: mfg.OrnsteinUhlenbeck(0.5 * more, low + 0.5, horizon),
        "brownian": lambda: mfg.Brownian(low + 0.5, horizon),
        "straight": lambda: mfg.processes.Straight(horizon=horizon),
        "cosine": lambda: mfg.processes.Cosine(horizon=horizon),
    }[make]()


@st.composite
def problems(draw, variance=None):
    """Draw a path, Gaussian data N(m, v), two times, and a place."""
    process = draw(paths())
    late = draw(st.floats(0.25, 0.9))
    early = late * draw(st.floats(0.1, 0.9))
    m = draw(st.floats(-2.0, 2.0))
    v = draw(st.floats(0.05, 2.0)) if variance is None else variance
    place = draw(st.floats(-2.0, 2.0))
    model = Model(process, mfg.ExactScore(process, mfg.gaussian(m, v)))
    return model, m, v, late * process.horizon, early * process.horizon, np.array([[place]])


def step(sampler, model, x, *times):
    """Return mean and deviation after all moves between these times, noise left out."""
    for moves in sampler.run(model, np.array(times)):
        for move in moves:
            x, deviation = move(x)
    return float(x[0, 0]), deviation


def flow(model, m, v, t, s, x):
    """Return where the probability flow takes x: it keeps the place relative to mean and deviation."""
    spread = [model.alpha(u) ** 2 * v + model.sigma(u) ** 2 for u in (t, s)]
    return model.alpha(s) * m + (float(x[0, 0]) - model.alpha(t) * m) * np.sqrt(spread[1] / spread[0])


@settings(max_examples=40)
@given(problems(POINT))
@pytest.mark.parametrize("sampler", [DDIM(), Exponential(0.0), DPMSolver2(), DPMSolver3(), DPMSolverMultistep()])
def test_predictions_that_stay_are_carried_exactly(sampler, problem):
    """Of data at one point neither the predicted noise nor the predicted data change along the flow."""
    model, m, v, t, s, x = problem
    found, deviation = step(sampler, model, x, t, s)
    assert found == pytest.approx(flow(model, m, v, t, s, x), abs=1e-7)
    assert deviation == 0.0


@settings(max_examples=40)
@given(problems(POINT), st.floats(0.0, 1.0))
@pytest.mark.parametrize("name", ["ddim", "exponential", "ancestral"])
def test_noise_keeps_the_law_of_a_noised_point(name, problem, share):
    """Affine maps and new noise take N(α_t m, σ_t²) to N(α_s m, σ_s²), whatever share of the noise is new."""
    model, m, _, t, s, _ = problem
    sampler = {"ddim": lambda: DDIM(share), "exponential": lambda: Exponential(2 * share), "ancestral": Ancestral}[
        name
    ]()
    (b, deviation), (end, _) = (step(sampler, model, np.array([[x]]), t, s) for x in (0.0, 1.0))
    a = end - b
    assert a * model.alpha(t) * m + b == pytest.approx(model.alpha(s) * m, abs=1e-7)
    assert (a * model.sigma(t)) ** 2 + deviation**2 == pytest.approx(model.sigma(s) ** 2, rel=1e-7)


@settings(max_examples=40)
@given(problems(POINT))
def test_ancestral_steps_are_the_bridge_to_the_predicted_data(problem):
    """The law of X_s given X_0 = m and X_t = x, by conditioning a Gaussian in the plane."""
    model, m, _, t, s, x = problem
    later = model.process.transition(s, t)
    F, C = float(later.factor), float(later.covariance)
    a, v = model.alpha(s), model.sigma(s) ** 2
    gain = v * F / (F * v * F + C)
    mean = a * m + gain * (float(x[0, 0]) - F * a * m)
    found, deviation = step(Ancestral(), model, x, t, s)
    assert found == pytest.approx(mean, abs=1e-7)
    assert deviation**2 == pytest.approx(v - gain * F * v, rel=1e-8, abs=1e-14)


@settings(max_examples=30)
@given(problems())
def test_all_noise_of_ddim_and_of_the_exponential_family_is_ancestral(problem):
    model, _, _, t, s, x = problem
    mean, deviation = step(Ancestral(), model, x, t, s)
    for other in (DDIM(1.0), Exponential(1.0)):
        found, noise = step(other, model, x, t, s)
        assert found == pytest.approx(mean, abs=1e-10)
        assert noise == pytest.approx(deviation, rel=1e-9)
    still, none = step(DDIM(0.0), model, x, t, s)
    assert (still, none) == (pytest.approx(step(Exponential(0.0), model, x, t, s)[0], abs=1e-10), 0.0)


HALVED = 0.02, 0.01, 0.005, 0.0025


def falls(wrong, power):
    """Say whether errors at halved steps fall by a power; what rounding leaves says nothing.

    The power above may cancel it at one step, and then not at half of it: one halving of three will do. An error of
    a lower power falls too slowly at all three, but where it is cancelled itself.
    """
    rates = [np.log2(a / b) for a, b in pairwise(wrong) if b > 1e-11]
    return max(rates) > power - 0.5 if rates else wrong[0] < 1e-5


@settings(max_examples=30)
@given(problems())
@pytest.mark.parametrize("sampler", [Euler(), DDIM(), Heun(), DPMSolver2(), DPMSolver3()], ids=lambda one: repr(one))
def test_what_one_step_leaves_of_the_flow_falls_by_its_order_and_one(sampler, problem):
    """Half a step leaves 2^(order + 1) times less."""
    model, m, v, t, _, x = problem
    wrong = []
    for h in HALVED:
        s = t * (1 - h)
        wrong.append(abs(step(sampler, model, x, t, s)[0] - flow(model, m, v, t, s, x)))
    assert falls(wrong, sampler.order + 1)


@settings(max_examples=30)
@given(problems())
def test_two_steps_of_the_multistep_scheme_leave_a_third_power(problem):
    model, m, v, t, _, x = problem
    wrong = []
    for h in HALVED:
        times = t, t * (1 - h), t * (1 - 2 * h)
        start = flow(model, m, v, t, times[1], x)
        sampler = DPMSolverMultistep()
        (first,), (second,) = sampler.run(model, np.array(times))
        first(x)
        found = float(second(np.array([[start]]))[0][0, 0])
        wrong.append(abs(found - flow(model, m, v, t, times[2], x)))
    assert falls(wrong, 3)


@settings(max_examples=30)
@given(problems(), st.floats(0.3, 2.0))
def test_euler_maruyama_has_the_drift_and_noise_of_its_dynamics(problem, noise):
    """Mean x + h(−f + (1 + λ²) D s), variance 2λ² D h, with the score of the Gaussian by hand."""
    model, m, v, t, s, x = problem
    process, h = model.process, t - s
    D = float(process.diffusivity(t))
    score = -(x - model.alpha(t) * m) / (model.alpha(t) ** 2 * v + model.sigma(t) ** 2)
    mean, deviation = step(EulerMaruyama(noise), model, x, t, s)
    wanted = x + h * (-process.drift(x, t) + (1 + noise**2) * D * score)
    assert mean == pytest.approx(float(wanted[0, 0]), rel=1e-9, abs=1e-9)
    assert deviation**2 == pytest.approx(2 * noise**2 * D * h, rel=1e-12)


@settings(max_examples=30)
@given(problems(), st.integers(1, 3), st.floats(0.1, 1.0))
def test_correctors_are_langevin_steps_towards_the_law_at_the_new_time(problem, count, share):
    model, m, v, t, s, x = problem
    ((first, *corrections),) = PredictorCorrector(count, share).run(model, np.array([t, s]))
    assert len(corrections) == count
    assert first(x)[0] == pytest.approx(step(Ancestral(), model, x, t, s)[0], abs=1e-10)
    w = [(model.sigma(u) / model.alpha(u)) ** 2 for u in (t, s)]
    delta = share * model.sigma(s) ** 2 * (1 - w[1] / w[0])
    spread = model.alpha(s) ** 2 * v + model.sigma(s) ** 2
    for move in corrections:
        mean, deviation = move(x)
        assert mean == pytest.approx(x - delta * (x - model.alpha(s) * m) / spread, rel=1e-9)
        assert deviation == pytest.approx(np.sqrt(2 * delta), rel=1e-9)


@settings(max_examples=40)
@given(problems())
def test_predictions_of_noise_data_and_velocity_belong_together(problem):
    """The state is α x̂₀ + σ ε̂, û = α′ x̂₀ + σ′ ε̂, and x̂₀ is E(X₀ | X_t = x) of a Gaussian."""
    model, m, v, t, _, x = problem
    data, noise = model.data(x, t), model.noise(x, t)
    assert model.alpha(t) * data + model.sigma(t) * noise == pytest.approx(x, abs=1e-11)
    a, s2 = model.alpha(t), model.sigma(t) ** 2
    assert data == pytest.approx(m + v * a * (x - a * m) / (a * a * v + s2), abs=1e-10)
    h = 1e-5 * t
    rates = [(f(t + h) - f(t - h)) / (2 * h) for f in (model.alpha, model.sigma)]
    assert model.velocity(x, t) == pytest.approx(rates[0] * data + rates[1] * noise, rel=1e-5, abs=1e-5)
    assert model.spread(t) == pytest.approx(s2 / a**2)
    assert model.log_snr(t) == pytest.approx(np.log(a / np.sqrt(s2)))
    assert model.time_at(model.log_snr(t)) == pytest.approx(t, rel=1e-9)


@settings(max_examples=40)
@given(problems(), st.floats(0.05, 1.5))
def test_clipped_scores_predict_clipped_data(problem, limit):
    model, _, _, t, _, x = problem
    data = model.data(x, t)
    once = Clipped(model.process, model.score, limit)
    assert Model(model.process, once).data(x, t) == pytest.approx(np.clip(data, -limit, limit), abs=1e-9)
    twice = Clipped(model.process, once, limit)
    assert twice(x, t) == pytest.approx(once(x, t), rel=1e-8, abs=1e-8)
    if np.abs(data).max() < limit:
        assert once(x, t) == pytest.approx(model.score(x, t), rel=1e-8, abs=1e-8)


@settings(max_examples=30)
@given(st.lists(st.floats(-4.0, 4.0), min_size=8, max_size=8), st.floats(0.3, 1.0), st.floats(0.2, 2.0))
def test_dynamic_thresholds_scale_what_reaches_beyond(values, quantile, limit):
    """Predictions are cut at the quantile of their sizes, and scaled so that it becomes the limit."""
    process, wanted = mfg.VariancePreserving(), np.array(values).reshape(2, 4)
    t = 0.4
    a, v = float(process.mean_coefficient(t)), float(process.variance(t))

    def score(x, t):
        return (a * wanted - x) / v

    found = Model(process, Clipped(process, score, limit, quantile)).data(np.zeros((2, 4)), t)
    for row, cut in zip(wanted, found, strict=True):
        top = max(limit, float(np.quantile(np.abs(row), quantile)))
        assert cut == pytest.approx(np.clip(row, -top, top) * limit / top, abs=1e-9)
        assert np.abs(cut).max() <= limit * (1 + 1e-9)


@pytest.mark.parametrize("bad", [lambda: DDIM(1.1), lambda: DDIM(-0.1), lambda: Exponential(-1.0)])
def test_shares_of_noise_out_of_their_range_are_refused(bad):
    with pytest.raises(ValueError, match=r"eta must lie|noise must be"):
        bad()


@pytest.mark.parametrize("noise", [0.0, -1.0, np.inf, np.nan])
def test_euler_maruyama_without_noise_is_eulers_method_and_says_so(noise):
    with pytest.raises(ValueError, match="positive finite"):
        EulerMaruyama(noise)


@pytest.mark.parametrize(("count", "share"), [(0, 0.2), (1, 0.0), (1, 1.1)])
def test_corrections_that_are_none_are_refused(count, share):
    with pytest.raises(ValueError, match="at least one correction"):
        PredictorCorrector(count, share)


@pytest.mark.parametrize("options", [{"limit": 0.0}, {"quantile": 0.0}, {"quantile": 1.5}])
def test_clipping_to_nothing_is_refused(options):
    with pytest.raises(ValueError, match=r"limit|quantile"):
        Clipped(mfg.VariancePreserving(), lambda x, t: -x, **options)


@pytest.mark.parametrize("sampler", [DPMSolver2(), DPMSolver3()])
def test_steps_in_the_logarithm_of_the_ratio_cannot_end_without_noise(sampler):
    model = Model(mfg.VariancePreserving(), mfg.ExactScore(mfg.VariancePreserving(), mfg.gaussian(0.0, 1.0)))
    with pytest.raises(ValueError, match="give a stop > 0"):
        next(sampler.run(model, np.array([1.0, 0.0])))


def test_a_signal_that_is_not_reached_is_refused():
    model = Model(mfg.VariancePreserving(), lambda x, t: -x)
    with pytest.raises(ValueError, match="below"):
        model.time_at(model.log_snr(1.0) - 1.0)
    assert model.time_at(model.log_snr(1.0)) == 1.0
    assert model.log_snr(0.0) == np.inf
