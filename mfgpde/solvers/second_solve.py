"""The second solve from whose residual a bound is made: in which space, on how fine a grid, how sharp.

What it owes need only be small beside what the first solve owes. An expansion on the fewest cells that carry the law owes
the least for its cost; where a process has an exact kernel (`propagate`), its fields are one product of matrices an axis.
None of this is trusted: the residual is that of the function that came out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mfgpde.core.arrays import Array
from mfgpde.discretisations import Discretisation, Field, FiniteVolume, Spectral, propagate
from mfgpde.discretisations.spectral.mehler import along_line
from mfgpde.equations import Continuity, FokkerPlanck
from mfgpde.grids import CartesianGrid
from mfgpde.processes import IsotropicProcess
from mfgpde.processes.own_drift import linear_process_of
from mfgpde.solvers.carried import FEWEST, FINER, GENTLE, even, grids_of, tails
from mfgpde.solvers.clock import Clock
from mfgpde.solvers.collocated import is_banded
from mfgpde.solvers.first_owes import asked, differences, for_steps, seems_to_owe, seen, sharpens, steps_of
from mfgpde.solvers.first_solve import OnGrid
from mfgpde.solvers.initial import initial_function
from mfgpde.solvers.wider_box import Room, lost

ENOUGH = 0.6
"""of the distance of both solves: what the second one owes may be that much; bound over true is then (1 + 0.6)/(1 − 0.6)"""
SMALL = 1e-7
"""of the mass: what the second solve owes may be that much, for expansions"""
IN_TIME = {2: 0.3, 4: 0.1}
"""of what the first solve seems to owe: what panels of time may miss, by its order"""
SETTLED = 1 / 3
"""of what steps leave, where nothing depends on time: laws that settle forget it (1.7e-4 to 2.5e-4 at 2e-3 and 1.7e-6 at
1e-6 for a curved drift)"""
TAIL = 1e-2
"""of what the first solve seems to owe, what an expansion may leave out: its residual has D k² times as much, over time"""
WHOLE_STEPS = 0.1
"""of what the first solve seems to owe, the tolerance of an expansion's steps: they miss 0.05 to 0.4 of it of a rate, from
1e-3 to 1e-8 (a drift without potential, 48²), and six times that is enough"""
STABLE, MANY = 1e-6, 250.0
"""the same at most, where the shortest waves of an expansion pass so many radians at its corners: steps can be so long
that waves in which nothing stands grow, and rates miss 64 to 330 times the tolerance (turning drifts, 340 to 630 radians;
up to 175 they miss a third of it at most)"""
STUCK = 0.5
"""of what the try before owed: a sharper expansion that owes more than that gains nothing"""
SPARE = 0.5
"""of what is enough: what is aimed at, where the last try says how much more it takes"""
FINEST = {2: 2.0, 4: 10.0}
"""times the cells of the first solve on a line, at most, by its order: where a law stays, of −ax³, four times as many owe
up to nine times what is enough beside order four, a cost of 0.04 s"""
TRIES = 3
"""second solves, each sharper than the one before, until what they owe is small"""
SHARPER = 1e-2, 6
"""times the tolerances, and pieces more, from one try to the next"""
ROUGH = 1e-2
"""of the mass: where an expansion on the grid itself leaves more, it does not carry the law"""
MOST_HASTY = 1e-4
"""tolerance of a first try beside volumes, which owe more for their cells than it does for its steps"""
FIRST = {2: 6, 4: 8}
"""pieces of time of that try, by order"""
ROUGH_FOURTH = 4e-3
"""differences of order four at which it may be so rough, beside a first solve of that order: less in proportion"""
ROOT = 1.5
"""what steps miss of a rate falls by that root of their tolerance: twenty times from 1e-4 to 1.3e-6 (P4, in the plane)"""
MISSED = 5e-8
"""times the square of how many steps a first solve takes at 1e-6, what those at `MOST_HASTY` miss of a rate: 1.2e-3, 6e-3
and 1.3e-2 for 150, 340 and 540 (reverse OU and VP, P4, in the plane)"""
SEEN = 0.2
"""of what second differences say of the error, a little below what both solves are apart: 0.36, 0.22 and 0.5 of it there"""
WAVES = 3e-3
"""of what a first solve of order four seems to owe, the tolerance of an expansion's steps beside it: they miss 7 to 110
times that of a rate (reverse OU and VP, P4, 64² and 128²)"""
SMOOTHED = 0.03
"""the same of laws that are smoother at their end, of what is owed there (OU, VP and turning drifts, 40² to 128²)"""
ROUGHEST = 2e-5
"""the same at most: with 8e-5 the bound of a law that its cells do not carry was 10.7 times its error, for 8.3 (VE, 80²)"""
LOOSE = 5e-6
"""tolerance of a first solve, from which a second one has its own: its steps leave more in a residual than in a solution"""
FAR_BELOW = 12.0
"""times less than second differences, fourth ones: residuals of order four on such cells are a third of what two owes"""
SAFELY = {2: 100.0, 4: 200.0}
"""the same where cells cost next to nothing, on a line, and another try as much as this one; by the first solve's order"""
PIECES = (6, 8, 12, 16, 24, 32, 48)
"""of time that are tried where fields cost next to nothing"""


