"""What sums over cells and nodes of time miss of the family's integrals, bounded: mixtures and bumps at complex places and times.

With B the bumps, the network's density is p e^B/Z, and the integrands in space are p, ∇p and ∇²p times polynomials, B's
derivatives and e^B: entire. In time they are analytic where Re V_k > 0 for the variances V_k = m²v_k + v of all blobs, and
Z ≠ 0: on lines x = μ_k + √V_k ξ, where blobs are real, |B| ≤ b < π/2 gives |Z| ≥ e^{−b} cos b.
"""

from dataclasses import dataclass, fields

import numpy as np
from scipy.special import ndtr

import mfgpde as mfg
from mfgpde.core.rectangles import Rectangle, ellipse

RHOS = (1.1, 1.16, 1.22, 1.29, 1.36, 1.43, 1.5)
"""sizes of ellipses that are tried: each gives a bound, the least is taken"""
ARCS = 64
"""pieces of half an ellipse"""
EDGE = float(np.exp(-0.5))
"""the largest |u| e^{−u²/2}"""


def bumps(case):
    """Return the two bumps of a case."""
    return case.score.second.first, case.score.second.second


@dataclass(frozen=True)
class Sizes:
    """Bounds of |B|, |∇B|, |x·∇B|, |ΔB| and |∂_tB| at real places, of whatever shape the times are."""

    value: np.ndarray
    slope: np.ndarray
    radial: np.ndarray
    bend: np.ndarray
    speed: np.ndarray


def sizes(case, cosines, sines):
    """Return `Sizes` where |cos ωt| and |sin ωt| of the bumps are at most what is given."""
    d, rows = case.data.dimension, []
    for one, c, s in zip(bumps(case), cosines, sines, strict=True):
        S, w, far = abs(one.amplitude), one.width, float(np.linalg.norm(one.centre))
        rows.append(
            (S * c, S * c * EDGE / w, S * c * (far * EDGE / w + 2 / np.e), S * c * d / w**2, S * s * one.frequency)
        )
    return Sizes(*(a + b for a, b in zip(*rows, strict=True)))


@dataclass(frozen=True)
class OnEllipse:
    """Bounds on pieces of an ellipse: |D|, |a| of the drift −ax, ∫|p|, ∫|∇p|, ∫|∇²p|, `Sizes`; and of |Z| from below."""

    diffusivity: np.ndarray
    relaxation: np.ndarray
    mass: np.ndarray
    steep: np.ndarray
    bent: np.ndarray
    bumps: Sizes
    normaliser: float


def ellipses(case):
    """Return ρ and `OnEllipse` for all of `RHOS` where variances have a positive real part."""
    process, d = case.process, case.data.dimension
    z = joined([ellipse(case.stop, process.horizon, rho, ARCS) for rho in RHOS])
    parts = process.mean_coefficient(z), process.variance(z), process.diffusivity(z), process.relaxation(z)
    m, v, D, a = (one if isinstance(one, Rectangle) else z * 0.0 + one for one in parts)
    least = np.min([(m * m * float(C[0, 0]) + v).real.lower[0] for C in case.data.covariances], axis=0)
    kept = np.repeat((least.reshape(len(RHOS), ARCS) > 0).all(axis=1), ARCS)
    z, m, v, D, a = (only(one, kept) for one in (z, m, v, D, a))
    waves = [[f(one.frequency * z) for one in bumps(case)] for f in (np.cos, np.sin)]
    cosines, sines = ([one.largest for one in row] for row in waves)
    mass = steep = bent = 0.0
    tilted = np.zeros(kept.sum())  # |B| on the lines of any blob
    with np.errstate(over="ignore"):  # infinite bounds say nothing, and hold
        for w, mean, C in zip(case.data.weights, case.data.means, case.data.covariances, strict=True):
            V = m * m * float(C[0, 0]) + v
            least, root, away = V.real.lower[0], np.sqrt(V), sum(float(one) ** 2 for one in mean)
            imaginary = away * m.imaginary.largest(0) ** 2  # |Im μ|²
            # |N(x; μ, V)| is a Gaussian in x of variance |V|²/Re V, times this
            one = float(w) * (V.largest / least) ** (d / 2) * np.exp(imaginary / (2 * least))
            spread, near = V.largest**2 / least, np.sqrt(imaginary) * (1 + V.imaginary.largest(0) / least)
            first = (np.sqrt(d * spread) + near) / _smallest(V)  # E|x − μ| over |V|
            second = 2 * (d * spread + near**2) / _smallest(V) ** 2 + d / _smallest(V)
            mass, steep, bent = mass + one, steep + one * first, bent + one * second
            b = 0.0
            for bump, c in zip(bumps(case), cosines, strict=True):
                grown = 0.0
                for x, centre in zip(mean, bump.centre, strict=True):
                    offset = m * float(x) - float(centre)
                    grown = grown + (offset.imaginary * root.real - offset.real * root.imaginary).largest(0) ** 2
                b = b + abs(bump.amplitude) * c * np.exp(grown / (2 * bump.width**2 * least))
            tilted = np.maximum(tilted, b)
    by, rows = sizes(case, cosines, sines), []
    for k, rho in enumerate(np.array(RHOS)[kept[::ARCS]].tolist()):
        on = slice(k * ARCS, (k + 1) * ARCS)
        largest = float(tilted[on].max())  # inside it is less: analytic at every ξ
        normaliser = float(np.exp(-largest) * np.cos(largest)) if largest < 0.5 * np.pi else 0.0
        bounds = (one[on] for one in (D.largest, a.largest, mass, steep, bent))
        here = Sizes(*(getattr(by, field.name)[on] for field in fields(Sizes)))
        rows.append((rho, OnEllipse(*bounds, here, normaliser)))
    return rows


