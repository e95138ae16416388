"""Functions on the line that are analytic near it, with a polynomial of |x| that they do not exceed, and their means.

∫ f p over [−R, R] by Gauss–Legendre rules with bounds of their rests on ellipses (F. Johansson, ICMS 2018,
arXiv:1802.07942); beyond, |f| stays below its polynomial, whose truncated moments are closed forms.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Protocol

from mfgpde.proofs.ball import Ball, ball, precision

DEVIATIONS = 12.0
"""of the widest component, from the farthest mean to where the tails begin"""
TOLERANCE = 80
"""halvings that integrals are computed to"""


class Component(Protocol):
    """One Gaussian of a law: its share, mean and variance."""

    @property
    def weight(self) -> Ball:
        """The share."""
        ...

    @property
    def mean(self) -> Ball:
        """The mean."""
        ...

    @property
    def variance(self) -> Ball:
        """The variance."""
        ...


class Law(Protocol):
    """A density on the line at complex balls, and the Gaussians it is made of."""

    @property
    def parts(self) -> Sequence[Component]:
        """The Gaussians."""
        ...

    def derivative(self, z: Ball, order: int) -> Ball:
        """Return a derivative of the density at a point; that of order zero is the density."""
        ...


@dataclass(frozen=True, eq=False)
class Line:
    """A function of a complex ball, `at(z, analytic)`, and a polynomial with coefficients ≥ 0, |f(x)| ≤ bound(|x|).

    Sums, products and whole powers are functions of the same kind.

    >>> line = mfg.proofs.affine(1.0, 2.0)  # 1 + 2x
    >>> print((line * line - 1).bound)
    4.00000000000000*x^2 + 4.00000000000000*x + 2.00000000000000
    """

    at: Callable[[Ball, bool], Ball]
    bound: Ball

    def __add__(self, other: Line | Ball | float) -> Line:
        with precision():
            if isinstance(other, Line):
                return Line(lambda z, analytic: self.at(z, analytic) + other.at(z, analytic), self.bound + other.bound)
            a = ball(other)
            return Line(lambda z, analytic: self.at(z, analytic) + a, self.bound + abs(a))

    def __mul__(self, other: Line | Ball | float) -> Line:
        with precision():
            if isinstance(other, Line):
                return Line(lambda z, analytic: self.at(z, analytic) * other.at(z, analytic), self.bound * other.bound)
            a = ball(other)
            return Line(lambda z, analytic: self.at(z, analytic) * a, self.bound * abs(a))

    def __neg__(self) -> Line:
        return Line(lambda z, analytic: -self.at(z, analytic), self.bound)

    def __sub__(self, other: Line | Ball | float) -> Line:
        if not isinstance(other, Line):
            return self + -ball(other)
        with precision():
            return Line(lambda z, analytic: self.at(z, analytic) - other.at(z, analytic), self.bound + other.bound)

    def __radd__(self, other: Ball | float) -> Line:
        return self + other

    def __rmul__(self, other: Ball | float) -> Line:
        return self * other

    def __rsub__(self, other: Ball | float) -> Line:
        return -self + other

    def __pow__(self, power: int) -> Line:
        if isinstance(power, bool) or not isinstance(power, Integral) or power < 0:
            raise ValueError(f"whole powers are 0, 1, 2, …, got {power!r}")
        with precision():
            return Line(lambda z, analytic: self.at(z, analytic) ** power, self.bound**power)


def constant(value: Ball | float) -> Line:
    """Return a number as a function: it is one whatever it is asked at.

    >>> law = mfg.proofs.MovingMixture.of(mfg.gaussian(0.5, 2.0))
    >>> mfg.proofs.estimate(mfg.proofs.mean(law, mfg.proofs.constant(3.0)), "3").value
    3.0
    """
    import flint

    a = ball(value)
    with precision():
        return Line(lambda _, __: flint.acb(a), flint.arb_poly([abs(a)]))


def affine(offset: Ball | float, slope: Ball | float) -> Line:
    """Return offset + slope·x.

    >>> law = mfg.proofs.MovingMixture.of(mfg.gaussian(0.5, 2.0))
    >>> mfg.proofs.estimate(mfg.proofs.mean(law, mfg.proofs.affine(1.0, 2.0)), "E[1 + 2x]").value
    2.0
    """
    import flint

    a, b = ball(offset), ball(slope)
    with precision():
        bound = flint.arb_poly([abs(a), abs(b)])
    return Line(lambda z, _: a + b * z, bound)


def mean(law: Law, f: Line, *, tolerance: int = TOLERANCE) -> Ball:
    """Return ∫ f p as a ball that holds it, of a width of about 2^−`tolerance`: half of it takes a third of the time.

    Raises ValueError for a tolerance that is no whole number ≥ 1.

    >>> law = mfg.proofs.MovingMixture.of(mfg.gaussian(0.5, 2.0))
    >>> square = mfg.proofs.affine(0.0, 1.0) ** 2
    >>> moment = mfg.proofs.estimate(mfg.proofs.mean(law, square), "E x²")
    >>> moment.value, moment.half_width < 1e-20
    (2.25, True)
    """
    import flint

    if isinstance(tolerance, bool) or not isinstance(tolerance, Integral) or tolerance < 1:
        raise ValueError(f"the tolerance must be a whole number of halvings ≥ 1, got {tolerance!r}")
    with precision():
        reach = max(abs(float(one.mean)) + DEVIATIONS * float(one.variance) ** 0.5 for one in law.parts)
        small = flint.arb(2) ** -int(tolerance)

        def integrand(z: Ball, analytic: bool) -> Ball:
            return law.derivative(z, 0) * f.at(z, analytic)

        inside = flint.acb.integral(integrand, -reach, reach, rel_tol=small, abs_tol=small).real
        beyond = _beyond(law, f.bound, ball(reach))
        return inside + flint.arb(0, beyond.upper())


def _beyond(law: Law, bound: Ball, reach: Ball) -> Ball:
    """Return ∫ bound(|x|) p over |x| > reach: J_n = m J_{n−1} + (n−1)v J_{n−2} + v R^{n−1} N(R), on both sides."""
    import flint

    coefficients, total = bound.coeffs() or [flint.arb(0)], flint.arb(0)  # zero has none
    for one in law.parts:
        for m in (one.mean, -one.mean):
            v = one.variance
            edge = (-((reach - m) ** 2) / (2 * v)).exp() / (2 * flint.arb.pi() * v).sqrt()
            moments = [((reach - m) / (2 * v).sqrt()).erfc() / 2]
            for n in range(1, len(coefficients)):
                before = (n - 1) * v * moments[n - 2] if n > 1 else 0
                moments.append(m * moments[n - 1] + before + v * reach ** (n - 1) * edge)
            total += one.weight * sum((c * j for c, j in zip(coefficients, moments, strict=True)), flint.arb(0))
    return total