@dataclass(frozen=True)
class Aim:
    """What a second solve may owe, relative: of its tail of coefficients, of its steps; and pieces of time."""

    tail: float
    rtol: float
    pieces: int

    @classmethod
    def beside(cls, space: Any) -> Aim:
        """Return what is small beside the errors of a scheme on usual grids."""
        more = 8 if space.grid.dimension == 1 else 0  # on a line they cost next to nothing
        if isinstance(space, FiniteVolume):
            return cls(1e-5, 1e-6, 8 + more) if space.order < 4 else cls(1e-7, 1e-8, 12 + more)
        return cls(1e-10, 1e-8, 12 + more)

    def sharper(self) -> Aim:
        """Return the next one."""
        return Aim(self.tail * SHARPER[0], self.rtol * SHARPER[0], self.pieces + SHARPER[1])


@dataclass(frozen=True, eq=False)
class Second:
    """A second solve."""

    space: Any
    pieces: tuple[int, ...]
    """of time between which its fields are interpolated; more than one where fields cost next to nothing"""
    rtol: float | None
    """None as in the first solve"""
    hasty: str = ""
    """of what the next try has more: "cells", "steps", "cells and steps" or "times", of collocation "panels", of expansions
    "steps of waves"; or nothing"""
    power: int = 2
    """of s in time: two where times are denser at the start"""
    aim: float | None = None
    """what its polynomials may miss in time, where they are found by collocation and not by steps"""

    def by_kernel(self, solution: Any) -> bool:
        """Say whether its fields are those of an exact kernel."""
        return isinstance(self.space, Spectral) and self.rtol is not None and has_kernel(solution.equation)

    def fields(self, solution: Any, times: Array, breaks: Sequence[float]) -> list[Array]:
        """Return the fields at all times."""
        equation = solution.equation
        if self.by_kernel(solution):
            grid: Any = self.space.grid
            start, process = initial_function(equation, solution.start, grid), process_of(equation)
            values = np.asarray(start(self.space.grid.points), dtype=float)
            begin = float(times[0])
            if grid.dimension == 1:
                return [values, *along_line(process, grid, values, begin, times[1:])]
            return [values] + [propagate(process, self.space.grid, values, begin, float(t)) for t in times[1:]]
        options: dict[str, Any] = {} if self.rtol is None else {"rtol": self.rtol}
        if hasattr(solution.again, "keywords"):
            options |= {"breaks": list(breaks), "scan": False}
        again = solution.again(equation, self.space, solution.start, times, **options)
        return [one.values for one in again.fields]


