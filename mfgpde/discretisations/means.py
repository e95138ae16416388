"""Means over cells and values at their centres: each from the other to fourth order, with the same total.

ū_i = u_i + (u_{i−1} − 2u_i + u_{i+1})/24 along every axis, nothing flowing through walls; backwards one tridiagonal
system a line.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import solve_banded

from mfgpde.core.arrays import Array
from mfgpde.grids import CartesianGrid

SHARE = 1 / 24


def means_of(values: Array, grid: CartesianGrid) -> Array:
    """Return means over cells from values at their centres, (*cells) or (*cells, d).

    >>> grid = mfg.CartesianGrid((0.0,), (1.0,), (8,))
    >>> x = grid.points[..., 0]
    >>> print(f"{(mfg.discretisations.means_of(x**2, grid) - x**2)[4] * 64:.6f}")  # h²/12 in units of h²
    0.083333
    """
    for axis, periodic in enumerate(grid.periodic):
        wide = np.moveaxis(values, axis, 0)
        ends = (wide[-1:], wide[:1]) if periodic else (wide[:1], wide[-1:])
        flux = np.diff(np.concatenate((ends[0], wide, ends[1])), axis=0)
        values = np.moveaxis(wide + SHARE * np.diff(flux, axis=0), 0, axis)
    return np.ascontiguousarray(values)


def centres_of(means: Array, grid: CartesianGrid) -> Array:
    """Return values at centres from means over cells; `means_of` gives them back to rounding.

    >>> grid = mfg.CartesianGrid((0.0,), (1.0,), (32,))
    >>> means = grid.points[..., 0] ** 2 + (1 / 32) ** 2 / 12  # of x²
    >>> print(f"{mfg.discretisations.centres_of(means, grid)[16]:.6f}")  # (16.5/32)²
    0.265869
    """
    for axis, periodic in enumerate(grid.periodic):
        lines = np.moveaxis(means, axis, 0)
        solved = _solve(lines.reshape(len(lines), -1), periodic).reshape(lines.shape)
        means = np.moveaxis(solved, 0, axis)
    return np.ascontiguousarray(means)


def coarsened(means: Array, cells: tuple[int, ...]) -> Array:
    """Return the means over blocks of cells that make a grid of `cells`, each of whose numbers divides those here.

    >>> mfg.discretisations.coarsened(np.array([0.0, 1.0, 2.0, 3.0]), (2,))
    array([0.5, 2.5])
    """
    shape = [part for n, m in zip(cells, means.shape, strict=True) for part in (n, m // n)]
    return means.reshape(shape).mean(axis=tuple(range(1, 2 * len(cells), 2)))


def _solve(lines: Array, periodic: bool) -> Array:
    n = len(lines)
    bands = np.full((3, n), SHARE)
    bands[1] = 1 - 2 * SHARE
    if not periodic:
        bands[1, [0, -1]] += SHARE
        return solve_banded((1, 1), bands, lines)
    pivot = -bands[1, 0]  # the corners are a rank-one term: Sherman and Morrison
    bands[1, 0] -= pivot
    bands[1, -1] -= SHARE**2 / pivot
    corner = np.zeros((n, 1))
    corner[0], corner[-1] = pivot, SHARE
    y = solve_banded((1, 1), bands, np.hstack((lines, corner)))
    y, z = y[:, :-1], y[:, -1:]
    ratio = SHARE / pivot
    return y - z * (y[:1] + ratio * y[-1:]) / (1 + z[0] + ratio * z[-1])
