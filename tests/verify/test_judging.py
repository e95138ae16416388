"""The judge on random evidence: outcomes, margins and reasons are those of whole numbers, mirrors and orders included."""

import json
import math
from fractions import Fraction

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mfgpde.core.estimate import Estimate, Kind, exact
from mfgpde.verify import Evidence, at_least, at_most, equal, history, judge
from mfgpde.verify.finding import Finding, Outcome
from mfgpde.verify.judge import mirrors, reason, refuters, smallest_changes

VALUES, BARS, DELTAS = st.floats(-5, 5), st.floats(0, 2), st.floats(1e-3, 2)
SIDES = st.builds(Estimate, VALUES, BARS, st.sampled_from(list(Kind)), st.just("drawn"))
FINDINGS = st.builds(Finding, st.just("x"), SIDES, st.sampled_from(["=", "≤"]), SIDES, DELTAS)


@settings(max_examples=150)
@given(FINDINGS)
def test_outcomes_are_those_of_the_interval(one):
    """Holds if the largest violation that bars leave is at most δ, refuted if the smallest is more: no rounding decides."""
    off = Fraction(one.left.value) - Fraction(one.right.value)
    excess = abs(off) if one.relation == "=" else off
    bar = Fraction(one.left.half_width) + Fraction(one.right.half_width)
    wanted = Outcome.HOLDS if excess + bar <= Fraction(one.resolution) else Outcome.UNDECIDED
    wanted = Outcome.REFUTED if excess - bar > Fraction(one.resolution) else wanted
    assert one.outcome is wanted
    assert one.kind == min(
        [s.kind for s in (one.left, one.right) if s.half_width > 0], default=min(one.left.kind, one.right.kind)
    )
    if one.bar > 0:
        assert one.margin == pytest.approx((one.resolution - one.excess) / one.bar)
        assert (one.margin >= 1) == (one.outcome is Outcome.HOLDS) or one.margin == pytest.approx(1, rel=1e-9)
        assert (one.margin < -1) == (one.outcome is Outcome.REFUTED) or one.margin == pytest.approx(-1, rel=1e-9)
    else:
        assert abs(one.margin) == math.inf
    said = reason(one)
    assert said.endswith(": x")
    assert ("holds" in said or "proved to" in said) or one.outcome is not Outcome.HOLDS
    assert "in between" not in said or one.outcome is Outcome.UNDECIDED


@settings(max_examples=100)
@given(SIDES, SIDES, DELTAS, st.floats(-3, 3), st.sampled_from([-4.0, 0.25, 2.0]))
def test_findings_know_no_origin_no_unit_and_no_side(a, b, delta, shift, unit):
    """Exact powers of two move nothing; ≥ is ≤ the other way; an equality is one both ways."""

    def moved(one):
        return Estimate(unit * one.value, abs(unit) * one.half_width, one.kind, one.method)

    assert equal("x", a, b, resolution=delta).outcome is equal("x", b, a, resolution=delta).outcome
    assert at_least("x", a, b, resolution=delta).outcome is at_most("x", b, a, resolution=delta).outcome
    size = abs(unit) * delta
    assert equal("x", moved(a), moved(b), resolution=size).outcome is equal("x", a, b, resolution=delta).outcome
    bound = at_most("x", a, b, resolution=delta)
    swapped = (moved(a), moved(b)) if unit > 0 else (moved(b), moved(a))
    assert at_most("x", *swapped, resolution=size).outcome is bound.outcome
    both = (bound.outcome, at_most("x", b, a, resolution=delta).outcome)
    whole = equal("x", a, b, resolution=delta).outcome
    assert (whole is Outcome.HOLDS) == (both == (Outcome.HOLDS, Outcome.HOLDS))
    assert (whole is Outcome.REFUTED) == (Outcome.REFUTED in both)


@settings(max_examples=100)
@given(SIDES, SIDES, DELTAS, st.floats(1.1, 3))
def test_wider_bars_and_smaller_resolutions_prove_less(a, b, delta, factor):
    """What holds with wider bars holds with narrow ones, what is refuted too; δ goes the other way for each."""
    wide = [Estimate(one.value, factor * one.half_width, one.kind, one.method) for one in (a, b)]
    narrow, broad = equal("x", a, b, resolution=delta), equal("x", *wide, resolution=delta)
    if broad.outcome is not Outcome.UNDECIDED:
        assert narrow.outcome is broad.outcome
    loose = equal("x", a, b, resolution=factor * delta)
    assert narrow.outcome is not Outcome.HOLDS or loose.outcome is Outcome.HOLDS
    assert loose.outcome is not Outcome.REFUTED or narrow.outcome is Outcome.REFUTED


def named(findings):
    return [Finding(f"f{k}", f.left, f.relation, f.right, f.resolution) for k, f in enumerate(findings)]


REFUTED = Evidence([equal("f0", exact(20.0, "a"), exact(-20.0, "b"), resolution=1e-3)])
"""false as an equality and as a bound, by far more than any δ drawn"""


