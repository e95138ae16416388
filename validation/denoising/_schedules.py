"""½∫E|X − x̂|²|dSNR/dt|dt between two ratios, the noise on a few points: Gauss's rule in time with a bound of what it leaves.

The integrand is a formula of time. On an ellipse around each panel it is enclosed in complex rectangles that cover it, so
that it has no pole in there, and its size bounds the rest (`solvers.ellipse_rest`).
"""

import numpy as np

import mfgpde as mfg
from mfgpde.core.rectangles import Rectangle, filled

PANELS, POINTS, RHO, COVER = 32, 56, 1.5, (8, 4)
"""of the rule, and the ellipses: rectangles across half of each, and up"""


def ratio_of(process, t):
    """Return SNR = a²/V and −dSNR/dt of VP, cosine and straight paths, formulas of time."""
    if isinstance(process, mfg.VariancePreserving):
        gamma = 1.0 / np.expm1(process.integrated_beta(t))
        return gamma, process.beta(t) * (gamma * (1.0 + gamma))
    T = process.horizon
    if isinstance(process, mfg.processes.Cosine):
        start, speed = (0.5 * np.pi * one / (1 + process.offset) for one in (process.offset, 1 / T))
        left, noise = speed * (T - t), np.sin(speed * t) * np.sin(speed * t + 2 * start)
        return np.sin(left) ** 2 / noise, speed * np.sin(2.0 * left) * float(np.cos(start) ** 2) / noise**2
    return ((T - t) / t) ** 2, 2.0 * T * (T - t) / t**3


def error(law, believed, gamma, noise, weights):
    """Return E|X − x̂|² for X of one law and the denoiser of another, the noise at given points, ratios (n) or rectangles."""
    once, many = gamma, _of_ends(gamma, lambda end: np.tile(end, len(noise)))
    point = np.repeat(noise, len(many.real.lower[0]) // len(noise) if isinstance(many, Rectangle) else len(once))
    if isinstance(many, Rectangle):
        none = np.zeros_like(point)
        point = Rectangle.of(point, point, none, none)
    total, root, apart = 0.0, np.sqrt(many), 0.0
    for share, m, v in _parts(law):
        spread = 1.0 + many * v
        z = root * m + np.sqrt(spread) * point
        top = bottom = 0.0
        for w, mean, variance in _parts(believed):
            width = 1.0 + many * variance
            away = z - root * mean
            tilted = np.exp(-0.5 * (away**2 / width)) * (w / np.sqrt(width))
            top, bottom = tilted * ((mean + variance * (root * z)) / width) + top, tilted + bottom
        total, apart = (
            total + (share * v) / (1.0 + once * v),
            share * ((m + v * (root * z)) / spread - top / bottom) ** 2 + apart,
        )
    return total + _of_ends(apart, lambda end: weights @ end.reshape(len(weights), -1))


def _of_ends(values, f):
    """Return a linear map with coefficients ≥ 0 of numbers, or of the ends of rectangles."""
    if not isinstance(values, Rectangle):
        return f(values)
    parts = values.real.lower, values.real.upper, values.imaginary.lower, values.imaginary.upper
    return Rectangle.of(*(f(end[0]) for end in parts))


def _parts(law):
    return list(zip(law.weights.tolist(), law.means[:, 0].tolist(), law.covariances[:, 0, 0].tolist(), strict=True))


def errors(process, edges, law, believed, points):
    """Return E|X − x̂|²: its largest in each rectangle around the panels, at the rule's points, and at both ends."""
    places = filled(edges[:-1], edges[1:], RHO, *COVER), _times(edges), edges[[0, -1]]
    boxes, *numbers = (error(law, believed, ratio_of(process, one)[0], *points) for one in places)
    return boxes.largest, *numbers


def loss(process, edges, found, count):
    """Return the integral between the first and last of the edges of panels from `errors`, with `count` points of noise.

    Weights are those of the process given, at its own panels; errors of another one are then taken with them.
    """
    sizes, values, at_ends = found
    bounds, half = ratio_of(process, filled(edges[:-1], edges[1:], RHO, *COVER))[1].largest, 0.5 * np.diff(edges)
    sizes = (sizes * bounds).reshape(len(half), -1).max(axis=1)
    total = 0.5 * float(half @ (values * ratio_of(process, _times(edges))[1]).reshape(-1, POINTS) @ _rule()[1])
    rest = 0.5 * float(half @ sizes) * mfg.solvers.ellipse_rest(1.0, RHO, 2 * POINTS - 1)
    # ends are known to 1e-13, over which the integrand does not double
    ends = 2e-13 * float(np.sum(at_ends * ratio_of(process, edges[[0, -1]])[1]))
    how = f"Gauss's rule on {len(half)} panels, bounded on ellipses"
    return mfg.Estimate(total, rest + ends + 1e-13 * total, mfg.Kind.BOUND, how, f"noise on {count} points")


def _rule():
    return np.polynomial.legendre.leggauss(POINTS)


def _times(edges):
    return (0.5 * (edges[1:] + edges[:-1])[:, None] + 0.5 * np.diff(edges)[:, None] * _rule()[0]).ravel()
