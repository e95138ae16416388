"""Gaussian mixtures in the plane at an instant, in balls: densities with derivatives in space and time, and proved means.

∫∫ f is a sum over a lattice: where f is analytic for |Im z_i| ≤ a, the sum over all of it misses the integral by at most
M((1 + q)²/(1 − q)² − 1), q = e^{−2πa/h}, M = sup ∫∫|f(x + iy)| (L. N. Trefethen and J. A. C. Weideman, SIAM Review 56,
2014, theorem 5.1, axis by axis). The blobs of a mixture have one covariance: then p has no zero there, as the phases of its
terms are within a quarter turn. Beyond a square the sum is bounded by Cauchy and Schwarz.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import factorial
from typing import NamedTuple

import numpy as np

from mfgpde.densities import GaussianMixture
from mfgpde.proofs.ball import Ball, ball, precision
from mfgpde.proofs.instant import Instant

DEVIATIONS = 12.0
"""of the widest component along an axis, from the farthest mean to the end of the square"""
LEFT = 1e-16
"""of M: what the lattice may miss"""
BITS = 64
"""of midpoints"""
WIDEST = 0.8
"""|Im z_i| times the root of the largest 1/λ: further out |f| grows faster than the rest falls"""


class PlanarPart(NamedTuple):
    """One Gaussian: share, mean, covariance (xx, xy, yy), and the speeds of mean and covariance."""

    weight: Ball
    mean: tuple[Ball, Ball]
    covariance: tuple[Ball, Ball, Ball]
    velocity: tuple[Ball, Ball]
    growth: tuple[Ball, Ball, Ball]


class Values(NamedTuple):
    """A density, its slopes and its speed ∂_t at one point."""

    density: Ball
    slopes: tuple[Ball, Ball]
    speed: Ball


@dataclass(frozen=True, eq=False)
class PlanarMixture:
    """Σ_k w_k N(z; m_k, C_k) with ṁ_k and Ċ_k: a law in the plane and its speed at one instant.

    >>> law = mfg.proofs.PlanarMixture.of(mfg.gaussian(np.array([1.0, 0.0]), np.eye(2)))
    >>> unit = mfg.proofs.PlanarMixture.of(mfg.gaussian(0.0, 1.0, 2))
    >>> entropy = mfg.proofs.estimate(mfg.proofs.planar_entropy(law, unit), "KL")
    >>> abs(entropy.value - 0.5) < entropy.half_width < 1e-9, entropy.kind.name
    (True, 'PROVED')
    """

    parts: tuple[PlanarPart, ...]

    @classmethod
    def of(cls, law: GaussianMixture) -> PlanarMixture:
        """Return a mixture at rest. Raises ValueError in another dimension than two, and for blobs of several shapes."""
        if law.dimension != 2:
            raise ValueError(f"these balls are in the plane, got a mixture in dimension {law.dimension}")
        if np.any(law.covariances != law.covariances[0]):
            raise ValueError(
                "in the plane all blobs have one covariance, or p may have zeros near real points; got several"
            )
        rest, found = ball(0.0), []
        with precision():
            total = sum((ball(float(w)) for w in law.weights), rest)  # the doubles, whose sum is one up to rounding
            for w, m, C in zip(law.weights, law.means, law.covariances, strict=True):
                entries = tuple(ball(float(C[i, j])) for i, j in ((0, 0), (0, 1), (1, 1)))
                found.append(
                    PlanarPart(
                        ball(float(w)) / total,
                        (ball(float(m[0])), ball(float(m[1]))),
                        entries,
                        (rest,) * 2,
                        (rest,) * 3,
                    )
                )
        return cls(tuple(found))

    @classmethod
    def noised(cls, law: GaussianMixture, now: Instant) -> PlanarMixture:
        """Return what a process makes of a mixture until an instant, and how fast."""
        found = []
        with precision():
            m, v, noise = now.coefficient, now.variance, (1, 0, 1)
            for one in cls.of(law).parts:
                spread = tuple(m * m * c + v * e for c, e in zip(one.covariance, noise, strict=True))
                growth = tuple(
                    2 * m * now.speed * c + now.growth * e for c, e in zip(one.covariance, noise, strict=True)
                )
                mean, velocity = tuple(m * c for c in one.mean), tuple(now.speed * c for c in one.mean)
                found.append(PlanarPart(one.weight, mean, spread, velocity, growth))  # pyright: ignore[reportArgumentType]
        return cls(tuple(found))

    @cached_property
    def _ready(self) -> list[tuple[Ball, ...]]:
        """Return of each part w/(2π√|C|), the mean, C⁻¹, and the rest that does not depend on the point."""
        import flint

        rows = []
        for one in self.parts:
            a, b, c = one.covariance
            det = a * c - b * b
            rows.append((one.weight / (2 * flint.arb.pi() * det.sqrt()), *one.mean, c / det, -b / det, a / det))
        return rows

    def at(self, x: Ball, y: Ball, moving: bool) -> Values:
        """Return the values at a point; ∂_t N = −ṁ·∇N + ½ Ċ:∇∇N only where `moving`."""
        import flint

        density, along, across, speed = (flint.arb(0) for _ in range(4))
        for one, (size, m, n, a, b, c) in zip(self.parts, self._ready, strict=True):
            dx, dy = x - m, y - n
            px, py = a * dx + b * dy, b * dx + c * dy
            value = size * (-(dx * px + dy * py) / 2).exp()
            density += value
            along -= px * value
            across -= py * value
            if moving:
                (u, v), (g, h, k) = one.velocity, one.growth
                turned = g * (px * px - a) + 2 * h * (px * py - b) + k * (py * py - c)
                speed += value * (u * px + v * py + turned / 2)
        return Values(density, (along, across), speed)

    @cached_property
    def sizes(self) -> tuple[Ball, Ball, Ball, Ball, Ball, Ball]:
        """Return, from above, the largest |m|, 1/λ_min, |ṁ| and Σ|Ċ| of all parts, and |log| of p's roof and a peak."""
        import flint

        far = sharp = fast = grown = roof = flint.arb(0)
        floor = None
        for one, row in zip(self.parts, self._ready, strict=True):
            a, b, c = one.covariance
            far = _most(far, _length(one.mean))
            sharp = _most(sharp, (a + c) / (a * c - b * b))  # λ_min ≥ |C|/tr C
            fast = _most(fast, _length(one.velocity))
            grown = _most(grown, abs(one.growth[0]) + 2 * abs(one.growth[1]) + abs(one.growth[2]))
            roof += row[0]
            floor = abs(row[0].log()) if floor is None else floor
        return far, sharp, fast, grown, abs(roof.log()), floor

    def outside(self, reach: Ball, h: Ball) -> Ball:
        """Return a bound of the lattice's mass beyond |x| or |y| = reach: a geometric series, and all of the other axis."""
        import flint

        total = ball(0.0)
        for one in self.parts:
            for m, v in ((one.mean[0], one.covariance[0]), (one.mean[1], one.covariance[2])):
                for centre in (m, -m):
                    edge = (-(reach - centre) * (reach - centre) / (2 * v)).exp() / (2 * flint.arb.pi() * v).sqrt()
                    total += 2 * one.weight * h * edge / (1 - (-(reach - centre) * h / v).exp())
        return total

    def width(self) -> Ball:
        """Return a with |y·C⁻¹(m_j − m_k)| ≤ π/2 for |y_i| ≤ a: the terms of p are within a quarter turn there."""
        import flint

        widest = ball(WIDEST) / self.sizes[1].sqrt()
        for _, m, n, a, b, c in self._ready:
            for _, u, v, *_ in self._ready:
                turn = abs(a * (m - u) + b * (n - v)) + abs(b * (m - u) + c * (n - v))
                if turn.upper() > 0:
                    least = (flint.arb.pi() / 2 / turn.upper()).lower()
                    widest = least if bool(least < widest) else widest
        return widest.lower()

    def moment(self, n: int, far: Ball) -> Ball:
        """Return a bound of E(|z| + far)^{2n}: (a + b)^{2n} ≤ 2^{2n−1}(a^{2n} + b^{2n}) twice, E|ξ|^{2n} = 2ⁿn!."""
        total, twice = ball(0.0), 2 ** (2 * n - 1) if n else 1
        for one in self.parts:
            away, spread = _length(one.mean), one.covariance[0] + one.covariance[2]
            inside = twice * (_power(away, 2 * n) + _power(2 * spread, n) * factorial(n))
            total += one.weight * twice * (inside + _power(far, 2 * n))
        return total


