"""W₁ and W₂ of densities on boxes and tori, between bounds: masses at the centres of cells by the network simplex.

Both laws are those of their centres with one noise inside the cells, which does not add to the distance: it is at most that
of the centres. Each moves by at most the spread of a cell, which is what it can be less.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from mfgpde.core.arrays import Array
from mfgpde.core.estimate import Estimate, Kind
from mfgpde.grids import CartesianGrid
from mfgpde.transport.point_clouds import wasserstein_points


def wasserstein_cells(p: Array, q: Array, grid: CartesianGrid, *, order: Literal[1, 2] = 2) -> Estimate:
    """Return W₁ or W₂ of two densities that are constant on the cells of a grid: an interval that holds it.

    Axes may be periodic, in any number: distances go the shortest way. Cells without mass do not count towards the 6000 a
    side that the simplex takes. The bar is the spread of a cell, √(Σh²/12): half the grid, half the bar.

    Raises ValueError for densities of another shape, negative, or without mass, and for too many cells.

    >>> grid = mfg.CartesianGrid((0.0, 0.0), (1.0, 1.0), (16, 16), (True, True))
    >>> p = np.zeros((16, 16)); p[:2, :2] = 1.0
    >>> found = mfg.transport.wasserstein_cells(p, np.roll(p, 14, axis=0), grid)
    >>> found.lower <= 0.125 <= found.upper  # two cells back, not fourteen ahead
    True
    """
    weights: list[Array] = []
    for name, given in (("p", p), ("q", q)):
        density = np.asarray(given, dtype=float)
        if density.shape != grid.cells or not np.isfinite(density).all() or density.min() < 0 or not density.sum() > 0:
            raise ValueError(f"the density {name} needs {grid.cells} finite values ≥ 0 with a positive sum")
        weights.append((density / density.sum()).ravel())
    x = grid.points.reshape(-1, grid.dimension)
    periods = [side if closed else np.inf for side, closed in zip(grid.lengths, grid.periodic, strict=True)]
    a, b = (w > 0 for w in weights)
    upper = wasserstein_points(x[a], x[b], weights[0][a], weights[1][b], periods=periods, order=order)
    lower = max(upper - 2 * float(np.sqrt(np.sum(np.square(grid.spacing)) / 12)), 0.0)
    method = f"network simplex of masses at the centres of {'×'.join(map(str, grid.cells))} cells"
    return Estimate(0.5 * (lower + upper), 0.5 * (upper - lower), Kind.BOUND, method)
