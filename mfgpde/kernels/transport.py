"""Loops of optimal transport on the CPU: lower envelopes of parabolas along lines, and mass carried by a map."""

from __future__ import annotations

import numpy as np
from numba import njit, prange

from mfgpde.kernels.regions import region

MOST_PARTS = 24


@region(20)
def envelope(f, h, refine, out, place, offset):
    """Put min_i ½h²(i − j)² + f[r, i] into out[r, j], for every row r; +inf counts as absent.

    The minimum is at i = place + offset, offset 0 unless refined.

    The lower envelope of parabolas (Felzenszwalb, Huttenlocher, Theory of Computing 8, 2012), linear in the row. With
    `refine` the minimum is that of the parabola through three neighbours: exact to O(h⁴) for smooth f.
    """
    rows, n = f.shape
    for r in prange(rows):
        apex = np.empty(n, np.int64)
        start = np.empty(n + 1)
        k = -1
        for i in range(n):
            if not np.isfinite(f[r, i]):
                continue
            s = -np.inf
            while k >= 0:
                a = apex[k]
                s = ((f[r, i] - f[r, a]) / (0.5 * h * h) + i * i - a * a) / (2.0 * (i - a))
                if s > start[k]:
                    break
                k -= 1
            if k < 0:
                s = -np.inf
            k += 1
            apex[k] = i
            start[k] = s
        start[k + 1] = np.inf
        c = 0
        for j in range(n):
            while start[c + 1] < j:
                c += 1
            i = apex[c]
            best = 0.5 * h * h * (i - j) ** 2 + f[r, i]
            theta = 0.0
            if refine and 0 < i < n - 1:
                below = 0.5 * h * h * (i - 1 - j) ** 2 + f[r, i - 1]
                above = 0.5 * h * h * (i + 1 - j) ** 2 + f[r, i + 1]
                bend = above - 2 * best + below
                if bend > 0 and np.isfinite(bend):
                    theta = min(max(0.5 * (below - above) / bend, -0.5), 0.5)
                    best += 0.5 * theta * (above - below) + 0.5 * theta * theta * bend
            out[r, j], place[r, j], offset[r, j] = best, i, theta


@region(1)
def scatter(mass, place, offset, out):
    """Put mass[r, j] on place − 1, place, place + 1 by the weights of a parabola at `offset`: the adjoint of envelopes."""
    rows, n = mass.shape
    for r in prange(rows):
        for j in range(n):
            out[r, j] = 0.0
        for j in range(n):
            i, theta, m = place[r, j], offset[r, j], mass[r, j]
            out[r, i] += m * (1 - theta * theta)
            if theta != 0.0:
                out[r, i - 1] += m * 0.5 * theta * (theta - 1)
                out[r, i + 1] += m * 0.5 * theta * (theta + 1)


@njit(cache=True, error_model="numpy")
def _parts(here, left, right, least):
    """Return into how many parts to cut a cell whose neighbours go to `left` and `right`: two a cell of what it covers."""
    stretch = 0.5 * max(abs(here - left), abs(right - here))
    return max(least, min(int(np.ceil(4.0 * stretch)), MOST_PARTS))


