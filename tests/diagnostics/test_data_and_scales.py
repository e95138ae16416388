"""Data as trials need them, and what numbers are measured by: noise, moments, histograms, spreads, stages, entries."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mfgpde as mfg
from mfgpde.diagnostics import conventions
from mfgpde.diagnostics.by_sampling import _knots
from mfgpde.diagnostics.conventions import looks_like, wrong_convention
from mfgpde.diagnostics.data import Named, Sampled, noised, smooth
from mfgpde.diagnostics.ledger import STAGES, Entry, Ledger, probe, stages
from mfgpde.diagnostics.prior_mismatch import advice, mismatch
from mfgpde.diagnostics.scales import spread, stopped_early
from mfgpde.diagnostics.slips import likely_slip
from mfgpde.scores.predictions import converted

PROCESSES = (
    mfg.OrnsteinUhlenbeck(0.8, 1.1, 1.7),
    mfg.VariancePreserving(0.2, 5.0, 0.6),
    mfg.VarianceExploding(0.02, 4.0, 3.0),
    mfg.processes.SubVariancePreserving(0.1, 4.0, 1.3),
    mfg.processes.Straight(horizon=2.0),
)
UNITS = st.sampled_from([1e-6, 1.0, 1e6])
TIME = st.floats(0.01, 0.9)


@st.composite
def gaussians(draw):
    """Draw a Gaussian in one to three dimensions, turned."""
    d, rng = draw(st.integers(1, 3)), np.random.default_rng(draw(st.integers(0, 10**6)))
    A = rng.normal(size=(d, d)) + 0.3 * np.eye(d)
    return mfg.gaussian(rng.normal(size=d), A @ A.T + 0.05 * np.eye(d))


@settings(max_examples=20)
@given(gaussians(), st.sampled_from(PROCESSES), TIME)
def test_noise_has_the_moments_of_the_transition(law, process, share):
    """X_t = F X₀ + o + N(0, C): mean and covariance of many points, to five deviations of their own error."""
    d, n, t = law.dimension, 20_000, share * process.horizon
    x = law.sample(n, np.random.default_rng(1))
    found = noised(process, x, t, np.random.default_rng(2))
    F, o, C = process.transition(0.0, t).in_dimension(d)
    mean, covariance = F @ law.means[0] + o, F @ law.covariances[0] @ F.T + C
    size = np.sqrt(np.trace(covariance))
    assert found.mean(axis=0) == pytest.approx(mean, abs=5 * size / np.sqrt(n))
    assert np.cov(found.T).reshape(d, d) == pytest.approx(covariance, abs=5 * size**2 * np.sqrt(2 / n))
    again = noised(process, x, t, np.random.default_rng(2))
    assert np.array_equal(found, again)


@settings(max_examples=20)
@given(st.integers(1, 4), st.integers(1, 3), st.integers(0, 10**6))
def test_moments_of_mixtures_are_those_of_their_parts(k, d, seed):
    """By the law of total covariance: E X, and E XXᵀ less its square."""
    rng = np.random.default_rng(seed)
    law = mfg.GaussianMixture(rng.dirichlet(np.ones(k)), rng.normal(size=(k, d)), rng.uniform(0.1, 1, (k, d)))
    mean, covariance = Named(law, law).moments()
    square = sum(w * (np.outer(m, m) + C) for w, m, C in zip(law.weights, law.means, law.covariances, strict=True))
    assert mean == pytest.approx(law.weights @ law.means)
    assert covariance == pytest.approx(square - np.outer(mean, mean), abs=1e-12)
    points = law.sample(50, rng)
    mean, covariance = Sampled(points, points).moments()
    assert covariance == pytest.approx((points - mean).T @ (points - mean) / 49)


@settings(max_examples=20)
@given(st.floats(0.6, 2.5), st.floats(0.5, 2.0), st.integers(0, 10**6))
def test_smoothing_keeps_mass_and_adds_its_variance(first, unit, seed):
    """A Gaussian of some cells' width, mirrored at the walls: far from them the variance grows by its square."""
    grid = mfg.CartesianGrid.cube(20.0 * unit, 80, 1)
    values = np.zeros(80)
    values[34:46] = np.random.default_rng(seed).random(12)
    law = mfg.Field(mfg.FiniteVolume(grid), values, means=True)
    once = smooth(law, first)
    assert once.integral() == pytest.approx(float(law.integral()))

    def variance(one):
        p = one.values / one.values.sum()
        x = grid.points[:, 0]
        return p @ x**2 - (p @ x) ** 2

    assert variance(once) == pytest.approx(variance(law) + (first * grid.spacing[0]) ** 2, rel=0.01)
    flat = mfg.Field(mfg.FiniteVolume(grid), np.ones(80), means=True)
    assert smooth(flat, first).values == pytest.approx(np.ones(80))
    one = smooth(replace(flat, values=np.eye(80)[40]), first).values
    off = np.abs(np.arange(80) - 40)
    kernel = np.where(off <= 6 * first + 0.5, np.exp(-0.5 * (off / first) ** 2), 0.0)
    assert one == pytest.approx(kernel / kernel.sum(), rel=1e-12, abs=0)  # six widths: 2e-9 of a Gaussian lie beyond


