"""One-sided slopes of fifth order for Hamilton–Jacobi equations: weighted essentially non-oscillatory differences (WENO5).

Three parabolas give three slopes on each side of a cell; smooth ones are weighed to order five, those across a kink fade.
Jiang, Peng, SIAM J. Sci. Comput. 21 (2000).
"""

from __future__ import annotations

from numba import njit, prange

from mfgpde.core.arrays import Array


@njit(cache=True, error_model="numpy")
def _weighed(a: float, b: float, c: float, d: float, e: float) -> float:
    """Return the slope from five divided differences, upwind first."""
    s0 = 13 / 12 * (a - 2 * b + c) ** 2 + 0.25 * (a - 4 * b + 3 * c) ** 2
    s1 = 13 / 12 * (b - 2 * c + d) ** 2 + 0.25 * (b - d) ** 2
    s2 = 13 / 12 * (c - 2 * d + e) ** 2 + 0.25 * (3 * c - 4 * d + e) ** 2
    least = 1e-6 * max(max(a * a, b * b), max(c * c, max(d * d, e * e))) + 1e-99
    w0, w1, w2 = 0.1 / (s0 + least) ** 2, 0.6 / (s1 + least) ** 2, 0.3 / (s2 + least) ** 2
    q0, q1, q2 = (2 * a - 7 * b + 11 * c) / 6, (-b + 5 * c + 2 * d) / 6, (2 * c + 5 * d - e) / 6
    return (w0 * q0 + w1 * q1 + w2 * q2) / (w0 + w1 + w2)


@njit(parallel=True, cache=True, error_model="numpy")
def weno_slopes(u: Array, inverse_spacing: float, low: Array, high: Array) -> None:
    """Fill low and high (outer, n, inner) with the slopes from below and above along the middle axis of u.

    u (outer, n + 6, inner) has three more cells at both ends.
    """
    outer, n, inner = low.shape
    for ai in prange(outer * n):
        a, i = ai // n, ai % n
        for b in range(inner):
            d0 = (u[a, i + 1, b] - u[a, i, b]) * inverse_spacing
            d1 = (u[a, i + 2, b] - u[a, i + 1, b]) * inverse_spacing
            d2 = (u[a, i + 3, b] - u[a, i + 2, b]) * inverse_spacing
            d3 = (u[a, i + 4, b] - u[a, i + 3, b]) * inverse_spacing
            d4 = (u[a, i + 5, b] - u[a, i + 4, b]) * inverse_spacing
            d5 = (u[a, i + 6, b] - u[a, i + 5, b]) * inverse_spacing
            low[a, i, b] = _weighed(d0, d1, d2, d3, d4)
            high[a, i, b] = _weighed(d5, d4, d3, d2, d1)
