"""The proximal map of the kinetic energy a m²/2μ, the heart of first-order games."""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@numba.njit(cache=True, parallel=True, fastmath=False)
def kinetic_proximal(m: Array, mu: Array, weight: Array, out_m: Array, out_mu: Array) -> None:
    """Minimise weight·m²/(2μ) + ½|(m, μ) − (m0, μ0)|² over μ ≥ 0, line by line; arrays (lines, n), weight (lines,).

    μ is the largest root of (μ − μ0)(μ + s)² = s m0²/2, s the weight, by Newton's method from its right; the vertex (0, 0)
    where μ0 + m0²/(2s) ≤ 0. — Benamou, Brenier, Numer. Math. 84 (2000).
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
            y = max(b, 0.0) + c ** (1.0 / 3.0)  # to the right of the root: the cubic is increasing and convex there
            for _ in range(60):
                q = y + s
                f = (y - b) * q * q - c
                slope = q * (q + 2 * (y - b))
                step = f / slope
                y -= step
                if abs(step) <= 1e-15 * (abs(y) + s):
                    break
            y = max(y, 0.0)
            out_mu[i, j] = y
            out_m[i, j] = a * y / (y + s)
