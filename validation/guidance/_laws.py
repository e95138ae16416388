"""What a score generates on the line, by its SDE, by its ODE, and by its SDE with Feynman–Kac weights; distances by quantiles.

Each number comes from two resolutions, the second half of the first: all rules are of order two, and extrapolated.
"""

import numpy as np
from scipy.integrate import solve_ivp
from scipy.linalg import solve_banded
from scipy.special import ndtr

import mfgpde as mfg

Z = np.linspace(-5.5, 5.5, 1201)
"""nodes of W₂: quantiles of N(0, 1), whose tails beyond hold 4e-8 of the mass"""
TAIL = 1e-9
G = 2 - np.sqrt(2)
WEIGHTS = np.exp(-0.5 * Z**2) / np.sqrt(2 * np.pi) * (Z[1] - Z[0])


def march(process, score, start, box, cells, steps, rate=None, stop=0.0):
    """Return x and the law at t = stop of ∂_τq = −∇·((−f + 2D s)q) + DΔq + rate·q, of mass one, from start(x) at the horizon.

    Exponentially fitted volumes, TR-BDF2 in the clock t = T u², which is finer where the noise ends.
    """
    h, T = 2 * box / cells, process.horizon
    x = -box + h * (np.arange(cells) + 0.5)
    faces = (-box + h * np.arange(1, cells))[:, None]
    q = start(x[:, None])
    q = q / (h * q.sum())
    clock = stop + (T - stop) * np.linspace(1, 0, steps + 1) ** 2
    for late, early in zip(clock, clock[1:], strict=False):
        t, dt = 0.5 * (late + early), late - early
        D = float(process.diffusivity(t))
        b = (2 * D * score(faces, t) - process.drift(faces, t))[:, 0]
        peclet = b * h / D
        left, right = D / h * bernoulli(-peclet), -D / h * bernoulli(peclet)  # flux at a face: left·q_i + right·q_{i+1}
        main = np.zeros(cells)
        main[:-1] -= left
        main[1:] += right
        gain = np.ones(cells)
        if rate is not None:  # Strang: half before, half after; capped where nothing lives, whose rounding would grow
            values = rate(x[:, None], t)
            gain = np.exp(0.5 * dt * np.minimum(values - values[q > TAIL * q.max()].max(), 0.0))
        q = gain * q
        bands = np.zeros((3, cells))
        bands[0, 1:], bands[1], bands[2, :-1] = -right, main, left
        bands /= h
        # TR-BDF2, which damps what the grid cannot resolve; its undershoots are below TAIL
        half = q + 0.5 * G * dt * product(bands, q)
        middle = solved(bands, 0.5 * G * dt, half)
        q = solved(bands, (1 - G) / (2 - G) * dt, (middle - (1 - G) ** 2 * q) / (G * (2 - G)))
        q = gain * np.maximum(q, 0.0)
        q /= h * q.sum()
    return x, q


def product(bands, q):
    """Return the tridiagonal matrix times q."""
    return bands[1] * q + np.append(bands[0, 1:] * q[1:], 0) + np.append(0, bands[2, :-1] * q[:-1])


def solved(bands, dt, right):
    """Return q with (I − dt A) q = right."""
    matrix = -dt * bands
    matrix[1] += 1
    return solve_banded((1, 1), matrix, right)


def bernoulli(z):
    """Return z/(e^z − 1)."""
    return np.where(np.abs(z) < 1e-8, 1 - 0.5 * z, z / np.where(z == 0, 1, np.expm1(np.clip(z, -500, 500))))


def quantiles_of(x, q):
    """Return the quantiles of a density of cell means at Φ(Z)."""
    h = x[1] - x[0]
    edges = np.append(x - h / 2, x[-1] + h / 2)
    cumulative = np.append(0.0, np.cumsum(np.maximum(q, 0)) * h)
    keep = np.append(True, np.diff(cumulative) > 1e-15)
    return np.interp(ndtr(Z), cumulative[keep] / cumulative[-1], edges[keep])


def by_sde(process, score, start, box, cells, **more):
    """Return quantiles of the SDE's law."""
    return quantiles_of(*march(process, score, start, box, cells, 2 * cells, **more))


def by_ode(process, score, start, stop=0.0):
    """Return quantiles of the ODE's law: the increasing image of those of the start."""
    x = np.linspace(-14, 14, 56001)
    q = np.exp(start.log_density(x[:, None])) if hasattr(start, "log_density") else start(x[:, None])
    points = quantiles_of(x, q)

    def velocity(t, y):
        return (process.drift(y[:, None], t) - float(process.diffusivity(t)) * score(y[:, None], t))[:, 0]

    return solve_ivp(velocity, (process.horizon, stop), points, rtol=1e-7, atol=1e-8, method="DOP853").y[:, -1]


def known(density, box=9.0):
    """Return quantiles of a density given as a function of points."""
    x = np.linspace(-box, box, 36001)
    return quantiles_of(x, density(x[:, None]))


def w2(a, b):
    """Return W₂ of two laws by their quantiles."""
    return float(np.sqrt(WEIGHTS @ (a - b) ** 2))


def refined(law, cells):
    """Return quantiles of law(cells) extrapolated from half the cells, order two, and that step in W₂: their bar."""
    fine, rough = law(cells), law(cells // 2)
    best = fine + (fine - rough) / 3
    return best, w2(best, fine) + 1e-6


def apart(a, b, at=""):
    """Return W₂ of two laws, each quantiles and their bar; of laws from two grids alone `at` names these."""
    kind = mfg.Kind.BOUND if at else mfg.Kind.EXTRAPOLATED
    return mfg.Estimate(w2(a[0], b[0]), a[1] + b[1] + 1e-9, kind, "volumes of order two on two grids", at)


def off(found, truth, at):
    """Return W₂ of quantiles found `at` some cells or steps to those of a closed form: what these leave, a known number."""
    return mfg.Estimate(w2(found, truth), 1e-9, mfg.Kind.BOUND, "against a closed form, quantiles to 1e-9", at)


def drawn(rng, blobs=2):
    """Return a mixture on the line."""
    share = rng.dirichlet(4 * np.ones(blobs))
    return mfg.GaussianMixture(share, rng.uniform(-1.5, 1.5, (blobs, 1)), rng.uniform(0.15, 0.4, blobs))
