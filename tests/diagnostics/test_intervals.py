"""Confidence intervals of means hold what they promise for skewed values, too."""

import numpy as np
import pytest
from scipy.stats import t as student

import mfgpde as mfg
from mfgpde.core.intervals import half_width

LAWS = {
    "normal": (lambda rng, n: rng.normal(0, 1, n), 0.0),
    "χ²(1)": (lambda rng, n: rng.chisquare(1, n), 1.0),
    "lognormal(0.7)": (lambda rng, n: rng.lognormal(0, 0.7, n), float(np.exp(0.245))),
    "events": (lambda rng, n: (rng.random(n) < 0.12).astype(float), 0.12),
}
REPEATS = 1500
LEAST = 0.99 - 3.1 * np.sqrt(0.99 * 0.01 / REPEATS)  # one in a thousand of right intervals covers less


def coverage(law, n, width):
    draw, truth = LAWS[law]
    rng = np.random.default_rng(5)
    samples = [draw(rng, n) for _ in range(REPEATS)]
    return np.mean([abs(x.mean() - truth) <= width(x) for x in samples])


@pytest.mark.parametrize(
    ("law", "n"),
    [  # each at one number of values in turn; the others are slow
        pytest.param(law, n, marks=[pytest.mark.slow] * ((i + k) % 2))
        for i, law in enumerate(LAWS)
        for k, n in enumerate((60, 300))
    ],
)
def test_the_promised_share_of_intervals_holds_the_mean(law, n):
    assert coverage(law, n, half_width) >= LEAST


@pytest.mark.parametrize(
    ("law", "n", "stated"),
    [("chisquare", 16, 0.98), pytest.param("chisquare", 32, 0.99, marks=pytest.mark.slow), ("lognormal", 32, 0.98)],
)
def test_few_skewed_values_are_covered_as_often_as_the_page_of_bars_says(law, n, stated):
    """Share of 4000 samples; what falls short of 99 % is said there."""
    draw, truth = {"lognormal": ((0.0, 1.0), np.exp(0.5)), "chisquare": ((1,), 1.0)}[law]
    samples = getattr(np.random.default_rng(8), law)(*draw, size=(4000, n))
    found = np.mean([abs(x.mean() - truth) <= half_width(x) for x in samples])
    assert found >= stated - 3.1 * np.sqrt(stated * (1 - stated) / 4000)


def test_students_interval_does_not():
    def by_student(x):
        return student.ppf(0.995, len(x) - 1) * x.std(ddof=1) / np.sqrt(len(x))

    assert max(coverage(law, 60, by_student) for law in ("χ²(1)", "lognormal(0.7)")) < LEAST


@pytest.mark.parametrize("share", [1e-3, 0.02])
def test_bounds_on_values_give_intervals_that_hold_what_no_sample_shows(share):
    rng = np.random.default_rng(1)
    samples = [(rng.random(200) < share).astype(float) for _ in range(REPEATS)]
    found = [mfg.diagnostics.mean_interval(x, within=(0.0, 1.0)) for x in samples]
    assert np.mean([share in one for one in found]) >= LEAST


def test_both_formulas_by_hand():
    """0, 0, 1, 5: s² = 17/3, γ = 9/4.25^1.5, of which 1 + 6/√4 are taken, t = 5.84091. 0 to 3 within [0, 4]: s² = 5/3."""
    skewed = half_width(np.array([0.0, 0.0, 1.0, 5.0]))
    assert skewed == pytest.approx((5.84091 + 4.10888 * 69.2325 / 12) * 2.380476 / 2, rel=1e-5)
    bounded = half_width(np.arange(4.0), within=(0.0, 4.0))
    assert bounded == pytest.approx(2.234477 + 18.640113, rel=1e-6)  # √(2s² ln 400/n), and 7·4·ln 400/3(n − 1)


def test_symmetric_values_pay_next_to_nothing():
    x = np.random.default_rng(0).normal(0, 1, 1000)
    assert half_width(x) == pytest.approx(student.ppf(0.995, 999) * x.std(ddof=1) / np.sqrt(1000), rel=0.05)


def test_it_has_no_unit_and_no_origin():
    x = np.random.default_rng(0).lognormal(0, 1, 100)
    for scale, shift in ((1e9, 0.0), (1e-9, 0.0), (1.0, 1e5)):
        assert half_width(scale * x + shift) == pytest.approx(scale * half_width(x), rel=1e-9)


@pytest.mark.parametrize(
    ("values", "options", "words"),
    [
        ([1.0], {}, "at least two"),
        ([1.0, np.nan], {}, "not finite"),
        ([1.0, 2.0], {"within": (0.0, 1.0)}, "not within the bounds"),
        ([1.0, 2.0], {"level": 99.0}, "level"),
    ],
)
def test_what_has_no_interval_is_said(values, options, words):
    with pytest.raises(ValueError, match=words):
        mfg.diagnostics.mean_interval(values, **options)


def test_events_that_were_not_seen_may_be():
    for events, n in ((0, 36), (36, 36), (0, 500)):
        found = mfg.diagnostics.mean_interval(np.arange(n) < events)
        share = 1 - 0.005 ** (1 / n)  # what leaves one in two hundred samples without an event
        assert found.half_width == pytest.approx(share)
    misses = sum(
        0.07 not in mfg.diagnostics.mean_interval(np.random.default_rng(k).random(36) < 0.07) for k in range(2000)
    )
    assert misses <= 36  # of 2000 at one in a hundred: above it one time in a thousand


@pytest.mark.parametrize("n", [2, 3, 4])
@pytest.mark.parametrize(
    ("draw", "truth"),
    [
        (lambda rng, n: rng.normal(0, 1, n), 0.0),
        (lambda rng, n: rng.choice([0.0, 1.0, 2.0], n), 1.0),
        (lambda rng, n: (rng.random(n) < 0.3).astype(float), 0.3),
    ],
    ids=["normal", "three numbers", "events"],
)
def test_few_values_that_are_two_numbers_need_not_be_events(n, draw, truth):
    """Of two normal values an interval of events holds the mean in half of all cases: |Z₁| < 0.995|Z₂|."""
    rng = np.random.default_rng(3)
    samples = [x for x in (draw(rng, n) for _ in range(REPEATS)) if x.min() < x.max()]  # else no scale is known
    held = np.mean([truth in mfg.diagnostics.mean_interval(x) for x in samples])
    assert held >= 0.99 - 3.1 * np.sqrt(0.99 * 0.01 / len(samples))


@pytest.mark.parametrize("power", [-560, -1000, 560, 1000])
def test_no_square_leaves_the_range_of_doubles(power):
    x, unit, interval = np.random.default_rng(2).normal(0, 0.5, 9), 2.0**power, mfg.diagnostics.mean_interval
    pairs = [  # 2⁻¹¹²⁰ and 2¹¹²⁰ are no doubles
        (interval(x), interval(unit * x)),
        (interval(x, normal=True), interval(unit * x, normal=True)),
        (interval(x, within=(-3.0, 3.0)), interval(unit * x, within=(-3 * unit, 3 * unit))),
    ]
    for one, other in pairs:
        assert (other.value, other.half_width) == (unit * one.value, unit * one.half_width)
