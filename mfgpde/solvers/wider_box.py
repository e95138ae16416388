"""How wide a box a second solve has: where walls are far, the truth is a law on the whole space.

A second solve falls to zero within the last cells of its box, and owes about 6∫D/reach² + 3/2 ∫|b|/reach times the mass
that stands there. So it has whole cells more than the first one, as many as leave little there: of a law that is known in
closed form by its quantiles, of others by the moments of the first solve, where anything stands at its walls, and then by
how its own fields fall towards them. Drift and start must be known out there; where they are not, it ends where the first
one does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.special import ndtri

from mfgpde.core.arrays import Array
from mfgpde.core.time_structure import Break, merged
from mfgpde.densities import Density
from mfgpde.densities.contract import Propagated
from mfgpde.discretisations import Field, FiniteVolume
from mfgpde.equations import Continuity, FokkerPlanck
from mfgpde.grids import CartesianGrid
from mfgpde.processes.own_drift import linear_process_of
from mfgpde.solvers.enclosed import affine
from mfgpde.solvers.hermite import InTime, rule
from mfgpde.solvers.reconstruction import CUT
from mfgpde.solvers.residual import Residual
from mfgpde.solvers.structure import Structure, breaks_in_parts

LITTLE = 0.1
"""of what a second solve may owe: what its fall to zero may"""
KINKS = 1e-3
"""of that, what it may for an expansion: cosines have a kink at walls, whose rate no polynomial follows (VP
in the plane, 120²: 2 instead of 3e-3)"""
MUCH = 0.5
"""of the same: where the fall owes more, the box is made wider still"""
MOST = {1: 2.0, 2: 0.75, 3: 0.3}
"""times the cells of the longest axis that are added on a side, at most, by dimension: thin boxes become as square ones"""
AGAIN = 2
"""times a box is made wider for what fields say"""
TIMES = 9
"""of the run, at which a law in closed form is asked how far it reaches"""
LOOKS = 2
"""of the run, Gauss's, at which coefficients at the walls are read"""
LEAST, LARGEST = 1e-14, 1e-3
"""of the mass beyond a box"""
SLOPE = 4
"""times `CUT` cells, over which the fall of a field towards a wall is read"""
EXACT = 1e-9
"""of the mass: what sums over cells may be off by"""


@dataclass(frozen=True)
class Room:
    """The box of a second solve, and why it is no wider if it should be.

    `owes`: what a fall to zero owes of the mass that stands where it falls; `little`: what it may, of what a second solve
    may owe, in a wider box; `again`: how often the box may become wider; `breaks`: of the coefficients in time, on the box.
    """

    grid: CartesianGrid
    reason: str = ""
    owes: float = 0.0
    little: float = LITTLE
    again: int = 0
    breaks: tuple[Break, ...] = ()

    @classmethod
    def of(cls, solution: Any, last: int, owed: float, waves: bool) -> Room:
        """Return the box of a second solve that may owe so much, an expansion in waves or not.

        Raises ValueError for a drift that jumps, or is not finite, in the box of the first solve.
        """
        space: Any = solution.discretisation
        grid, equation = space.grid, solution.equation
        if not isinstance(equation, FokkerPlanck | Continuity) or space.walls != "far" or all(grid.periodic):
            return cls.given(solution, space, looked_at=False)
        owes = 1 + _falling(solution, float(solution.times[0]), float(solution.times[last]))
        found = cls(grid, "", owes, LITTLE * (KINKS if waves else 1.0), AGAIN)
        allowed = float(np.clip(found.little * owed / owes, LEAST, LARGEST))
        found = found._widened(solution, widened(grid, *_needed(solution, last, allowed)))
        return (
            found if found.grid != grid else replace(found, breaks=cls.given(solution, space, looked_at=False).breaks)
        )

    @classmethod
    def given(cls, solution: Any, space: Any, looked_at: bool) -> Room:
        """Return the box of a space, its drift `looked_at` between breaks alone, or everywhere.

        Raises ValueError for a drift that jumps, or is not finite.
        """
        breaks = breaks_on(solution, space.grid)
        if not looked_at:
            Residual.of(solution, space, breaks=breaks)
        return cls(space.grid, breaks=breaks)

    def _widened(self, solution: Any, grid: CartesianGrid) -> Room:
        """Return it with a wider box, or why it has none."""
        if grid == self.grid:
            return self
        reason, breaks = _unknown(solution, grid)
        return replace(self, reason=reason, again=0) if reason else replace(self, grid=grid, breaks=breaks)

    def wider(self, solution: Any, parts: Sequence[InTime], space: Any, owed: float) -> Room | None:
        """Return a wider one, if the fall of these fields owes much of what may be owed."""
        if not self.again:
            return None
        grid, length = space.grid, []
        for axis, periodic in enumerate(grid.periodic):
            sides = (0.0, 0.0) if periodic else tuple(self._missing(parts, grid, axis, side, owed) for side in (0, 1))
            length.append(sides)
        if not np.any(length):
            return None
        (below, above), own = np.array(length).T, self.grid
        cut = CUT * np.asarray(own.spacing)
        lower = np.where(below > 0, np.asarray(own.lower) + cut - below, np.asarray(own.lower) + cut)
        upper = np.where(above > 0, np.asarray(own.upper) - cut + above, np.asarray(own.upper) - cut)
        found = replace(self, again=self.again - 1)._widened(solution, widened(own, lower, upper))
        return None if found.grid == own else found

    def _missing(self, parts: Sequence[InTime], grid: CartesianGrid, axis: int, side: int, owed: float) -> float:
        """Return how much further one wall should be, zero where little stands at it."""
        others = tuple(k + 1 for k in range(grid.dimension) if k != axis)
        along = np.concatenate([one.values.sum(axis=others) for one in parts]) * grid.volume  # (times, cells)
        along = along[:, ::-1] if side else along  # ripples have both signs
        near = along[:, :CUT].sum(axis=1)
        worst = int(np.argmax(near))
        owes = self.owes * float(near[worst])
        if owes <= MUCH * owed:
            return 0.0
        inside = along[worst, SLOPE * CUT : (SLOPE + 1) * CUT].sum()
        fall = float(np.log(max(inside / near[worst], 1.0))) / (SLOPE * CUT * grid.spacing[axis])
        longest = 0.5 * grid.lengths[axis]
        return min(longest, np.log(owes / (self.little * owed)) / fall if fall * longest > 1 else longest)


