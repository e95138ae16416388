"""Mass at scattered points shared over the nodes of a grid, keeping its moments up to the third."""

from __future__ import annotations

import numpy as np
from numba import njit

from mfgpde.core.arrays import Array


@njit(cache=True, inline="always", error_model="numpy")
def _cubic(f: float, out: Array) -> None:
    """Fill the four weights of Lagrange's cubic at f in [0, 1) of the middle interval."""
    out[0] = -f * (f - 1) * (f - 2) / 6
    out[1] = (f + 1) * (f - 1) * (f - 2) / 2
    out[2] = -(f + 1) * f * (f - 2) / 2
    out[3] = (f + 1) * f * (f - 1) / 6


@njit(cache=True, error_model="numpy")
def _place(value: float, low: float, h: float, n: int) -> tuple[int, float]:
    """Return the first of four nodes, and where in the middle interval; points beyond the grid go to its edge."""
    u = min(max((value - low) / h - 0.5, 1.0), n - 2.0)
    first = min(int(np.floor(u)), n - 3)
    return first - 1, u - first


@njit(cache=True, error_model="numpy")
def _deposit_1d(points, weights, low, h, out) -> None:
    w = np.empty(4)
    for p in range(len(points)):
        if weights[p] != 0.0:
            i, f = _place(points[p, 0], low[0], h[0], out.shape[0])
            _cubic(f, w)
            for a in range(4):
                out[i + a] += weights[p] * w[a]


@njit(cache=True, error_model="numpy")
def _deposit_2d(points, weights, low, h, out) -> None:
    w, v = np.empty(4), np.empty(4)
    for p in range(len(points)):
        if weights[p] != 0.0:
            i, f = _place(points[p, 0], low[0], h[0], out.shape[0])
            j, g = _place(points[p, 1], low[1], h[1], out.shape[1])
            _cubic(f, w)
            _cubic(g, v)
            for a in range(4):
                share = weights[p] * w[a]
                for b in range(4):
                    out[i + a, j + b] += share * v[b]


@njit(cache=True, error_model="numpy")
def _deposit_3d(points, weights, low, h, out) -> None:
    w, v, u = np.empty(4), np.empty(4), np.empty(4)
    for p in range(len(points)):
        if weights[p] != 0.0:
            i, f = _place(points[p, 0], low[0], h[0], out.shape[0])
            j, g = _place(points[p, 1], low[1], h[1], out.shape[1])
            k, e = _place(points[p, 2], low[2], h[2], out.shape[2])
            _cubic(f, w)
            _cubic(g, v)
            _cubic(e, u)
            for a in range(4):
                for b in range(4):
                    share = weights[p] * w[a] * v[b]
                    for c in range(4):
                        out[i + a, j + b, k + c] += share * u[c]


def deposit(points: Array, weights: Array, lower: Array, spacing: Array, cells: tuple[int, ...]) -> Array:
    """Return the masses of a grid's cells, shape (*cells), from masses (n,) at points (n, d) inside it.

    Each is shared over 4^d cells by Lagrange's cubics: sums, means, second and third moments are kept; shares may be < 0.
    """
    out = np.zeros(cells)
    (_deposit_1d, _deposit_2d, _deposit_3d)[len(cells) - 1](points, weights, lower, spacing, out)
    return out