@dataclass(frozen=True)
class Tried:
    """What came of a try: the distance of both solves, what the second one owes, and what of that it misses in time."""

    gap: float
    owed: float
    missed: float
    wider: Room | None = None
    """the box of the next try, where walls are too near for this one"""

    @property
    def enough(self) -> float:
        """What a second solve may owe beside the distance of the two."""
        return enough(self.gap)


def enough(gap: float) -> float:
    """Return what a second solve may owe beside the distance of the two."""
    return max(ENOUGH * gap, SMALL)


def process_of(equation: Any) -> Any:
    """Return the linear process whose drift it is."""
    return linear_process_of(
        equation.velocity if isinstance(equation, Continuity) else getattr(equation, "drift", None)
    )


def has_kernel(equation: Any) -> bool:
    """Say whether the equation is that of an isotropic linear process, and not one that only shares its drift."""
    process = process_of(equation)
    if not isinstance(equation, FokkerPlanck) or not isinstance(process, IsotropicProcess):
        return False
    return equation.diffusivity == process.diffusivity


def candidates(
    solution: Any,
    last: int,
    by: Discretisation | None,
    pieces: int | None,
    grid: CartesianGrid,
    tried: Sequence[Tried] = (),
) -> Iterator[Second]:
    """Yield second solves on a grid, or one like it, each sharper than the one before; one that is asked for stands alone.

    What came of those before is in `tried` when the next is asked for. The grid has the first one's cells, and maybe more.
    """
    space: Any = solution.discretisation
    aim = Aim.beside(space)
    if by is not None:
        yield Second(by, (pieces or aim.pieces,), None)
        return
    loose = asked(solution) > LOOSE
    space_too = _better(solution)
    other = space_too != space
    better = Second(replace(space_too, grid=grid), (pieces or max(12, aim.pieces),), aim.rtol if loose else None)
    panels = pieces is None and is_banded(better.space, solution.equation)
    if not _expands(solution):
        if panels:
            yield from _in_panels(solution, last, better.space, tried)
            return
        if sharpens(solution, last):
            better = replace(better, power=1)
        if pieces is None and isinstance(space, FiniteVolume) and other:
            sharpest = aim.rtol if loose else asked(solution)
            if space.order >= 4 and isinstance(better.space, Spectral):
                sharpest = min(sharpest, _of_waves(solution, last))
                better = replace(better, rtol=sharpest)
            yield from _hasty(solution, last, better, sharpest, tried)
        if pieces is None:
            (fewest,) = better.pieces
            yield replace(better, hasty="times", pieces=(fewest, 2 * fewest))
            better = replace(better, pieces=(2 * fewest,))
        yield better
        return
    if isinstance(space, FiniteVolume) and not isinstance(solution, OnGrid):
        seems = max(seen(solution, last)[int(space.order >= 4)], lost(solution, last))
        hasty = max(aim.rtol, min(MOST_HASTY, WHOLE_STEPS * seems))
        aim = replace(aim, tail=min(aim.tail, TAIL * seems), rtol=hasty)
    grids = grids_of(grid)
    left = tails(solution, last, grids)
    if left[-1] > aim.tail:
        grids = grids_of(grid, FINER[grid.dimension])
        left = tails(solution, last, grids)
    if left[-1] > ROUGH and isinstance(space, FiniteVolume):  # no expansion of this grid carries the law
        yield from _in_panels(solution, last, better.space, tried) if panels else (better,)
        return
    kernel, before, sharpest = has_kernel(solution.equation), None, Aim.beside(space).rtol
    for _ in range(TRIES):
        if len(tried) > 1 and tried[-1].owed > STUCK * tried[-2].owed:  # it is walls that it owes to
            return
        fine = next((grid for grid, tail in zip(grids, left, strict=True) if tail <= aim.tail), grids[-1])
        if kernel and fine is before:  # the same fields
            return
        before, several = fine, (PIECES if kernel else (aim.pieces,))
        if not kernel and aim.rtol > STABLE and _passed(solution, last, fine) > MANY:
            aim = replace(aim, rtol=STABLE)
        hasty = "" if kernel or pieces or tried or aim.rtol <= sharpest else "steps of waves"
        yield Second(Spectral(fine), (pieces,) if pieces else several, aim.rtol, hasty)
        if fine is grids[-1] and (kernel or pieces):
            return
        steps = bool(hasty) and tried[-1].missed > SPARE * tried[-1].owed
        aim = replace(aim.sharper(), tail=aim.tail) if steps else aim.sharper()  # of waves there may be enough