def widened(grid: CartesianGrid, lower: Array, upper: Array) -> CartesianGrid:
    """Return a grid with whole cells more, so that all but its last `CUT` cells hold a box; periodic axes stay.

    >>> from mfgpde.solvers.wider_box import widened
    >>> grid = mfg.CartesianGrid.cube(4.0, 16, 1)
    >>> widened(grid, np.array([-4.2]), np.array([1.0]))
    CartesianGrid(lower=(-5.5,), upper=(4.5,), cells=(20,), periodic=(False,))
    """
    more, most = [], int(np.ceil(MOST[grid.dimension] * max(grid.cells)))
    for k, periodic in enumerate(grid.periodic):
        h = grid.spacing[k]
        wanted = (grid.lower[k] - lower[k]) / h + CUT, (upper[k] - grid.upper[k]) / h + CUT
        sides = [0 if periodic else int(np.clip(np.ceil(one - EXACT), 0, most)) for one in wanted]
        if any(sides):
            sides[1] += sum(sides) % 2  # transforms of odd numbers of cells are slower
        more.append(sides)
    if not np.any(more):
        return grid
    ends = list(zip(grid.lower, grid.upper, grid.spacing, more, strict=True))
    return replace(
        grid,
        lower=tuple(a - below * h for a, _, h, (below, _) in ends),
        upper=tuple(b + above * h for _, b, h, (_, above) in ends),
        cells=tuple(n + sum(sides) for n, sides in zip(grid.cells, more, strict=True)),
    )


def law_at(solution: Any, t: float) -> Any:
    """Return the law at a time where it is known in closed form; else None."""
    equation = solution.equation
    process = linear_process_of(getattr(equation, "drift", None))
    if process is None or equation.diffusivity != process.diffusivity:
        return None
    if not isinstance(solution.start, Propagated) or any(solution.discretisation.grid.periodic):
        return None
    begin = float(solution.times[0])
    return solution.start if t <= begin else solution.start.after(process.transition(begin, t))


def lost(solution: Any, last: int) -> float:
    """Return how much of a law stands outside the box of its solve at the first or the last time, as far as it is known."""
    space: Any = solution.discretisation
    if not isinstance(solution.start, Density) or space.walls != "far" or any(space.grid.periodic):
        return 0.0
    end = law_at(solution, float(solution.times[last]))
    inside = [float(solution.fields[0].values.sum())] if isinstance(space, FiniteVolume) else []
    if end is not None:
        inside.append(float(np.exp(end.log_density(space.grid.points)).sum()))
    return max(0.0, 1 - space.grid.volume * min(inside, default=1.0))


