"""One-sided slopes of fifth order for Hamilton–Jacobi equations: weighted essentially non-oscillatory differences (WENO5).

Three parabolas give three slopes on each side of a cell; smooth ones are weighed to order five, those across a kink fade.
Jiang, Peng, SIAM J. Sci. Comput. 21 (2000).
"""

from __future__ import annotations

from numba import njit, prange

from mfgpde.core.arrays import Array
from mfgpde.kernels.regions import region

PERIODIC, MIRRORED, FAR = 0, 1, 2
"""what lies beyond the ends of a line: its other end, its image, or a parabola through its last three cells"""


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


@njit(cache=True, error_model="numpy")
def _cell(u: Array, a: int, i: int, b: int, walls: int) -> float:
    """Return u[a, i, b], i up to three cells beyond either end."""
    n = u.shape[1]
    if 0 <= i < n:
        return u[a, i, b]
    if walls == PERIODIC:
        return u[a, i % n, b]
    if walls == MIRRORED:
        return u[a, -1 - i if i < 0 else 2 * n - 1 - i, b]
    j, first, step = (-i, 0, 1) if i < 0 else (i - n + 1, n - 1, -1)
    near = 0.5 * (1 + j) * (2 + j) * u[a, first, b] - j * (2 + j) * u[a, first + step, b]
    return near + 0.5 * j * (1 + j) * u[a, first + 2 * step, b]


@region(15)
def weno_slopes(
    u: Array, inverse_spacing: float, walls: int, axis: int, low: Array, high: Array, laplacian: Array
) -> None:
    """Fill component `axis` of low and high (cells, d) with the slopes from below and above along the middle axis of u.

    u (outer, n, inner), n ≥ 3, is what the cells are in order; its second difference of order four is put into `laplacian`
    (cells), and added for axes after the first.
    """
    outer, n, inner = u.shape
    bend = inverse_spacing * inverse_spacing / 12
    for ai in prange(outer * n):
        a, i = ai // n, ai % n
        inside = 3 <= i < n - 3
        for b in range(inner):
            if inside:
                v0, v1, v2, v3 = u[a, i - 3, b], u[a, i - 2, b], u[a, i - 1, b], u[a, i, b]
                v4, v5, v6 = u[a, i + 1, b], u[a, i + 2, b], u[a, i + 3, b]
            else:
                v0, v1, v2 = _cell(u, a, i - 3, b, walls), _cell(u, a, i - 2, b, walls), _cell(u, a, i - 1, b, walls)
                v3, v4 = u[a, i, b], _cell(u, a, i + 1, b, walls)
                v5, v6 = _cell(u, a, i + 2, b, walls), _cell(u, a, i + 3, b, walls)
            d0, d1, d2 = (v1 - v0) * inverse_spacing, (v2 - v1) * inverse_spacing, (v3 - v2) * inverse_spacing
            d3, d4, d5 = (v4 - v3) * inverse_spacing, (v5 - v4) * inverse_spacing, (v6 - v5) * inverse_spacing
            at = ai * inner + b
            low[at, axis] = _weighed(d0, d1, d2, d3, d4)
            high[at, axis] = _weighed(d5, d4, d3, d2, d1)
            bent = (16 * (v2 + v4) - v1 - v5 - 30 * v3) * bend
            laplacian[at] = bent if axis == 0 else laplacian[at] + bent
