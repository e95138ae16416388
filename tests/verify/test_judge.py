"""The judge cannot lie: tables of outcomes, controls, power; and its error rates by simulation."""

import math

import numpy as np
import pytest

from mfgpde.core.estimate import Estimate, Kind, exact
from mfgpde.verify import Evidence, Outcome, at_least, at_most, equal, judge
from mfgpde.verify.finding import far
from mfgpde.verify.judge import mirrors, smallest_changes
from mfgpde.verify.record import finding_record

ZERO = exact(0.0, "zero")


def number(value, error=0.0):
    return Estimate(value, error, Kind.EXTRAPOLATED, "test")


def evidence(*differences, bar=0.01, resolution=0.1):
    return Evidence([equal(f"f{k}", number(d, bar), ZERO, resolution=resolution) for k, d in enumerate(differences)])


REFUTED = evidence(5.0)


@pytest.mark.parametrize(
    ("difference", "bar", "outcome"),
    [
        (0.0, 0.05, Outcome.HOLDS),
        (0.09, 0.01, Outcome.HOLDS),
        (0.1, 0.01, Outcome.UNDECIDED),
        (-0.115, 0.01, Outcome.REFUTED),
        (0.0, 0.11, Outcome.UNDECIDED),
        (0.0, np.inf, Outcome.UNDECIDED),
        (1e9, 0.0, Outcome.REFUTED),
    ],
)
def test_equalities(difference, bar, outcome):
    assert equal("f", number(difference, bar), ZERO, resolution=0.1).outcome is outcome


@pytest.mark.parametrize(
    ("left", "right", "outcome"),
    [(1.0, 2.0, Outcome.HOLDS), (2.0, 1.0, Outcome.REFUTED), (1.0, 1.0, Outcome.UNDECIDED)],
)
def test_bounds_and_their_mirror(left, right, outcome):
    a, b = number(left, 0.1), number(right, 0.1)
    assert at_most("f", a, b, resolution=0.0).outcome is outcome
    assert at_least("f", b, a, resolution=0.0).outcome is outcome


def test_the_worst_finding_decides():
    assert judge(evidence(0.0, 0.0), {"c": REFUTED}).outcome is Outcome.HOLDS
    assert judge(evidence(0.0, 0.1), {"c": REFUTED}).outcome is Outcome.UNDECIDED
    assert judge(evidence(0.1, 3.0, 0.0), {"c": REFUTED}).outcome is Outcome.REFUTED


@pytest.mark.parametrize(
    "controls",
    [{}, {"c": evidence(0.0)}, {"c": evidence(0.1)}, {"c": RuntimeError("no")}, {"a": REFUTED, "b": evidence(0.0)}],
)
def test_without_refuted_controls_a_claim_is_broken(controls):
    verdict = judge(evidence(0.0), controls)
    assert verdict.outcome is Outcome.BROKEN
    assert "control" in verdict.reason


def test_a_suspect_bar_is_reported():
    assert equal("f", number(0.05, 0.01), ZERO, resolution=0.1).suspect_bar
    assert not equal("f", number(0.005, 0.01), ZERO, resolution=0.1).suspect_bar


@pytest.mark.parametrize(("value", "wide"), [(0.019, True), (0.0201, False), (0.0, True), (np.inf, False)])
def test_a_resolution_far_above_what_is_reached_is_told_from_one_that_is_near(value, wide):
    """Five times |excess| + bar, whichever side is larger; nothing is reached by an infinite side."""
    for left, right in ((number(value, 1e-4), ZERO), (ZERO, number(value, 1e-4))):
        for one in (equal("f", left, right, resolution=0.1), at_most("f", left, right, resolution=0.1)):
            assert one.far is wide
            stored = finding_record(one)
            assert far(stored["resolution"], stored["excess"], stored["bar"]) is wide
    assert not far(0.1, None, None)