def _length(pair: tuple[Ball, Ball]) -> Ball:
    """Return a bound of the length of a vector."""
    return abs(pair[0]).upper() + abs(pair[1]).upper()


def _power(x: Ball, n: int) -> Ball:
    """Return xⁿ by products: a power of a ball that holds zero is none in flint."""
    found = ball(1.0)
    for _ in range(n):
        found = found * x
    return found


def _most(a: Ball, b: Ball) -> Ball:
    return b.upper() if bool(b.upper() > a) else a


type Integrand = Callable[[Ball, Ball], Ball]


def planar_mean(law: PlanarMixture, f: Integrand, width: Ball, bound: Sequence[Ball], far: Ball) -> Ball:
    """Return ∫∫ f as a ball. Where |Im z_i| ≤ width, |f| ≤ Σ_k |w_k N_k| · Σ_j bound_j (|z| + far)^j."""
    import flint

    with precision(BITS):
        parts = law.parts
        ends = [
            abs(float(one.mean[k])) + DEVIATIONS * float(one.covariance[2 * k]) ** 0.5 for one in parts for k in (0, 1)
        ]
        near, grown = (
            far + 2 * width,
            (width * width * law.sizes[1]).exp(),
        )  # |z| ≤ |x| + √2 a; |N(x + iy)| ≤ e^{a²/λ} N(x)
        carried: Ball = sum((b * law.moment(j, near).sqrt() for j, b in enumerate(bound)), ball(0.0))
        size = grown * carried.upper()
        h = ball(float(2 * flint.arb.pi() * width / -flint.arb(LEFT).log()))
        q = (-2 * flint.arb.pi() * width / h).exp()
        missed = _power((1 + q) / (1 - q), 2) - 1
        n = int(max(ends) / float(h)) + 1
        points = [h * k for k in range(-n, n + 1)]
        total = flint.arb(0)
        for x in points:
            total += sum((f(x, y) for y in points), flint.arb(0))
        square = sum((len(bound) * b * b * law.moment(j, near) for j, b in enumerate(bound)), ball(0.0))
        if not bool(grown * missed < 1):
            raise ArithmeticError("the lattice is too coarse for its own bound; more bits, or wider blobs")
        # of p times the square of the polynomial the lattice's sum is at most twice the bound of the integral
        beyond = (2 * square * law.outside(h * n, h)).sqrt()
        return h * h * total + flint.arb(0, (size * missed + beyond).upper())


