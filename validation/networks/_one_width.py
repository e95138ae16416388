"""Blobs of one width, ν_j + C apart from each other, that move with a process: integrals over place and time, bounded.

With V = m²s + v, τ = V/m² and ζ = m x/V such a law is √(τ/2π) e^{−τζ²/2} Σ w_k e^{μ_kζ − μ_k²/2τ} dζ, and its score
(μ̄ − τζ)/(mτ), μ̄ the mean of the μ_k under the tilted weights. Off the real axis, and at complex times for real ζ, the
phases of the sum differ by a known θ, so that it is at least cos(θ/2) times the sum of sizes: no zero where θ < π, |μ̄| ≤
max|μ|/cos(θ/2), and all is bounded in closed form. Over ζ the trapezoid rule (`solvers.lattice_rest`, a strip), over time
Gauss's, on covers of ellipses in complex rectangles (`solvers.ellipse_rest`).
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

import mfgpde as mfg
from mfgpde.core.rectangles import Rectangle, filled
from mfgpde.core.taylor import NotEnclosed

POINTS, RHO, COVER = 24, 2.0, (8, 4)
"""of Gauss's rule on a panel of time, and its ellipse: rectangles across half of it, and up"""
REACH = 9.0
"""deviations around the blobs: beyond is below e^{−40}"""
STRIPS = (0.2, 0.35, 0.5, 0.65, 0.8, 0.9)
"""of the widest strip: the phases differ by so many parts of π"""
STEP = 0.75
"""of the trapezoid rule at most, in deviations of a blob"""
MOST = 2000
"""panels of time"""
ULP = 2.0**-52
ROUNDINGS = 64 * ULP


class Blobs(NamedTuple):
    """Weights and places μ_k of blobs of one width; the width is that of the frame."""

    weights: np.ndarray
    places: np.ndarray

    @property
    def far(self):
        """The largest |μ|."""
        return float(np.abs(self.places).max())

    def apart(self, power=1):
        """Return how far the μ^power lie apart."""
        return float(np.ptp(self.places**power))


class Frame(NamedTuple):
    """The law that weighs, τ(t), and another, perhaps: `spread` times as wide, its blobs at ν_j + C(t).

    The sum of the other is of e^{ν_j(ζ − C/τ)/spread − ν_j²·narrow/(2·spread)}, where `narrow` is 1/τ unless given; "lq" is not.
    """

    law: Blobs
    tau: Callable[[Any], Any]
    other: Blobs | None = None
    spread: float = 1.0
    offset: Callable[[Any], Any] = lambda t: 0.0 * t
    narrow: Callable[[Any], Any] | None = None


