"""Schedules against what was published, against each other, and what they refuse; their laws are in test_laws.py."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import mfgpde as mfg

P = mfg.processes


def test_a_list_is_exact_at_its_instants():
    betas = np.linspace(1e-4, 0.02, 1000)
    process, bar = P.linear_betas(), np.cumprod(1 - betas)
    t = (np.arange(1000) + 1) / 1000
    assert (
        np.abs(process.mean_coefficient(t) ** 2 / bar - 1).max() < 2000 * np.finfo(float).eps
    )  # a product of 1000 factors
    assert np.abs(process.variance(t) / (1 - bar) - 1).max() < 1e-11  # 1 − ᾱ loses four digits at the first
    law = process.transition(0.1, 0.7)  # from index 99 to 699
    assert law.factor == pytest.approx(np.sqrt(np.prod(1 - betas[100:700])), rel=1e-12)
    assert law.covariance == pytest.approx(1 - np.prod(1 - betas[100:700]), rel=1e-12)


def test_zero_terminal_snr_keeps_the_first_and_loses_all_at_the_last():
    plain, shifted = P.scaled_linear_betas(), P.scaled_linear_betas(zero_terminal_snr=True)
    assert shifted.mean_coefficient(1.0) == 0.0
    assert shifted.variance(1.0) == 1.0
    assert shifted.mean_coefficient(0.001) == pytest.approx(float(plain.mean_coefficient(0.001)), rel=1e-12)


def test_many_steps_of_a_linear_list_are_the_linear_process():
    """β_n = β(t_n)/N to first order in 1/N: log ᾱ differs by O(1/N), and ten times less with ten times as many."""
    gaps = []
    for n in (1000, 10_000):
        one = P.linear_betas(n, 0.1 / n, 20 / n)
        gaps.append(abs(np.log(one.mean_coefficient(0.5)) - np.log(mfg.VariancePreserving().mean_coefficient(0.5))))
    assert 9 < gaps[0] / gaps[1] < 11


def test_lists_are_as_published():
    """β, or √β, equally spaced between its ends; a list of ᾱ gives ᾱ back, and its β are what each step leaves of it."""
    for n, first, last in ((2, 0.1, 0.4), (7, 1e-3, 0.3), (400, 1e-4, 0.02)):
        np.testing.assert_allclose(P.linear_betas(n, first, last).betas, np.linspace(first, last, n), rtol=1e-12)
        roots = np.sqrt(P.scaled_linear_betas(n, first, last).betas)
        np.testing.assert_allclose(roots, np.linspace(first**0.5, last**0.5, n), rtol=1e-12)
        bar = np.cos(0.5 * np.pi * (np.arange(n + 1) / n + 0.01) / 1.01) ** 2
        betas = np.minimum(1 - bar[1:] / bar[:-1], 0.9)
        np.testing.assert_allclose(P.squared_cosine_betas(n, 0.01, 0.9).betas, betas, rtol=1e-9)
        process = P.cumulative(np.cumprod(1 - betas).tolist(), horizon=2.7)
        np.testing.assert_allclose(process.betas, betas, rtol=1e-9)
        t = 2.7 * np.arange(1, n + 1) / n
        np.testing.assert_allclose(process.variance(t), 1 - np.cumprod(1 - betas), rtol=1e-9)


@given(st.lists(st.floats(0.01, 0.9), min_size=2, max_size=12), st.sampled_from([1.0, 0.3, 2.7]))
def test_rescaled_roots_are_an_affine_map_of_the_roots(betas, horizon):
    """√ᾱ shifted and scaled so that the first stays and the last is zero: what is affine is so between all of them."""
    betas = np.cumsum(betas) / (1 + np.sum(betas))  # growing, below one
    n = len(betas)
    plain, zero = (P.linear_betas(n, betas[0], betas[-1], zero_terminal_snr=z, horizon=horizon) for z in (False, True))
    t = horizon * np.arange(1, n + 1) / n
    old, new = plain.mean_coefficient(t), zero.mean_coefficient(t)
    np.testing.assert_allclose(new, (old - old[-1]) * old[0] / (old[0] - old[-1]), rtol=1e-9, atol=1e-12)


def test_squared_cosine_betas_are_the_cosine_until_they_are_cut():
    t = np.arange(1, 990) / 1000
    gap = P.squared_cosine_betas().mean_coefficient(t) / P.Cosine().mean_coefficient(t) - 1
    assert np.abs(gap).max() < 1e-10  # a product of a thousand ratios


@pytest.mark.parametrize(
    ("named", "written"),
    [
        (P.Straight(0.1, 1.5, 2.0), P.GaussianPath(lambda t: 1 - t / 2, lambda t: 0.1 + 0.7 * t, horizon=2.0)),
        (P.Trigonometric(), P.GaussianPath(lambda t: np.cos(np.pi * t / 2), lambda t: np.sin(np.pi * t / 2))),
        (P.EDM(3.0), P.GaussianPath(lambda t: 1 + 0 * t, lambda t: t, horizon=3.0)),
    ],
)
def test_named_schedules_are_their_formulas(named, written):
    x = np.linspace(-2, 2, 10).reshape(5, 2)
    for share in (0.0, 0.2, 0.6, 0.99):
        t = share * named.horizon
        assert np.allclose(named.schedule(t), written.schedule(t), rtol=1e-13, atol=1e-13)
        assert np.allclose(named.drift(x, t), written.drift(x, t), rtol=1e-12)
        assert np.isclose(named.diffusivity(t), written.diffusivity(t), rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("process", [P.Straight(), P.Cosine(), P.Trigonometric(), P.EDM(), P.linear_betas()])
def test_end_points_are_finite_and_exact(process):
    x = np.ones((3, 2))
    for t in (0.0, process.horizon):
        assert np.isfinite(process.drift(x, t)).all()
        assert np.isfinite(process.diffusion(t))
    over = process.transition(process.horizon, process.horizon)
    assert (over.factor, over.covariance) == (1.0, 0.0)
    whole = process.transition(0.0, process.horizon)
    if process.mean_coefficient(process.horizon) == 0:
        assert whole.factor == 0
        assert whole.covariance == process.prior_variance


def test_the_velocity_of_a_gaussian_is_that_of_its_path():
    """N(0, c) on the straight path is N(0, (1−t)²c + t²): its flow stretches by the rate of the deviation."""
    process, c = P.Straight(), 0.3
    score = mfg.ExactScore(process, mfg.gaussian(0.0, c))
    x = np.array([[0.7]])
    for t in (0.2, 0.9, 1 - 1e-5):
        v = (1 - t) ** 2 * c + t**2
        rate = (t - (1 - t) * c) / v
        found = process.drift(x, t) - process.diffusivity(t) * score(x, t)
        assert found[0, 0] == pytest.approx(0.7 * rate, rel=1e-9)


def test_the_schedule_of_any_isotropic_process():
    for process in (mfg.VariancePreserving(), mfg.OrnsteinUhlenbeck(0.7, 1.3), mfg.VarianceExploding()):
        now, h = P.schedule_of(process, 0.4), 1e-6
        after, before = P.schedule_of(process, 0.4 + h), P.schedule_of(process, 0.4 - h)
        assert now.alpha_rate == pytest.approx((after.alpha - before.alpha) / (2 * h), rel=1e-8, abs=1e-9)
        assert now.sigma_rate == pytest.approx((after.sigma - before.sigma) / (2 * h), rel=1e-8)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: P.GaussianPath(lambda t: t, lambda t: 1 - t), "where the data are"),
        (lambda: P.GaussianPath(lambda t: 0.1 + t, lambda t: 1 + 0.1 * t), "give alpha\\(T"),
        (lambda: P.GaussianPath(lambda t: 1 - t, np.abs), "give sigma_rate"),
        (lambda: P.GaussianPath(lambda t: 1 - t, lambda t: t / 0.0), "cannot be taken"),
        (lambda: P.DiscreteSchedule([0.1, 1.0, 0.2]), "number 1 is"),
        (lambda: P.DiscreteSchedule(np.cumprod(1 - np.linspace(0.0, 0.02, 20))), "look like ᾱ"),
        (lambda: P.DiscreteSchedule("linear"), "list of numbers"),
        (lambda: P.cumulative([0.5, 0.7]), "decreases"),
        (lambda: P.Straight(1.0, 0.5), "sigma_min must lie in"),
        (lambda: P.linear_betas(1), "at least 2"),
    ],
)
def test_what_is_no_schedule_is_refused(make, words):
    with pytest.raises(ValueError, match=words):
        make()
