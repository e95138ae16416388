"""The judge: a pure function from evidence to a verdict."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from mfgpde.core.digits import digits
from mfgpde.core.estimate import Kind
from mfgpde.verify.claim import Evidence
from mfgpde.verify.finding import Finding, Outcome

SEVERITY = {Outcome.HOLDS: 0, Outcome.UNDECIDED: 1, Outcome.REFUTED: 2}


@dataclass(frozen=True)
class Verdict:
    """The outcome, its margin in error bars, the smallest change of each coefficient it would notice, and the reason."""

    outcome: Outcome
    margin: float
    reason: str
    detects: Mapping[str, float] = field(default_factory=dict[str, float])


def judge(
    evidence: Evidence,
    controls: Mapping[str, Evidence | Exception],
    detects: Mapping[str, float] | None = None,
    unseen: Sequence[str] = (),
) -> Verdict:
    """Judge a claim by the worst of its findings, and broken unless every control is refuted and says something.

    An empty set of controls is broken too: a check that cannot fail decides nothing. So is a claim that may not have
    findings that were never seen to fail, but has: `unseen` are their labels. A control is refuted by a finding of the
    claim's own, known by its label, as the claim has it: by its relation, beyond its δ.

    >>> from mfgpde.verify import Evidence, equal
    >>> two, three = mfg.exact(2.0, "2"), mfg.exact(3.0, "3")
    >>> true, false = (Evidence([equal("2", two, other, resolution=1e-3)]) for other in (two, three))
    >>> [mfg.verify.judge(true, {"control": other}).outcome.value for other in (false, true)]
    ['holds', 'broken']
    """
    worst = max(evidence.findings, key=lambda finding: (SEVERITY[finding.outcome], -finding.margin))
    margin = min(finding.margin for finding in evidence.findings)
    complaints = [_complaint(name, outcome, evidence) for name, outcome in controls.items()]
    complaints = [complaint for complaint in complaints if complaint]
    if not controls:
        complaints.append("no control: a check that cannot fail decides nothing")
    if unseen:
        few = ", ".join(unseen[:3]) + (", …" if len(unseen) > 3 else "")
        complaints.append(
            f"a theorem needs findings that were seen to fail, by a control or by a coefficient that is 5 % off; never "
            f"seen: {len(unseen)} ({few})"
        )
    if complaints:
        return Verdict(Outcome.BROKEN, margin, "; ".join(complaints), detects or {})
    return Verdict(worst.outcome, margin, reason(worst), detects or {})


def refuters(evidence: Evidence, variants: Mapping[str, Evidence | Exception]) -> dict[str, list[str]]:
    """Return for every finding which false variants refuted the finding of its label."""
    found: dict[str, list[str]] = {finding.label: [] for finding in evidence.findings}
    for name, outcome in variants.items():
        for finding in () if isinstance(outcome, Exception) else _refuted(outcome, evidence):
            found[finding.label].append(name)
    return found


def _refuted(variant: Evidence, evidence: Evidence) -> list[Finding]:
    """Return what of a false variant refutes a finding of the claim: with another relation or a smaller δ it is another."""
    own = {finding.label: finding for finding in evidence.findings}
    found = [one for one in variant.findings if one.outcome is Outcome.REFUTED and one.label in own]
    return [one for one in found if _asked(one, own[one.label]).outcome is Outcome.REFUTED]


def _asked(variant: Finding, true: Finding) -> Finding:
    """Return a variant's sides under the claim's relation and no smaller δ than its own."""
    return replace(variant, relation=true.relation, resolution=max(variant.resolution, true.resolution))


def mirrors(false: Finding, true: Finding) -> bool:
    """Say whether a bound is the claim's own with its sides exchanged: refuted by arithmetic wherever that one holds.

    Sides are exchanged, or change sign, or become reciprocals, as when two competitors change places.
    """
    if "=" in (false.relation, true.relation) or false.infinite or true.infinite:
        return False
    a, b, c, d = false.left.value, false.right.value, true.left.value, true.right.value
    pairs = [((a, d), (b, c)), ((a, -c), (b, d)), ((a, -c), (b, -d))]
    if c and (d or not b):
        pairs.append(((a, 1 / c), (b, 1 / d if d else 0.0)))
    return (a, b) != (c, d) and any(all(math.isclose(x, y, rel_tol=1e-9) for x, y in pair) for pair in pairs)


def reason(finding: Finding) -> str:
    """Say in one line why a finding came out as it did."""
    if finding.infinite:
        return f"{finding.infinite}, which decides nothing: {finding.label}"
    reach = finding.excess + finding.bar
    proved, size = finding.kind is Kind.PROVED, f"{digits(finding.excess)} ± {digits(finding.bar, 1)}"
    delta = digits(finding.resolution)
    if finding.outcome is Outcome.HOLDS:
        return f"{'proved' if proved else 'holds'} to {digits(reach)} (δ {delta}): {finding.label}"
    if finding.outcome is Outcome.REFUTED:
        return f"{'proved to be ' if proved else ''}off by {size} (δ {delta}): {finding.label}"
    return f"off by {size}, δ {delta} in between: {finding.label}"


def _complaint(name: str, outcome: Evidence | Exception, evidence: Evidence) -> str:
    if isinstance(outcome, Exception):
        return f"control “{name}” failed: {type(outcome).__name__}: {outcome}"
    refuted = _refuted(outcome, evidence)
    if refuted and all(any(mirrors(one, true) for true in evidence.findings) for one in refuted):
        return (
            f"control “{name}” carries no information: it is the claim's own finding with its sides exchanged, refuted "
            f"wherever the claim holds ({refuted[0].label}); a control is a world in which the claim is false"
        )
    if refuted:
        return ""
    strays = [finding.label for finding in outcome.findings if finding.outcome is Outcome.REFUTED]
    if strays:
        return (
            f"control “{name}” refutes nothing that the claim says, only {strays[0]!r} as the control alone has it: let it "
            "call the measure with a false argument, so that labels, relations and resolutions are the claim's"
        )
    closest = max(outcome.findings, key=lambda finding: finding.excess - finding.bar - finding.resolution)
    return f"control “{name}” was not refuted ({reason(closest)})"


def smallest_changes(evidence: Evidence, changed: Evidence, step: float) -> dict[str, float]:
    """Return for every finding the relative change of a coefficient at which it would be refuted, to first order.

    From the evidence at the true value and at (1 + step) times it: (δ + bar − excess)/|slope of left − right|.
    Infinity for a finding that does not move.
    """
    if [one.label for one in evidence.findings] != [one.label for one in changed.findings]:
        raise ValueError(
            f"a measure must give the same findings whatever its coefficients: {len(evidence.findings)} at their true "
            f"values, {len(changed.findings)} nearby, or other labels"
        )
    pairs = zip(evidence.findings, changed.findings, strict=True)
    return {before.label: first_order(before, after, step) for before, after in pairs}


def first_order(before: Finding, after: Finding, step: float) -> float:
    """Return that change of one finding."""
    slope = 0.0 if before.infinite or after.infinite else abs(after.difference - before.difference) / step
    room = before.resolution + before.bar - before.excess
    return max(room, 0.0) / slope if slope > 0 else math.inf