def expectation(frame, terms, t):
    """Return E of a sum of products at times t (n,), and a bound (n,) of what the trapezoid rule leaves of each.

    `terms(t)` returns triples: a factor, and two dicts of coefficients of the symbols "1", "z" (ζ), "p" (μ̄), "pp" (the tilted
    mean of μ²), "q", "qq" (of the other law) and "lp", "lq" (the logarithms of the sums): numbers or arrays (n,).
    """
    t = np.atleast_1d(np.asarray(t, dtype=float))
    tau, shift = (np.broadcast_to(np.asarray(f(t), dtype=float), t.shape) for f in (frame.tau, frame.offset))
    widest = np.pi / max(frame.law.apart(), frame.other.apart() / frame.spread if frame.other else 0.0, 1e-3)
    spacing = np.minimum(2 * np.pi * 0.8 * widest / 40, STEP / np.sqrt(tau))
    low = frame.law.places.min() / tau - REACH / np.sqrt(tau)
    high = frame.law.places.max() / tau + REACH / np.sqrt(tau)
    count = int(np.ceil((high - low) / spacing).max()) + 1
    z = low[:, None] + spacing[:, None] * np.arange(count)
    found = {"1": np.ones_like(z), "z": z}
    each = (
        np.log(frame.law.weights)
        - 0.5 * tau[:, None, None] * (z[..., None] - frame.law.places / tau[:, None, None]) ** 2
    )
    density = np.sqrt(tau / (2 * np.pi))[:, None] * np.exp(each).sum(axis=-1)
    _tilted(found, "p", frame.law, each, 0.5 * tau[:, None] * z**2)
    if frame.other:
        nu = frame.other.places
        narrow = frame.narrow(t) if frame.narrow else 1 / tau
        each = np.log(frame.other.weights) + nu / frame.spread * (z[..., None] - (shift / tau)[:, None, None])
        _tilted(found, "q", frame.other, each - nu**2 * narrow[:, None, None] / (2 * frame.spread), 0.0)
    values = np.zeros_like(z)
    for factor, left, right in terms(t):
        one, two = (sum(_column(c) * found[name] for name, c in form.items()) for form in (left, right))
        values = values + _column(factor) * one * two
    values = spacing[:, None] * density * values
    rest, missed = np.full(len(t), np.inf), mfg.solvers.lattice_rest
    for part in STRIPS:
        width = np.minimum(part * widest, 2 * np.pi / (spacing * tau))
        angles = width * frame.law.apart(), width * frame.other.apart() / frame.spread if frame.other else 0.0
        size = np.exp(0.5 * tau * width**2) * _largest(frame, terms(t), tau, 1 / tau, shift / tau, angles, width)
        left = [missed(float(s), float(w), float(h)) for s, w, h in zip(size, width, spacing, strict=True)]
        rest = np.minimum(rest, left)
    edge = 4 * (1 + REACH) ** 2 * np.exp(-0.5 * REACH**2)  # of (1 + z)² N(z), summed beyond on both sides
    beyond = edge * _largest(frame, terms(t), tau, 1 / tau, shift / tau, (0.0, 0.0), 1 / np.sqrt(tau))
    # a node is known to 4 ulp of μ/τ, and so is a blob's exponent
    off_nodes = 4 * ULP * REACH * frame.law.far / np.sqrt(tau)
    return values.sum(axis=1), rest + beyond + (ROUNDINGS + off_nodes) * np.abs(values).sum(axis=1)


def _tilted(found, name, blobs, logs, added):
    """Add the tilted means of μ and μ², and the logarithm of the sum."""
    top = logs.max(axis=-1, keepdims=True)
    shares = np.exp(logs - top)
    total = shares.sum(axis=-1)
    found[name] = shares @ blobs.places / total
    found[2 * name] = shares @ blobs.places**2 / total
    found["l" + name] = np.log(total) + top[..., 0] + added


def _column(c):
    return np.asarray(c, dtype=float)[..., None] if np.ndim(c) else c


def _largest(frame, terms, tau, inverse, shift, angles, up=0.0):
    """Return a bound of ∫|density·terms| over ζ = ξ + iη, |η| ≤ up: phases differ by `angles` at most, inverse is 1/τ.

    Of the factor e^{τη²/2} the caller knows. Of complex τ the real part falls off, and a blob is √(|τ|/Re τ)
    e^{μ²(1/Re τ − Re 1/τ)/2} times as heavy. What is said of "lp" and "lq" is for real times.
    """
    if isinstance(tau, Rectangle) and any({"lp", "lq"} & {*left, *right} for _, left, right in terms):
        raise ValueError("logarithms of sums are bounded at real times only: ask for them `at` a time, not `over_time`")
    real, size, rising = _real(tau), _size(tau), _real(inverse)
    cosines = [np.where(angle < np.pi, np.cos(0.5 * np.minimum(angle, np.pi)), 0.0) for angle in angles]
    with np.errstate(divide="ignore", invalid="ignore"):
        bounds = {"1": (1.0, 0.0), "z": (up, 1.0)}
        for name, blobs, cosine, spread, off in (
            ("p", frame.law, cosines[0], 1.0, 0.0),
            ("q", frame.other, cosines[1], frame.spread, _size(shift)),
        ):
            if blobs:
                far = blobs.far
                bounds[name], bounds[2 * name] = (far / cosine, 0.0), (far**2 / cosine, 0.0)
                still = far * (off + up) / spread + 0.5 * far**2 * _size(inverse) / spread - np.log(cosine)
                bounds["l" + name] = (still, far / spread)
        total = 0.0
        for w, mu in zip(*frame.law, strict=True):
            square = (mu / real) ** 2 + 1 / real
            heavy = w * np.sqrt(size / real) * np.exp(0.5 * mu**2 * np.maximum(1 / real - rising, 0.0))
            for factor, left, right in terms:
                (a, b), (c, d) = (_majorant(form, bounds) for form in (left, right))
                total = total + heavy * _size(factor) * (a * c + (a * d + b * c) * np.sqrt(square) + b * d * square)
    return np.where(np.isfinite(total) & (real > 0), total, np.inf)


