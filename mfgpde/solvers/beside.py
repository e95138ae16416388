"""Neighbours of a discretisation: half as many cells again or half of them, one fewer, moved, in a wider box."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from mfgpde.discretisations import Discretisation
from mfgpde.grids import CartesianGrid

PART = 0.37
"""of a cell: no simple fraction, at which an error could repeat itself"""


def between(space: Discretisation) -> Discretisation | None:
    """Return the same scheme with half as many cells again per axis; None on meshes that cannot.

    >>> space = mfg.FiniteVolume(mfg.CartesianGrid((0.0,), (1.0,), (9,)))
    >>> mfg.solvers.beside.between(space).grid.cells
    (14,)
    """
    if isinstance(space.grid, CartesianGrid):
        return _on(space, replace(space.grid, cells=tuple(round(1.5 * n) for n in space.grid.cells)))
    mesh: Any = getattr(space, "mesh", None)
    if mesh is None or mesh.resolution < 4:
        return None
    return replace(space, mesh=replace(mesh, resolution=round(1.5 * mesh.resolution)))  # pyright: ignore[reportArgumentType]


def halved(space: Discretisation) -> Discretisation | None:
    """Return the same scheme on cells twice as wide, each of two old ones an axis; None where they are odd between walls.

    Far walls have room for one more cell.

    >>> mfg.solvers.beside.halved(mfg.FiniteVolume(mfg.CartesianGrid((0.0,), (0.9,), (9,)))).grid
    CartesianGrid(lower=(0.0,), upper=(1.0,), cells=(5,), periodic=(False,))
    """
    grid = space.grid
    if not isinstance(grid, CartesianGrid):
        mesh: Any = getattr(space, "mesh", None)
        if mesh is None or mesh.resolution < 2:
            return None
        return replace(space, mesh=replace(mesh, resolution=mesh.resolution // 2))  # pyright: ignore[reportArgumentType]
    odd = [n % 2 for n in grid.cells]
    if any(odd) and (
        space.walls != "far" or any(n and periodic for n, periodic in zip(odd, grid.periodic, strict=True))
    ):
        return None
    upper = tuple(b + n * h for b, n, h in zip(grid.upper, odd, grid.spacing, strict=True))
    return _on(
        space, replace(grid, upper=upper, cells=tuple((n + k) // 2 for n, k in zip(grid.cells, odd, strict=True)))
    )


def moved(space: Discretisation) -> Discretisation | None:
    """Return the same scheme on a grid moved by 0.37 cells along all axes; None where walls are real, or on meshes."""
    grid = space.grid
    if not isinstance(grid, CartesianGrid) or (space.walls != "far" and not all(grid.periodic)):
        return None
    ends = [[x + PART * h for x, h in zip(corner, grid.spacing, strict=True)] for corner in (grid.lower, grid.upper)]
    return _on(space, replace(grid, lower=tuple(ends[0]), upper=tuple(ends[1])))


def fewer(space: Discretisation) -> Discretisation | None:
    """Return the same scheme on a cell fewer along each axis, where a grid cannot be moved; None where it can, on meshes.

    Rungs that double share faces and centres with each other, and errors at a kink that lies between them; these do not.

    >>> space = mfg.FiniteVolume(mfg.CartesianGrid((0.0,), (1.0,), (9,)), walls="reflecting")
    >>> mfg.solvers.beside.fewer(space).grid.cells
    (8,)
    """
    grid = space.grid
    if not isinstance(grid, CartesianGrid) or moved(space) is not None or min(grid.cells) < 3:
        return None
    return _on(space, replace(grid, cells=tuple(n - 1 for n in grid.cells)))


def widened(space: Discretisation) -> Discretisation | None:
    """Return the same scheme in a box half as wide again, its cells among those; None where no wall stands for infinity."""
    grid = space.grid
    if not isinstance(grid, CartesianGrid) or space.walls != "far" or all(grid.periodic):
        return None
    more = [0 if periodic else -(-n // 4) for n, periodic in zip(grid.cells, grid.periodic, strict=True)]
    pads = [k * h for k, h in zip(more, grid.spacing, strict=True)]
    lower = tuple(a - pad for a, pad in zip(grid.lower, pads, strict=True))
    upper = tuple(b + pad for b, pad in zip(grid.upper, pads, strict=True))
    cells = tuple(n + 2 * k for n, k in zip(grid.cells, more, strict=True))
    return _on(space, replace(grid, lower=lower, upper=upper, cells=cells))


def _on(space: Any, grid: CartesianGrid) -> Discretisation:
    return replace(space, grid=grid)
