"""Gaussian mixtures on the line at an instant, in balls: density, its derivatives in space and time, at complex points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from mfgpde.densities import GaussianMixture
from mfgpde.proofs.ball import Ball, ball, precision
from mfgpde.proofs.instant import Instant
from mfgpde.proofs.line import Line, mean


@dataclass(frozen=True)
class Part:
    """One Gaussian: its share, mean and variance, and how fast mean and variance move."""

    weight: Ball
    mean: Ball
    variance: Ball
    velocity: Ball
    growth: Ball


class _Constants(NamedTuple):
    """Of one Gaussian: m, w/√(2πv), −1/v, −1/2v, ṁ and ½v̇."""

    mean: Ball
    height: Ball
    pull: Ball
    half: Ball
    velocity: Ball
    growth: Ball


class _Point:
    """Derivatives of all Gaussians at a complex ball, as far as they were asked for, and their sums."""

    def __init__(self, z: Ball, constants: Sequence[_Constants]) -> None:
        self.z, self.constants = z, constants
        away = [z - one.mean for one in constants]
        first = [one.height * (x * x * one.half).exp() for one, x in zip(constants, away, strict=True)]
        self.pulled = [x * one.pull for one, x in zip(constants, away, strict=True)]
        self.terms, self.sums, self.ratios = [first], [sum(first)], dict[int, Ball]()

    def climb(self) -> None:
        """Add the next derivative: N^{(k+1)} = yN^{(k)} − (k/v)N^{(k−1)}, y = −(z − m)/v."""
        *_, last = self.terms
        terms, k = [y * term for y, term in zip(self.pulled, last, strict=True)], len(self.terms) - 1
        if k:
            terms = [
                term + k * one.pull * low for term, one, low in zip(terms, self.constants, self.terms[-2], strict=True)
            ]
        self.terms.append(terms)
        self.sums.append(sum(terms))

    def speed(self, order: int) -> Ball:
        """Return ∂_t of the derivative of some order."""
        pairs = zip(self.constants, self.terms[order + 1], self.terms[order + 2], strict=True)
        return sum(one.growth * high - one.velocity * low for one, low, high in pairs)


@dataclass(frozen=True, eq=False)
class MovingMixture:
    """Σ_k w_k N(x; m_k, v_k) with ṁ_k and v̇_k: a law and its speed at one instant.

    >>> now = mfg.proofs.Instant.of(mfg.OrnsteinUhlenbeck(), 0.5)
    >>> law = mfg.proofs.MovingMixture.noised(mfg.GaussianMixture([0.5, 0.5], [[-1.0], [1.0]], 0.25), now)
    >>> score = law.log_density.slope
    >>> slope = mfg.proofs.estimate(mfg.proofs.mean(law, score), "∫∇p")
    >>> 0.0 in slope, slope.half_width < 1e-20
    (True, True)
    """

    parts: tuple[Part, ...]

    @classmethod
    def of(cls, law: GaussianMixture) -> MovingMixture:
        """Return a mixture at rest. Raises ValueError in more dimensions than one."""
        if law.dimension != 1:
            raise ValueError(f"balls are on the line, got a mixture in dimension {law.dimension}")
        rest = ball(0.0)
        with precision():
            total = sum((ball(float(w)) for w in law.weights), rest)  # the doubles, whose sum is one up to rounding
            parts = (
                Part(ball(float(w)) / total, ball(float(m)), ball(float(v)), rest, rest)
                for w, m, v in zip(law.weights, law.means[:, 0], law.covariances[:, 0, 0], strict=True)
            )
            return cls(tuple(parts))

    @classmethod
    def noised(cls, law: GaussianMixture, now: Instant) -> MovingMixture:
        """Return what a process makes of a mixture until an instant, and how fast."""
        with precision():
            m, v = now.coefficient, now.variance
            return cls(
                tuple(
                    Part(
                        one.weight,
                        m * one.mean,
                        m**2 * one.variance + v,
                        now.speed * one.mean,
                        2 * m * now.speed * one.variance + now.growth,
                    )
                    for one in cls.of(law).parts
                )
            )

    def derivative(self, z: Ball, order: int) -> Ball:
        """Return p or a derivative of it at a complex ball, by Hermite's recursion; no higher ones are computed.

        What formulas ask of one point again is kept, until they ask of another.
        """
        point = self._at(z)
        while len(point.sums) <= order:
            point.climb()
        return point.sums[order]

    def speed(self, z: Ball, order: int) -> Ball:
        """Return ∂_t p or a derivative of it at a complex ball: ∂_t N = −ṁN′ + ½v̇N″."""
        self.derivative(z, order + 2)
        return self._at(z).speed(order)

    def ratio(self, z: Ball, order: int) -> Ball:
        """Return a derivative over the density at a complex ball."""
        found = self.derivative(z, order)
        ratios = self._at(z).ratios
        if order not in ratios:
            ratios[order] = found / self.derivative(z, 0)
        return ratios[order]

    def _at(self, z: Ball) -> _Point:
        if not self._kept or self._kept[0].z is not z:
            self._kept[:] = [_Point(z, self._constants)]
        return self._kept[0]

    @cached_property
    def _constants(self) -> list[_Constants]:
        import flint

        with precision():
            return [
                _Constants(
                    one.mean,
                    one.weight / (2 * flint.arb.pi() * one.variance).sqrt(),
                    -1 / one.variance,
                    -1 / (2 * one.variance),
                    one.velocity,
                    one.growth / 2,
                )
                for one in self.parts
            ]

    @cached_property
    def _kept(self) -> list[_Point]:
        return []

    @cached_property
    def log_density(self) -> LogDensity:
        """Return log p and its derivatives as functions on the line."""
        return LogDensity(self)


@dataclass(frozen=True, eq=False)
class LogDensity:
    """log p of a mixture: `value`, `slope` s, `curvature` s′, `third` s″, `speed` ∂_t log p and `turning` ∂_t s.

    Each has a polynomial in |x| that it does not exceed: s is a mean of −(x − m_k)/v_k, and so on.
    """

    law: MovingMixture

    @cached_property
    def _extremes(self) -> tuple[Ball, Ball, Ball, Ball]:
        """Return the largest |m|, 1/v, |ṁ| and |v̇| of all components, from above."""
        parts = self.law.parts
        return (
            _largest(abs(one.mean) for one in parts),
            _largest(1 / one.variance for one in parts),
            _largest(abs(one.velocity) for one in parts),
            _largest(abs(one.growth) for one in parts),
        )

    @cached_property
    def _pulled(self) -> Ball:
        """Return the polynomial (|x| + max|m|) max 1/v, which |x − m_k|/v_k does not exceed."""
        import flint

        reach, sharp, _, _ = self._extremes
        return flint.arb_poly([reach * sharp, sharp])

    @cached_property
    def value(self) -> Line:
        """Return log p; it lies between its widest component's and the sum of all peaks."""
        import flint

        with precision():
            widest = max(self.law.parts, key=lambda one: float(one.variance.mid()))
            reach, _, _, _ = self._extremes
            roof, floor = ball(0.0), (widest.weight / (2 * flint.arb.pi() * widest.variance).sqrt()).log()
            for one in self.law.parts:
                roof += one.weight / (2 * flint.arb.pi() * one.variance).sqrt()
            far = flint.arb_poly([reach, 1])
            bound = far * far * (1 / (2 * widest.variance)) + abs(floor) + abs(roof.log())
        return Line(lambda z, analytic: self.law.derivative(z, 0).log(analytic=analytic), bound)

    @cached_property
    def slope(self) -> Line:
        """Return the score p′/p."""
        return Line(lambda z, _: self.law.ratio(z, 1), self._pulled)

    @cached_property
    def curvature(self) -> Line:
        """Return s′ = p″/p − s²."""
        with precision():
            _, sharp, _, _ = self._extremes
            bound = 2 * self._pulled * self._pulled + sharp

        def value(z: Ball, _: bool) -> Ball:
            return self.law.ratio(z, 2) - self.law.ratio(z, 1) ** 2

        return Line(value, bound)

    @cached_property
    def third(self) -> Line:
        """Return s″ = p‴/p − 3 s p″/p + 2 s³."""
        with precision():
            _, sharp, _, _ = self._extremes
            y = self._pulled
            bound = y * y * y + 3 * sharp * y + 3 * y * (y * y + sharp) + 2 * y * y * y

        def value(z: Ball, _: bool) -> Ball:
            s = self.law.ratio(z, 1)
            return self.law.ratio(z, 3) - 3 * s * self.law.ratio(z, 2) + 2 * s**3

        return Line(value, bound)

    @cached_property
    def speed(self) -> Line:
        """Return ∂_t log p = ∂_t p/p."""

        def value(z: Ball, _: bool) -> Ball:
            return self.law.speed(z, 0) / self.law.derivative(z, 0)

        with precision():
            return Line(value, self._moving)

    @cached_property
    def _moving(self) -> Ball:
        _, sharp, fast, grown = self._extremes
        y = self._pulled
        return fast * y + grown / 2 * (y * y + sharp)

    @cached_property
    def turning(self) -> Line:
        """Return ∂_t s = ∂_t p′/p − s ∂_t p/p."""

        def value(z: Ball, _: bool) -> Ball:
            law = self.law
            return (law.speed(z, 1) - law.ratio(z, 1) * law.speed(z, 0)) / law.derivative(z, 0)

        with precision():
            _, sharp, fast, grown = self._extremes
            y = self._pulled
            own = fast * (y * y + sharp) + grown / 2 * (y * y * y + 3 * sharp * y)
            return Line(value, own + y * self._moving)


def relative_entropy(law: MovingMixture, other: MovingMixture) -> Ball:
    """Return KL(p‖q) = ∫ p (log p − log q) as a ball.

    >>> shift, unit = (mfg.proofs.MovingMixture.of(mfg.gaussian(m, 1.0)) for m in (1.0, 0.0))
    >>> entropy = mfg.proofs.estimate(mfg.proofs.relative_entropy(shift, unit), "KL")
    >>> entropy.value, entropy.half_width < 1e-20
    (0.5, True)
    """
    return mean(law, law.log_density.value - other.log_density.value)


def _largest(numbers: object) -> Ball:
    """Return the largest upper end of balls."""
    return max((one.upper() for one in numbers), key=float)  # pyright: ignore[reportGeneralTypeIssues]
