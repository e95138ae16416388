"""A measure of time by which a law changes evenly, from the steps of a solve that kept to a tolerance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mfgpde.core.arrays import Array

PACE = 0.75
"""times the root of its tolerance, what a step counts: polynomials of degree s over a count of c miss about (c/e)^s of a
generated law's rate on the first panels, half of that count on later ones (OU, VP, VE, exact scores and others)"""
MOST = 9.0
"""that steps count which end for what they miss, 1.2 to 4.5 there; of more it is stability or stored times that end them"""
SAFE = 1.2
"""times what the last panel says, what the next is thought to count: with 1.4 a tenth more is solved, and less in vain"""
ROUNDING = 1e-9
"""of the mass: what a panel misses is no less than rounding, and so little says no more of how long the next may be"""
LESS = 0.5
"""of the pace after such a panel, which is the usual one at most, and of a panel that missed too much"""
LONGER = 3.0
"""times the one before, at most"""
PANELS = 64
"""at most, that are thought of"""
LOOKED = 2 / 3, 2
"""what a panel costs beside a system of equations for each degree: looks at its residual, for each degree, and at what it
misses"""


@dataclass(frozen=True, eq=False)
class Clock:
    """Counts that grow with time, linearly between a few times."""

    times: Array
    counts: Array

    @classmethod
    def even(cls, begin: float, end: float) -> Clock:
        """Return time itself."""
        return cls(np.array([begin, end]), np.array([begin, end]))

    @classmethod
    def of(cls, solution: Any) -> Clock | None:
        """Return one that counts the steps of a solution; None where they are not known, or say little of the law.

        >>> from mfgpde.solvers.clock import Clock
        >>> space = mfg.FiniteVolume(mfg.CartesianGrid.cube(6.0, 64, 1))
        >>> law = mfg.solve(mfg.FokkerPlanck.of(mfg.OrnsteinUhlenbeck()), space, mfg.gaussian(1.0, 0.2), (0.0, 1.0))
        >>> clock = Clock.of(law)
        >>> print(f"{clock.count(1.0):.1f} in all, half of it by t = {clock.time(0.5 * clock.count(1.0)):.1f}")
        2.0 in all, half of it by t = 0.4
        """
        taken = solution.taken
        if taken is None or not len(taken.ends):
            return None
        counts = PACE * taken.share * np.arange(1 + len(taken.ends))
        return cls(np.append(float(solution.times[0]), taken.ends), counts) if counts[-1] <= MOST else None

    def count(self, t: float) -> float:
        """Return what has been counted at a time."""
        return float(np.interp(t, self.times, self.counts))

    def time(self, count: float) -> float:
        """Return when so much has been."""
        return float(np.interp(count, self.counts, self.times))


@dataclass(eq=False)
class Paced:
    """Panels by a clock: what they may count and which degree they may have, from what those before missed."""

    clock: Clock
    end: float
    degrees: tuple[int, int]
    """at least and at most"""
    pace: float = 1.0
    """counts, over what panels are thought to count"""

    def panels(self, begin: float, aim: float) -> tuple[float, int]:
        """Return what each may count and its degree, so that all from a time on miss an aim and cost least.

        >>> from mfgpde.solvers.clock import Clock, Paced
        >>> one, many = (Paced(Clock.even(0.0, whole), whole, (5, 12)) for whole in (1.0, 9.0))
        >>> one.panels(0.0, 1e-2), many.panels(0.0, 1e-2)
        ((1.0, 5), (1.2857142857142858, 9))
        """
        whole, (least, most) = self.clock.count(self.end) - self.clock.count(begin), self.degrees
        best, cost = (whole / PANELS, most), np.inf
        for m in range(1, PANELS + 1):
            sure = 1 - np.log(self.pace * whole / m)
            degree = max(least, int(np.ceil(np.log(m / aim) / sure))) if sure > 0 else most + 1
            work = m * ((1 + LOOKED[0]) * degree + LOOKED[1])
            if degree <= most and work < cost:
                best, cost = (whole / m, degree), work
        return best

    def after(self, count: float, degree: int, missed: float, good: bool, t: float, aim: float) -> tuple[float, int]:
        """Return what the next panel may count and its degree, after one that missed so much, from a time on."""
        seen = SAFE * np.e * missed ** (1 / degree) / count
        self.pace = min(seen, LESS * self.pace, 1.0) if missed <= ROUNDING else seen
        if t >= self.end:
            return count, degree
        next_count, next_degree = self.panels(t, aim)
        if good:
            return min(next_count, LONGER * count), next_degree
        return min(next_count, count if next_degree > degree else LESS * count), next_degree
