"""How far a coefficient may be off before a finding is refuted: to first order, and measured where that is cheap.

A slope says little of what grows with the square of a change, of a maximum, or of a bound that moves one way. So a change
is looked for on the side where the finding fails, by powers between what was measured, until one refutes and its half not.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import process_time

from mfgpde.verify.claim import Evidence
from mfgpde.verify.finding import Finding, Outcome
from mfgpde.verify.judge import first_order, smallest_changes

STEP = 0.05
"""of the slope: large enough to stand clear of the error bars, small enough for a slope"""
FARTHEST = {1: 1.0, -1: 0.5}
"""changes up and down beyond which none is looked for: coefficients keep their sign"""
WORTH = 10.0
"""a first-order change beyond which nothing is noticed, nor looked for"""
FINEST = 1e-14
"""a change below which 1 + change is rounding"""
BEYOND = 1.02
"""how far beyond a guess is measured: its own error is as large"""
SEEN = 0.02
"""of the way to a refutation: less may be what a machine rounds, from which no power is read"""


@dataclass(frozen=True)
class Reach:
    """The smallest relative change that refutes, on which side of 1, and whether it was measured or is estimated.

    Measured: with the coefficient at 1 + sign · change the finding is refuted, and at some place between half of that
    change and it, on the same side, it is not. Infinite where it does not move but by rounding, was seen to move away, or
    would not be refuted by `WORTH`. `tried` changes beside the first were looked at: an estimate from some depends on how
    many there was time for.
    """

    change: float
    sign: int
    measured: bool
    tried: int = 0


NOWHERE = Reach(math.inf, 0, False)


def reached(points: Mapping[float, Evidence], k: int, ratio: float) -> tuple[Reach, float | None]:
    """Return what evidence by its change of a coefficient says of the k-th finding, and where to measure next.

    `points` has the changes 0 and STEP at least; one is measured that is no more than `ratio` times one that does not
    refute. None where nothing is left to ask.
    """
    before, after = points[0.0].findings[k], points[STEP].findings[k]
    if before.infinite or after.infinite or after.difference == before.difference:
        return NOWHERE, None
    first = first_order(before, after, STEP)
    if not 0 < first < math.inf:
        return Reach(first, 1, first == 0 and before.outcome is Outcome.REFUTED), None
    sign = 1 if after.difference > before.difference else -1
    if before.relation == "=":
        if abs(before.difference) > 0.02 * (before.resolution + before.bar):
            sign *= 1 if before.difference > 0 else -1
        else:  # as near on both sides: that of the step
            sign = 1
    for side in (sign, -sign) if before.relation == "=" else (sign,):
        guess = first if side == sign else STEP / _share(before, after)
        found = _along(points, k, side, guess, ratio)
        if found is not None:
            return found
    return NOWHERE, None


def _along(
    points: Mapping[float, Evidence], k: int, side: int, first: float, ratio: float
) -> tuple[Reach, float | None] | None:
    """Return the same on one side; None where the finding is seen not to move towards its refutation."""
    before = points[0.0].findings[k]
    seen = {abs(c): one.findings[k] for c, one in points.items() if c * side > 0 and not one.findings[k].infinite}
    high = min((c for c, one in seen.items() if one.outcome is Outcome.REFUTED), default=math.inf)
    low = max((c for c, one in seen.items() if c < high and one.outcome is not Outcome.REFUTED), default=0.0)
    tried = len(points) - 2
    if high <= ratio * low:
        return Reach(high, side, True, tried), None
    shares = {c: _share(before, one) for c, one in seen.items()}
    if high == math.inf and seen and shares[max(seen)] <= 0:
        return None
    least = SEEN if high < math.inf else 0.0
    grown = [(c, share) for c, share in shares.items() if share > least]
    guess = first if set(seen) <= {STEP} or not grown else _by_powers(grown)
    if not low < guess < high:
        guess = math.sqrt(low * high) if low and high < math.inf else min(max(guess, low), high)
    if high < math.inf:
        following, half = BEYOND * guess, high / ratio * (1 + 1e-9)
        if following > 0.9 * high or (len(seen) > 3 and following > half):  # or guesses come near too slowly
            following = half
    elif guess > WORTH:
        return None
    elif low >= FARTHEST[side]:
        return Reach(guess, side, False, tried), None
    else:
        following = min(BEYOND * guess if guess > low else 1.2 * low, FARTHEST[side])
    return Reach(guess, side, False, tried), side * following if following >= FINEST else None


def _share(before: Finding, after: Finding) -> float:
    """Return how far a finding went towards its refutation, 1 where it is refuted; below zero where it went away."""
    moved, known = after.difference - before.difference, before.difference
    if before.relation == "=" and moved < 0:
        moved, known = -moved, -known
    room = before.resolution + before.bar - known
    wider = after.bar - before.bar + after.resolution - before.resolution
    net = max(moved - wider, 1e-3 * moved) if moved > 0 else moved  # a bar may grow as fast: it went there all the same
    return net / room if room > 0 else math.inf


def _by_powers(grown: list[tuple[float, float]]) -> float:
    """Return where a power of the change through the two places nearest to a share of 1 has it; a line through one."""
    nearest = sorted(grown, key=lambda one: abs(math.log(one[1])))[:2]
    (c, share), power = nearest[0], 1.0
    if len(nearest) == 2:
        d, more = nearest[1]
        power = min(max(math.log(more / share) / math.log(d / c), 0.5), 4.0)
    return c * (1 / share) ** (1 / power)


class Sought:
    """One coefficient of a claim: evidence by its change, asked for finding by finding, the smallest reach first."""

    def __init__(self, measure: Callable[[float], Evidence], evidence: Evidence, ratio: float, tries: int):
        self._measure, self._ratio, self._tries = measure, ratio, tries
        self._points = {0.0: evidence}
        self._asked = [0] * len(evidence.findings)
        self.seconds = 0.0
        """of the last measure, of one processor"""
        self.changed = self._ask(STEP)
        smallest_changes(evidence, self.changed, STEP)  # ValueError for other findings

    def reaches(self) -> list[Reach]:
        """Return what is known of every finding."""
        return [reached(self._points, k, self._ratio)[0] for k in range(len(self._asked))]

    def smallest(self) -> Reach:
        """Return the reach of the finding that is refuted first."""
        return min(self.reaches(), key=lambda one: one.change)

    def look(self, smallest: bool) -> bool:
        """Measure once more, for the smallest reach alone or the smallest that is not measured; False if none is left."""
        found = [(*reached(self._points, k, self._ratio), k) for k in range(len(self._asked))]
        found.sort(key=lambda one: one[0].change)
        for reach, following, k in found[: 1 if smallest else None]:
            if not reach.measured and following is not None and self._asked[k] < self._tries:
                self._asked[k] += 1
                return self._may(following)
        return False

    def _may(self, change: float) -> bool:
        """Measure where a coefficient is far from true, which a measure need not bear: then what is known stays."""
        try:
            smallest_changes(self._points[0.0], self._ask(change), change)
        except (
            Exception
        ):  # whatever a claim's code does with a coefficient far from true: the number stays of first order
            self._points.pop(change, None)
            self._tries = 0
        return True

    def _ask(self, change: float) -> Evidence:
        clock = process_time()
        found = self._points[change] = self._measure(change)
        self.seconds = process_time() - clock
        return found
