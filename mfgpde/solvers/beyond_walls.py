"""What far walls change of a solution where mass stands at them: a solve in a wider box, on cells of the same size."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from mfgpde.core.arrays import Array
from mfgpde.densities import Density
from mfgpde.discretisations import Field
from mfgpde.grids import CartesianGrid
from mfgpde.solvers.initial import between_real_walls, carries_density, needed_box, reaches_infinity, wall_share
from mfgpde.solvers.solution import Solution
from mfgpde.solvers.wider_box import start_beyond, widened

OUTSIDE = 10.0
"""times what stands in the outermost cells: about what may stand beyond, of laws that fall by a tenth from cell to cell"""
LITTLE = 0.1
"""of an error, what may stand beyond without being looked at"""
BOXES = 2
"""that are tried, each wider"""
HELD = 1e-9
"""of a law, what may be outside of the box that it says"""


def beyond_walls(
    solution: Solution, errors: Sequence[float], solve: Callable[..., Solution]
) -> tuple[tuple[float, ...], str]:
    """Return ∫|u_h − u| that far walls owe at each time, inside and outside, and why it is not known, where it is infinite.

    Zero where what stands at them is small beside the `errors` of the grid and the steps; `solve` takes a space.
    """
    space: Any = solution.discretisation
    nothing, unknown = (0.0,) * len(errors), (np.inf,) * len(errors)
    if not carries_density(solution.equation) or not reaches_infinity(space):
        return nothing, ""
    errors = [max(errors[:2]), *errors[1:]]  # a start is read to roundings
    stands = [max(_stands(space, one), _lost(solution)) for one in solution.fields]
    if all(one <= LITTLE * error for one, error in zip(stands, errors, strict=True)):
        return nothing, ""
    own = space.grid
    if not isinstance(own, CartesianGrid):
        return unknown, "mass stands at the far walls of a mesh"
    if isinstance(solution.start, Field):
        return unknown, "mass stands at far walls, and the start is a field, which ends there"
    fields, grid, found = solution.fields, own, nothing
    for _ in range(BOXES):
        wide = _wider(solution, fields, grid)
        trouble = "" if isinstance(solution.start, Density) else start_beyond(solution, wide)
        if trouble:
            return unknown, f"mass stands at far walls; {trouble}"
        try:
            more = solve(replace(space, grid=wide))
        except Exception as problem:  # whatever a user's function does beyond the box of its solve
            return unknown, f"mass stands at far walls; beyond them: {type(problem).__name__}: {problem}"
        found = tuple(_apart(a, b, _lost(more)) for a, b in zip(solution.fields, more.fields, strict=True))
        left = [_stands(more.discretisation, one) for one in more.fields]
        if all(a <= LITTLE * max(b, c) for a, b, c in zip(left, found, errors, strict=True)):
            return found, ""
        fields, grid = more.fields, wide
    return unknown, f"mass stands at far walls, also of {grid}"


def _stands(space: Any, field: Field) -> float:
    mass = float(field.grid.integrate(np.abs(field.values)))
    return OUTSIDE * wall_share(space, field.values) * mass if mass > 0 else 0.0


def _lost(solution: Solution) -> float:
    """Return how much of a law of mass one is outside the box at the start."""
    first = solution.fields[0]
    known = isinstance(solution.start, Density) and isinstance(first.grid, CartesianGrid)
    return max(0.0, 1.0 - float(first.grid.integrate(first.values))) if known else 0.0


def _wider(solution: Solution, fields: Sequence[Field], grid: Any) -> CartesianGrid:
    corners = [needed_box(one.values, grid) for one in (fields[0], fields[-1])]
    corners += [solution.start.box(1 - HELD)] if isinstance(solution.start, Density) else []
    lower, upper = np.min([a for a, _ in corners], axis=0), np.max([b for _, b in corners], axis=0)
    own: Any = solution.discretisation
    lower, upper = between_real_walls(own, lower, upper)
    wide = widened(grid, lower, upper)
    ends = [between_real_walls(own, np.asarray(end), np.asarray(end)) for end in (wide.lower, wide.upper)]
    lower, upper = ends[0][0], ends[1][1]
    cells = np.round((upper - lower) / np.asarray(grid.spacing)).astype(int)
    return replace(grid, lower=tuple(lower.tolist()), upper=tuple(upper.tolist()), cells=tuple(cells.tolist()))


def _apart(own: Field, wide: Field, lost: float) -> float:
    """Return ∫|u − w| in the box of the first, and ∫|w| outside of it."""
    small, large = own.grid, wide.grid
    assert isinstance(small, CartesianGrid)
    assert isinstance(large, CartesianGrid)
    values: Array = np.array(wide.values)
    begin = np.round((np.asarray(small.lower) - large.lower) / np.asarray(small.spacing)).astype(int)
    values[tuple(slice(k, k + n) for k, n in zip(begin, small.cells, strict=True))] -= own.values
    return float(large.integrate(np.abs(values))) + lost