@settings(max_examples=100)
@given(st.lists(FINDINGS, min_size=1, max_size=5), st.booleans())
def test_a_claim_is_as_good_as_its_worst_finding_in_any_order(findings, backwards):
    findings = named(findings)
    evidence = Evidence(findings[::-1] if backwards else findings)
    assume(not any(mirrors(REFUTED.findings[0], one) for one in findings))
    found = judge(evidence, {"control": REFUTED})
    order = [Outcome.HOLDS, Outcome.UNDECIDED, Outcome.REFUTED]
    assert found.outcome is max((one.outcome for one in findings), key=order.index)
    assert found.margin == min(one.margin for one in findings)
    broken = judge(evidence, {"control": evidence}) if Outcome.REFUTED not in {f.outcome for f in findings} else None
    assert broken is None or broken.outcome is Outcome.BROKEN
    assert judge(evidence, {}).outcome is Outcome.BROKEN
    failed = judge(evidence, {"control": REFUTED, "other": RuntimeError("no")})
    assert failed.outcome is Outcome.BROKEN
    assert "RuntimeError: no" in failed.reason
    unseen = judge(evidence, {"control": REFUTED}, unseen=[f"f{k}" for k in range(5)])
    assert "never seen: 5 (f0, f1, f2, …)" in unseen.reason
    seen = refuters(evidence, {"control": REFUTED, "other": RuntimeError("no")})
    assert seen == {one.label: (["control"] if one.label == "f0" else []) for one in evidence.findings}


@settings(max_examples=60)
@given(st.floats(0.1, 4), st.floats(0.1, 4))
def test_sides_exchanged_are_no_control_however_they_are_written(a, b):
    assume(not math.isclose(a, b, rel_tol=1e-6))
    one, other = exact(a, "a"), exact(b, "b")
    true = at_most("x", one, other, resolution=1e-6)
    assert mirrors(at_most("x", other, one, resolution=1e-6), true)
    assert mirrors(at_most("x", exact(-a, "a"), exact(-b, "b"), resolution=1e-6), true)
    assert mirrors(at_most("x", exact(1 / a, "a"), exact(1 / b, "b"), resolution=1e-6), true)
    assert not mirrors(true, true)
    assert not mirrors(at_most("x", exact(a + 7, "a"), other, resolution=1e-6), true)
    assert not mirrors(equal("x", other, one, resolution=1e-6), true)


@settings(max_examples=60)
@given(st.floats(0.2, 5), st.floats(-3, 3), st.floats(0, 0.5), st.floats(0.01, 1), st.sampled_from([0.05, 0.01]))
def test_the_smallest_change_is_where_a_line_leaves_the_resolution(slope, value, bar, delta, step):
    """Of left − right = s·change: (δ + bar)/s, to first order, whatever the step by which the slope is read."""

    def evidence(change):
        left = Estimate(value + slope * change, bar, Kind.BOUND, "line")
        still = equal("still", exact(1.0, "1"), exact(1.0, "1"), resolution=1e-3)
        return Evidence([equal("x", left, exact(value, "v"), resolution=delta), still])

    found = smallest_changes(evidence(0.0), evidence(step), step)
    assert found["x"] == pytest.approx((delta + bar) / slope, rel=1e-6)
    assert found["still"] == math.inf
    at = evidence(1.0001 * found["x"]).findings[0]
    assert at.outcome is Outcome.REFUTED
    assert evidence(0.999 * found["x"]).findings[0].outcome is not Outcome.REFUTED
    with pytest.raises(ValueError, match="the same findings"):
        smallest_changes(evidence(0.0), Evidence(evidence(step).findings[:1]), step)


@settings(max_examples=30)
@given(
    st.lists(
        st.one_of(st.text(max_size=20), st.integers(), st.dictionaries(st.text(max_size=3), st.integers(), max_size=2)),
        max_size=6,
    ),
    st.integers(1, 5),
)
def test_a_history_keeps_what_it_can_read(tmp_path_factory, strays, kept):
    """Strange lines, numbers and dictionaries between runs hide none of the runs."""
    folder = tmp_path_factory.mktemp("history")
    run = {
        "started": "now",
        "provenance": {"commit": "c"},
        "claims": [{"id": "a", "outcome": "holds", "margin": 2.0, "seconds": 1.0}],
    }
    for _ in range(kept):
        history.add(folder, run)
    with (folder / history.FILE).open("a", encoding="utf-8") as file:
        file.writelines(json.dumps(one) + "\n" for one in strays)
        file.write("{broken\n")
    assert len(history.runs(folder)) == kept
    assert history.runs(folder)[0]["claims"] == {"a": ["holds", 2.0, 1.0]}
    assert history.certificates(folder) == []
    history.append(folder, {"started": "s", "score": "m", "process": "p", "residual": 0.5, "numbers": {"W2": 1.0}})
    assert len(history.certificates(folder)) == 1


@settings(max_examples=200)
@given(FINDINGS, FINDINGS, st.sampled_from(["x", "another"]))
def test_a_control_refutes_what_the_claim_says_or_nothing(true, variant, label):
    """Another label, another relation or a smaller δ is another statement: its refutation says nothing of the claim."""
    variant = Finding(label, variant.left, variant.relation, variant.right, variant.resolution)
    assume(not mirrors(variant, true))
    off = Fraction(variant.left.value) - Fraction(variant.right.value)
    excess = abs(off) if true.relation == "=" else off
    bar = Fraction(variant.left.half_width) + Fraction(variant.right.half_width)
    says = label == "x" and variant.outcome is Outcome.REFUTED and excess - bar > Fraction(true.resolution)
    found = judge(Evidence([true]), {"control": Evidence([variant])})
    assert (found.outcome is Outcome.BROKEN) == (not says)
    assert (refuters(Evidence([true]), {"control": Evidence([variant])}) == {"x": ["control"]}) == says
    if variant.outcome is Outcome.REFUTED and not says:
        assert f"refutes nothing that the claim says, only '{label}'" in found.reason
