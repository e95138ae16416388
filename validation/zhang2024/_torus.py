"""What solutions of ∂_sU = κΔU − ½c|∇U|² on a torus may be off, from values at some times: a bound by comparison.

W, the polynomial in time and trigonometric polynomial in space through the values, has the residual r, one of each kind
again. Solutions of the equation obey a maximum principle: |W − U|(s) ≤ |W − g|(0) + ∫₀ˢ sup|r|. A trigonometric polynomial of
degree N is below max/cos(πN/M) where max is that of M > 2N points at equal distances, a polynomial of degree N on an interval
below max/cos(πN/2K) with K > N Chebyshev points — H. Ehlich and K. Zeller, Math. Z. 86 (1964).
"""

import numpy as np

import mfgpde as mfg


def chebyshev(count, end):
    """Return the times ½(1 − cos(πj/m))·end, j = 0, …, m, for `count` of them."""
    return 0.5 * end * (1 - np.cos(np.pi * np.arange(count) / (count - 1)))


def refined(values, points):
    """Return Fourier coefficients of values (…, n, …, n) for `points` an axis, shape (times, points, …), space last."""
    axes = range(1, values.ndim)
    found = values.astype(complex)
    for axis in axes:
        n = values.shape[axis]
        c = np.moveaxis(np.fft.fft(found, axis=axis) / n, axis, -1)
        wide = np.zeros((*c.shape[:-1], points), dtype=complex)
        wide[..., : n // 2], wide[..., -(n // 2) + 1 :] = c[..., : n // 2], c[..., n // 2 + 1 :]
        wide[..., n // 2] = wide[..., -(n // 2)] = 0.5 * c[..., n // 2]  # the highest wave is a cosine
        found = np.moveaxis(wide * points, -1, axis)
    return found


def owed(values, times, kappa, kinetic, start):
    """Return what the last of `values` (times, n, …, n), n even, may be off at most; `times` are `chebyshev` ones from zero.

    `start` bounds |W − g| at time zero. The torus is [−π, π]^d.
    """
    count, d, n = len(times), values.ndim - 1, values.shape[1]
    order, degree = count - 1, 2 * (n // 2)  # of W in time; of r in space, twice that of W
    points, looks = 3 * degree, 4 * order
    within = 1 / np.cos(np.pi * degree / points) ** d / np.cos(np.pi * 2 * order / (2 * looks))
    end = float(times[-1])
    u = np.cos(np.pi * (np.arange(looks) + 0.5) / looks)
    T = np.polynomial.chebyshev.chebvander(2 * times / end - 1, order)
    carry = np.polynomial.chebyshev.chebvander(u, order) @ np.linalg.inv(T)
    slopes = np.polynomial.chebyshev.chebder(np.eye(order + 1), axis=0) * 2 / end
    change = np.polynomial.chebyshev.chebvander(u, order - 1) @ slopes @ np.linalg.inv(T)
    coefficients = refined(values, points)
    waves, axes = np.fft.fftfreq(points, 1 / points), tuple(range(1, d + 1))

    def at(weights, factor):  # at all looks
        return np.fft.ifftn(np.tensordot(weights, factor * coefficients, 1), axes=axes).real

    rest, square = at(change, 1.0), 0.0
    for axis in range(d):
        k = waves.reshape([-1 if j == axis else 1 for j in range(d)])
        square = square + at(carry, 1j * k) ** 2
        rest = rest - kappa * at(carry, -(k**2))
    rest = rest + 0.5 * kinetic * square
    return start + end * within * float(np.abs(rest).max()) + 1e-13 * float(np.abs(values).max())


def solved(equation, grid, potential, times, rtol):
    """Return values (times, n, …, n) of the solution by Fourier series."""
    found = mfg.solve(equation, mfg.Spectral(grid), potential, times, rtol=rtol)
    return np.stack([found.at(float(t)).at_points for t in times])
