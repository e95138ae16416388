"""W₂ of weighted points, exactly, by the network simplex of POT; and of rough densities through blocks of cells."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from mfgpde.core.arrays import Array
from mfgpde.core.estimate import Estimate, Kind
from mfgpde.grids import CartesianGrid

MOST_POINTS = 6000
"""beyond which the cost matrix alone takes 300 MB, and the simplex minutes"""


def wasserstein_points(x: Array, y: Array, p: Array | None = None, q: Array | None = None) -> float:
    """Return W₂ of Σp_iδ_{x_i} and Σq_jδ_{y_j}, points (n, d) and (m, d), exact to rounding; equal weights by default.

    Raises ValueError for points of different dimensions or not finite, for bad weights, and beyond 6000 points a side.

    >>> print(f"{mfg.transport.wasserstein_points(np.array([[0.0], [1.0]]), np.array([[3.0], [2.0]])):.6f}")
    2.000000
    """
    x, y = np.atleast_2d(np.asarray(x, float)), np.atleast_2d(np.asarray(y, float))
    if x.ndim != 2 or y.ndim != 2 or x.shape[1] != y.shape[1]:
        raise ValueError(f"points must have shapes (n, d) and (m, d), got {x.shape} and {y.shape}")
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise ValueError("points must be finite")
    if max(len(x), len(y)) > MOST_POINTS:
        raise ValueError(f"exact transport takes at most {MOST_POINTS} points a side, got {len(x)} and {len(y)}")
    weights = []
    for name, given, points in (("p", p, x), ("q", q, y)):
        w = np.ones(len(points)) if given is None else np.asarray(given, float)
        if w.shape != (len(points),) or not np.isfinite(w).all() or w.min() < 0 or not w.sum() > 0:
            raise ValueError(f"the weights {name} need {len(points)} finite values ≥ 0 with a positive sum")
        weights.append(w / w.sum())
    ot = _pot()
    (i, j) = (w > 0 for w in weights)
    cost = ot.dist(np.ascontiguousarray(x[i]), np.ascontiguousarray(y[j]))
    squared, log = ot.emd2(weights[0][i], weights[1][j], cost, numItermax=20_000_000, return_matrix=False, log=True)
    if log["warning"]:
        raise RuntimeError(f"the network simplex did not finish: {log['warning']}")
    return float(np.sqrt(max(squared, 0.0)))


def squared_by_blocks(p: Array, q: Array, grid: CartesianGrid, *, blocks: int = 64) -> Estimate:
    """Return W₂² of two densities in the plane, however rough, from their masses in blocks of cells.

    Exact transport between the middles of blocks² and (blocks/2)² blocks; the common part of what blocks add to W₂², of
    second order in their width, is extrapolated away, and all that this changed is the bar. The number of cells
    a side must be a multiple of `blocks`.

    >>> grid = mfg.CartesianGrid.cube(3.0, 32, 2)
    >>> p, q = (np.exp(mfg.gaussian(m, 0.25, 2).log_density(grid.points)) for m in (-0.5, 0.5))
    >>> print(f"{mfg.transport.squared_by_blocks(p, q, grid, blocks=16).value:.2f}")  # a translation by (1, 1)
    2.00
    """
    if grid.dimension != 2 or any(n % blocks for n in grid.cells):
        raise ValueError(f"blocks need a grid in the plane with a multiple of {blocks} cells a side, got {grid.cells}")
    squares = []
    for count in (blocks // 2, blocks):
        masses = [np.maximum(f, 0).reshape(count, grid.cells[0] // count, count, -1).sum((1, 3)) for f in (p, q)]
        middles = CartesianGrid(grid.lower, grid.upper, (count, count)).points.reshape(-1, 2)
        squares.append(wasserstein_points(middles, middles, masses[0].ravel(), masses[1].ravel()) ** 2)
    coarse, fine = squares
    value = max(fine + (fine - coarse) / 3, 0.0)
    method = f"exact transport between {blocks}² and {blocks // 2}² blocks, extrapolated"
    return Estimate(value, abs(fine - coarse) / 3 + 1e-12, Kind.EXTRAPOLATED, method)


def _pot() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its docstrings, not its numbers
        import ot
    return ot
