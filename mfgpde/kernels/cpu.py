"""Stencils in Numba. A finite-volume density is a Markov chain on cells: `up` and `down` are jump rates over faces.

Face i along an axis lies between cells i−1 and i; `up[i]` carries mass from i−1 to i, `down[i]` back, per time.
Axes have one more face than cells. No-flux walls have zero rates; periodic walls store the same rates at both ends,
and the index −1 then is the last cell: one body serves both.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numba import get_num_threads, njit, prange
from numpy.typing import NDArray

from mfgpde.core.arrays import Array
from mfgpde.kernels.games import kinetic_proximal as kinetic_proximal
from mfgpde.kernels.games import substitute as substitute
from mfgpde.kernels.regions import region
from mfgpde.kernels.transport import envelope as envelope
from mfgpde.kernels.transport import scatter as scatter
from mfgpde.kernels.weno import weno_slopes as weno_slopes

Flags = NDArray[np.bool_]

# c(w) = (w/2) coth(w/2) = Σ B_{2k} w^{2k} / (2k)!, Bernoulli numbers: for |w| ≤ 1 the tail after w²⁰ is below 1e-17.
C1, C2, C3, C4, C5 = 1 / 12, -1 / 720, 1 / 30240, -1 / 1209600, 1 / 47900160
C6, C7, C8 = -691 / 1307674368000, 1 / 74724249600, -3617 / 10670622842880000
C9, C10 = 43867 / 5109094217170944000, -174611 / 802857662698291200000


def threads() -> int:
    """Return the number of threads that share a stencil."""
    return get_num_threads()


@njit(cache=True, error_model="numpy")
def _even_series(w: float) -> float:
    """Return (w/2) coth(w/2) for |w| ≤ 1."""
    s = w * w
    tail = C6 + s * (C7 + s * (C8 + s * (C9 + s * C10)))
    return 1 + s * (C1 + s * (C2 + s * (C3 + s * (C4 + s * (C5 + s * tail)))))


@njit(cache=True, error_model="numpy")
def _even_part(w: float) -> float:
    """Return (w/2) coth(w/2)."""
    if abs(w) <= 1.0:
        return _even_series(w)
    return 0.5 * abs(w) + abs(w) / np.expm1(abs(w)) if abs(w) < 700 else 0.5 * abs(w)


@region(4)
def jump_rates(peclet: Array, rate: float, up: Array, down: Array) -> None:
    """Fill up = rate·B(−w), down = rate·B(w), B(w) = w/(e^w − 1), for flat face Péclet numbers w = v h/D, rate = D/h²."""
    for i in prange(peclet.size):
        even, odd = _even_part(peclet[i]), 0.5 * peclet[i]
        up[i] = max(rate * (even + odd), 0.0)
        down[i] = max(rate * (even - odd), 0.0)


@region(0.5)
def upwind_rates(velocity: Array, inverse_spacing: float, up: Array, down: Array) -> None:
    """Fill up = v⁺/h, down = v⁻/h: the limit of `jump_rates` without diffusion."""
    for i in prange(velocity.size):
        up[i] = max(velocity[i], 0.0) * inverse_spacing
        down[i] = max(-velocity[i], 0.0) * inverse_spacing


@region(0.5)
def forward_1d(p: Array, up: Array, down: Array, out: Array) -> None:
    """Fill out = Ap, the rate of change of cell densities."""
    n = p.shape[0]
    for i in prange(n):
        low, high = p[i - 1], p[i + 1 if i + 1 < n else 0]
        out[i] = up[i] * low - (down[i] + up[i + 1]) * p[i] + down[i + 1] * high


@region(0.8)
def forward_2d(p: Array, up0: Array, down0: Array, up1: Array, down1: Array, out: Array) -> None:
    """Fill out = Ap in two dimensions."""
    n, m = p.shape
    for i in prange(n):
        south, north = p[i - 1], p[i + 1 if i + 1 < n else 0]
        here, u0, d0, u1, d1 = p[i], up0[i], down0[i], up1[i], down1[i]
        un, dn = up0[i + 1], down0[i + 1]
        for j in range(1, m - 1):
            leave = d0[j] + un[j] + d1[j] + u1[j + 1]
            across = u0[j] * south[j] + dn[j] * north[j]
            out[i, j] = across + u1[j] * here[j - 1] + d1[j + 1] * here[j + 1] - leave * here[j]
        for j in (0, m - 1):
            leave = d0[j] + un[j] + d1[j] + u1[j + 1]
            across = u0[j] * south[j] + dn[j] * north[j]
            right = here[j + 1 if j + 1 < m else 0]
            out[i, j] = across + u1[j] * here[j - 1] + d1[j + 1] * right - leave * here[j]


@region(2)
def forward_3d(
    p: Array, up0: Array, down0: Array, up1: Array, down1: Array, up2: Array, down2: Array, out: Array
) -> None:
    """Fill out = Ap in three dimensions."""
    n, m, l = p.shape
    for ij in prange(n * m):
        i, j = ij // m, ij % m
        here = p[i, j]
        below, above = p[i - 1, j], p[i + 1 if i + 1 < n else 0, j]
        south, north = p[i, j - 1], p[i, j + 1 if j + 1 < m else 0]
        ub, db, ua, da = up0[i, j], down0[i, j], up0[i + 1, j], down0[i + 1, j]
        us, ds, un, dn = up1[i, j], down1[i, j], up1[i, j + 1], down1[i, j + 1]
        u, d = up2[i, j], down2[i, j]
        for k in range(1, l - 1):
            leave = db[k] + ua[k] + ds[k] + un[k] + d[k] + u[k + 1]
            gain = ub[k] * below[k] + da[k] * above[k] + us[k] * south[k] + dn[k] * north[k]
            out[i, j, k] = gain + u[k] * here[k - 1] + d[k + 1] * here[k + 1] - leave * here[k]
        for k in (0, l - 1):
            leave = db[k] + ua[k] + ds[k] + un[k] + d[k] + u[k + 1]
            gain = ub[k] * below[k] + da[k] * above[k] + us[k] * south[k] + dn[k] * north[k]
            right = here[k + 1 if k + 1 < l else 0]
            out[i, j, k] = gain + u[k] * here[k - 1] + d[k + 1] * right - leave * here[k]


@njit(cache=True, error_model="numpy")
def _fitted(w: float, low: float, high: float) -> float:
    """Return the flux w(low + high)/2 − c(w)(high − low) in units of D/h, for |w| ≤ 1."""
    return 0.5 * w * (low + high) - _even_series(w) * (high - low)


@region(2)
def fitted_3d(p: Array, w0: Array, w1: Array, w2: Array, rate: Array, periodic: Flags, blocks: int, out: Array) -> None:
    """Fill out = Ap from face Péclet numbers |w| ≤ 1 (0 on walls) and rate = D/h² per axis: five arrays of traffic.

    Each block of planes computes every flux once: the lower ones wait in a plane, a row and a line of memory.
    """
    n, m, l = p.shape
    for block in prange(blocks):
        start, stop = np.int64(block) * n // blocks, (np.int64(block) + 1) * n // blocks
        plane, south, line = np.empty((m, l)), np.empty(l), np.empty(l + 1)
        below = p[start - 1 if start > 0 else (n - 1 if periodic[0] else 0)]
        for j in range(m):
            for k in range(l):
                plane[j, k] = rate[0] * _fitted(w0[start, j, k], below[j, k], p[start, j, k])
        for i in range(start, stop):
            above = p[i + 1 if i + 1 < n else (0 if periodic[0] else i)]
            before, first, w = p[i, m - 1 if periodic[1] else 0], p[i, 0], w1[i, 0]
            for k in range(l):
                south[k] = rate[1] * _fitted(w[k], before[k], first[k])
            for j in range(m):
                here, north, high, low = (
                    p[i, j],
                    p[i, j + 1 if j + 1 < m else (0 if periodic[1] else j)],
                    above[j],
                    plane[j],
                )
                wa, wn, w, o = w0[i + 1, j], w1[i, j + 1], w2[i, j], out[i, j]
                line[0] = rate[2] * _fitted(w[0], here[l - 1], here[0]) if periodic[2] else 0.0
                line[l] = line[0]
                for k in range(1, l):
                    line[k] = rate[2] * _fitted(w[k], here[k - 1], here[k])
                for k in range(l):
                    up, across = rate[0] * _fitted(wa[k], here[k], high[k]), rate[1] * _fitted(wn[k], here[k], north[k])
                    o[k] = (low[k] - up) + (south[k] - across) + (line[k] - line[k + 1])
                    low[k], south[k] = up, across


def fitted(p: Array, peclet: tuple[Array, ...], rate: Sequence[float], periodic: Sequence[bool], out: Array) -> None:
    """Fill out = Ap from face Péclet numbers |w| ≤ 1 (0 on walls) and rate = D/h² per axis, in three dimensions."""
    w0, w1, w2 = peclet
    blocks = min(fitted_3d.threads(p), len(p))
    fitted_3d(p, w0, w1, w2, np.asarray(rate), np.asarray(periodic), blocks, out)


@region(6)
def largest_departure(w: Array, periodic: bool) -> float:
    """Return the largest rate of leaving a cell along the middle axis of w (outer, n + 1, inner), in units of D/h²."""
    outer, faces, inner = w.shape
    largest = 0.0
    for a in prange(outer):
        for i in range(faces - 1):
            for b in range(inner):
                low, high = w[a, i, b], w[a, i + 1, b]
                down = _even_part(low) - 0.5 * low if periodic or i > 0 else 0.0
                up = _even_part(high) + 0.5 * high if periodic or i < faces - 2 else 0.0
                largest = max(largest, down + up)
    return largest


@region(0.4)
def face_flux(p: Array, up: Array, down: Array, flux: Array) -> None:
    """Fill the flux (mass per time and cell volume) over all faces normal to the middle axis of p (outer, n, inner)."""
    outer, n, inner = p.shape
    for ai in prange(outer * (n + 1)):
        a, i = ai // (n + 1), ai % (n + 1)
        low, high = p[a, i - 1], p[a, i if i < n else 0]
        u, d, f = up[a, i], down[a, i], flux[a, i]
        for b in range(inner):
            f[b] = u[b] * low[b] - d[b] * high[b]


@njit(cache=True, error_model="numpy")
def _corrected(f0: float, f: float, f1: float, w0: float, w: float, w1: float) -> float:
    """Return the flux f at a face less its leading error, from the neighbouring fluxes and Péclet numbers."""
    s = 0.0625 * w * w
    error = f0 - 2 * f + f1 - 0.5 * w * (f1 - f0) + 0.5 * (w1 - w0) * f
    return f - error / (12 * (1 + s * s))


@region(0.4)
def corrected_flux(flux: Array, peclet: Array, periodic: bool, out: Array) -> None:
    """Fill out with the flux corrected to fourth order, over faces normal to the middle axis (outer, n + 1, inner).

    Exponential fitting errs by (1/12)[δ²F − ½w(F₊ − F₋) + ½(w₊ − w₋)F] + O(h⁴): a multiple of the flux, so that
    equilibria stay exact. The correction fades where |w| > 4, outside its asymptotic range.
    """
    outer, m, inner = flux.shape
    n = m - 1
    for ai in prange(outer * m):
        a, i = ai // m, ai % m
        if (i == 0 or i == n) and not periodic:
            out[a, i] = 0.0
        else:
            before, after = i - 1 if i > 0 else n - 1, i + 1 if i < n else 1
            f, f0, f1 = flux[a, i], flux[a, before], flux[a, after]
            w, w0, w1 = peclet[a, i], peclet[a, before], peclet[a, after]
            g = out[a, i]
            for b in range(inner):
                g[b] = _corrected(f0[b], f[b], f1[b], w0[b], w[b], w1[b])


@region(0.3, lambda flux, out: out.size)
def add_inflow(flux: Array, out: Array) -> None:
    """Add F_i − F_{i+1} along the middle axis to out (outer, n, inner)."""
    outer, n, inner = out.shape
    for ai in prange(outer * n):
        a, i = ai // n, ai % n
        here, there, o = flux[a, i], flux[a, i + 1], out[a, i]
        for b in range(inner):
            o[b] += here[b] - there[b]


@region(0.8)
def add_corrected_rows(
    p: Array, up: Array, down: Array, peclet: Array, periodic: bool, flux: Array, better: Array, out: Array
) -> None:
    """Do `face_flux`, `corrected_flux`, `add_inflow` in one go along the last axis of p (outer, n).

    `flux` and `better` (outer, n + 1) are scratch. Every entry is written by one statement: carrying a flux in a scalar,
    or adding to o[i − 1] and o[i] in one loop, lost the last cell's update when compiled (seen with numba 0.68).
    """
    outer, n = p.shape
    for a in prange(outer):
        row, u, d, w, f, g, o = p[a], up[a], down[a], peclet[a], flux[a], better[a], out[a]
        f[0] = u[0] * row[n - 1] - d[0] * row[0]
        for i in range(1, n):
            f[i] = u[i] * row[i - 1] - d[i] * row[i]
        f[n] = u[n] * row[n - 1] - d[n] * row[0]
        for i in range(1, n):
            g[i] = _corrected(f[i - 1], f[i], f[i + 1], w[i - 1], w[i], w[i + 1])
        g[0] = _corrected(f[n - 1], f[0], f[1], w[n - 1], w[0], w[1]) if periodic else 0.0
        g[n] = g[0]
        for i in range(n):
            o[i] += g[i] - g[i + 1]


@region(0.5)
def backward_axis(u: Array, up: Array, down: Array, out: Array) -> None:
    """Add the transpose Aᵀu along the middle axis of u (outer, n, inner); rates have n + 1 faces there."""
    outer, n, inner = u.shape
    for a in prange(outer):
        for i in range(n):
            high = i + 1 if i + 1 < n else 0
            for b in range(inner):
                rise = up[a, i + 1, b] * (u[a, high, b] - u[a, i, b])
                out[a, i, b] += rise + down[a, i, b] * (u[a, i - 1, b] - u[a, i, b])


@region(0.4)
def recurrence(y0: Array, y1: Array, y2: Array, f1: Array, f0: Array, c: Array, out: Array) -> None:
    """Fill out = c₀y₀ + c₁y₁ + c₂y₂ + c₃f₁ + c₄f₀ over flat arrays: one Chebyshev stage in one pass."""
    for i in prange(y0.size):
        out[i] = c[0] * y0[i] + c[1] * y1[i] + c[2] * y2[i] + c[3] * f1[i] + c[4] * f0[i]


@njit(cache=True, error_model="numpy")
def _limited(v: float, far: float, left: float, right: float, beyond: float) -> float:
    """Return the upwind flux through a face from two cells on each side, limited after van Leer; without branches."""
    forward = v > 0
    back = left - far if forward else right - beyond
    front = right - left if forward else left - right
    product = back * front  # half the harmonic mean of the slopes where they agree
    bent = max(product, 0.0) / (back + front if product > 0 else 1.0)
    return v * ((left if forward else right) + bent)


@njit(cache=True, error_model="numpy")
def _near(i: int, n: int, periodic: bool) -> int:
    """Return the cell i of n, wrapped, or the last one before a wall: a slope of zero is not bent."""
    return i % n if periodic else min(max(i, 0), n - 1)


@region(3)
def _limited_rows(p: Array, velocity: Array, periodic: bool, out: Array) -> None:
    """Do the same along the last axis of p (outer, n)."""
    outer, n = p.shape
    for a in prange(outer):
        line, v, o, f = p[a], velocity[a], out[a], np.zeros(n + 1)
        for i in range(2, n - 1):
            f[i] = _limited(v[i], line[i - 2], line[i - 1], line[i], line[i + 1])
        for i in (0, 1, n - 1, n):
            if periodic or 0 < i < n:
                far, left = line[_near(i - 2, n, periodic)], line[_near(i - 1, n, periodic)]
                right, beyond = line[_near(i, n, periodic)], line[_near(i + 1, n, periodic)]
                f[i] = _limited(v[i], far, left, right, beyond)
        for i in range(n):
            o[i] += f[i] - f[i + 1]


@region(3)
def _limited_columns(p: Array, velocity: Array, periodic: bool, out: Array) -> None:
    """Do it along the middle axis."""
    outer, n, inner = p.shape
    for ai in prange(outer * n):  # both faces of a cell, each once more beside it
        a, i = ai // n, ai % n
        far, left = p[a, _near(i - 2, n, periodic)], p[a, _near(i - 1, n, periodic)]
        here, o = p[a, i], out[a, i]
        right, beyond = p[a, _near(i + 1, n, periodic)], p[a, _near(i + 2, n, periodic)]
        low, high = velocity[a, i], velocity[a, i + 1]
        first, last = periodic or i > 0, periodic or i < n - 1  # walls carry no flux
        for b in range(inner):
            inflow = _limited(low[b], far[b], left[b], here[b], right[b]) if first else 0.0
            o[b] += inflow - (_limited(high[b], left[b], here[b], right[b], beyond[b]) if last else 0.0)


def limited_flux(p: Array, velocity: Array, periodic: bool, out: Array) -> None:
    """Add −∂(v p) along the middle axis of p (outer, n, inner), upwind values limited after van Leer; velocity = v/h."""
    outer, n, inner = p.shape
    if inner == 1:
        _limited_rows(p.reshape(outer, n), velocity.reshape(outer, n + 1), periodic, out.reshape(outer, n))
    else:
        _limited_columns(p, velocity, periodic, out)


@region(0.4)
def score_axis(s: Array, drift: Array, spread: float, square: float, out: Array) -> None:
    """Add D(s₊ − s₋)/h + m(Qm − f), m the mean of both faces, along the middle axis of s (outer, n + 1, inner).

    `spread` is D/h, `square` Q, `drift` f at cell centres: what one component gives to the bracket of the score equation.
    """
    outer, n, inner = out.shape
    for ai in prange(outer * n):
        a, i = ai // n, ai % n
        low, high, f, o = s[a, i], s[a, i + 1], drift[a, i], out[a, i]
        for b in range(inner):
            mean = 0.5 * (low[b] + high[b])
            o[b] += spread * (high[b] - low[b]) + mean * (square * mean - f[b])


@region(0.3)
def face_slopes(u: Array, inverse_spacing: float, periodic: bool, far: bool, out: Array) -> None:
    """Fill ∂u/∂x on all faces normal to the middle axis of u (outer, n, inner), out (outer, n + 1, inner).

    Walls are `periodic`, mirror, or have a parabola through three cells beyond them (`far`).
    """
    outer, n, inner = u.shape
    for ai in prange(outer * (n + 1)):
        a, i = ai // (n + 1), ai % (n + 1)
        o = out[a, i]
        if 0 < i < n:
            low, high = u[a, i - 1], u[a, i]
            for b in range(inner):
                o[b] = (high[b] - low[b]) * inverse_spacing
        elif periodic:
            low, high = u[a, n - 1], u[a, 0]
            for b in range(inner):
                o[b] = (high[b] - low[b]) * inverse_spacing
        elif not far:
            o[:] = 0.0
        else:
            first, second, third = (u[a, 0], u[a, 1], u[a, 2]) if i == 0 else (u[a, n - 1], u[a, n - 2], u[a, n - 3])
            sign = -inverse_spacing if i == 0 else inverse_spacing
            for b in range(inner):
                o[b] = (2 * first[b] - 3 * second[b] + third[b]) * sign