def test_a_finding_says_why_its_resolution_is_wide():
    for relation in (equal, at_most, at_least):
        one = relation("f", number(0.0, 1e-4), ZERO, resolution=0.1, because="two digits are printed")
        assert (one.because, finding_record(one)["because"]) == ("two digits are printed",) * 2
        assert relation("f", ZERO, ZERO, resolution=0.1).because == ""
        with pytest.raises(TypeError, match="f: the reason of its resolution is a line of words, got"):
            relation("f", ZERO, ZERO, resolution=0.1, because=0.1)


def test_a_number_on_a_grid_suspects_no_bar_and_says_where_it_stands():
    on = Estimate(0.05, 1e-12, Kind.BOUND, "sums", at="64 cells")
    finding = equal("f", on, ZERO, resolution=0.1)
    assert finding.outcome is Outcome.HOLDS
    assert (finding.at, finding.suspect_bar) == ("64 cells", False)
    assert (2 * on - on + on.value).at == "64 cells"
    stored = finding_record(finding)
    assert (stored["at"], stored["left"]["at"], stored["right"]["at"]) == ("64 cells", "64 cells", "")


def test_smallest_change_is_where_the_verdict_turns():
    def measure(factor):
        return evidence(3.0 * (factor - 1.0) + 0.02)

    change = smallest_changes(measure(1.0), measure(1.05), 0.05)["f0"]
    assert change == pytest.approx((0.1 + 0.01 - 0.02) / 3)
    assert judge(measure(1 + 1.01 * change), {"c": REFUTED}).outcome is Outcome.REFUTED
    assert judge(measure(1 + 0.99 * change), {"c": REFUTED}).outcome is not Outcome.REFUTED
    with pytest.raises(ValueError, match="same findings whatever its coefficients: 1 at their true values, 2"):
        smallest_changes(measure(1.0), evidence(0.0, 1.0), 0.05)


def test_true_claims_are_not_refuted_and_false_ones_are(rng):
    """With δ ≥ 3 bars and bars that hold the truth, no true claim of 4000 is refuted; one off by δ + 2 bars always is."""
    noise = rng.uniform(-1, 1, 4000)
    assert not any(equal("f", number(e, 1.0), ZERO, resolution=3.0).outcome is Outcome.REFUTED for e in noise)
    assert all(equal("f", number(5.001 + e, 1.0), ZERO, resolution=3.0).outcome is Outcome.REFUTED for e in noise)


@pytest.mark.parametrize("bad", [dict(resolution=-1.0), dict(resolution=np.inf), dict(resolution=0.0)])
def test_meaningless_resolutions_are_refused(bad):
    with pytest.raises(ValueError, match="resolution"):
        equal("f", ZERO, ZERO, **bad)


def test_evidence_needs_distinct_findings():
    with pytest.raises(ValueError, match="without findings"):
        Evidence([])
    with pytest.raises(ValueError, match="distinct"):
        Evidence([equal("f", ZERO, ZERO, resolution=1.0)] * 2)


def test_a_control_that_is_not_refuted_is_named_once():
    verdict = judge(evidence(0.0, 0.0), {"c": evidence(0.0, 0.0)})
    assert verdict.outcome is Outcome.BROKEN
    assert verdict.reason.count("f0") == 1


def test_reasons_are_written_without_exponents_where_they_can_be_read():
    far = equal("f", Estimate(412.3, 96.0, Kind.BOUND, "by hand"), ZERO, resolution=120.0)
    false = equal("f", number(1e3), ZERO, resolution=120.0)
    assert judge(Evidence([far]), {"c": Evidence([false])}).reason == "off by 410 ± 100 (δ 120): f"


def test_margins_are_counted_in_error_bars():
    """δ − excess is 0.3, or −0.7, and the bars together 0.1."""
    left, right = Estimate(1.0, 0.06, Kind.BOUND, "by hand"), Estimate(1.2, 0.04, Kind.BOUND, "by hand")
    assert equal("near", left, right, resolution=0.5).margin == pytest.approx(3.0)
    assert equal("near", left, Estimate(1.9, 0.04, Kind.BOUND, "by hand"), resolution=0.2).margin == pytest.approx(-7.0)
    sure = Estimate(1.0, 0.0, Kind.BOUND, "by hand")
    assert equal("sure", sure, sure, resolution=0.5).margin == math.inf


