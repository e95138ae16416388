"""Gaussian mixtures on the line at an instant, in balls: density, its derivatives in space and time, at complex points."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from mfgpde.densities import GaussianMixture
from mfgpde.proofs.ball import Ball, ball, precision
from mfgpde.proofs.instant import Instant
from mfgpde.proofs.line import Line, mean

ORDER = 3
"""derivatives in space of a density and of its speed"""


@dataclass(frozen=True)
class Part:
    """One Gaussian: its share, mean and variance, and how fast mean and variance move."""

    weight: Ball
    mean: Ball
    variance: Ball
    velocity: Ball
    growth: Ball


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

    def derivatives(self, z: Ball) -> tuple[list[Ball], list[Ball]]:
        """Return p, p′, …, p⁗ and ∂_t p, ∂_t p′ at a complex ball, by Hermite's recursion and ∂_t N = −ṁN′ + ½v̇N″."""
        import flint

        kept = self._kept.get("z")
        if kept is not None and kept[0] is z:
            return kept[1]
        sums, moved = [flint.acb(0) for _ in range(ORDER + 1)], [flint.acb(0) for _ in range(ORDER - 1)]
        for one, (height, sharp, steps) in zip(self.parts, self._constants, strict=True):
            away = z - one.mean
            y = -away * sharp
            terms = [height * (away * y / 2).exp()]
            terms.append(y * terms[0])
            for k in range(1, ORDER):
                terms.append(y * terms[k] - steps[k] * terms[k - 1])
            for k, term in enumerate(terms):
                sums[k] += term
            for k in range(ORDER - 1):
                moved[k] += one.growth / 2 * terms[k + 2] - one.velocity * terms[k + 1]
        self._kept["z"] = (z, (sums, moved))
        self._ratios.clear()
        return sums, moved

    def ratio(self, z: Ball, order: int) -> Ball:
        """Return a derivative over the density at a complex ball; what one formula asks of a point again is kept."""
        found, _ = self.derivatives(z)
        if order not in self._ratios:
            self._ratios[order] = found[order] / found[0]
        return self._ratios[order]

    @cached_property
    def _constants(self) -> list[tuple[Ball, Ball, list[Ball]]]:
        """Return w/√(2πv), 1/v and the numbers k/v of Hermite's recursion, of each Gaussian."""
        import flint

        with precision():
            return [
                (
                    one.weight / (2 * flint.arb.pi() * one.variance).sqrt(),
                    1 / one.variance,
                    [k / one.variance for k in range(ORDER)],
                )
                for one in self.parts
            ]

    @cached_property
    def _kept(self) -> dict[str, tuple[Ball, tuple[list[Ball], list[Ball]]]]:
        return {}

    @cached_property
    def _ratios(self) -> dict[int, Ball]:
        return {}

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
        return Line(lambda z, analytic: self.law.derivatives(z)[0][0].log(analytic=analytic), bound)

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
            found, moved = self.law.derivatives(z)
            return moved[0] / found[0]

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
            found, moved = self.law.derivatives(z)
            return (moved[1] - found[1] / found[0] * moved[0]) / found[0]

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
