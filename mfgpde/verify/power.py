"""How sharp a verdict is: the smallest relative change of a coefficient that would have refuted the claim."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial

from mfgpde.verify.claim import Claim, Evidence, Level
from mfgpde.verify.reach import STEP, Reach, Sought

BUDGET = {True: 0.5, False: 0.15}
"""seconds of one processor for what is measured of a claim's own changes (True), and with those of its findings (False)"""


@dataclass(frozen=True)
class Power:
    """The detectable change of every coefficient, for the claim and for each finding; and the variants it was read off."""

    reaches: dict[str, Reach]
    of_findings: dict[str, dict[str, Reach]]
    variants: dict[str, Evidence]


def power(claim: Claim, evidence: Evidence, level: Level, seed: int, case: str = "") -> Power:
    """Return what changes of its coefficients a claim detects: measured where that is cheap, else to first order.

    The claim's own first, then those of its findings, the smallest first, while `BUDGET` lasts; at level full the claim's
    own whatever it costs, to within 20 %. Zero where the claim is refuted as it stands.
    """
    full = level is Level.FULL

    def measured(name: str, change: float) -> Evidence:
        return claim.run_measure(level, seed, case, **{name: 1 + change})

    ratio, tries = (1.2, 12) if full else (2.0, 5)
    sought = {name: Sought(partial(measured, name), evidence, ratio, tries) for name in claim.coefficients}
    spent = 0.0
    for smallest in (True, False):
        budget = math.inf if full and smallest else BUDGET[smallest]
        for one in sought.values():
            if spent + 2 * one.seconds > budget:  # one measure alone seldom tells
                continue
            while spent + one.seconds <= budget and one.look(smallest):
                spent += one.seconds
    return Power(
        {name: one.smallest() for name, one in sought.items()},
        {
            finding.label: {name: one.reaches()[k] for name, one in sought.items()}
            for k, finding in enumerate(evidence.findings)
        },
        {f"{name.replace('_', ' ')} × {1 + STEP:g}": one.changed for name, one in sought.items()},
    )
