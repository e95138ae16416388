"""Energies of drifts from zero to blobs of one width on a line, and KL to N(0, I), between bounds.

With V = t²v + c, c = t(1−t)(1 + bt(1−t)), r = V/t, ζ = xt/V and μ̄ the tilted mean of the blobs' places, u of `foellmer` is
    u = kζ + (1 + bt²(1−t)) μ̄/r,   k = v − 1 + b(1−t)(1−2t),
and across the line, where the law is Gaussian, E|u|² = |m|² + (d−1) t k²/r. Integrals over ζ and time as in `_one_width`.
"""

from pathlib import Path

import numpy as np

import mfgpde as mfg
from mfgpde.verify import load_module

lines = load_module(Path(__file__).parents[1] / "networks" / "_one_width.py")
BEGIN = 1e-12
"""where integrals over log t begin: before it energies are bounded by hand"""


def on_a_line(law):
    """Return blobs along their line, their variance, and the square of the mean across. Raises ValueError if it is none."""
    m, variance = law.means, float(law.covariances[0, 0, 0])
    if not np.array_equal(law.covariances, np.broadcast_to(variance * np.eye(law.dimension), law.covariances.shape)):
        raise ValueError("blobs need one width, the same in every direction")
    way = m[-1] - m[0] if len(m) > 1 else np.eye(law.dimension)[0]
    axis = way / np.linalg.norm(way)
    along = m @ axis
    across = m - along[:, None] * axis
    if np.abs(across - across[0]).max() > 1e-14 * np.abs(m).max():
        raise ValueError("blobs need to lie on one line")
    return lines.Blobs(law.weights, along), variance, float(across[0] @ across[0])


def divergence(law):
    """Return KL(μ‖N(0, I)), an Estimate.

    Along the line log μ is the sum's logarithm less (vζ² + log 2πv)/2, log N(0, 1) is −((vζ)² + log 2π)/2.
    """
    blobs, v, square = on_a_line(law)
    frame = lines.Frame(blobs, lambda t: v + 0.0 * t)
    along = [({"1": 1.0}, {"lp": 1.0, "1": -0.5 * float(np.log(v))}), ({"z": 0.5 * (v * v - v)}, {"z": 1.0})]
    across = 0.5 * (square + (law.dimension - 1) * (v - 1 - float(np.log(v))))
    found = lines.at(frame, lambda t: [(1.0, one, other) for one, other in along], 1.0)
    return found + mfg.Estimate(across, 1e-15 * (1 + across), mfg.Kind.BOUND, "Gaussian across")


def energy(law, bend=0.0, tolerance=1e-9):
    """Return ½∫E|u|²dt, an Estimate."""
    blobs, v, square = on_a_line(law)

    def kept(t):
        return v - 1 + bend * (1 - t) * (1 - 2 * t)

    def tau(log):  # V/t²
        t = np.exp(log)
        return v + (1 / t - 1) * (1 + bend * t * (1 - t))

    def terms(log):
        t = np.exp(log)
        drift = {"z": kept(t), "p": (1 + bend * t * t * (1 - t)) / (t * tau(log))}
        return [(0.5 * t, drift, drift)]

    def across(t):
        return t * kept(t) ** 2 / (t * v + (1 - t) * (1 + bend * t * (1 - t)))

    along = lines.over_time(lines.Frame(blobs, tau), terms, float(np.log(BEGIN)), 0.0, tolerance)
    # t ≤ 1e-12: u² ≤ 2k²ζ² + 2.1 max|μ|², Eζ² ≤ 2t
    first = BEGIN * (1.1 * blobs.far**2 + (1 + abs(v - 1) + abs(bend)) ** 2 * 4 * BEGIN)
    total = along + mfg.Estimate(0.5 * first, 0.5 * first, mfg.Kind.BOUND, "the begin, bounded")
    if law.dimension == 1:
        return total
    more = mfg.solvers.certified_integral(across, 0.0, 1.0, tolerance=1e-11)
    return total + 0.5 * ((law.dimension - 1) * more + mfg.Estimate(square, 1e-15, mfg.Kind.BOUND, "the mean across"))
