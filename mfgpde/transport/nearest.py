"""A plan that takes what is wanted from the nearest cells that have it: feasible, so never cheaper than the cheapest.

Shell after shell of neighbours, of all cells at once; what is still wanted beyond them, between blocks twice as wide, as
far apart as any of their cells are. It takes no library, and time in proportion to the cells that want something.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from mfgpde.core.arrays import Array
from mfgpde.grids import CartesianGrid

SHELLS = {1: 64.0, 2: 12.0, 3: 5.0}
"""cells between the places of a plan before blocks are doubled, by dimension"""
ROUNDING = 1e-12
"""of the mass, by which more may be wanted than is there: it is taken from the far end of the box"""


def by_nearest(wanted: Array, there: Array, grid: CartesianGrid) -> float:
    """Return Σ mass·distance² of a plan that brings to cells what is `wanted` in them from what is `there` in others.

    Both are masses of cells, none negative. Infinite where there is less than is wanted.

    >>> from mfgpde.transport.nearest import by_nearest
    >>> grid = mfg.CartesianGrid((0.0,), (4.0,), (4,))
    >>> by_nearest(np.array([1.0, 0.0, 0.0, 0.0]), np.array([0.0, 0.5, 5.0, 0.0]), grid)  # ½·1 + ½·4
    2.5
    """
    if float(wanted.sum()) > float(there.sum()) * (1 + ROUNDING):
        return np.inf
    total, size = 0.0, 1
    wanted, there = np.array(wanted, dtype=float), np.array(there, dtype=float)
    while True:
        wide = size * np.asarray(grid.spacing)
        inside = (size - 1) * np.asarray(grid.spacing)
        at = np.stack(np.nonzero(wanted))
        for offset in _offsets(grid.dimension, tuple((wide / wide.min()).tolist())):
            place = at + np.array(offset)[:, None]
            within = np.all((place >= 0) & (place < np.array(wanted.shape)[:, None]), axis=0)
            source, goal = tuple(place[:, within]), tuple(at[:, within])
            moved = np.minimum(wanted[goal], there[source])
            wanted[goal] -= moved
            there[source] -= moved
            total += float(moved.sum()) * float(np.sum((np.abs(offset) * wide + inside) ** 2))
            at = at[:, wanted[tuple(at)] > 0]
            if not at.size:
                return total
        if max(wanted.shape) == 1:  # what rounding leaves
            return total + float(wanted.sum()) * float(np.sum(np.square(grid.lengths)))
        wanted, there, size = _doubled(wanted), _doubled(there), 2 * size


def least_by_nearest(p: Array, q: Array, grid: CartesianGrid) -> float:
    """Return a number that W₂ of two laws does not exceed, masses of cells: what they share stays, the rest goes so.

    The better of both directions. It is near the least where laws differ in few places, twice that or more where in many.

    >>> from mfgpde.transport.nearest import least_by_nearest
    >>> p, q = np.array([0.25, 0.25, 0.5, 0.0]), np.array([0.25, 0.0, 0.5, 0.25])
    >>> least_by_nearest(p, q, mfg.CartesianGrid((0.0,), (4.0,), (4,)))  # a quarter of the mass by two cells: √(4/4)
    1.0
    """
    rest = p / p.sum() - q / q.sum()
    more, less = np.maximum(rest, 0.0), np.maximum(-rest, 0.0)
    return float(np.sqrt(min(by_nearest(more, less, grid), by_nearest(less, more, grid))))


@lru_cache(maxsize=8)
def _offsets(dimension: int, widths: tuple[float, ...]) -> list[tuple[int, ...]]:
    """Return the offsets within a ball, nearest first."""
    far = SHELLS[dimension]
    ranges = [np.arange(-int(far / w), int(far / w) + 1) for w in widths]
    offsets = np.stack(np.meshgrid(*ranges, indexing="ij"), axis=-1).reshape(-1, dimension)
    square = np.sum((offsets * np.array(widths)) ** 2, axis=-1)
    order = np.argsort(square, kind="stable")
    return [tuple(map(int, offsets[k])) for k in order if square[k] <= far**2]


def _doubled(mass: Array) -> Array:
    """Return the mass of blocks of two cells a side."""
    wide = np.pad(mass, [(0, n % 2) for n in mass.shape])
    shape = [part for n in wide.shape for part in (n // 2, 2)]
    return np.asarray(wide.reshape(shape).sum(axis=tuple(range(1, 2 * mass.ndim, 2))))