def _passed(solution: Any, last: int, grid: CartesianGrid) -> float:
    """Return how many radians the shortest waves of a grid pass at its corners, T Σ_k |b_k| π/h_k, over the whole time."""
    equation, ends = solution.equation, list(zip(grid.lower, grid.upper, strict=True))
    corners = np.stack(np.meshgrid(*ends, indexing="ij"), axis=-1).reshape(-1, grid.dimension)
    field = equation.velocity if isinstance(equation, Continuity) else equation.drift
    begin, end = float(solution.times[0]), float(solution.times[last])
    looks = begin + (end - begin) * np.array([0.25, 0.75])
    speeds = [np.abs(np.asarray(field(corners, float(t)), dtype=float)) for t in looks]
    return (end - begin) * float(np.mean([np.max(one @ (np.pi / np.array(grid.spacing))) for one in speeds]))


def _in_panels(solution: Any, last: int, space: Any, tried: Sequence[Tried]) -> Iterator[Second]:
    """Yield second solves by collocation: cells and panels by what differences say, then by what the last one owed."""
    fourth = seen(solution, last)[1]
    order = 2 if solution.discretisation.order < 4 else 4
    (cells,) = space.grid.cells
    most = int(FINEST[order] * cells)
    fixed = isinstance(solution.start, Field)  # which is one on its own grid
    seems = seems_to_owe(solution, last)
    if not solution.equation.time_dependent:
        steps = SETTLED * for_steps(solution)
        seems = max(seen(solution, last)[int(order == 4)], steps, lost(solution, last))
    elif order == 4 and sharpens(solution, last) and Clock.of(solution) is not None:
        seems = max(seems, for_steps(solution, kept=True))
    n = cells if fixed else _fewer(cells, seems, fourth, most, SAFELY[order])
    aim = max(IN_TIME[order] * seems, SMALL)
    for _ in range(TRIES):
        yield Second(replace(space, grid=replace(space.grid, cells=(n,))), (), None, "panels", aim=aim)
        found, before = tried[-1], (n, aim)
        if found.missed > SPARE * SPARE * found.enough:
            aim = min(aim, SPARE * SPARE * found.enough)
        needed = ((found.owed - found.missed) / (SPARE * found.enough)) ** 0.25
        if needed > 1 and not fixed:
            n = max(n, min(even(n * needed), most))
        if (n, aim) == before:
            return


def in_waves(solution: Any) -> bool:
    """Say whether the second solve is an expansion, unless that carries no law."""
    return _expands(solution) or isinstance(_better(solution), Spectral)


def _fewer(n: int, first: float, fourth: float, most: int, below: float = FAR_BELOW) -> int:
    """Return how many cells a scheme of order four needs, which for n owes `fourth`, beside a solve that owes so much."""
    return min(most, max(FEWEST, even(n / (first / (below * fourth)) ** 0.25)))