def planar_entropy(law: PlanarMixture, other: PlanarMixture) -> Ball:
    """Return KL(p‖q) = ∫∫ p (log p − log q) as a ball; see `PlanarMixture`.

    >>> law = mfg.proofs.PlanarMixture.of(mfg.gaussian(np.array([1.0, 0.5]), np.eye(2)))
    >>> unit = mfg.proofs.PlanarMixture.of(mfg.gaussian(0.0, 1.0, 2))
    >>> print(f"{float(mfg.proofs.planar_entropy(law, unit)):.9f}")  # half of |shift|²
    0.625000000
    """

    def integrand(x: Ball, y: Ball) -> Ball:
        p, q = law.at(x, y, False).density, other.at(x, y, False).density
        return p * (p / q).log()

    with precision(BITS):
        width = _width(law, other)
        return planar_mean(law, integrand, width, *_logarithms(law, other, width))


def planar_information(law: PlanarMixture, other: PlanarMixture) -> Ball:
    """Return E_p|∇log p − ∇log q|² as a ball.

    >>> law = mfg.proofs.PlanarMixture.of(mfg.gaussian(np.array([1.0, 0.5]), np.eye(2)))
    >>> unit = mfg.proofs.PlanarMixture.of(mfg.gaussian(0.0, 1.0, 2))
    >>> print(f"{float(mfg.proofs.planar_information(law, unit)):.9f}")  # |shift|²
    1.250000000
    """

    def integrand(x: Ball, y: Ball) -> Ball:
        one, two = law.at(x, y, False), other.at(x, y, False)
        gaps = [one.slopes[k] / one.density - two.slopes[k] / two.density for k in (0, 1)]
        return one.density * (gaps[0] * gaps[0] + gaps[1] * gaps[1])

    with precision(BITS):
        far = _most(law.sizes[0], other.sizes[0])
        steep = TURNED * (law.sizes[1] + other.sizes[1])  # each score is a mean of −C⁻¹(z − m_k), of weights that turn
        return planar_mean(law, integrand, _width(law, other), (ball(0.0), ball(0.0), steep * steep), far)


