"""Selling's decomposition D = Σ_k λ_k e_k e_kᵀ of a positive tensor into few lattice vectors, with weights λ_k ≥ 0.

A superbase of vectors b_0 … b_d with sum zero is turned until all D-products of two are ≤ 0: then these products are the
weights, of the vectors dual to the pairs. Selling, J. reine angew. Math. 77 (1874); Conway, Sloane, Proc. R. Soc. A 436
(1992); as a monotone scheme: Fehrenbach, Mirebeau, J. Math. Imaging Vis. 49 (2014).
"""

from __future__ import annotations

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from mfgpde.core.arrays import Array
from mfgpde.kernels.regions import region

PAIRS = ((0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3))
LARGEST_TURNS = 400
"""reductions of one superbase: their number grows like the logarithm of the anisotropy"""


@njit(cache=True, error_model="numpy")
def _product(D: Array, a: Array, b: Array, d: int) -> float:
    total = 0.0
    for i in range(d):
        for j in range(d):
            total += D[i, j] * a[i] * b[j]
    return total


@njit(cache=True, error_model="numpy")
def _turn(base: Array, i: int, j: int, d: int) -> None:
    """Replace b_i, b_j and the others by −b_i, b_j, b_k + b_i: the sum stays zero (in two dimensions b_k + 2b_i)."""
    for a in range(d):
        x = base[i, a]
        for k in range(d + 1):
            if k not in (i, j):
                base[k, a] += x if d == 3 else 2 * x
        base[i, a] = -x


@njit(cache=True, error_model="numpy")
def _fits(base: Array, i: int, j: int, d: int, reach: int) -> bool:
    """Say whether all vectors stay within reach after a turn."""
    for a in range(d):
        for k in range(d + 1):
            if k not in (i, j) and abs(base[k, a] + (base[i, a] if d == 3 else 2 * base[i, a])) > reach:
                return False
    return True


@region(1500, lambda D, *_: D.shape[0])
def decompose(D: Array, reach: int, weights: Array, vectors: NDArray[np.int64], monotone: NDArray[np.bool_]) -> None:
    """Fill weights (n, K) and integer vectors (n, K, d) of tensors D (n, d, d) in units of cells, K = 1, 3, 6.

    Superbases do not leave `reach` cells: where they would have to, weights are negative and `monotone` is False.
    """
    d = D.shape[1]
    for p in prange(D.shape[0]):
        base = np.zeros((4, 3))
        for a in range(d):
            base[a, a] = 1.0
            base[d, a] = -1.0
        size = 0.0
        for a in range(d):
            size += D[p, a, a]
        turning, count = True, 0
        while turning and count < LARGEST_TURNS:
            turning = False
            best, bi, bj = 1e-14 * size, -1, -1
            for i in range(d):
                for j in range(i + 1, d + 1):
                    value = _product(D[p], base[i], base[j], d)
                    if value > best and d > 1 and (_fits(base, i, j, d, reach) or _fits(base, j, i, d, reach)):
                        best, bi, bj = value, i, j
            if bi >= 0:
                if not _fits(base, bi, bj, d, reach):
                    bi, bj = bj, bi
                _turn(base, bi, bj, d)
                turning, count = True, count + 1
        monotone[p] = True
        q = 0
        for i in range(d):
            for j in range(i + 1, d + 1):
                value = -_product(D[p], base[i], base[j], d)
                v = np.zeros(3)
                if d == 1:
                    v[0] = 1.0
                elif d == 2:
                    k = 3 - i - j
                    v[0], v[1] = -base[k, 1], base[k, 0]
                else:
                    first, second = -1, -1
                    for m in range(4):
                        if m not in (i, j):
                            first, second = (m, second) if first < 0 else (first, m)
                    s, t = base[first], base[second]
                    v[0] = s[1] * t[2] - s[2] * t[1]
                    v[1] = s[2] * t[0] - s[0] * t[2]
                    v[2] = s[0] * t[1] - s[1] * t[0]
                sign = 0.0
                for a in range(d):
                    if sign == 0.0 and v[a] != 0:
                        sign = 1.0 if v[a] > 0 else -1.0
                if abs(value) <= 1e-13 * size:
                    value = 0.0
                if value < 0:
                    monotone[p] = False
                weights[p, q] = value
                for a in range(d):
                    vectors[p, q, a] = np.int64(np.round(sign * v[a]))
                q += 1