@pytest.mark.parametrize("value", [np.inf, -np.inf])
@pytest.mark.parametrize("make", [at_least, at_most])
def test_what_is_infinite_decides_nothing(make, value):
    """Neither KL = ∞ ≥ 1 nor log 0 = −∞ ≤ 1 is evidence, and no control is refuted by an overflow."""
    finding = make("KL", number(value), number(1.0), resolution=0.1)
    assert finding.outcome is Outcome.UNDECIDED
    false = make("KL", number(1.0), number(1.0) + (1.0 if make is at_least else -1.0), resolution=0.1)
    verdict = judge(Evidence([finding]), {"c": Evidence([false])})
    assert verdict.outcome is Outcome.UNDECIDED
    assert "inf (test), which decides nothing" in verdict.reason
    assert judge(evidence(0.0), {"c": Evidence([finding])}).outcome is Outcome.BROKEN


def bound(left, right):
    return at_most("f", number(left), number(right), resolution=0.01)


@pytest.mark.parametrize(
    ("true", "false"),
    [((1.0, 2.0), (2.0, 1.0)), ((-0.5, 0.0), (0.5, 0.0)), ((-2.0, -1.0), (2.0, 1.0)), ((0.5, 1.0), (2.0, 1.0))],
)
def test_a_control_that_exchanges_two_sides_says_nothing(true, false):
    """Two networks in each other's place: refuted by arithmetic wherever the claim holds."""
    assert mirrors(bound(*false), bound(*true))
    verdict = judge(Evidence([bound(*true)]), {"exchanged": Evidence([bound(*false)])})
    assert verdict.outcome is Outcome.BROKEN
    assert "carries no information" in verdict.reason


def test_a_control_in_another_world_says_something():
    assert not mirrors(bound(3.0, 2.0), bound(1.0, 2.0))
    assert judge(Evidence([bound(1.0, 2.0)]), {"c": Evidence([bound(3.0, 2.0)])}).outcome is Outcome.HOLDS
    same = equal("f", number(1.0), number(-1.0), resolution=0.1)
    assert not mirrors(same, same), "equalities know no sides"


def test_findings_that_were_never_seen_to_fail_break_a_theorem():
    verdict = judge(evidence(0.0, 0.0), {"c": REFUTED}, unseen=["f1"])
    assert verdict.outcome is Outcome.BROKEN
    assert "never seen: 1 (f1)" in verdict.reason


@pytest.mark.parametrize("wrong", [None, "0.5 ± 0.1", np.zeros((3, 2))])
def test_sides_are_estimates(wrong):
    with pytest.raises(TypeError, match="both sides are estimates"):
        equal("f", wrong, ZERO, resolution=0.1)


def test_a_plain_number_stands_beside_what_is_measured_only():
    measured = Estimate(2.0, 0.1, Kind.BOUND, "measured")
    assert equal("f", measured, 2.05, resolution=0.2).right == Estimate(2.05, 0.0, Kind.BOUND, "as claimed")
    assert at_most("f", 3, measured, resolution=0.1).outcome is Outcome.REFUTED
    for one, other in ((measured, "2.0"), (measured, True)):
        with pytest.raises(TypeError, match="both sides are estimates"):
            equal("f", one, other, resolution=0.1)
    for other in (2.0, np.float64(0.424567), ZERO):
        with pytest.raises(
            TypeError, match=r"f: 0.4246 is a plain number, .*: write Estimate\(0.4246, half_width, "
        ) as said:
            at_most("f", np.float64(0.424567), other, resolution=0.1)
        assert "float64" not in str(said.value)


def test_of_a_ladder_the_limit_is_judged():
    class Rungs:
        limit = Estimate(1.0, 0.01, Kind.EXTRAPOLATED, "rungs")

    assert at_least("f", Rungs(), 0.5, resolution=0.1).right is Rungs.limit


@pytest.mark.parametrize("wrong", [equal("f", ZERO, ZERO, resolution=1.0), [0.5]])
def test_evidence_is_made_of_findings(wrong):
    with pytest.raises(TypeError, match=r"findings"):
        Evidence(wrong)
