"""Stencils of chains that jump along any lattice vectors: rates, what they do to a density, and its transpose.

Arrays have three axes, of length one where the grid has fewer. Edge (m, x) joins the cells x and x + offsets[m], wrapped;
`up` is the rate of jumps x → x + offset, `down` back. Edges that leave the box through a wall have rate zero.
"""

from __future__ import annotations

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from mfgpde.core.arrays import Array
from mfgpde.kernels.regions import region

Integers = NDArray[np.int64]


@njit(cache=True, error_model="numpy")
def bernoulli(w: float) -> float:
    """Return B(w) = w/(e^w − 1), to a relative rounding for all w."""
    if abs(w) < 1e-8:
        return 1 - 0.5 * w
    return w / np.expm1(w) if w < 700 else w * np.exp(-w)


@njit(cache=True, error_model="numpy")
def _leaves(i: int, step: int, n: int, periodic: bool) -> bool:
    return not periodic and (i + step < 0 or i + step >= n)


@region(40, lambda weight, *_: weight.size)
def edge_rates(
    weight: Array,
    slope: Array,
    middle: Array,
    potential: Array,
    offsets: Integers,
    periodic: Array,
    up: Array,
    down: Array,
) -> None:
    """Fill up = λB(−w), down = λB(w), zero where an edge leaves the box.

    λ is the mean of `weight` (m, a, b, c) at both ends, w = −δV of `potential` (a, b, c) where that has cells, else
    Simpson's mean of offset·slope at both ends, `slope` (a, b, c, 3) = D⁻¹g times cell widths, and of `middle`
    (m, a, b, c) between.
    """
    count, n0, n1, n2 = weight.shape
    known = potential.size > 0
    for ij in prange(n0 * n1):
        i, j = ij // n1, ij % n1
        for m in range(count):
            di, dj, dk = offsets[m, 0], offsets[m, 1], offsets[m, 2]
            out = _leaves(i, di, n0, periodic[0]) or _leaves(j, dj, n1, periodic[1])
            fi, fj = (i + di) % n0, (j + dj) % n1
            for k in range(n2):
                if out or _leaves(k, dk, n2, periodic[2]):
                    up[m, i, j, k] = 0.0
                    down[m, i, j, k] = 0.0
                    continue
                fk = (k + dk) % n2
                rate = 0.5 * (weight[m, i, j, k] + weight[m, fi, fj, fk])
                if known:
                    w = potential[i, j, k] - potential[fi, fj, fk]
                else:
                    s, e = slope[i, j, k], slope[fi, fj, fk]
                    ends = di * (s[0] + e[0]) + dj * (s[1] + e[1]) + dk * (s[2] + e[2])
                    w = (ends + 4 * middle[m, i, j, k]) / 6
                up[m, i, j, k] = rate * bernoulli(-w)
                down[m, i, j, k] = rate * bernoulli(w)


@region(40, lambda weight, *_: weight.size)
def wall_rates(
    weight: Array, slope: Array, offsets: Integers, periodic: Array, axis: int, side: int, leave: Array, enter: Array
) -> None:
    """Fill the rates at which mass leaves through one open wall (axis, side 0 or 1), and at which it enters from value 1.

    Jumps that cross this wall first, a share θ of their way from the centre, have rates λB(∓θw)/θ with w at the centre.
    """
    count, n0, n1, n2 = weight.shape
    for ij in prange(n0 * n1):
        i, j = ij // n1, ij % n1
        for k in range(n2):
            leave[i, j, k] = 0.0
            enter[i, j, k] = 0.0
            s = slope[i, j, k]
            for m in range(count):
                rate = weight[m, i, j, k]
                if rate == 0.0:
                    continue
                for sign in (1, -1):
                    first, through, where = 2.0, -1, 0
                    for a in range(3):
                        step = sign * offsets[m, a]
                        at = (i, j, k)[a]
                        n = (n0, n1, n2)[a]
                        if step != 0 and _leaves(at, step, n, periodic[a]):
                            room = (at + 0.5) if step < 0 else (n - at - 0.5)
                            share = room / abs(step)
                            if share < first:
                                first, through, where = share, a, (0 if step < 0 else 1)
                    if through == axis and where == side:
                        w = sign * (offsets[m, 0] * s[0] + offsets[m, 1] * s[1] + offsets[m, 2] * s[2]) * first
                        leave[i, j, k] += rate * bernoulli(-w) / first
                        enter[i, j, k] += rate * bernoulli(w) / first


@region(1, lambda p, offsets, up, *_: up.size)
def jump(p: Array, offsets: Integers, up: Array, down: Array, leave: Array, out: Array) -> None:
    """Fill out = Ap, `leave` the total rate of leaving each cell; Aᵀp with `up` and `down` exchanged."""
    n0, n1, n2 = p.shape
    for ij in prange(n0 * n1):
        i, j = ij // n1, ij % n1
        o, here, l = out[i, j], p[i, j], leave[i, j]
        for k in range(n2):
            o[k] = -l[k] * here[k]
        for m in range(offsets.shape[0]):
            di, dj, dk = offsets[m, 0], offsets[m, 1], offsets[m, 2]
            fi, fj, bi, bj = (i + di) % n0, (j + dj) % n1, (i - di) % n0, (j - dj) % n1
            d = abs(dk)
            inner = n2 - 2 * d
            u, e, f, b = up[m, bi, bj], down[m, i, j], p[fi, fj], p[bi, bj]
            if inner > 0:
                us, bs, es, fs, os = u[d - dk :], b[d - dk :], e[d:], f[d + dk :], o[d:]
                for k in range(inner):
                    os[k] += us[k] * bs[k] + es[k] * fs[k]
            for k in range(min(d, n2)):
                behind, ahead = (k - dk) % n2, (k + dk) % n2
                o[k] += u[behind] * b[behind] + e[k] * f[ahead]
            for k in range(max(n2 - d, d), n2):
                behind, ahead = (k - dk) % n2, (k + dk) % n2
                o[k] += u[behind] * b[behind] + e[k] * f[ahead]


@region(3, lambda up, *_: up.size)
def departures(up: Array, down: Array, offsets: Integers, leave: Array) -> None:
    """Add to `leave` the total rate of jumps out of each cell."""
    count, n0, n1, n2 = up.shape
    for ij in prange(n0 * n1):
        i, j = ij // n1, ij % n1
        for m in range(count):
            di, dj, dk = offsets[m, 0], offsets[m, 1], offsets[m, 2]
            bi, bj = (i - di) % n0, (j - dj) % n1
            for k in range(n2):
                leave[i, j, k] += up[m, i, j, k] + down[m, bi, bj, (k - dk) % n2]