def _needed(solution: Any, last: int, share: float) -> tuple[Array, Array]:
    """Return the corners of a box beyond which there is not much more than a share of the law, as far as it is known."""
    begin, end = float(solution.times[0]), float(solution.times[last])
    if law_at(solution, end) is not None:
        laws = [law_at(solution, float(t)) for t in np.linspace(begin, end, TIMES)]
        corners = [law.box(1 - share) for law in laws]
    else:
        corners = [_reached(solution.discretisation, solution.fields[last].values, share)]
        corners += [solution.start.box(1 - share)] if isinstance(solution.start, Density) else []
        corners += [] if corners[1:] else [_reached(solution.discretisation, solution.fields[0].values, share)]
    return np.min([a for a, _ in corners], axis=0), np.max([b for _, b in corners], axis=0)


def _reached(space: Any, values: Array, share: float) -> tuple[Array, Array]:
    """Return the walls' own places where no more than a share stands at them, else what a normal law's moments say.

    Laws in steep potentials have shorter tails than their deviation lets one think.
    """
    grid, reach, ends = space.grid, -float(ndtri(0.5 * share)), []
    for axis, x in enumerate(grid.axes):
        others = tuple(k for k in range(values.ndim) if k != axis)
        near, w = (grid.volume * one.sum(axis=others) for one in (np.abs(values), np.maximum(values, 0.0)))
        w = w / max(float(w.sum()), np.finfo(float).tiny)
        mean, cut = float(w @ x), CUT * grid.spacing[axis]
        half = reach * float(np.sqrt(w @ (x - mean) ** 2))
        low = grid.lower[axis] + cut if near[:CUT].sum() <= share else mean - half
        high = grid.upper[axis] - cut if near[-CUT:].sum() <= share else mean + half
        ends.append((low, high))
    lower, upper = np.array(ends).T
    return lower, upper


def _falling(solution: Any, begin: float, end: float) -> float:
    """Return what the fall to zero owes of the mass where it falls, over the whole time."""
    grid, equation = solution.discretisation.grid, solution.equation
    reach = CUT * min(h for h, periodic in zip(grid.spacing, grid.periodic, strict=True) if not periodic)
    corners = np.stack((grid.points[(0,) * grid.dimension], grid.points[(-1,) * grid.dimension]))
    field, total = equation.velocity if isinstance(equation, Continuity) else equation.drift, 0.0
    for t in begin + (end - begin) * rule(LOOKS)[0]:
        D = 0.0 if isinstance(equation, Continuity) else float(equation.diffusivity(float(t)))
        with np.errstate(all="ignore"):
            b = float(np.nan_to_num(np.abs(np.asarray(field(corners, float(t)), dtype=float)).max()))
        total += 6 * D / reach**2 + 1.5 * b / reach
    return total / LOOKS * (end - begin)


def breaks_on(solution: Any, grid: CartesianGrid) -> tuple[Break, ...]:
    """Return where coefficients jump or change sharply in time: as the first solve found it, and all over a grid."""
    begin, end = float(solution.times[0]), float(solution.times[-1])
    found = None if solution.taken is None else solution.taken.breaks_of(solution.equation)
    if found is None:
        named = getattr(solution.again, "keywords", {}).get("breaks", ())
        found = Structure.of(solution.equation, solution.discretisation.grid, begin, end, named).breaks
    if isinstance(solution.equation, FokkerPlanck | Continuity):
        found = merged([*found, *breaks_in_parts(solution.equation, grid, begin, end)])
    return tuple(found)


def _unknown(solution: Any, grid: CartesianGrid) -> tuple[str, tuple[Break, ...]]:
    """Return why a second solve cannot reach so far, nothing where it can, and the breaks there."""
    if isinstance(solution.start, Field):
        return "the start is a field, which ends at its walls", ()
    if not isinstance(solution.start, Density):
        trouble = start_beyond(solution, grid)
        if trouble:
            return trouble, ()
    try:
        space = replace(solution.discretisation, grid=grid)
        return "", Room.given(solution, space, looked_at=affine(solution.equation)).breaks
    except Exception as problem:  # whatever a user's function does beyond the box of its solve
        return f"beyond the box of the solve: {type(problem).__name__}: {problem}", ()


def start_beyond(solution: Any, grid: CartesianGrid) -> str:
    """Return why a function is no start of a law beyond the box of its solve: it must add what lacks to mass one."""
    own = solution.discretisation.grid
    try:
        few, many = (float(one.volume * np.sum(solution.start(one.points))) for one in (own, grid))
        least = float(np.min(solution.start(grid.points)))
    except Exception as problem:  # whatever a user's function does there
        return f"the start, beyond the box of the solve: {type(problem).__name__}: {problem}"
    if not (np.isfinite(many) and least >= -EXACT * many and abs(many - 1) <= abs(few - 1) + EXACT):
        return f"the start is no density of mass one beyond the box of the solve, where its integral is {many:.6g}"
    return ""