def planar_entropy_rate(law: PlanarMixture, other: PlanarMixture) -> Ball:
    """Return d/dt KL(p_t‖q) = ∫∫ ∂_t p (log p − log q) for a law that moves and one that rests, as a ball.

    >>> now = mfg.proofs.Instant.of(mfg.OrnsteinUhlenbeck(), 0.5)
    >>> law = mfg.proofs.PlanarMixture.noised(mfg.gaussian(np.array([1.0, 0.0]), 0.5 * np.eye(2)), now)
    >>> prior = mfg.proofs.PlanarMixture.of(mfg.gaussian(0.0, 0.5, 2))
    >>> print(f"{float(mfg.proofs.planar_entropy_rate(law, prior)):.9f}")  # of e^{−2t}: −2/e
    -0.735758882
    """

    def integrand(x: Ball, y: Ball) -> Ball:
        one, q = law.at(x, y, True), other.at(x, y, False).density
        return one.speed * (one.density / q).log()

    with precision(BITS):
        width = _width(law, other)
        (c0, c1, c2), far = _logarithms(law, other, width)
        _, sharp, fast, grown, _, _ = law.sizes
        s0, s1, s2 = (
            grown * sharp / 2,
            fast * sharp,
            grown * sharp * sharp / 2,
        )  # |∂_t N/N| ≤ s0 + s1 u + s2 u²
        bound = (s0 * c0, s0 * c1 + s1 * c0, s0 * c2 + s1 * c1 + s2 * c0, s1 * c2 + s2 * c1, s2 * c2)
        return planar_mean(law, integrand, width, bound, far)


TURNED = 1.4143
"""Σ|a_k|/|Σ a_k| at most, for numbers within a quarter turn: √2"""


def _width(law: PlanarMixture, other: PlanarMixture) -> Ball:
    one, two = law.width(), other.width()
    return one if bool(one < two) else two


def _logarithms(law: PlanarMixture, other: PlanarMixture, width: Ball) -> tuple[tuple[Ball, Ball, Ball], Ball]:
    """Return a polynomial in |z| + far that |log p − log q| does not exceed on the tube, and far.

    |log|p(z)|| ≤ |log p(x)| + a²/λ + log √2, and its phase is that of one term, |y·C⁻¹(x − m)|, within a quarter turn.
    """
    far, constant, line, square = (ball(0.0) for _ in range(4))
    for one in (law, other):
        m, sharp, _, _, roof, floor = one.sizes
        far = _most(far, m)
        constant += roof + floor + width * width * sharp + 2
        line, square = line + TURNED * width * sharp, square + sharp / 2
    return (constant, line, square), far
