"""Estimates, intervals, accuracies and laws' own arithmetic: order, units, and what is added where."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from mfgpde.core import laws
from mfgpde.core.accuracy import MORE, SHARPER, limited, nodes, noting_limits, sharpened, tolerance
from mfgpde.core.estimate import Estimate, Kind, exact
from mfgpde.core.intervals import half_width
from mfgpde.core.laws import RESOLVED, Check, agree, examine, numbers, pointwise, refuses, small
from mfgpde.core.units import numbers as fields
from mfgpde.core.units import powers, remade
from mfgpde.processes import Brownian, OrnsteinUhlenbeck

SEEDS, UNITS = st.integers(0, 10**6), st.sampled_from([1e-9, 1.0, 1e9])


VALUES, BARS = st.floats(-10, 10), st.floats(0, 3)


def estimates(value=VALUES, bar=BARS):
    return st.builds(Estimate, value, bar, st.sampled_from(list(Kind)), st.just("drawn"))


@settings(max_examples=80)
@given(estimates(), estimates(), st.floats(-5, 5))
def test_arithmetic_keeps_the_weakest_kind_and_adds_bars(a, b, c):
    assert (a + b).kind == (a - b).kind == (a * b).kind == min(a.kind, b.kind)
    for found in (a + b, a - b):
        assert found.half_width == pytest.approx(a.half_width + b.half_width)
    assert (a * b).half_width == pytest.approx(
        abs(a.value) * b.half_width + abs(b.value) * a.half_width + a.half_width * b.half_width
    )
    assert (-a).value == -a.value
    assert (c - a).value == pytest.approx(c - a.value)
    assert (c * a).half_width == pytest.approx(abs(c) * a.half_width, rel=1e-9, abs=1e-12)
    assert (a + c).half_width == pytest.approx(a.half_width, rel=1e-9, abs=1e-13)  # rounding of numbers up to ten
    assert a.upper - a.lower == pytest.approx(2 * a.half_width)


@settings(max_examples=80)
@given(estimates(bar=st.floats(0, 0.4)), estimates(value=st.floats(1, 5), bar=st.floats(0, 0.9)))
def test_quotients_are_the_hull_of_quotients(a, b):
    found = a / b
    ends = [x / y for x in (a.lower, a.upper) for y in (b.lower, b.upper)]
    assert found.lower <= min(ends) + 1e-12
    assert found.upper >= max(ends) - 1e-12
    assert found.half_width == pytest.approx(max(max(ends) - found.value, found.value - min(ends)), abs=1e-12)


def test_given_numbers_leave_the_method_alone_and_have_a_rounding():
    one = exact(3.0, "by hand")
    assert one.half_width == 3 * 2.0**-52
    assert (one + 1.0).method == "by hand"
    assert (one + exact(1.0, "by hand")).method == "by hand"
    assert (one + exact(1.0, "else")).method == "(by hand) + (else)"
    proved = Estimate(1.0, 0.25, Kind.PROVED, "ball")
    assert 0 < (proved + proved).half_width - 0.5 < 1e-14  # its own roundings are in it


@settings(max_examples=40)
@given(SEEDS, st.integers(20, 400), UNITS, st.floats(-1e3, 1e3))
def test_intervals_scale_and_know_no_origin(seed, n, unit, shift):
    values = np.random.default_rng(seed).gamma(2.0, size=n)
    bar = half_width(values)
    assert half_width(unit * values) == pytest.approx(unit * bar)
    assert half_width(-values) == pytest.approx(bar)
    assert half_width(values + shift) == pytest.approx(bar, rel=1e-6)
    assert half_width(values, 0.9) < bar < half_width(values, 0.999)
    assert half_width(values, normal=True) <= bar
    bounded = half_width(values, within=(0.0, 50.0))
    assert half_width(unit * values, within=(0.0, 50.0 * unit)) == pytest.approx(unit * bounded)
    assert bounded > half_width(values, within=(0.0, float(values.max())))


@settings(max_examples=40)
@given(st.integers(2, 200), st.data())
def test_shares_of_events_are_as_wide_as_their_exact_tails(n, data):
    """At the farther end of the interval so few, or so many, events have a probability of half a per cent."""
    events = data.draw(st.integers(0, n))
    values = np.arange(n) < events
    bar = half_width(values)
    share = events / n
    ends = [p for p in (share - bar, share + bar) if 0 < p < 1]
    tails = [binom.cdf(events, n, p) if p > share else binom.sf(events - 1, n, p) for p in ends]
    assert any(tail == pytest.approx(0.005, rel=1e-6) for tail in tails)
    both = np.where(values, 5.0, 2.0)
    if 0 < events < n:  # numbers, which may be more than two: no less than their share as events, nor than others
        assert half_width(both) >= 3 * bar * (1 - 1e-12)
        assert half_width(both) >= half_width(both + np.linspace(0, 1e-9, n)) * (1 - 1e-6)


@pytest.mark.parametrize(
    ("values", "options", "words"),
    [
        ([1.0], {}, "two values"),
        ([1.0, 2.0], {"level": 1.0}, "level"),
        ([1.0, np.inf], {}, "not finite"),
        ([1.0, 2.0], {"within": (0.0, 1.5)}, "within the bounds"),
    ],
)
def test_values_without_an_interval(values, options, words):
    with pytest.raises(ValueError, match=words):
        half_width(np.array(values), **options)
    assert half_width(np.array([2.0, 2.0, 2.0])) == 0.0


def test_accuracies_are_sharpened_inside_and_only_there():
    assert (tolerance(1e-3), nodes(9)) == (1e-3, 9)
    with sharpened():
        assert tolerance(1e-3) == pytest.approx(SHARPER * 1e-3)
        assert nodes(9) == round(MORE * 9)
        with sharpened():
            assert tolerance(1e-3) == pytest.approx(SHARPER * 1e-3)
    assert tolerance(1e-3) == 1e-3
    limited("not heard")
    with noting_limits() as heard:
        limited("weno")
        limited("weno")
        limited("other")
    assert heard == ["weno", "other"]


@settings(max_examples=60)
@given(SEEDS, UNITS, st.floats(0, 1e-3))
def test_agreement_is_in_units_of_what_is_compared(seed, unit, off):
    a = np.random.default_rng(seed).normal(size=5)
    top = np.abs(a).max()
    check = agree("case", unit * (a + off * top), unit * a)
    assert check.violation == pytest.approx(off / max(1.0, np.abs(a + off * top).max() / top), rel=1e-3, abs=1e-15)
    assert agree("case", unit * a, unit * a).violation == 0.0
    assert agree("case", a, a + 1e-3 * top, 2e-3 * top).kept
    assert not agree("case", a, a + 0.2 * top, 10.0 * top).kept  # a bound is at most a hundredth of the size
    assert agree("case", a, a, 10.0 * top).bound == RESOLVED
    assert agree("case", 1e-3 * a, 2e-3 * a, size=1e3 * top).violation < 1e-5
    with pytest.raises(ValueError, match="shape"):
        agree("case", a, a[:2])


def test_checks_of_nothing_and_of_what_is_no_number():
    assert agree("zero", np.zeros(3), np.zeros(3)).kept
    assert not agree("nan", np.full(3, np.nan), np.ones(3)).kept
    assert not small("nan", np.nan, 1.0).kept
    assert refuses("raises", lambda: int("x")).kept
    assert not refuses("does not", lambda: 1).kept
    assert numbers(np.ones(2))
    assert not numbers(np.array([1.0, np.inf]))


def test_functions_of_points_are_tried_in_every_shape():
    x = np.random.default_rng(0).normal(size=(12, 2))
    assert all(check.kept for check in pointwise("sum", lambda y: y.sum(axis=-1), x))
    tied = list(pointwise("mean over all", lambda y: y.sum(axis=-1) - y.mean(), x))
    assert not all(check.kept for check in tied)


def law_that_counts(member, rng):
    """Count.

    More words.
    """
    yield Check("first", member, 1.0)
    yield Check("second", 0.0, 0.0)


def law_that_breaks(member, rng):
    """Break."""
    yield Check("before", 0.0, 1.0)
    raise KeyError("inside")


def test_laws_are_told_by_their_worst_check_and_survive_what_a_member_does():
    kept, broken, odd = (examine(member, (law_that_counts,))[0] for member in (0.5, 2.0, np.nan))
    assert (kept.kept, kept.sentence, kept.worst.case) == (True, "Count.", "first")
    assert (broken.kept, broken.worst.violation) == (False, 2.0)
    assert not odd.kept
    (failed,) = examine(1.0, (law_that_breaks,))
    assert not failed.kept
    assert "KeyError" in failed.trouble
    assert [check.case for check in failed.checks] == ["before"]


def test_examples_move_every_number_and_the_horizon():
    made = list(laws.examples(Brownian))
    assert len({(one.scale, one.horizon) for one in made}) == len(made) >= 3
    with pytest.raises(TypeError, match="give its file a function examples"):
        list(laws.examples(needy))


def needy(x, y):
    return x


@pytest.mark.parametrize("process", [OrnsteinUhlenbeck(0.7, 1.3, 2.7), Brownian(0.4, 3.0)])
def test_powers_of_units_are_found_by_trying(process):
    """Rates are per time, g² is length² per time, a horizon a time: no other powers leave the law as it is."""

    def off(other, factor):
        t = 0.4 * process.horizon
        mine, theirs = process.transition(0.0, t), other.transition(0.0, factor * t)
        return max(abs(float(mine.factor - theirs.factor)), abs(1 - float(theirs.covariance / mine.covariance)))

    found = list(powers(process, (-1.0, -0.5, 0.0, 0.5, 1.0), off))
    wanted = {"rate": -1.0, "scale": -0.5}
    assert found
    assert all(one[name] == power for one in found for name, power in wanted.items() if name in one)
    again = remade(process, {"horizon": 1.0}, 3.0)
    assert again.horizon == pytest.approx(3 * process.horizon)
    assert set(fields(process)) >= {"scale", "horizon"}
    assert fields(7.0) == {}