def joined(boxes):
    """Return rectangles of several lists in one."""
    ends = ((one.real.lower, one.real.upper, one.imaginary.lower, one.imaginary.upper) for one in boxes)
    return Rectangle.of(*(np.concatenate(row, axis=1)[0] for row in zip(*ends, strict=True)))


def only(box, kept):
    """Return some of many rectangles."""
    ends = (box.real.lower, box.real.upper, box.imaginary.lower, box.imaginary.upper)
    return Rectangle.of(*(end[0, kept] for end in ends))


def _smallest(V):
    """Return the least |V|."""
    return np.hypot(
        V.real.lower[0],
        np.where(
            (V.imaginary.lower[0] <= 0) & (V.imaginary.upper[0] >= 0),
            0.0,
            np.minimum(np.abs(V.imaginary.lower[0]), np.abs(V.imaginary.upper[0])),
        ),
    )


def rest_in_time(case, count, size, on):
    """Return what Clenshaw and Curtis's rule with an odd `count` of nodes misses of an integral from the stop to T at most.

    `size(bounds)` bounds the integrand on pieces of an ellipse, given as `OnEllipse`; `on` are `ellipses`.
    """
    half = 0.5 * (case.process.horizon - case.stop)
    with np.errstate(over="ignore", invalid="ignore"):
        largest = [np.nan_to_num(np.max(size(here)), nan=np.inf, posinf=np.inf) for _, here in on]
    return min(mfg.solvers.ellipse_rest(float(M), rho, count, half) for M, (rho, _) in zip(largest, on, strict=True))


def strip(case, times, width):
    """Return bounds for |Im x_i| ≤ width at times: of ∫|p|, ∫|∇p| and ∫|Δp| there, and `Sizes`."""
    d, rows = case.data.dimension, 0.0
    m, v = case.process.mean_coefficient(times), case.process.variance(times)
    off = width * np.sqrt(d)
    for w, C in zip(case.data.weights, case.data.covariances, strict=True):
        V = m**2 * float(C[0, 0]) + v
        first = (np.sqrt(d * V) + off) / V
        blob = np.stack((np.ones_like(V), first, 2 * (d * V + off**2) / V**2 + d / V))
        rows = rows + float(w) * np.exp(d * width**2 / (2 * V)) * blob
    found = np.zeros(5)
    for one in bumps(case):
        S, w = abs(one.amplitude), one.width
        grown = S * np.exp(d * width**2 / (2 * w**2))
        # |u| ≤ |Re u| + off/w, and |Re u| e^{−(Re u)²/2} ≤ EDGE, (Re u)² e^{…} ≤ 2/e
        slope = grown * (EDGE + off / w) / w
        radial = (float(np.linalg.norm(one.centre)) + off) * slope + grown * 2 * (2 / np.e + (off / w) ** 2)
        bend = grown * (2 * (2 / np.e + (off / w) ** 2) + d) / w**2
        found += np.array([grown, slope, radial, bend, grown * abs(one.frequency)])
    return rows, Sizes(*found)


def far_out(case, reach):
    """Return `Sizes` at real places where some |x_i| > reach: of bumps that fall from there on."""
    d, found = case.data.dimension, np.zeros(5)
    for one in bumps(case):
        S, w, off = abs(one.amplitude), one.width, float(np.linalg.norm(one.centre))
        u = (reach - off) / w
        if not u > 2:  # where u³e^{−u²/2} falls
            raise ValueError(f"a bump at {off:g} of width {w:g} is seen beyond {reach:g}")
        e = S * np.exp(-0.5 * u**2)
        found += np.array([e, e * u / w, e * u * (off + w * u) / w, e * (u**2 + d) / w**2, e * abs(one.frequency)])
    return Sizes(*found)


def outside(case, times, reach):
    """Return bounds of what a lattice leaves out of p and of |x|²p beyond |x_i| = `reach`, at times: as `solvers.tail`, 1.01 times."""
    d, found = case.data.dimension, np.zeros((2, len(times)))
    m, v = case.process.mean_coefficient(times), case.process.variance(times)
    for w, mean, C in zip(case.data.weights, case.data.means, case.data.covariances, strict=True):
        V = m**2 * float(C[0, 0]) + v
        for x in mean:
            far = m * abs(float(x))
            if not np.all(reach > 2 * far + np.sqrt(2 * V)):
                raise ValueError(f"x²p does not fall from {reach:g} on")
            edge, none = (
                np.exp(-((reach - far) ** 2) / (2 * V)) / np.sqrt(2 * np.pi * V),
                ndtr((far - reach) / np.sqrt(V)),
            )
            first = far * none + V * edge
            # the axis along which a point is farthest has |x|²/d
            found += 2.02 * float(w) * np.stack((none, d * (far * first + V * none + V * reach * edge)))
    return found