def _hasty(solution: Any, last: int, better: Second, sharpest: float, tried: Sequence[Tried]) -> Iterator[Second]:
    """Yield a first try, on fewer cells and in longer steps, where differences of the field say that both owe little.

    And, if its steps are what it owes to, one on the same cells in steps that miss as much as both solves are apart.
    """
    space, grid = solution.discretisation, better.space.grid
    order = 4 if space.order >= 4 else 2
    second, fourth = seen(solution, last)
    pieces, rtol = FIRST[order], MOST_HASTY * min(1.0, fourth / ROUGH_FOURTH)
    if order == 2:
        rtol = MOST_HASTY * min(1.0, (SEEN * second / (MISSED * steps_of(solution) ** 2)) ** ROOT)
    cells = grid.cells
    if order == 2 and not isinstance(solution.start, Field):  # which is one on its own grid
        cells = tuple(_fewer(n, second, fourth, n) for n in cells)
    waves = order == 4 and isinstance(better.space, Spectral)
    if waves:
        rtol = max(sharpest, _of_waves(solution, last))
        cells = cells if isinstance(solution.start, Field) else _carrying(solution, last, grid)
    if rtol > sharpest or cells != grid.cells:
        pieces, fewer = pieces + (2 if grid.dimension == 1 else 0), replace(grid, cells=cells)
        where = replace(better.space, grid=fewer)
        more = (("cells", cells != grid.cells), ("steps", waves or rtol > sharpest))
        hasty, rtol = " and ".join(name for name, has in more if has), max(rtol, sharpest)
        several = (pieces, 2 * pieces) if waves else (pieces, 2 * pieces, 4 * pieces)  # steps end at all of their times
        yield replace(better, space=where, pieces=several, rtol=rtol, hasty=hasty)
        came, sharper = tried[-1], rtol if waves else sharpest
        if came.missed > came.gap:
            needed = rtol * (came.gap / came.missed) ** ROOT
            sharper = needed if waves else max(sharpest, needed)
        if (waves or sharpest < sharper) and came.missed > SPARE * came.owed:
            yield replace(better, space=where, pieces=(2 * pieces, 4 * pieces), rtol=sharper, hasty=hasty)


def _of_waves(solution: Any, last: int) -> float:
    """Return the tolerance of an expansion's steps beside order four: laws forget what they owe for a rough start."""
    seems = seems_to_owe(solution, last)
    if sharpens(solution, last):
        return min(ROUGHEST, WAVES * max(seems, for_steps(solution, kept=True)))
    left = max(differences(solution, last, 4) / 90, for_steps(solution), lost(solution, last))
    return min(ROUGHEST, WAVES * seems, SMOOTHED * left)


def _carrying(solution: Any, last: int, grid: CartesianGrid) -> tuple[int, ...]:
    """Return the cells of an expansion beside order four, a step finer than those that leave what that seems to owe.

    What its field has in finer waves is its own error.
    """
    grids, seems = grids_of(grid), seems_to_owe(solution, last)
    left = tails(solution, last, grids)
    (least, *_) = next((one.cells for one, tail in zip(grids, left, strict=True) if tail <= seems), grid.cells)
    return next((one.cells for one in grids if one.cells[0] >= GENTLE * least), grid.cells)


def _expands(solution: Any) -> bool:
    """Say whether an expansion can stand for the law: far walls or none, a drift that does not grow stiff, a start."""
    space, equation = solution.discretisation, solution.equation
    if not isinstance(equation, FokkerPlanck | Continuity) or isinstance(solution.start, Field):
        return False
    same = len(set(space.grid.periodic)) == 1
    return same and space.walls == "far" and process_of(equation) is not None


def _better(solution: Any) -> Any:
    """Return the space of a second solve on the same cells: order four; an expansion where that is the first one's.

    On a line volumes of order four are taken beside volumes of order four, on more cells: they take no steps.
    """
    space, equation = solution.discretisation, solution.equation
    if not isinstance(space, FiniteVolume) or not isinstance(equation, FokkerPlanck):
        return space
    noisy, sharper = float(equation.diffusivity(float(solution.times[0]))) > 0, replace(space, order=4)
    finer = is_banded(sharper, equation) and not isinstance(solution.start, Field)
    if noisy and finer:
        return sharper
    if space.walls == "far" and (space.order >= 4 or not noisy) and len(set(space.grid.periodic)) == 1:
        return Spectral(space.grid)
    return sharper if noisy else space
