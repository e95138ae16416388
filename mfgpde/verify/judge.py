"""The judge: a pure function from evidence to a verdict."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

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
) -> Verdict:
    """Judge a claim by the worst of its findings, and broken unless every control is refuted.

    An empty set of controls is broken too: a check that cannot fail decides nothing.

    >>> from mfgpde.verify import Evidence, equal
    >>> two, three = mfg.exact(2.0, "2"), mfg.exact(3.0, "3")
    >>> true, false = (Evidence([equal("2", two, other, resolution=1e-3)]) for other in (two, three))
    >>> [mfg.verify.judge(true, {"control": other}).outcome.value for other in (false, true)]
    ['holds', 'broken']
    """
    worst = max(evidence.findings, key=lambda finding: (SEVERITY[finding.outcome], -finding.margin))
    margin = min(finding.margin for finding in evidence.findings)
    complaints = [_complaint(name, outcome) for name, outcome in controls.items()]
    complaints = [complaint for complaint in complaints if complaint]
    if not controls:
        complaints.append("no control: a check that cannot fail decides nothing")
    if complaints:
        return Verdict(Outcome.BROKEN, margin, "; ".join(complaints), detects or {})
    return Verdict(worst.outcome, margin, reason(worst), detects or {})


def reason(finding: Finding) -> str:
    """Say in one line why a finding came out as it did."""
    reach = finding.excess + finding.bar
    if finding.outcome is Outcome.HOLDS:
        return f"holds to {reach:.2g} (δ {finding.resolution:.2g}): {finding.label}"
    if finding.outcome is Outcome.REFUTED:
        return f"off by {finding.excess:.2g} ± {finding.bar:.1g} (δ {finding.resolution:.2g}): {finding.label}"
    return f"off by {finding.excess:.2g} ± {finding.bar:.1g}, δ {finding.resolution:.2g} in between: {finding.label}"


def _complaint(name: str, outcome: Evidence | Exception) -> str:
    if isinstance(outcome, Exception):
        return f"control “{name}” failed: {type(outcome).__name__}: {outcome}"
    if any(finding.outcome is Outcome.REFUTED for finding in outcome.findings):
        return ""
    closest = max(outcome.findings, key=lambda finding: finding.excess - finding.bar - finding.resolution)
    return f"control “{name}” was not refuted ({closest.label}: {reason(closest)})"


def smallest_change(evidence: Evidence, changed: Evidence, step: float) -> float:
    """Return the relative change of a coefficient at which the first finding would be refuted, to first order.

    From the evidence at the true value and at (1 + step) times it: (δ + bar − excess)/|slope of left − right|.
    Infinity if no finding moves.
    """
    if len(evidence.findings) != len(changed.findings):
        raise ValueError(
            f"a measure must give the same findings whatever its coefficients: {len(evidence.findings)} at their true "
            f"values, {len(changed.findings)} nearby"
        )
    reach = math.inf
    for before, after in zip(evidence.findings, changed.findings, strict=True):
        slope = abs(after.difference - before.difference) / step
        room = before.resolution + before.bar - before.excess
        if slope > 0:
            reach = min(reach, max(room, 0.0) / slope)
    return reach
