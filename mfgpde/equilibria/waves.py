"""Differences, means and transforms along the axes of a grid, between walls without flux or on circles.

Faces normal to an axis: the inner ones between walls, and on a periodic axis one more, between the last cell and the first.
−Δ_h is diagonal in cosines between walls and in Hartley's cos + sin on circles, both real.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mfgpde.core.arrays import Array, namespace_of
from mfgpde.grids import CartesianGrid
from mfgpde.kernels.tables import transforms


def spectrum(grid: CartesianGrid) -> Array:
    """Return the eigenvalues of −Δ_h, (*cells)."""
    total = np.zeros(grid.cells)
    for axis, (n, h, periodic) in enumerate(zip(grid.cells, grid.spacing, grid.periodic, strict=True)):
        shape = [n if i == axis else 1 for i in range(grid.dimension)]
        turns = 2 if periodic else 1
        total = total + ((2 - 2 * np.cos(turns * np.pi * np.arange(n) / n)) / h**2).reshape(shape)
    return total


def analysed(grid: CartesianGrid, u: Array, **workers: int) -> Array:
    """Return the coefficients of fields (…, *cells) over the trailing axes."""
    return _transformed(grid, u, False, workers)


def synthesised(grid: CartesianGrid, u: Array, **workers: int) -> Array:
    """Return the fields of coefficients."""
    return _transformed(grid, u, True, workers)


def _transformed(grid: CartesianGrid, u: Array, back: bool, workers: dict[str, int]) -> Array:
    fft: Any = transforms(namespace_of(u))
    first = u.ndim - grid.dimension
    walled = tuple(first + i for i, periodic in enumerate(grid.periodic) if not periodic)
    if walled:
        u = (fft.idctn if back else fft.dctn)(u, axes=walled, **workers)
    for axis, periodic in enumerate(grid.periodic):
        if periodic:
            waves = fft.fft(u, axis=first + axis, **workers)
            u = waves.real - waves.imag
            if back:
                u = u / grid.cells[axis]
    return u


def ahead(u: Array, axis: int, periodic: bool) -> Array:
    """Return differences of cells across the faces of an axis."""
    return np.roll(u, -1, axis) - u if periodic else np.diff(u, axis=axis)


def beside(u: Array, axis: int, periodic: bool) -> Array:
    """Return the sums of the two cells at the faces of an axis."""
    return u + np.roll(u, -1, axis) if periodic else side(u, axis, 1) + side(u, axis, 0)


def to_cells(faces: Array, axis: int, periodic: bool) -> Array:
    """Return the sums of the two faces of each cell, the transpose of `beside`; there is none on walls."""
    if periodic:
        return faces + np.roll(faces, 1, axis)
    total = np.zeros_like(faces, shape=tuple(n + (i == axis) for i, n in enumerate(faces.shape)))
    side(total, axis, 1)[...] += faces
    side(total, axis, 0)[...] += faces
    return total


def divergence(flux: Array, axis: int, h: float, periodic: bool) -> Array:
    """Return ∂m/∂x of momenta through faces, none through walls."""
    if periodic:
        return (flux - np.roll(flux, 1, axis)) / h
    edge = np.zeros_like(flux, shape=tuple(1 if i == axis else n for i, n in enumerate(flux.shape)))
    return np.diff(np.concatenate((edge, flux, edge), axis=axis), axis=axis) / h


def side(u: Array, axis: int, k: int) -> Array:
    """Return the cells on one side of the inner faces of an axis: 0 left, 1 right."""
    where = [slice(None)] * u.ndim
    where[axis] = slice(1, None) if k else slice(None, -1)
    return u[tuple(where)]