def test_histograms_count_what_lies_inside_and_refuse_what_does_not():
    points = np.array([[-0.9], [-0.1], [0.1], [0.2], [5.0]])
    grid = mfg.CartesianGrid.cube(1.0, 4, 1)
    found = Sampled(points, points).on(grid)
    assert found.values == pytest.approx([0.4, 0.4, 0.8, 0.0])
    assert found.integral() == pytest.approx(0.8)
    with pytest.raises(ValueError, match="only 1 of 5 samples"):
        Sampled(points, points).on(mfg.CartesianGrid((4.0,), (6.0,), (4,)))


@settings(max_examples=20)
@given(st.integers(5, 40), st.integers(1, 100))
def test_more_samples_than_there_are_come_round_in_turn(many, asked):
    points = np.arange(float(many))[:, None]
    drawn = Sampled(points, points).sample(asked, np.random.default_rng(0))
    _, counts = np.unique(drawn, return_counts=True)
    assert len(drawn) == asked
    assert counts.max() - (counts.min() if len(counts) == many else 0) <= 1
    first, second = next(Sampled(points, points).halves(mfg.CartesianGrid((-0.5,), (many - 0.5,), (many,))))
    both = first.values * -(-many // 2) + second.values * (many // 2)
    assert both == pytest.approx(np.ones(many))  # every sample is in one of both halves


@settings(max_examples=25)
@given(gaussians(), st.sampled_from(PROCESSES), TIME)
def test_what_stopping_early_leaves_is_held_for_gaussians(law, process, share):
    """W₂ of N(m, S) and its noised law in closed form is the lower end; the coupling by X₀ itself is above."""
    d, t = law.dimension, 0.2 * share * process.horizon
    entry = stopped_early(process, Named(law, law), t, d)
    after = law.after(process.transition(0.0, t))
    exact = mfg.transport.wasserstein_gaussian(law.means[0], law.covariances[0], after.means[0], after.covariances[0])
    assert entry.lower == pytest.approx(exact, rel=1e-6, abs=1e-9)
    x = law.sample(4000, np.random.default_rng(3))
    y = noised(process, x, t, np.random.default_rng(4))
    coupled = np.sum((x - y) ** 2, axis=1)
    assert entry.upper**2 == pytest.approx(coupled.mean(), abs=6 * coupled.std() / np.sqrt(4000))
    assert entry.value == pytest.approx(0.5 * (entry.lower + entry.upper))


@settings(max_examples=20)
@given(gaussians(), UNITS)
def test_spreads_are_lengths_and_agree_however_a_law_is_known(law, unit):
    d = law.dimension
    scaled = mfg.GaussianMixture(law.weights, unit * law.means, unit**2 * law.covariances)
    exact = unit * np.sqrt(np.trace(law.covariances[0]))
    assert spread(Named(scaled, scaled), None)["value"] == pytest.approx(exact)
    points = scaled.sample(5000, np.random.default_rng(0))
    assert spread(Sampled(points, points), None)["value"] == pytest.approx(exact, rel=0.1)
    assert spread(None, points)["value"] == pytest.approx(exact, rel=0.1)
    if d < 3:
        low, high = scaled.box(1 - 1e-9)
        grid = mfg.CartesianGrid(tuple(low), tuple(high), (400,) if d == 1 else (60, 70))
        density = mfg.Field(mfg.FiniteVolume(grid), scaled.density(grid.points), means=True)
        assert spread(None, density)["value"] == pytest.approx(exact, rel=1e-3)


@settings(max_examples=20)
@given(gaussians(), st.sampled_from(PROCESSES[:4]))
def test_the_prior_of_gaussian_data_is_off_by_the_lower_ends(law, process):
    """Both lower ends are W₂ and KL in closed form; both upper ends are above; TV obeys Pinsker."""
    d = law.dimension
    found = mismatch(process, Named(law, law), d)
    p, prior = law.after(process.transition(0.0, process.horizon)), process.prior()
    _, mu, C = prior.in_dimension(d)
    m, S = p.means[0], p.covariances[0]
    w2 = mfg.transport.wasserstein_gaussian(m, S, mu, C)
    off = m - mu
    kl = np.trace(np.linalg.solve(C, S)) - d + off @ np.linalg.solve(C, off) + np.linalg.slogdet(C)[1]
    kl = 0.5 * (kl - np.linalg.slogdet(S)[1])
    assert found["W2"].lower == pytest.approx(w2, rel=1e-6, abs=1e-7)
    assert found["KL(p_T‖prior)"].lower == pytest.approx(kl, rel=1e-6, abs=1e-10)
    for name in ("W2", "KL(p_T‖prior)"):
        assert found[name].upper >= found[name].lower
    assert found["TV"].upper == pytest.approx(min(1.0, np.sqrt(found["KL(p_T‖prior)"].upper / 2)))


def test_a_prior_is_blamed_for_what_it_does_and_for_nothing_else():
    prior, w2 = mfg.gaussian(0.0, 4.0), Entry(1.0, 0.1, "")
    assert "a longer horizon" in advice(w2, prior, Entry(0.5, 0.0, ""), Entry(0.1, 0.0, ""))
    assert advice(w2, prior, Entry(0.5, 0.0, ""), Entry(0.26, 0.0, "")) is None  # half and more stays
    assert advice(w2, prior, Entry(0.5, 0.0, ""), Entry(0.1, 0.6, "")) is None  # it is within the bar
    assert advice(w2, prior, Entry(1.9e-3, 0.0, ""), Entry(1e-4, 0.0, "")) is None  # a thousandth of the width


@pytest.mark.parametrize("process", PROCESSES, ids=lambda one: type(one).__name__)
@pytest.mark.parametrize("stop", [1e-4, 0.05])
def test_stages_go_in_equal_steps_of_a_root_to_the_stop(process, stop):
    times = np.array(stages(process, stop))
    roots = np.sqrt(times - stop)
    assert len(times) == STAGES
    assert np.diff(roots) == pytest.approx(-roots[0] / STAGES)
    lost = float(process.mean_coefficient(process.horizon)) == 0
    assert (times[0] < process.horizon) == lost
    if lost:
        assert float(process.mean_coefficient(times[0])) == pytest.approx(1e-3, rel=0.5)
    else:
        assert times[0] == process.horizon


@given(st.floats(1e-3, 1e3), st.floats(1e-6, 0.9))
def test_the_first_stage_is_the_horizon_and_no_rounding_off_it(horizon, share):
    times = stages(mfg.OrnsteinUhlenbeck(horizon=horizon), share * horizon)
    assert times[0] == horizon
    assert all(share * horizon < b < a for a, b in itertools.pairwise(times))


@settings(max_examples=30)
@given(st.floats(0.3, 1.0), st.floats(0.01, 0.9), st.integers(1, 16), UNITS)
def test_knots_of_trajectories_know_no_unit_of_time(late, share, half, unit):
    """From one end to the other, as many as asked for, and the same shares of the horizon in every unit."""
    for make in (lambda T: mfg.Brownian(horizon=T), lambda T: mfg.processes.Trigonometric(horizon=T)):
        known, slow = (np.array(_knots(make(T), late * T, share * late * T, 2 * half)) / T for T in (1.0, unit))
        assert len(known) == 2 * half + 1
        assert known[0] == pytest.approx(late)
        assert known[-1] == pytest.approx(share * late)
        assert np.all(np.diff(known) < 0)
        assert slow == pytest.approx(known, rel=1e-9)
    roots = np.sqrt(_knots(mfg.Brownian(), late, share * late, 2 * half))
    assert np.diff(roots) == pytest.approx(np.diff(roots).mean())


def test_knots_crowd_where_a_schedule_loses_the_data():
    """Steps are equal in √(t/T) − 0.3 log α: near the horizon of cos they are shorter than those of √t alone."""
    process = mfg.processes.Trigonometric(horizon=2.0)
    knots = np.array(_knots(process, 2.0 * (1 - 1e-4), 0.2, 24))
    place = np.sqrt(knots / 2.0) - 0.3 * np.log(np.cos(0.5 * np.pi * knots / 2.0))
    assert np.diff(place) == pytest.approx(np.diff(place).mean(), rel=0.02)


@settings(max_examples=30)
@given(st.floats(-5, 5), st.floats(0, 3), st.floats(0, 1), st.floats(0, 1))
def test_what_an_entry_leaves_possible(value, bar, down, up):
    plain = Entry(value, bar, "how")
    assert (plain.least, plain.most) == (max(0.0, value - bar), value + bar)
    held = Entry(value, bar, "how", lower=value - down, upper=value + up)
    assert (held.least, held.most) == (value - down, value + up)
    unknown = Entry(value, None, "how")
    assert (unknown.least, unknown.most) == (0.0, np.inf)
    assert set(held.plain()) - set(plain.plain()) == {"lower", "upper"}


def test_a_ledger_keeps_what_is_entered_about_one_thing_together():
    ledger = Ledger()
    ledger.enter("distances", "a–b", {"W2": Entry(1.0, 0.1, "x")})
    ledger.enter("distances", "a–b", {"L1": Entry(2.0, None, "y", {"cells": 0.5})})
    ledger.rows.append({"t": 0.5, "score": Entry(3.0, 0.2, "z")})
    plain = ledger.plain()
    assert list(plain["distances"]["a–b"]) == ["W2", "L1"]
    assert plain["distances"]["a–b"]["L1"]["parts"] == {"cells": 0.5}
    assert plain["residuals"] == [{"t": 0.5, "score": {"value": 3.0, "error": 0.2, "method": "z"}}]


@pytest.mark.parametrize(
    ("score", "words"),
    [(lambda x, t: x[:, 0], "must return shape"), (lambda x, t: np.where(x > 1, np.nan, x), "nan.* at x = ")],
)
def test_a_score_that_fails_says_where(score, words):
    with pytest.raises(ValueError, match=words):
        probe(score, np.linspace(-2, 2, 9)[:, None], mfg.Brownian(), 1e-3)


LAW = mfg.GaussianMixture([0.3, 0.7], [[-1.0], [0.8]], [0.2, 0.1])
PLACES = {
    "noise": ("variance-preserving", mfg.VariancePreserving(), "process"),
    "flow": ("straight", mfg.processes.Straight(), "reversed"),
    "v": ("trigonometric", mfg.processes.Trigonometric(), "process"),
    "data": ("cosine", mfg.processes.Cosine(), "process"),
}


@pytest.mark.parametrize("predicts", PLACES)
def test_a_networks_own_convention_fits_to_rounding(predicts):
    """What a network of the exact law returns has no misfit; the next candidate has; a wrong word for it is told so."""
    name, process, clock = PLACES[predicts]
    exact, sign = mfg.ExactScore(process, LAW), -1.0 if clock == "reversed" else 1.0

    def network(x, tau):
        t = process.horizon - tau if clock == "reversed" else tau
        now = mfg.processes.schedule_of(process, t)
        return sign * converted(exact(x, t), x, now, "score", predicts, 0.5)

    best, *others = looks_like(network, Named(LAW, LAW))
    assert (best.predicts, best.schedule, best.clock) == (predicts, name, clock)
    assert best.misfit < 1e-12
    assert others[0].misfit > 1e-6
    assert wrong_convention(network, Named(LAW, LAW), predicts, process, clock) is None
    said = wrong_convention(network, Named(LAW, LAW), "score", process, clock)
    assert str(best) in said
    assert f"off by {best.misfit:.2g}: say so" in said


@settings(max_examples=20)
@given(st.floats(0.1, 300.0), st.floats(-100.0, 100.0), st.integers(0, 10**6))
def test_usual_scales_are_reached_from_any_other(size, shift, seed):
    raw = size * np.random.default_rng(seed).random((40, 2)) + shift
    found = [values for _, values in conventions._scales(raw)]
    assert (found[0].min(), found[0].max()) == (pytest.approx(-1.0), pytest.approx(1.0))
    assert (found[1].min(), found[1].max()) == (pytest.approx(0.0, abs=1e-9), pytest.approx(1.0))
    for deviation, values in zip((1.0, 0.5), found[2:4], strict=True):
        assert values.mean() == pytest.approx(0.0, abs=1e-9)
        assert values.std() == pytest.approx(deviation)
    assert found[4].std(axis=0) == pytest.approx(np.ones(2))


@settings(max_examples=20)
@given(st.sampled_from([0.5, 2.0, -1.0, 7.0]), st.sampled_from(PROCESSES[:4]))
def test_one_factor_at_all_times_is_named_with_its_size(factor, process):
    exact = mfg.ExactScore(process, LAW)
    data = Named.stopped(process, LAW, 1e-2)

    def slipped(x, t):
        return factor * exact(x, t)

    said = likely_slip(process, slipped, data, 1, 1e-2, np.random.default_rng(0))
    assert ("wrong sign" if factor == -1 else f"looks like {factor:.3g} times") in said
    assert likely_slip(process, exact, data, 1, 1e-2, np.random.default_rng(0)) is None
