"""Means of a density over the cells of a grid: what a finite volume holds, whether or not its cells resolve the density.

Exactly where the law knows how (differences of Φ for Gaussians along the axes, overlaps of boxes), else by Gauss points
that refine where rules disagree. Across periodic walls the law is wrapped: what lies outside comes in at the other side.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from mfgpde.core.arrays import Array
from mfgpde.densities.contract import Density
from mfgpde.densities.gauss_points import Resolved, averages
from mfgpde.grids import CartesianGrid

WIDEST = 64
"""images on each side of a periodic axis; a law that needs more is flat there to rounding, unless its tails are heavy"""


@runtime_checkable
class Averaged(Protocol):
    """A law whose means over cells are known, or found in a way of its own."""

    def cell_means(self, grid: CartesianGrid) -> Array:
        """Return the means over all cells, (*cells), wrapped along periodic axes."""
        ...


def cell_means(law: Averaged | Density | Callable[[Array], Array], grid: CartesianGrid) -> Array:
    """Return the means of a density over all cells, (*cells), per length^d.

    Raises ValueError where a function of points is not finite or of the wrong shape.

    >>> grid = mfg.CartesianGrid((0.0,), (1.0,), (4,))
    >>> means = mfg.densities.cell_means(lambda x: x[..., 0] ** 2, grid)
    >>> print(f"{means[0]:.6f}")  # (¼)²/3
    0.020833
    """
    if isinstance(law, Averaged):
        return law.cell_means(grid)
    if isinstance(law, Density):
        return averages(Wrapped(law, grid), grid, _resolving(law))
    return averages(law, grid)


@dataclass(frozen=True, eq=False)
class Wrapped:
    """A density as a function of the points of a box: the sum over its images along the periodic axes.

    >>> circle = mfg.CartesianGrid((0.0,), (1.0,), (16,), (True,))
    >>> law = mfg.densities.Wrapped(mfg.gaussian(0.5, 100.0), circle)  # so wide that it is flat on the circle
    >>> print(f"{law(np.array([[0.3]]))[0]:.6f}")
    1.000000
    """

    law: Density
    grid: CartesianGrid

    def __call__(self, x: Array) -> Array:
        """Return p(x), shape (...)."""
        return sum(np.exp(self.law.log_density(x + shift)) for shift in self.shifts())  # pyright: ignore[reportReturnType]

    def cell_means(self, grid: CartesianGrid) -> Array:
        """Return the law's own means."""
        return cell_means(self.law, grid)

    def shifts(self) -> list[Array]:
        """Return the translations by whole periods that bring mass of the law into the box."""
        if not any(self.grid.periodic):
            return [np.zeros(self.grid.dimension)]
        lower, upper = self.law.box(1 - 1e-15)
        return periods(self.grid, np.asarray(lower), np.asarray(upper))


def periods(grid: CartesianGrid, lower: Array, upper: Array) -> list[Array]:
    """Return the translations by whole periods of the periodic axes that carry the box onto a part of [lower, upper]."""
    ranges = []
    for axis, (side, periodic) in enumerate(zip(grid.lengths, grid.periodic, strict=True)):
        if not periodic:
            ranges.append([0.0])
            continue
        first = int(np.floor((lower[axis] - grid.lower[axis]) / side))
        last = int(np.floor((upper[axis] - grid.lower[axis]) / side))
        middle = (first + last) // 2
        ranges.append([side * k for k in range(max(first, middle - WIDEST), min(last, middle + WIDEST) + 1)])
    return [np.array(shift) for shift in product(*ranges)]


def _resolving(law: Density) -> Resolved:
    """Return whether parts of cells are small against the box that holds nearly all of the law, or away from it."""
    lower, upper = map(np.asarray, law.box(1 - 1e-9))

    def resolved(centres: Array, half: Array) -> NDArray[np.bool_]:
        away = np.any((centres + half < lower) | (centres - half > upper), axis=-1)
        return away | bool(np.all(half <= (upper - lower) / 16))

    return resolved
