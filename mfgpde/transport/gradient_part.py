"""The gradient part of a vector field in L²(p): the ∇φ nearest to a, ∇·(p∇φ) = ∇·(p a), with no flux at the walls.

Only this part of a velocity, or of a score's error, moves the law p: what is left over has ∇·(p(a − ∇φ)) = 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import spsolve

from mfgpde.core.arrays import Array
from mfgpde.grids import CartesianGrid

NOTHING = 1e-14
"""of the largest density: rounding would decide what lies below"""


@dataclass(frozen=True)
class GradientPart:
    """What a projection found: φ at cells, ∫p|∇φ|² and ∫p|a − ∇φ|², both by faces."""

    potential: Array
    gradient: float
    remainder: float


def gradient_part(density: Array, field: Array, grid: CartesianGrid) -> GradientPart:
    """Return the gradient part of `field` (*cells, d) in L² of `density` (*cells), order two in the cells' width.

    p and a are averaged to faces; φ solves the normal equations of Σ_faces p(∂φ − a)², directly. Where the density is
    below 1e-14 of its largest nothing is asked of φ; on each connected part of its support φ is known up to a constant,
    whose mean is put to zero.

    Raises ValueError for shapes that do not fit, densities that are negative or nowhere positive, periodic grids.

    >>> grid = mfg.CartesianGrid.cube(5.0, 64, 2)
    >>> x = grid.points
    >>> p = mfg.gaussian(0.0, 1.0, 2).density(x)
    >>> turning = np.stack((-x[..., 1], x[..., 0]), axis=-1)  # moves nothing
    >>> found = mfg.transport.gradient_part(p, turning + x, grid)
    >>> print(f"{found.gradient:.1f}, {found.remainder:.1f}")  # E|x|² of each; means over two cells add h²/4 an axis
    2.0, 2.0
    """
    p, a = np.asarray(density, dtype=float), np.asarray(field, dtype=float)
    if p.shape != tuple(grid.cells) or a.shape != (*grid.cells, grid.dimension):
        raise ValueError(
            f"expected a density {tuple(grid.cells)} and a field {(*grid.cells, grid.dimension)}, got {p.shape}, {a.shape}"
        )
    if not (np.isfinite(p).all() and p.min() >= 0 and p.max() > 0):
        raise ValueError(
            f"the density must be ≥ 0 and somewhere positive, got values from {p.min():.3g} to {p.max():.3g}"
        )
    if any(grid.periodic):
        raise ValueError("the projection knows walls without flux, not periodic axes")
    floor = NOTHING * p.max()
    index = np.arange(p.size).reshape(p.shape)
    lower, upper, mass, slope, width = [], [], [], [], []
    for axis, h in enumerate(grid.spacing):
        below = tuple(slice(None, -1) if k == axis else slice(None) for k in range(p.ndim))
        above = tuple(slice(1, None) if k == axis else slice(None) for k in range(p.ndim))
        weight = np.where((p[below] > floor) & (p[above] > floor), 0.5 * (p[below] + p[above]), 0.0)
        keep = weight.ravel() > 0
        lower.append(index[below].ravel()[keep])
        upper.append(index[above].ravel()[keep])
        mass.append(weight.ravel()[keep] * grid.volume)
        slope.append(0.5 * (a[below][..., axis] + a[above][..., axis]).ravel()[keep])
        width.append(np.full(int(keep.sum()), h))
    i, j, w, s, h = (np.concatenate(parts) for parts in (lower, upper, mass, slope, width))
    phi = _solved(i, j, w / h**2, w * s / h, p.size)
    along = (phi[j] - phi[i]) / h
    return GradientPart(phi.reshape(p.shape), float(w @ along**2), float(w @ (s - along) ** 2))


def _solved(i: NDArray[np.int64], j: NDArray[np.int64], conductance: Array, source: Array, size: int) -> Array:
    """Return φ with Σ conductance (φ_j − φ_i) = Σ source at every cell, one cell of each connected part held at zero."""
    graph = coo_array((np.ones(len(i)), (i, j)), shape=(size, size))
    labels = connected_components(graph, directed=False)[1]
    held = np.zeros(size, dtype=bool)
    held[np.unique(labels, return_index=True)[1]] = True
    right = np.bincount(j, source, size) - np.bincount(i, source, size)
    rows, columns = np.concatenate((i, j, i, j)), np.concatenate((i, j, j, i))
    values = np.concatenate((conductance, conductance, -conductance, -conductance))
    matrix = coo_array((values, (rows, columns)), shape=(size, size)).tocsr()
    free = np.flatnonzero(~held)
    phi = np.zeros(size)
    if len(free):
        scale = 1 / np.sqrt(matrix.diagonal()[free])  # densities fall over many decades: rows of one size
        part = matrix[free][:, free].multiply(scale[:, None]).multiply(scale[None, :]).tocsc()
        phi[free] = scale * spsolve(part, scale * right[free])
    sizes = np.bincount(labels)
    return phi - (np.bincount(labels, phi) / sizes)[labels]
