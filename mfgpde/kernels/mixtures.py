"""Sums over the components of Gaussian mixtures: one pass, logarithms only, memory that does not grow with the sum.

Precisions are P = diag(a) + sign·W Wᵀ. Components are stored axis by axis, so that a tile of them is one vector
operation; tiles of components meet tiles of points in the cache. Shares r_k ∝ e^{ℓ_k} are summed against a running
maximum of ℓ_k = log(w_k N_k), so that far from all components, where every density underflows, nothing is lost.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit, prange

from mfgpde.core.arrays import Array
from mfgpde.kernels.regions import read, region

TILE = 128  # components
POINTS = 32
FEW, SIDE = 96, 128  # coordinates of centres up to which components are taken one at a time; points side by side
LOG2_E, MAGIC, ONE = 1.4426950408889634, 6755399441055744.0, 1023 << 52
LOG_2, LOG_2_REST = 6.93147180369123816490e-01, 1.90821492927058770002e-10  # the first has few digits: k·LOG_2 is exact
NEGLIGIBLE = 46.0  # e⁻⁴⁶ = 1e-20: what so much less than the largest share adds is below rounding


@njit(cache=True, inline="always", error_model="numpy")
def _away(point, centres, start, n, away) -> None:
    """Fill away = x − m_k for components start … start + n."""
    for i in range(len(point)):
        for j in range(n):
            away[i, j] = point[i] - centres[i, start + j]


@njit(cache=True, inline="always", error_model="numpy")
def _pull(away, diagonal, factors, sign, start, n, pull, along) -> None:
    """Fill pull = −P_k·away."""
    for i in range(away.shape[0]):
        for j in range(n):
            pull[i, j] = -diagonal[i, start + j] * away[i, j]
    for r in range(factors.shape[0]):
        for j in range(n):
            along[j] = 0.0
        for i in range(away.shape[0]):
            for j in range(n):
                along[j] += factors[r, i, start + j] * away[i, j]
        for i in range(away.shape[0]):
            for j in range(n):
                pull[i, j] -= sign * factors[r, i, start + j] * along[j]


@njit(cache=True, inline="always", error_model="numpy")
def _exponents(constants, start, n, away, pull, exponents) -> float:
    """Fill exponents = log w_k N_k and return the largest."""
    for j in range(n):
        exponents[j] = 0.0
    for i in range(away.shape[0]):
        for j in range(n):
            exponents[j] += away[i, j] * pull[i, j]
    best = -np.inf
    for j in range(n):
        exponents[j] = constants[start + j] + 0.5 * exponents[j]
        best = max(best, exponents[j])
    return best


@njit(cache=True, error_model="numpy", fastmath={"contract"})
def _shares(below, n, shares, powers, bits) -> None:
    """Fill shares = e^{below}, below ≤ 0, zero where that is negligible, by operations on whole vectors.

    e^y = 2^k e^r, k the integer next to y/log 2, in the last bits of y/log 2 + 1.5·2⁵²; |r| ≤ ½ log 2, where the first term
    left out of the series is below 1e-17. `powers` and `bits` are one piece of memory, as doubles and as integers.
    """
    for j in range(n):
        y = max(below[j], -50.0)
        powers[j] = y * LOG2_E + MAGIC
        k = powers[j] - MAGIC
        r = (y - k * LOG_2) - k * LOG_2_REST
        e = 1 / 6227020800
        e = 1 / 479001600 + r * e
        e = 1 / 39916800 + r * e
        e = 1 / 3628800 + r * e
        e = 1 / 362880 + r * e
        e = 1 / 40320 + r * e
        e = 1 / 5040 + r * e
        e = 1 / 720 + r * e
        e = 1 / 120 + r * e
        e = 1 / 24 + r * e
        e = 1 / 6 + r * e
        e = 0.5 + r * e
        shares[j] = 1 + r * (1 + r * e)
    for j in range(n):
        bits[j] = (bits[j] << 52) + ONE
    for j in range(n):
        shares[j] = shares[j] * powers[j] if below[j] > -NEGLIGIBLE else 0.0


@njit(cache=True, error_model="numpy", fastmath={"contract", "reassoc"})
def _sum(a, n) -> float:
    total = 0.0
    for j in range(n):
        total += a[j]
    return total


@njit(cache=True, error_model="numpy", fastmath={"contract", "reassoc"})
def _dot(a, b, n) -> float:
    total = 0.0
    for j in range(n):
        total += a[j] * b[j]
    return total


@njit(cache=True, error_model="numpy")
def _averages(
    block: np.int64,
    x: Array,
    centres: Array,
    constants: Array,
    diagonal: Array,
    factors: Array,
    sign: float,
    trace: Array,
    slopes: bool,
    log_density: Array,
    score: Array,
    laplacian: Array,
) -> None:
    """Fill, for one block of points, log p, and with `slopes` ∇log p = E[g] and Δlog p = E[|g|² − tr P] − |E[g]|².

    Here g_k = P_k(m_k − x).
    Points (n, d); centres and diagonal (d, k), factors (r, d, k); the mean E is over the shares.
    """
    count, d = x.shape
    components = centres.shape[1]
    first = block * POINTS
    here = min(POINTS, count - first)
    top, total, curvature = np.full(here, -np.inf), np.zeros(here), np.zeros(here)
    mean = np.zeros((here, d))
    away, pull = np.empty((d, TILE)), np.empty((d, TILE))
    along, exponents, shares, powers = np.empty(TILE), np.empty(TILE), np.empty(TILE), np.empty(TILE)
    bits = powers.view(np.int64)
    for start in range(0, components, TILE):
        n = min(TILE, components - start)
        for p in range(here):
            _away(x[first + p], centres, start, n, away)
            _pull(away, diagonal, factors, sign, start, n, pull, along)
            best = _exponents(constants, start, n, away, pull, exponents)
            if best < top[p] - NEGLIGIBLE:
                continue
            if best > top[p]:
                shrink = np.exp(top[p] - best)
                top[p] = best
                total[p] *= shrink
                curvature[p] *= shrink
                for i in range(d):
                    mean[p, i] *= shrink
            for j in range(n):
                exponents[j] -= top[p]
            _shares(exponents, n, shares, powers, bits)
            total[p] += _sum(shares, n)
            if slopes:
                for j in range(n):
                    along[j] = -trace[start + j]
                for i in range(d):
                    g = pull[i]
                    for j in range(n):
                        along[j] += g[j] * g[j]
                    mean[p, i] += _dot(shares, g, n)
                curvature[p] += _dot(shares, along, n)
    for p in range(here):
        if not total[p] > 0:  # the point is not a number, and so is the sum
            total[p] = np.nan
        log_density[first + p] = top[p] + np.log(total[p])
        if slopes:
            square = 0.0
            for i in range(d):
                s = mean[p, i] / total[p]
                score[first + p, i] = s
                square += s * s
            laplacian[first + p] = curvature[p] / total[p] - square


@njit(cache=True, error_model="numpy", fastmath={"contract"})
def _averages_of_few(
    block: np.int64,
    x: Array,
    centres: Array,
    constants: Array,
    diagonal: Array,
    factors: Array,
    sign: float,
    trace: Array,
    slopes: bool,
    log_density: Array,
    score: Array,
    laplacian: Array,
) -> None:
    """Do the same for few components: one at a time, points side by side."""
    count, d = x.shape
    components = centres.shape[1]
    first = block * SIDE
    n = min(SIDE, count - first)
    away, pulls = np.empty((d, SIDE)), np.empty((components, d, SIDE))
    exponents, top = np.empty((components, SIDE)), np.full(SIDE, -np.inf)
    along, shares, powers = np.empty(SIDE), np.empty(SIDE), np.empty(SIDE)
    bits = powers.view(np.int64)
    for k in range(components):
        pull, exponent = pulls[k], exponents[k]
        for i in range(d):
            for p in range(n):
                away[i, p] = x[first + p, i] - centres[i, k]
                pull[i, p] = -diagonal[i, k] * away[i, p]
        for r in range(factors.shape[0]):
            for p in range(n):
                along[p] = 0.0
            for i in range(d):
                for p in range(n):
                    along[p] += factors[r, i, k] * away[i, p]
            for i in range(d):
                for p in range(n):
                    pull[i, p] -= sign * factors[r, i, k] * along[p]
        for p in range(n):
            exponent[p] = 0.0
        for i in range(d):
            for p in range(n):
                exponent[p] += away[i, p] * pull[i, p]
        for p in range(n):
            exponent[p] = constants[k] + 0.5 * exponent[p]
            top[p] = max(top[p], exponent[p])
    total, curvature, mean = np.zeros(SIDE), np.zeros(SIDE), np.zeros((d, SIDE))
    for k in range(components):
        exponent = exponents[k]
        for p in range(n):
            exponent[p] -= top[p]
        _shares(exponent, n, shares, powers, bits)
        for p in range(n):
            total[p] += shares[p]
        if slopes:
            for p in range(n):
                along[p] = -trace[k]
            for i in range(d):
                g = pulls[k, i]
                for p in range(n):
                    along[p] += g[p] * g[p]
                    mean[i, p] += shares[p] * g[p]
            for p in range(n):
                curvature[p] += shares[p] * along[p]
    for p in range(n):
        if not total[p] > 0:
            total[p] = np.nan
        log_density[first + p] = top[p] + np.log(total[p])
        if slopes:
            square = 0.0
            for i in range(d):
                s = mean[i, p] / total[p]
                score[first + p, i] = s
                square += s * s
            laplacian[first + p] = curvature[p] / total[p] - square


@njit(cache=True, error_model="numpy")
def _products(
    block: np.int64,
    x: Array,
    direction: Array,
    centres: Array,
    constants: Array,
    diagonal: Array,
    factors: Array,
    sign: float,
    product: Array,
    slope: Array,
) -> None:
    """Fill, for one block of points, Hv and ∇(vᵀHv), H = ∇²log p, for one direction v a point, shapes (n, d).

    Hv = E[g(g·v) − Pv] − s(s·v), and with q = (g·v)² − vᵀPv: ∇(vᵀHv) = E[qg − 2(g·v)Pv] − E[q]s − 2(s·v)Hv.
    """
    count, d = x.shape
    components = centres.shape[1]
    first = block * POINTS
    here = min(POINTS, count - first)
    top, total, second = np.full(here, -np.inf), np.zeros(here), np.zeros(here)
    mean, pushed, third = np.zeros((here, d)), np.zeros((here, d)), np.zeros((here, d))
    away, pull = np.empty((d, TILE)), np.empty((d, TILE))
    along, exponents = np.empty(TILE), np.empty(TILE)
    flat, turned = np.empty((d, TILE)), np.empty((d, TILE))
    for start in range(0, components, TILE):
        n = min(TILE, components - start)
        for p in range(here):
            v = direction[first + p]
            _away(x[first + p], centres, start, n, away)
            _pull(away, diagonal, factors, sign, start, n, pull, along)
            best = _exponents(constants, start, n, away, pull, exponents)
            for i in range(d):
                flat[i, :] = v[i]
            _pull(flat, diagonal, factors, sign, start, n, turned, along)  # −Pv
            if best > top[p]:
                shrink = np.exp(top[p] - best)
                top[p] = best
                total[p] *= shrink
                second[p] *= shrink
                for i in range(d):
                    mean[p, i] *= shrink
                    pushed[p, i] *= shrink
                    third[p, i] *= shrink
            for j in range(n):
                below = exponents[j] - top[p]
                if below > -NEGLIGIBLE:
                    share = np.exp(below)
                    ahead, quadratic = 0.0, 0.0
                    for i in range(d):
                        ahead += pull[i, j] * v[i]
                        quadratic += turned[i, j] * v[i]
                    q = ahead * ahead + quadratic
                    total[p] += share
                    second[p] += share * q
                    for i in range(d):
                        mean[p, i] += share * pull[i, j]
                        pushed[p, i] += share * (ahead * pull[i, j] + turned[i, j])
                        third[p, i] += share * (q * pull[i, j] + 2 * ahead * turned[i, j])
    for p in range(here):
        if not total[p] > 0:
            total[p] = np.nan
        ahead = 0.0
        for i in range(d):
            ahead += mean[p, i] * direction[first + p, i]
        ahead /= total[p]
        for i in range(d):
            s = mean[p, i] / total[p]
            product[first + p, i] = pushed[p, i] / total[p] - s * ahead
            slope[first + p, i] = third[p, i] / total[p] - second[p] / total[p] * s - 2 * ahead * product[first + p, i]


def _pairs(x: Array, centres: Array, *_: Any) -> int:
    """Return coordinates times points."""
    return len(x) * centres.size


def _pairs_ahead(x: Array, _direction: Array, centres: Array, *_: Any) -> int:
    return len(x) * centres.size


@region(0.2, _pairs)
def _averages_of_all(x, *arguments) -> None:
    for block in prange((len(x) + POINTS - 1) // POINTS):
        _averages(np.int64(block), x, *arguments)  # of one type in both loops, and so compiled once


@region(0.2, _pairs)
def _averages_with_few(x, *arguments) -> None:
    for block in prange((len(x) + SIDE - 1) // SIDE):
        _averages_of_few(np.int64(block), x, *arguments)


@region(0.2, _pairs_ahead)
def _products_of_all(x, *arguments) -> None:
    for block in prange((len(x) + POINTS - 1) // POINTS):
        _products(np.int64(block), x, *arguments)


def mixture_averages(x: Array, centres: Array, *arguments: Any) -> None:
    """Fill log p, ∇log p and Δlog p as `_averages` says."""
    (_averages_with_few if centres.size <= FEW else _averages_of_all)(*read(x, centres), *arguments)


def mixture_products(x: Array, direction: Array, centres: Array, *arguments: Any) -> None:
    """Fill Hv and ∇(vᵀHv) as `_products` says."""
    _products_of_all(*read(x, direction, centres), *arguments)


def ready() -> None:
    """Take the log density of one component at one point: what is compiled serves this process and its forks."""
    one, empty = np.ones((1, 1)), np.empty((0, 1))
    mixture_averages(
        one, one, np.zeros(1), one, np.empty((0, 1, 1)), 1.0, np.ones(1), False, np.empty(1), empty, np.empty(1)
    )
