"""What errors against steps say: an order, a limit, and whether it is the right law."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from mfgpde.core.estimate import Estimate, Kind

RIGHT = 1e-4
"""of the data's deviation: a law so close in W₂ is the data's, up to lists in single precision"""
FLAT = 0.2
"""an order below which more steps do not help"""
RISE = 1.3
"""factor by which an error must grow from fewer to more steps to be called a divergence"""
APART = 3.0
"""times what the last two slopes are apart, that an order may be off: their mean is off by 1.5 if a slope is by 1/n"""
CURVED = 0.02
"""that it may be off where both slopes agree by chance"""
SHORT = 0.35
"""by how much an order may fall short of the one stated"""


@dataclass(frozen=True)
class Convergence:
    """Errors W₂ against numbers of steps, read.

    >>> errors = [mfg.exact(3 / n, "made up") for n in (10, 20, 40)]
    >>> found = mfg.samplers.read((10, 20, 40), errors, 1.0)
    >>> print(f"{found.order.value:.2f}, {found.verdict}")
    1.00, converges
    """

    order: Estimate | None
    """None where the error does not fall; its bar is infinite where two errors alone are above the data's"""
    limit: Estimate
    """W₂ of the limit from the data's law, a length"""
    verdict: str
    """'converges', 'wrong law', 'diverges' or 'undecided'"""
    worse_at: int | None = None
    """the number of steps at which the error grew most, if it grew"""

    def reaches(self, stated: float) -> bool:
        """Say whether it converges to the data's law at the order stated, or better."""
        return self.verdict == "converges" and self.order is not None and self.order.value >= stated - SHORT


def read(steps: Sequence[int], errors: Sequence[Estimate], deviation: float) -> Convergence:
    """Return order, limit and verdict. Raises ValueError for fewer than three numbers of steps, or not increasing ones."""
    if len(steps) < 3 or any(b <= a for a, b in pairwise(steps)):
        raise ValueError(f"an order needs three or more increasing numbers of steps, got {list(steps)}")
    values, bars = np.array([e.value for e in errors]), np.array([e.half_width for e in errors])
    floor = RIGHT * deviation
    limit = _limit(values, bars)
    grown = [(values[k + 1] - bars[k + 1]) / (values[k] + bars[k]) for k in range(len(values) - 1)]
    worst = int(np.argmax(grown))
    if grown[worst] > RISE and values[worst + 1] - bars[worst + 1] > 10 * floor:
        return Convergence(None, limit, "diverges", steps[worst + 1])
    seen = [k for k in range(len(steps)) if values[k] > max(floor, 3 * bars[k])]
    pairs = [(a, b) for a, b in pairwise(seen) if b == a + 1]
    ratios = [float(np.log(steps[b] / steps[a])) for a, b in pairs]
    slopes = [float(np.log(values[a] / values[b])) / ratio for (a, b), ratio in zip(pairs, ratios, strict=True)]
    small = values[-1] <= max(floor, 3 * bars[-1])
    if not slopes:
        return Convergence(None, limit, "converges" if small else "undecided")
    last = slopes[-2:]
    known = max(
        float(np.sum(bars[[*pair]] / values[[*pair]])) / r for pair, r in zip(pairs[-2:], ratios[-2:], strict=True)
    )
    spread = APART * float(np.ptp(last)) if len(last) == 2 else np.inf
    order = Estimate(float(np.mean(last)), spread + known + CURVED, Kind.EXTRAPOLATED, "slope of the last errors")
    if not small and slopes[-1] < FLAT:
        return Convergence(None, limit, "wrong law" if limit.lower > floor else "undecided")
    return Convergence(order, limit, "converges")


def _limit(values: np.ndarray, bars: np.ndarray) -> Estimate:
    """Return the limit by Aitken's process, if the last three come to rest; else what the last is.

    W₂ is positive: a limit below zero is that of a law which passes the data's and ends beyond them, as one that falls ever
    faster may.
    """
    a, b, c = values[-3:]
    fall, next_fall = a - b, b - c
    if fall * next_fall > 0 and abs(fall) > abs(next_fall):
        found = c - next_fall**2 / (fall - next_fall)
        bar = abs(c - found) / 2 + max(-found, 0.0)
        return Estimate(max(found, 0.0), float(bar + bars[-1]), Kind.EXTRAPOLATED, "Aitken")
    bar = b + c if 0 < fall <= next_fall else max(abs(fall), abs(next_fall))
    return Estimate(float(c), float(bar + bars[-1]), Kind.EXTRAPOLATED, "the last error")
