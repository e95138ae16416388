"""How sharp a verdict is: the smallest relative change of a coefficient that would have refuted the claim."""

from __future__ import annotations

from dataclasses import dataclass

from mfgpde.verify.claim import Claim, Evidence, Level
from mfgpde.verify.finding import Outcome
from mfgpde.verify.judge import smallest_changes

STEP = 0.05  # large enough to stand clear of the error bars, small enough for a slope


@dataclass(frozen=True)
class Power:
    """The detectable change of every coefficient, for the claim and for each finding; and the variants it was read off."""

    detects: dict[str, float]
    of_findings: dict[str, dict[str, float]]
    variants: dict[str, Evidence]


def power(claim: Claim, evidence: Evidence, level: Level, seed: int, case: str = "") -> Power:
    """Return what changes of its coefficients a claim detects: first order, bisected between bounds at level full.

    Zero where the claim is refuted as it stands.
    """
    found = Power({}, {finding.label: {} for finding in evidence.findings}, {})
    for name in claim.coefficients:
        changed = claim.run_measure(level, seed, case, **{name: 1 + STEP})
        found.variants[f"{name.replace('_', ' ')} × {1 + STEP:g}"] = changed
        reach = smallest_changes(evidence, changed, STEP)
        for label, change in reach.items():
            found.of_findings[label][name] = change
        guess = min(reach.values())
        bisected = level is Level.FULL and 0 < guess < 1
        found.detects[name] = _bisect(claim, name, level, seed, case, guess) if bisected else guess
    return found


def _bisect(claim: Claim, name: str, level: Level, seed: int, case: str, guess: float) -> float:
    """Return the refuting change to within 20 %, searching around the first-order guess."""

    def refuted(change: float) -> bool:
        findings = claim.run_measure(level, seed, case, **{name: 1 + change}).findings
        return any(finding.outcome is Outcome.REFUTED for finding in findings)

    low, high = guess / 2, guess * 2
    while not refuted(high):
        low, high = high, 2 * high
        if high > 1:
            return float("inf")
    while high / low > 1.2:
        middle = (low * high) ** 0.5
        low, high = (low, middle) if refuted(middle) else (middle, high)
    return high
