"""What a march leaves of its way: where the coefficients jump, and the ends of its steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mfgpde.core.arrays import Array
from mfgpde.core.time_structure import Break


@dataclass(frozen=True, eq=False)
class Taken:
    """The breaks that a solve knew of an equation's coefficients, and its steps."""

    equation: Any
    breaks: tuple[Break, ...] | None
    """those that were named, and those that a scan found; None without one"""
    ends: Array
    """of all steps, from the first on; none where the run was interrupted"""
    share: float
    """the root of their tolerance: such a share of the time in which a law changes each of them takes"""

    @classmethod
    def of(cls, equation: Any, breaks: Sequence[Break] | None, march: Any, rtol: float) -> Taken:
        """Return it, from a march that kept to a tolerance."""
        ends, order = march.ends[1:], march.integrator.embedded_order
        known = None if breaks is None else tuple(breaks)
        return cls(equation, known, np.array(ends if len(ends) == march.steps else []), rtol ** (1 / (order + 1)))

    def breaks_of(self, equation: Any) -> tuple[Break, ...] | None:
        """Return the breaks of an equation's coefficients; None where they were not looked for.

        >>> space = mfg.FiniteVolume(mfg.CartesianGrid.cube(6.0, 64, 1))
        >>> heat = mfg.FokkerPlanck.of(mfg.Brownian())
        >>> taken = mfg.solve(heat, space, mfg.gaussian(0.0, 0.25), (0.0, 0.5)).taken
        >>> taken.breaks_of(heat), taken.breaks_of(mfg.FokkerPlanck.of(mfg.OrnsteinUhlenbeck())), float(taken.ends[-1])
        ((), None, 0.5)
        """
        return self.breaks if equation is self.equation else None
