"""What games do line by line: the proximal map of the kinetic energy a m²/2μ, and tridiagonal systems in time."""

from __future__ import annotations

import numba

from mfgpde.core.arrays import Array
from mfgpde.kernels.regions import region


@region(10)
def kinetic_proximal(m: Array, mu: Array, weight: Array, out_m: Array, out_mu: Array) -> None:
    """Minimise weight·m²/(2μ) + ½|(m, μ) − (m0, μ0)|² over μ ≥ 0, line by line; arrays (lines, n), weight (lines,).

    μ is the largest root of (μ − μ0)(μ + s)² = s m0²/2, s the weight, by Newton's method from its right; the vertex (0, 0)
    where μ0 + m0²/(2s) ≤ 0. `out_mu` holds a guess of the roots, such as those of the call before, or anything.
    — Benamou, Brenier, Numer. Math. 84 (2000).
    """
    for i in numba.prange(m.shape[0]):
        s = weight[i]
        for j in range(m.shape[1]):
            a, b = m[i, j], mu[i, j]
            if b + a * a / (2 * s) <= 0:
                out_m[i, j] = 0.0
                out_mu[i, j] = 0.0
                continue
            c = 0.5 * s * a * a
            # to the right of max(b, 0) the cubic is convex and increasing: after one step the iterates fall to the root
            # and the root lies no further than c^⅓ from it: a guess beyond is none, its cube may leave the numbers
            y, furthest = out_mu[i, j], max(b, 0.0) + c ** (1.0 / 3.0)
            if not (y > b and 0.0 < y <= furthest):
                y = furthest
            for _ in range(200):
                q = y + s
                step = ((y - b) * q * q - c) / (q * (q + 2 * (y - b)))
                y = max(y - step, max(b, 0.0))
                if abs(step) <= 1e-8 * (y + s):  # squared by the next one
                    break
            y = max(y, 0.0)
            out_mu[i, j] = y
            out_m[i, j] = a * y / (y + s)


@region(4)
def substitute(right: Array, factors: Array, inverses: Array, beside: Array) -> None:
    """Solve tridiagonal systems along the first axis of right (n, systems) in place, eliminated before.

    `factors` (n − 1, systems) are of the rows above, `inverses` (n, systems) of pivots, `beside` of what is right of them.
    """
    n, systems = right.shape
    block = 512
    for b in numba.prange((systems + block - 1) // block):
        start, stop = b * block, min((b + 1) * block, systems)
        for k in range(1, n):
            for i in range(start, stop):
                right[k, i] -= factors[k - 1, i] * right[k - 1, i]
        for i in range(start, stop):
            right[n - 1, i] *= inverses[n - 1, i]
        for k in range(n - 2, -1, -1):
            for i in range(start, stop):
                right[k, i] = (right[k, i] - beside[k, i] * right[k + 1, i]) * inverses[k, i]
