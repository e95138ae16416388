"""W₂ of weighted points, exactly, by the network simplex of POT; of rough densities, between bounds, by blocks of cells."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from scipy.spatial.distance import cdist

from mfgpde.core.arrays import Array
from mfgpde.core.estimate import Estimate, Kind
from mfgpde.core.optional import told
from mfgpde.grids import CartesianGrid

MOST_STORED = 6000
"""points a side beyond which the matrix of costs, 300 MB, is not stored but computed as the simplex asks"""
MOST_POINTS = 50_000
_importing = threading.Lock()


def wasserstein_points(
    x: Array,
    y: Array,
    p: Array | None = None,
    q: Array | None = None,
    *,
    periods: Sequence[float] | None = None,
    order: Literal[1, 2] = 2,
) -> float:
    """Return W₂ or W₁ of Σp_iδ_{x_i} and Σq_jδ_{y_j}, points (n, d) and (m, d), exact to rounding; equal weights if none.

    Costs are those of differences in units of the largest distance, so that neither origin nor unit matters: the simplex
    has tolerances of its own. On a torus `periods` has one length an axis, infinite along axes that do not close; distances
    go the shortest way. Raises ValueError for points of different dimensions or not finite, for bad weights, periods or
    orders, and beyond 50 000 points a side (6000 on a torus, and for W₁).

    >>> print(f"{mfg.transport.wasserstein_points(np.array([[0.0], [1.0]]), np.array([[3.0], [2.0]])):.6f}")
    2.000000
    """
    x, y, *weights = _checked(x, y, p, q)
    i, j = (w > 0 for w in weights)
    if order not in (1, 2):
        raise ValueError(f"the order is 1 or 2, got {order!r}")
    if periods is not None or order == 1:
        lengths = np.full(x.shape[1], np.inf) if periods is None else np.asarray(periods, dtype=float)
        return _shortest(x[i], y[j], weights[0][i], weights[1][j], lengths, order)
    middle = x[i].mean(axis=0)
    x, y = x[i] - middle, y[j] - middle
    unit = float(np.max(np.maximum(x.max(axis=0), y.max(axis=0)) - np.minimum(x.min(axis=0), y.min(axis=0))))
    return unit * _transported(x / unit, y / unit, weights[0][i], weights[1][j]) if unit > 0 else 0.0


def _shortest(x: Array, y: Array, p: Array, q: Array, periods: Array, order: int) -> float:
    if periods.shape != (x.shape[1],) or not (periods > 0).all():
        raise ValueError(f"periods are one length > 0 for each of {x.shape[1]} axes, got {periods.tolist()}")
    if max(len(x), len(y)) > MOST_STORED:
        raise ValueError(
            f"on a torus, and for W₁, transport takes at most {MOST_STORED} points a side, got {len(x)} and {len(y)}"
        )
    costs = np.zeros((len(x), len(y)))
    for k, period in enumerate(periods):
        apart = np.abs(x[:, None, k] - y[None, :, k])
        if np.isfinite(period):
            apart = np.mod(apart, period)
            apart = np.minimum(apart, period - apart)
        costs += apart**2
    costs **= order / 2
    unit = float(costs.max())
    return float((unit * max(simplex(p, q, costs / unit), 0.0)) ** (1 / order)) if unit > 0 else 0.0


def simplex(p: Array, q: Array, costs: Array) -> float:
    """Return the least cost of weights p (n,) and q (m,) of sum one; the costs (n, m) are of order one.

    Raises MissingLibrary without POT, RuntimeError if it does not finish.

    >>> from mfgpde.transport.point_clouds import simplex
    >>> simplex(np.array([1.0]), np.array([0.5, 0.5]), np.array([[0.0, 1.0]]))
    0.5
    """
    squared, log = _pot().emd2(p, q, costs, numItermax=20_000_000, return_matrix=False, log=True)
    if log["warning"]:
        raise RuntimeError(f"the network simplex did not finish: {log['warning']}")
    return float(squared)


def _checked(x: Array, y: Array, p: Array | None, q: Array | None) -> tuple[Array, Array, Array, Array]:
    """Return points (n, d), (m, d) and weights of sum one; ValueError for what has no distance."""
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
    return x, y, weights[0], weights[1]


def dual_potential(x: Array, y: Array, p: Array | None = None, q: Array | None = None) -> Array:
    """Return the potential φ (n,) of an optimal dual, φ_i + ψ_j ≤ |x_i − y_j|², to rounding, length².

    >>> mfg.transport.dual_potential(np.array([[0.0]]), np.array([[2.0]]))[0] <= 4.0
    np.True_
    """
    x, y, p, q = _checked(x, y, p, q)
    costs = cdist(x, y, "sqeuclidean")
    unit = float(costs.max()) or 1.0
    _, log = _pot().emd2(p, q, costs / unit, numItermax=20_000_000, log=True)
    if log["warning"]:
        raise RuntimeError(f"the network simplex did not finish: {log['warning']}")
    psi = unit * np.asarray(log["v"])
    return np.asarray((costs - psi).min(axis=1))  # feasible and no less, also where a weight is zero


def _transported(x: Array, y: Array, p: Array, q: Array) -> float:
    """Return W₂ of points in a cube of side one."""
    if max(len(x), len(y)) <= MOST_STORED:
        return float(np.sqrt(max(simplex(p, q, np.asarray(cdist(x, y, "sqeuclidean"), dtype=float)), 0.0)))
    squared, log = _pot().lp.emd2_lazy(x, y, p, q, numItermax=20_000_000, log=True, return_matrix=False)
    if log["warning"]:
        raise RuntimeError(f"the network simplex did not finish: {log['warning']}")
    return float(np.sqrt(max(float(squared), 0.0)))


def wasserstein_by_blocks(p: Array, q: Array, grid: CartesianGrid, *, blocks: int = 32) -> Estimate:
    """Return W₂ of two densities constant on the cells of a grid in the plane, however rough: an interval that holds it.

    Let P and Q have the masses of blocks² blocks at the blocks' own means, r² and s² be the variances inside the blocks. A
    plan between blocks, independent inside them, costs W₂²(P, Q) + r² + s²; by the triangle inequality W₂ is at least
    W₂(P, Q) − r − s. The number of cells a side must be a multiple of `blocks`.

    >>> grid = mfg.CartesianGrid.cube(3.0, 32, 2)
    >>> p, q = (np.exp(mfg.gaussian(m, 0.25, 2).log_density(grid.points)) for m in (-0.5, 0.5))
    >>> np.sqrt(2) in mfg.transport.wasserstein_by_blocks(p, q, grid, blocks=16)  # a translation by (1, 1)
    True
    """
    if any(grid.periodic):
        raise ValueError(
            "blocks lie in a plane with walls; on a torus take wasserstein_points(…, periods=…) of its cells"
        )
    if grid.dimension != 2 or any(n % blocks for n in grid.cells):
        raise ValueError(f"blocks need a grid in the plane with a multiple of {blocks} cells a side, got {grid.cells}")
    (x, mu, r), (y, nu, s) = (_blocks(density, grid, blocks) for density in (p, q))
    between = wasserstein_points(x, y, mu, nu)
    lower, upper = max(0.0, between - np.sqrt(r) - np.sqrt(s)), float(np.sqrt(between**2 + r + s))
    method = f"exact transport between {blocks}² blocks, certified"
    return Estimate(0.5 * (lower + upper), 0.5 * (upper - lower), Kind.BOUND, method)


def _blocks(density: Array, grid: CartesianGrid, blocks: int) -> tuple[Array, Array, float]:
    """Return the blocks' means (n, 2) and masses, of sum one, where there are any, and the variance inside them."""
    mass = np.maximum(np.asarray(density, float), 0.0)
    mass = mass / mass.sum()
    shape = [part for n in grid.cells for part in (blocks, n // blocks)]
    middle = 0.5 * (np.asarray(grid.lower) + np.asarray(grid.upper))

    def gathered(values: Array) -> Array:
        return values.reshape(shape).sum((1, 3)).ravel()

    total, x = gathered(mass), grid.points - middle
    kept = total > 0
    means = np.stack([gathered(mass * x[..., k])[kept] / total[kept] for k in (0, 1)], axis=-1)
    home = np.indices(grid.cells) // np.reshape([n // blocks for n in grid.cells], (2, 1, 1))
    table = np.zeros((blocks * blocks, 2))
    table[kept] = means
    off = x - table[home[0] * blocks + home[1]]
    inside = float(np.sum(mass * np.sum(off**2, axis=-1))) + float(np.sum(np.square(grid.spacing))) / 12
    return means + middle, total[kept], inside


def _pot() -> Any:
    with _importing, told(), warnings.catch_warnings():  # one thread at a time: filters are those of all
        warnings.simplefilter("ignore")  # its docstrings, not its numbers
        import ot
    return ot
