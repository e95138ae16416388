"""What the law of a generating SDE may be off in L¹, by the residual of a second solve: a bar that needs no second grid.

Of the law p_h of a certificate, of means over cells, and volumes q_h of order four on the same cells,
    ‖p_h − p‖₁ ≤ ‖p_h − q_h‖₁ + ‖q_h − p‖₁,
the last by `error_bound`, which holds whatever the drift. Both laws are compared over the certificate's box, with what is
missing in it; p is the law on the whole space.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from mfgpde.core.estimate import Kind
from mfgpde.discretisations import Field, FiniteVolume
from mfgpde.equations import FokkerPlanck
from mfgpde.grids import CartesianGrid
from mfgpde.processes import LinearProcess
from mfgpde.scores import Score
from mfgpde.solvers import Induced, Room, solve
from mfgpde.solvers.induced import GROWTH, cropped, grown, marched_box, prior_of

RTOL = 1e-5
"""of the second solve, whose steps then owe less than its cells do"""
AT_WALLS = 1e-10
"""of the mass, near the walls of the second solve's box: what falls to zero there owes for its bend, over a few cells, tens
of thousands of times as much"""
ROUGHLY = 1e-2
"""tolerance of the laws by which that box is found"""
WORTH = 2.0
"""times the ladder's bar: up to there a bound is taken in its place, since it needs no asymptotic range"""


@dataclass(frozen=True)
class Owed:
    """A number that ∫|p_h − p| does not exceed: a BOUND, or EXTRAPOLATED where `sampled` says why it is no bound."""

    value: float
    kind: Kind
    sampled: str = ""

    def instead_of(self, ladder: float) -> bool:
        """Whether it is taken in a ladder's place: one that is guaranteed up to WORTH times it, a sampled one if less.

        >>> from mfgpde.diagnostics.guaranteed import Owed
        >>> Owed(1.5, mfg.Kind.BOUND).instead_of(1.0), Owed(1.5, mfg.Kind.EXTRAPOLATED, "why").instead_of(1.0)
        (True, False)
        """
        return self.value <= (WORTH if self.kind >= Kind.BOUND else 1.0) * ladder

    @property
    def words(self) -> str:
        """What the bar is called where it is used."""
        return "its residual, a bound" if self.kind >= Kind.BOUND else "its residual, sampled"


def owed(process: LinearProcess, score: Score, law: Induced, room: Room) -> Owed:
    """Return what the SDE's law, found in that room, may be off in L¹ over its grid and outside of it.

    The cost is a solve of order four on the same cells, and its bound: on a line less than the certificate's own solves,
    in the plane the score is asked several times as often. Raises what `error_bound` raises: for drifts that jump or are
    not finite, and where there is no room.

    >>> process, grid = mfg.OrnsteinUhlenbeck(), mfg.CartesianGrid.cube(5.0, 64, 1)
    >>> score = mfg.ExactScore(process, mfg.gaussian(1.0, 0.5))
    >>> room = mfg.solvers.room_of(process, score, grid, stop=0.1)
    >>> law = mfg.induced_sde(process, score, grid, stop=0.1, rtol=2e-3, room=room)
    >>> from mfgpde.diagnostics.guaranteed import owed
    >>> bool(owed(process, score, law, room).value < 0.02)
    True
    """
    grid = law.density.grid
    box = wide_box(process, score, grid, room, law.stop)
    second = solve(
        FokkerPlanck.reverse(process, score),
        FiniteVolume(box, order=4),
        prior_of(process, grid.dimension),
        (0.0, process.horizon - law.stop),
        rtol=RTOL,
        largest_wall_mass=1.0,
        scan=False,
        keep_steps=False,
    )
    bound = second.error_bound()
    own = replace(law.density, values=cropped(second.fields[-1].values, box, grid))
    return Owed(apart(law.density, own) + bound.value, bound.kind, bound.sampled)


def wide_box(process: LinearProcess, score: Score, grid: CartesianGrid, room: Room, stop: float) -> CartesianGrid:
    """Return the box of the march, or one up to four times as wide at whose walls there is next to nothing, same cells.

    A certificate counts what leaves its box; a residual owes for what is at the walls. Of a score that pulls little a
    thousandth of the mass may be there, for which it would owe more than a half.
    """
    box = marched_box(process, grid, room)
    equation, ends = FokkerPlanck.reverse(process, score), (0.0, process.horizon - stop)
    for factor in GROWTH:
        wide, start = grown(box, factor), prior_of(process, grid.dimension)
        law = solve(
            equation, FiniteVolume(wide), start, ends, rtol=ROUGHLY, largest_wall_mass=1.0, scan=False, keep_steps=False
        )
        if wide.outer_share(law.fields[-1].values) <= AT_WALLS:
            return wide
    return grown(box, GROWTH[-1])


def apart(p: Field, q: Field) -> float:
    """Return ∫|p − q| over the box and what is missing outside of one more than of the other."""
    return float(p.grid.integrate(np.abs(p.values - q.values))) + abs(float(p.integral()) - float(q.integral()))
