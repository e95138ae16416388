"""Means of a function over cells by tensor Gauss points, cells cut in halves until two rules agree."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import numpy as np
from numpy.typing import NDArray

from mfgpde.core.accuracy import tolerance
from mfgpde.core.arrays import Array
from mfgpde.grids import CartesianGrid

Resolved = Callable[[Array, Array], NDArray[np.bool_]]
"""says of parts of cells, centres (m, d) and half widths (d,), whether they are small enough for a rule to be believed"""
AGREEMENT = 2e-5
"""of the largest mean: by how much Gauss's rule of three points an axis and Simpson's may differ; it errs by far less"""
BLOCK = 2**16
MOST = 2**21
"""parts of cells in one generation: a function that asks for more is left as it then is"""
INSIDE = 1 - 1e-9
"""Simpson's ends: at the walls of a part a jump cannot hide from them, and one between two parts is on neither side"""
RULES = (np.array([-INSIDE, 0.0, INSIDE]), np.array([1, 4, 1]) / 3), np.polynomial.legendre.leggauss(3)


def averages(function: Callable[[Array], Array], grid: CartesianGrid, resolved: Resolved | None = None) -> Array:
    """Return the means of a function of points (..., d) over all cells, (*cells).

    Raises ValueError where it is not finite or of the wrong shape.
    """
    half = 0.5 * np.asarray(grid.spacing)
    centres = grid.points.reshape(-1, grid.dimension)
    means, gaps = _rules(function, centres, half)
    agreement = tolerance(AGREEMENT)
    allowed = agreement * float(np.abs(means).max(initial=0.0))
    owners = np.flatnonzero((gaps > allowed) | ~_small(resolved, centres, half))
    parts, weight = centres[owners], 1.0
    means[owners] = 0.0
    signs = np.array(list(product((-0.5, 0.5), repeat=grid.dimension)))
    while owners.size:
        parts = (parts[:, None, :] + signs * half).reshape(-1, grid.dimension)
        owners, half, weight = np.repeat(owners, len(signs)), 0.5 * half, weight / len(signs)
        values, gaps = _rules(function, parts, half)
        allowed = max(allowed, agreement * weight * float(np.abs(values).max()))
        share = weight ** ((grid.dimension - 1) / (2 * grid.dimension))  # a surface of jumps cuts ever more parts
        pending = (weight * gaps > allowed * share) | ~_small(resolved, parts, half)
        if len(signs) * np.count_nonzero(pending) > MOST or not np.any(parts + half > parts):
            pending[:] = False
        done = ~pending
        means += weight * np.bincount(owners[done], values[done], minlength=means.size)
        owners, parts = owners[pending], parts[pending]
    return means.reshape(grid.cells)


def _small(resolved: Resolved | None, centres: Array, half: Array) -> NDArray[np.bool_]:
    return np.ones(len(centres), bool) if resolved is None else resolved(centres, half)


def _rules(function: Callable[[Array], Array], centres: Array, half: Array) -> tuple[Array, Array]:
    """Return the means over boxes by Gauss's rule, and how far from them Simpson's are."""
    found = [np.zeros(len(centres)) for _ in RULES]
    for start in range(0, len(centres), BLOCK):
        block = slice(start, start + BLOCK)
        for total, (nodes, weights) in zip(found, RULES, strict=True):
            for index in product(range(len(nodes)), repeat=half.size):
                chosen = list(index)
                x = centres[block] + nodes[chosen] * half
                total[block] += np.prod(0.5 * weights[chosen]) * _finite(function(x), x)
    return found[1], np.abs(found[1] - found[0])


def _finite(values: Array, x: Array) -> Array:
    values = np.asarray(values)
    if values.shape != x.shape[:-1]:
        raise ValueError(f"a density must return shape {x.shape[:-1]} on points of shape {x.shape}, got {values.shape}")
    if not np.isfinite(values).all():
        where = int(np.argmax(~np.isfinite(values)))
        raise ValueError(f"the density is {values[where]} at x = {x[where].tolist()}; it must be finite")
    return values
