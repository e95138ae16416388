"""How sharp a verdict is: the smallest relative change of a coefficient that would have refuted the claim."""

from __future__ import annotations

from mfgpde.verify.claim import Claim, Evidence, Level
from mfgpde.verify.finding import Outcome
from mfgpde.verify.judge import smallest_change

STEP = 0.05  # large enough to stand clear of the error bars, small enough for a slope


def detects(claim: Claim, evidence: Evidence, level: Level, seed: int) -> dict[str, float]:
    """Return the detectable change of every named coefficient: first order, bisected between bounds at level full.

    Zero where the claim is refuted as it stands.
    """
    powers: dict[str, float] = {}
    for name in claim.coefficients:
        changed = claim.run_measure(level, seed, **{name: 1 + STEP})
        guess = smallest_change(evidence, changed, STEP)
        powers[name] = _bisect(claim, name, level, seed, guess) if level is Level.FULL and 0 < guess < 1 else guess
    return powers


def _bisect(claim: Claim, name: str, level: Level, seed: int, guess: float) -> float:
    """Return the refuting change to within 20 %, searching around the first-order guess."""

    def refuted(change: float) -> bool:
        findings = claim.run_measure(level, seed, **{name: 1 + change}).findings
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
