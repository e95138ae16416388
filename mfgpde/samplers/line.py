"""Laws on the line by their quantiles: exact distances, and the increasing maps from N(0, 1) to mixtures.

A law is given by points x_i at levels z_i, F(x_i) = Φ(z_i), each with a mass. An increasing map moves the points and leaves
the levels: the law that a deterministic sampler generates has no other error than that of quadrature in z.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.interpolate import PchipInterpolator
from scipy.special import ndtr, ndtri

from mfgpde.core.arrays import Array
from mfgpde.densities import GaussianMixture
from mfgpde.samplers.leaps import hidden, rough, shares

REACH = 8.2
"""levels beyond which less than 3e-16 of the mass lies"""
END, TAIL, NODES = 1.0, 9.5, 80
"""levels over which a tail's slope is taken, deviations to which a component is summed in it, by so many points"""


@dataclass(frozen=True, eq=False)
class Quantiles:
    """The increasing map Q with Q(z) ~ p for z ~ N(0, 1), of a mixture p on the line, and its inverse.

    >>> law = mfg.samplers.Quantiles(mfg.gaussian(1.0, 4.0))
    >>> law(np.array([-1.0, 0.5])).round(12).tolist(), law.level(np.array([3.0])).round(12).tolist()
    ([-1.0, 2.0], [1.0])
    """

    law: GaussianMixture

    def __post_init__(self) -> None:
        if self.law.dimension != 1:
            raise ValueError(f"quantiles are of laws on the line, this one is in dimension {self.law.dimension}")

    def __call__(self, z: Array) -> Array:
        """Return Q(z): by interpolation, then Newton's method in levels, where Q is smooth."""
        nodes = self._nodes()
        levels = self.level(nodes)
        rising = np.concatenate(([True], np.diff(np.maximum.accumulate(levels)) > 0))
        y = PchipInterpolator(levels[rising], nodes[rising], extrapolate=True)(z)
        low, high = nodes[0], nodes[-1]
        for _ in range(3):
            slope = np.exp(0.5 * z**2 + self.law.log_density(y[:, None])) * np.sqrt(2 * np.pi)
            step = np.where(slope > 1e-3, (self.level(y) - z) / np.maximum(slope, 1e-3), 0.0)  # not across gaps
            y = np.clip(y - np.clip(step, -0.1 * (high - low), 0.1 * (high - low)), low, high)
        return y

    def level(self, x: Array) -> Array:
        """Return Φ⁻¹(F(x)), from whichever tail is the smaller, so that none is lost to rounding."""
        from_left, from_right = self.tails(x)
        least = 1e-300
        return np.where(
            from_left < from_right, ndtri(np.maximum(from_left, least)), -ndtri(np.maximum(from_right, least))
        )

    def tails(self, x: Array) -> tuple[Array, Array]:
        """Return F(x) and 1 − F(x)."""
        away = (np.asarray(x)[..., None] - self.law.means[:, 0]) / np.sqrt(self.law.covariances[:, 0, 0])
        return ndtr(away) @ self.law.weights, ndtr(-away) @ self.law.weights

    def _nodes(self) -> Array:
        means, spreads = self.law.means[:, 0], np.sqrt(self.law.covariances[:, 0, 0])
        each = np.linspace(-9.5, 9.5, max(24, 3000 // len(means)))
        return np.unique(means[:, None] + spreads[:, None] * each)


@dataclass(frozen=True, eq=False)
class Line:
    """A law on the line: increasing points x_i, their levels z_i = Φ⁻¹(F(x_i)), and masses that sum to one."""

    points: Array
    levels: Array
    masses: Array
    densities: Array | None = None
    """q(x_i), where it is known otherwise than by how far apart the points are"""
    folded: bool = False
    """whether levels are sums of the masses of sorted images"""

    @classmethod
    def of(cls, law: GaussianMixture, count: int = 2049) -> Line:
        """Return a mixture at `count` equidistant levels."""
        z = np.linspace(-REACH, REACH, count)
        masses = np.exp(-0.5 * z**2)
        return cls(Quantiles(law)(z), z, masses / masses.sum())

    @classmethod
    def at(cls, levels: Array) -> Line:
        """Return N(0, 1) at levels that need not be equidistant, with the masses of the rule of trapezoids."""
        steps = np.diff(levels)
        masses = np.exp(-0.5 * levels**2) * (np.append(steps, steps[-1]) + np.insert(steps, 0, steps[0]))
        return cls(levels, levels, masses / masses.sum())

    def moved(self, images: Array) -> Line:
        """Return the law of T(X) from T(x_i).

        Where T decreases levels are those of X, turned round; where it does neither, sums of the masses of sorted images.
        """
        images = np.asarray(images, dtype=float).ravel()
        if images.shape != self.points.shape or not np.isfinite(images).all():
            raise ValueError(f"{int(np.sum(~np.isfinite(images)))} of {images.size} images are not finite numbers")
        if np.all(np.diff(images) >= 0):
            return Line(images, self.levels, self.masses)
        if np.all(np.diff(images) <= 0):
            return Line(images[::-1], -self.levels[::-1], self.masses[::-1])
        order = np.argsort(images, kind="stable")
        masses = self.masses[order]
        left, right = np.cumsum(masses) - 0.5 * masses, np.cumsum(masses[::-1])[::-1] - 0.5 * masses
        least = 1e-300
        levels = np.where(left < right, ndtri(np.maximum(left, least)), -ndtri(np.maximum(right, least)))
        return Line(images[order], levels, masses, folded=True)

    def halved(self) -> Line:
        """Return the same law by every second point."""
        masses = self.masses[::2]
        densities = self.densities[::2] if self.densities is not None else None
        return Line(self.points[::2], self.levels[::2], masses / masses.sum(), densities, self.folded)

    def moved_twice(self, images: Array) -> tuple[Line, Line]:
        """Return the law of T(X) by all of its points, and by every second one, whose levels are its own."""
        return self.moved(images), self.halved().moved(np.asarray(images, dtype=float).ravel()[::2])

    @property
    def mean(self) -> float:
        """The mean."""
        return float(self.masses @ self.points)

    @property
    def variance(self) -> float:
        """The variance."""
        return float(self.masses @ (self.points - self.mean) ** 2)

    def wasserstein(self, target: Callable[[Array], Array], order: int = 2) -> float:
        """Return W_order to the law with quantiles Q(z)."""
        gap = np.abs(self.points - target(self.levels))
        return float((self.masses @ gap**order) ** (1 / order))

    def hidden(self, target: Callable[[Array], Array], order: int = 2) -> float:
        """Return what W_order may owe to leaps between points, and, where levels are not equidistant, to their steps."""
        whole = float(self.masses @ np.abs(self.points - target(self.levels)) ** order)
        return hidden(float(self.owed(target, order).sum()), whole, order)

    def owed(self, target: Callable[[Array], Array], order: int = 2) -> Array:
        """Return what W^order may owe to each interval, as `hidden` counts it."""
        q = target(self.levels)
        owed = shares(self.points, q, self.spans, order)
        return owed + rough(self.points, q, self.levels, order) if self.uneven else owed

    def turns(self, target: Callable[[Array], Array]) -> float:
        """Return what W₁ may owe to turns of |x − Q| between points: the rule of sums is of order two at them."""
        gap = self.points - target(self.levels)
        turned = gap[1:] * gap[:-1] <= 0
        return float(np.sum(np.where(turned, self.spans[1] * np.abs(np.diff(gap)), 0.0)))

    @property
    def uneven(self) -> bool:
        """Whether levels are not equidistant, though the map does not fold."""
        return not (self.folded or self.densities is not None or _equidistant(self.levels))

    @property
    def spans(self) -> tuple[Array, Array]:
        """How long the intervals between points are in levels (one, where levels are sums of masses), and their masses.

        Masses are no less than the true ones: of the point with more where all points stand for as much, by the density's
        larger end elsewhere.
        """
        steps = np.diff(self.levels)
        if not self.uneven:
            return np.ones_like(steps), np.maximum(self.masses[1:], self.masses[:-1])
        bells = np.exp(-0.5 * self.levels**2) / np.sqrt(2 * np.pi)
        return steps, steps * np.maximum(bells[1:], bells[:-1])

    def kolmogorov(self, law: Quantiles) -> float:
        """Return sup |F − F_p|: at the points, where F may jump from either side."""
        return float(self._apart(law).max())

    def between(self, law: Quantiles) -> float:
        """Return by how much |F − F_p| may be larger between points: its second difference; of folds a level's mass."""
        apart = self._apart(law)
        k = int(np.clip(np.argmax(apart), 1, len(apart) - 2))
        folded = self.densities is None and not _equidistant(self.levels)
        return float(abs(2 * apart[k] - apart[k - 1] - apart[k + 1]) + (self.masses.max() if folded else 0.0))

    def _apart(self, law: Quantiles) -> Array:
        left, right = law.tails(self.points)
        ours_left, ours_right = ndtr(self.levels), ndtr(-self.levels)
        return np.minimum(np.abs(left - ours_left), np.abs(right - ours_right))

    def density(self) -> Array:
        """Return q(x_i) = φ(z_i)/x′(z_i), by differences of order six; infinite where several levels share a point."""
        if self.densities is not None:
            return self.densities
        slope = derivative(self.points, self.levels)
        bell = np.exp(-0.5 * self.levels**2) / np.sqrt(2 * np.pi)
        return np.divide(bell, slope, out=np.full_like(bell, np.inf), where=slope > 0)

    def divergence_from(self, law: GaussianMixture) -> tuple[float, float]:
        """Return KL(p‖q), and what it may owe to p beyond the points; infinite if q has atoms or folds.

        There levels are thought to go on as they do between the last points, so that q falls as a Gaussian does. What p
        has there is counted, and may be twice that or nothing.
        """
        if self.densities is None and not _equidistant(self.levels):
            return np.inf, np.inf
        q = self.density()
        if not (np.isfinite(q).all() and q.min() > 0):
            return np.inf, np.inf
        log_p = law.log_density(self.points[:, None])
        share, ratio = np.exp(log_p) * self._widths(), log_p - np.log(q)
        missed = abs(1 - float(share.sum())) * (1 + 2 * float(np.abs(ratio[[0, -1]]).max()))
        outside = self._outside(law)
        return float(share @ ratio) + outside, missed + abs(outside)

    def _outside(self, law: GaussianMixture) -> float:
        """Return ∫ p log p/q beyond the points, where q's levels go on along the chords over the last `END` of them."""
        total, (t, w) = 0.0, np.polynomial.legendre.leggauss(NODES)
        means, spreads = law.means[:, 0], np.sqrt(law.covariances[:, 0, 0])
        for x, z, sign in ((self.points, self.levels, 1.0), (-self.points[::-1], -self.levels[::-1], -1.0)):
            k = int(np.clip(np.searchsorted(z, z[-1] - END), 1, len(z) - 1)) - 1
            slope = (z[-1] - z[k]) / (x[-1] - x[k])
            low, high = np.maximum(x[-1], sign * means - TAIL * spreads), sign * means + TAIL * spreads
            for share, m, s, a, b in zip(law.weights, sign * means, spreads, low, high, strict=True):
                if a < b:
                    y = 0.5 * (a + b) + 0.5 * (b - a) * t
                    log_q = np.log(slope) - 0.5 * (z[-1] + slope * (y - x[-1])) ** 2 - 0.5 * np.log(2 * np.pi)
                    bell = np.exp(-0.5 * ((y - m) / s) ** 2) / (s * np.sqrt(2 * np.pi))
                    total += share * 0.5 * (b - a) * float((w * bell) @ (law.log_density(sign * y[:, None]) - log_q))
        return total

    def _widths(self) -> Array:
        """Return what each point stands for, in x."""
        if self.densities is not None:
            return self.masses / self.densities
        return derivative(self.points, self.levels) * (self.levels[1] - self.levels[0])


SIXTH = np.array([-1.0, 9.0, -45.0, 0.0, 45.0, -9.0, 1.0]) / 60.0


def derivative(values: Array, at: Array) -> Array:
    """Return the derivative by differences of order six between equidistant arguments; of order two elsewhere."""
    slope = np.gradient(values, at)
    if len(at) > 8 and _equidistant(at):
        slope[3:-3] = np.convolve(values, SIXTH[::-1], mode="valid") / (at[1] - at[0])
    return slope


def _equidistant(at: Array) -> bool:
    steps = np.diff(at)
    return bool(np.allclose(steps, steps[0], rtol=1e-9))
