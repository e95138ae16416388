"""More levels where quantiles leap, so that a distance by sums over levels owes little to the leaps."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mfgpde.core.arrays import Array
from mfgpde.samplers.line import Line

PARTS, ROUNDS, MOST = 16, 6, 2048
"""of an interval with a leap; how often it is parted; levels that are added at most"""
SHARE = 1e-3
"""of W₂²: what may be hidden of it, half of that share of W₂"""
ROUNDED = 1e-12
"""of the extent: images that go back by less do so by rounding, a few thousand roundings of double precision"""


def more_levels(
    law: Line, target: Callable[[Array], Array], images: Callable[[Array], Array]
) -> tuple[Line, Line] | None:
    """Return a law by more levels where it or the target leaps, and by every second one; None where leaps hide little.

    Intervals that hide most are parted, until all hide no more than `SHARE` of W₂²: leaps, and then what is steep beside
    them. A map that folds has no levels to add, and none are added once it shows a fold.
    """
    if law.folded:
        return None
    z, x, line, added = law.levels, law.points, law, 0
    for _ in range(ROUNDS):
        owed, wanted = line.owed(target), SHARE * line.wasserstein(target) ** 2
        most = np.argsort(owed)[::-1]
        left = np.append(owed.sum() - np.cumsum(owed[most])[:-1], 0.0)
        count = min(int(np.searchsorted(-left, -0.5 * wanted)) + 1, (MOST - added) // (PARTS - 1))
        if owed.sum() <= wanted or count < 1:
            break
        parted = np.sort(most[:count])
        new = (z[parted, None] + np.diff(z)[parted, None] * np.arange(1, PARTS) / PARTS).ravel()
        at = np.repeat(parted + 1, PARTS - 1)
        z, x = np.insert(z, at, new), np.insert(x, at, images(new))
        added += len(new)
        if float(np.max(np.maximum.accumulate(x) - x)) > ROUNDED * float(np.ptp(x)):
            break
        x = np.maximum.accumulate(x)
        line = Line.at(z).moved(x)
    return (Line.at(z).moved(x), Line.at(z[::2]).moved(x[::2])) if added else None
