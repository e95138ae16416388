"""Rectangles of complex numbers, which go through formulas: what bounds an analytic function off the real line.

A `Rectangle` in place of a time goes through arithmetic, whole powers, exp, expm1, sqrt, sin and cos, by NumPy's names too,
as through the coefficients of a process. Real and imaginary parts are intervals (`core.taylor`, without derivatives).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mfgpde.core.arrays import Array
from mfgpde.core.taylor import Jet, NotEnclosed


class Rectangle:
    """Numbers x + iy with x and y in intervals (1, n): all values of a formula on n rectangles at once, up to rounding.

    >>> from mfgpde.core.rectangles import Rectangle
    >>> z = Rectangle.of(np.array([0.0]), np.array([0.0]), np.array([1.0]), np.array([1.0]))  # i
    >>> float((z * z).real.upper[0, 0]), float(z.largest[0])
    (-1.0, 1.0)
    """

    def __init__(self, real: Jet, imaginary: Jet, square: Rectangle | None = None) -> None:
        self.real, self.imaginary, self.square = real, imaginary, square

    @classmethod
    def of(cls, left: Array, right: Array, low: Array, high: Array) -> Rectangle:
        """Return left ≤ x ≤ right, low ≤ y ≤ high."""
        return cls(Jet.constant(left, right, 0), Jet.constant(low, high, 0))

    @property
    def largest(self) -> Array:
        """The largest |z|."""
        return np.hypot(self.real.largest(0), self.imaginary.largest(0))

    def _other(self, other: Any) -> Rectangle:
        if isinstance(other, Rectangle):
            return other
        if isinstance(other, int | float | np.floating | np.integer) or (
            isinstance(other, np.ndarray) and not other.ndim and other.dtype != object
        ):
            zero = np.zeros_like(self.real.lower[0])
            return Rectangle.of(zero + float(other), zero + float(other), zero, zero)
        raise NotEnclosed(f"a formula mixes rectangles with {type(other).__name__}")

    def __add__(self, other: Any) -> Rectangle:
        one = self._other(other)
        return Rectangle(self.real + one.real, self.imaginary + one.imaginary)

    def __neg__(self) -> Rectangle:
        return Rectangle(-self.real, -self.imaginary)

    def __sub__(self, other: Any) -> Rectangle:
        return self + -self._other(other)

    def __rsub__(self, other: Any) -> Rectangle:
        return -self + other

    def __mul__(self, other: Any) -> Rectangle:
        one = self._other(other)
        if one is self:
            return self**2
        a, b, c, d = self.real, self.imaginary, one.real, one.imaginary
        return Rectangle(a * c - b * d, a * d + b * c)

    __radd__, __rmul__ = __add__, __mul__

    def __truediv__(self, other: Any) -> Rectangle:
        one = self._other(other)
        size = one.real**2 + one.imaginary**2
        return self * Rectangle(one.real / size, -one.imaginary / size)

    def __rtruediv__(self, other: Any) -> Rectangle:
        return self._other(other) / self

    def __pow__(self, power: Any) -> Rectangle:
        n = int(power)
        if n != power or not 0 <= n <= 64:
            raise NotEnclosed(f"a power of a rectangle is whole, got {power!r}")
        if n == 0:
            return self._other(1.0)
        if n % 2:
            return self if n == 1 else self * self ** (n - 1)
        if n > 2:
            return (self ** (n // 2)) ** 2
        if self.square is not None:
            return self.square
        return Rectangle(self.real**2 - self.imaginary**2, 2.0 * (self.real * self.imaginary))

    def __rpow__(self, base: Any) -> Rectangle:
        return (self * float(np.log(base))).exp()

    def exp(self) -> Rectangle:
        """Return e^z."""
        size = self.real.exp()
        return Rectangle(size * self.imaginary.cos(), size * self.imaginary.sin())

    def expm1(self) -> Rectangle:
        """Return e^z − 1."""
        return self.exp() - 1.0

    def cos(self) -> Rectangle:
        """Return cos z."""
        up, down = self.imaginary.exp(), (-self.imaginary).exp()
        return Rectangle(0.5 * (self.real.cos() * (up + down)), 0.5 * (self.real.sin() * (down - up)))

    def sin(self) -> Rectangle:
        """Return sin z."""
        return (self - 0.5 * np.pi).cos()

    def sqrt(self) -> Rectangle:
        """Return √z, which knows its square; where some real part is not positive that is all there is."""
        if not np.all(self.real.lower[0] > 0):
            blank = np.full_like(self.real.lower[0], np.nan)
            return Rectangle.of(blank, blank, blank, blank)._with(self)
        size = (self.real**2 + self.imaginary**2).sqrt()
        real = (0.5 * (size + self.real)).sqrt()
        return Rectangle(real, self.imaginary / (2.0 * real), self)

    def _with(self, square: Rectangle) -> Rectangle:
        return Rectangle(self.real, self.imaginary, square)


def ellipse(start: float, end: float, rho: float, arcs: int = 256) -> Rectangle:
    """Return rectangles over the upper half of the ellipse with foci `start` and `end`, half axes (ρ ± 1/ρ)(end − start)/4.

    An analytic function that is real between the foci is as large on the lower half. Raises ValueError unless ρ > 1.

    >>> from mfgpde.core.rectangles import ellipse
    >>> edge = ellipse(-1.0, 1.0, 2.0)
    >>> print(f"{edge.real.largest(0).max():.3f} {edge.imaginary.largest(0).max():.3f}")  # (2 ± ½)/2
    1.250 0.750
    """
    if not (rho > 1 and end > start):
        raise ValueError(f"an ellipse needs ρ > 1 and foci in order, got {rho!r}, {start!r}, {end!r}")
    turn = np.pi * np.arange(arcs + 1) / arcs
    angle, half = Jet.constant(turn[:-1], turn[1:], 0), 0.5 * (end - start)
    real = 0.5 * (start + end) + (0.5 * half * (rho + 1 / rho)) * angle.cos()
    return Rectangle(real, (0.5 * half * (rho - 1 / rho)) * angle.sin())


def filled(start: Array, end: Array, rho: float, across: int, up: int) -> Rectangle:
    """Return rectangles over all of the upper halves of ellipses with foci `start` and `end` (n,), those of each together.

    `across` half of each and `up` there are so many rectangles, but for those that lie outside. Foci and ρ as in `ellipse`.

    >>> from mfgpde.core.rectangles import filled
    >>> one = filled(np.array([-1.0]), np.array([1.0]), 2.0, 2, 1)
    >>> one.real.upper[0].tolist(), one.imaginary.upper[0].tolist()
    ([-0.625, 0.0, 0.625, 1.25], [0.75, 0.75, 0.75, 0.75])
    """
    if not (rho > 1 and np.all(end > start)):
        raise ValueError(f"ellipses need ρ > 1 and foci in order, got {rho!r}, {start!r}, {end!r}")
    half, middle = 0.5 * (end - start)[:, None], 0.5 * (end + start)[:, None]
    long, high = 0.5 * (rho + 1 / rho), 0.5 * (rho - 1 / rho)
    x, y = long * np.arange(-across, across + 1) / across, high * np.arange(up + 1) / up
    left, low = (one.ravel() for one in np.meshgrid(x[:-1], y[:-1], indexing="ij"))
    right, above = (one.ravel() for one in np.meshgrid(x[1:], y[1:], indexing="ij"))
    near = np.maximum(np.maximum(left, -right), 0.0)
    kept = (near / long) ** 2 + (low / high) ** 2 <= 1 + 1e-12
    sides = ((middle + half * one[kept]).ravel() for one in (left, right))
    return Rectangle.of(*sides, *((half * one[kept]).ravel() for one in (low, above)))