@region(700)
def carry_2d(mass, tx, ty, least, out, cost):
    """Carry mass[i, j] to (tx, ty), in units of cells, by bilinear shares; cells are cut finer where the map stretches.

    `out` (blocks, n, m) receives the mass, one layer a block of rows, so that no two threads write to one place;
    `cost` (blocks,) the sums of share·|target − source|², in cells².
    """
    blocks, n, m = out.shape
    for b in prange(blocks):
        out[b] = 0.0
        total = 0.0
        for i in range(b * n // blocks, (b + 1) * n // blocks):
            up, down = max(i - 1, 0), min(i + 1, n - 1)
            for j in range(m):
                if mass[i, j] <= 0:
                    continue
                back, fore = max(j - 1, 0), min(j + 1, m - 1)
                na = max(
                    _parts(tx[i, j], tx[up, j], tx[down, j], least), _parts(ty[i, j], ty[up, j], ty[down, j], least)
                )
                nb = max(
                    _parts(tx[i, j], tx[i, back], tx[i, fore], least), _parts(ty[i, j], ty[i, back], ty[i, fore], least)
                )
                part = mass[i, j] / (na * nb)
                for p in range(na):
                    u = (p + 0.5) / na - 0.5
                    i2 = down if u > 0 else up
                    u = abs(u)
                    for q in range(nb):
                        v = (q + 0.5) / nb - 0.5
                        j2 = fore if v > 0 else back
                        v = abs(v)
                        x = (1 - u) * ((1 - v) * tx[i, j] + v * tx[i, j2]) + u * ((1 - v) * tx[i2, j] + v * tx[i2, j2])
                        y = (1 - u) * ((1 - v) * ty[i, j] + v * ty[i, j2]) + u * ((1 - v) * ty[i2, j] + v * ty[i2, j2])
                        x = min(max(x, 0.0), n - 1.0)
                        y = min(max(y, 0.0), m - 1.0)
                        a, c = min(int(x), n - 2), min(int(y), m - 2)
                        fx, fy = x - a, y - c
                        for da in range(2):
                            wx = fx if da else 1 - fx
                            for dc in range(2):
                                w = part * wx * (fy if dc else 1 - fy)
                                out[b, a + da, c + dc] += w
                                total += w * ((a + da - i) ** 2 + (c + dc - j) ** 2)
        cost[b] = total


@region(700)
def carry_3d(mass, tx, ty, tz, least, out, cost):
    """Do the same in three dimensions, by trilinear shares; inside a cell the map is extended by differences."""
    blocks, n, m, l = out.shape
    for b in prange(blocks):
        out[b] = 0.0
        total = 0.0
        t = np.empty(3)
        cuts = np.empty(3, np.int64)
        near = np.empty((3, 2, 3))
        for i in range(b * n // blocks, (b + 1) * n // blocks):
            for j in range(m):
                for k in range(l):
                    if mass[i, j, k] <= 0:
                        continue
                    for side in range(2):
                        step = 2 * side - 1
                        i2 = min(max(i + step, 0), n - 1)
                        j2 = min(max(j + step, 0), m - 1)
                        k2 = min(max(k + step, 0), l - 1)
                        near[0, side, 0], near[0, side, 1], near[0, side, 2] = tx[i2, j, k], ty[i2, j, k], tz[i2, j, k]
                        near[1, side, 0], near[1, side, 1], near[1, side, 2] = tx[i, j2, k], ty[i, j2, k], tz[i, j2, k]
                        near[2, side, 0], near[2, side, 1], near[2, side, 2] = tx[i, j, k2], ty[i, j, k2], tz[i, j, k2]
                    t[0], t[1], t[2] = tx[i, j, k], ty[i, j, k], tz[i, j, k]
                    for axis in range(3):
                        cuts[axis] = least
                        for c in range(3):
                            cuts[axis] = max(cuts[axis], _parts(t[c], near[axis, 0, c], near[axis, 1, c], least))
                    part = mass[i, j, k] / (cuts[0] * cuts[1] * cuts[2])
                    for p in range(cuts[0]):
                        u = (p + 0.5) / cuts[0] - 0.5
                        for q in range(cuts[1]):
                            v = (q + 0.5) / cuts[1] - 0.5
                            for r in range(cuts[2]):
                                s = (r + 0.5) / cuts[2] - 0.5
                                x, y, z = t[0], t[1], t[2]
                                for axis, o in ((0, u), (1, v), (2, s)):
                                    side = 1 if o > 0 else 0
                                    x += abs(o) * (near[axis, side, 0] - t[0])
                                    y += abs(o) * (near[axis, side, 1] - t[1])
                                    z += abs(o) * (near[axis, side, 2] - t[2])
                                x = min(max(x, 0.0), n - 1.0)
                                y = min(max(y, 0.0), m - 1.0)
                                z = min(max(z, 0.0), l - 1.0)
                                a, c, e = min(int(x), n - 2), min(int(y), m - 2), min(int(z), l - 2)
                                fx, fy, fz = x - a, y - c, z - e
                                for da in range(2):
                                    for dc in range(2):
                                        for de in range(2):
                                            w = part * (fx if da else 1 - fx) * (fy if dc else 1 - fy)
                                            w *= fz if de else 1 - fz
                                            out[b, a + da, c + dc, e + de] += w
                                            square = (a + da - i) ** 2 + (c + dc - j) ** 2 + (e + de - k) ** 2
                                            total += w * square
        cost[b] = total