def _majorant(form, bounds):
    """Return u and w of |form| ≤ u + w|ξ|."""
    pairs = [(_size(c), bounds[name]) for name, c in form.items()]
    return sum(c * u for c, (u, _) in pairs), sum(c * w for c, (_, w) in pairs)


def _size(c):
    """Return the largest |c|."""
    return c.largest if isinstance(c, Rectangle) else np.abs(c)


def _real(c):
    """Return the smallest real part."""
    return c.real.lower[0] if isinstance(c, Rectangle) else c


def _imaginary(c):
    """Return the largest imaginary part."""
    return c.imaginary.largest(0) if isinstance(c, Rectangle) else 0.0


def at(frame, terms, t):
    """Return E of a sum of products at one time."""
    value, rest = expectation(frame, terms, t)
    return mfg.Estimate(float(value[0]), float(rest[0]), mfg.Kind.BOUND, "sums over a lattice, bounded")


def over_time(frame, terms, start, end, tolerance=1e-9):
    """Return ∫E dt of a sum of products; panels are halved until Gauss's rule leaves less than the tolerance."""
    edges, kept, rest = np.linspace(start, end, 5), [], 0.0
    panels = np.stack((edges[:-1], edges[1:]))
    while panels.shape[1]:
        width = panels[1] - panels[0]
        each = 0.5 * width * _on_ellipses(frame, terms, panels) * mfg.solvers.ellipse_rest(1.0, RHO, 2 * POINTS - 1)
        good = each <= tolerance * width / (end - start)
        kept.append(panels[:, good])
        rest += float(each[good].sum())
        first, last = panels[:, ~good]
        middle = 0.5 * (first + last)
        panels = np.stack((np.concatenate((first, middle)), np.concatenate((middle, last))))
        if sum(one.shape[1] for one in kept) + panels.shape[1] > MOST:
            raise ValueError(f"more than {MOST} panels of time for a tolerance of {tolerance:g}")
    first, last = np.concatenate(kept, axis=1)
    u, w = np.polynomial.legendre.leggauss(POINTS)
    times = 0.5 * (first + last)[:, None] + 0.5 * (last - first)[:, None] * u
    weights = (0.5 * (last - first)[:, None] * w).ravel()
    values, off = expectation(frame, terms, times.ravel())
    bar = rest + float(weights @ off) + ROUNDINGS * float(weights @ np.abs(values))
    how = f"Gauss's rule on {len(first)} panels of time, sums over lattices: bounded"
    return mfg.Estimate(float(weights @ values), bar, mfg.Kind.BOUND, how)


def _on_ellipses(frame, terms, panels):
    """Return a bound of |E| at complex times in ellipses around panels (2, n), infinite where it may have a pole."""
    try:
        return _bounded(frame, terms, panels)
    except NotEnclosed:  # some coefficient has a pole somewhere
        n = panels.shape[1]
        if n == 1:
            return np.array([np.inf])
        return np.concatenate([_on_ellipses(frame, terms, part) for part in (panels[:, : n // 2], panels[:, n // 2 :])])


def _bounded(frame, terms, panels):
    t = filled(*panels, RHO, *COVER)
    with np.errstate(all="ignore"):
        tau = frame.tau(t)
        inverse, turned = 1.0 / tau, 0.0
        shift = frame.offset(t) * inverse
        angle = 0.5 * _imaginary(inverse) * frame.law.apart(2)
        if frame.other:
            lag = 0.5 * _imaginary(frame.narrow(t) if frame.narrow else inverse) * frame.other.apart(2)
            turned = (lag + _imaginary(shift) * frame.other.apart()) / frame.spread
        sizes = _largest(frame, terms(t), tau, inverse, shift, (angle, turned))
    return sizes.reshape(panels.shape[1], -1).max(axis=1)
