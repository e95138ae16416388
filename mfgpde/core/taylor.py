"""Taylor coefficients of a function at all points of an interval at once, as intervals: what bounds its derivatives there.

A `Jet` in place of a number goes through any formula of arithmetic, powers, exp, log, sqrt, sin, cos and tanh, by NumPy's
names too; whatever asks for a value, or compares, is refused. — R. E. Moore, *Interval analysis* (1966), chapter 11.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np

from mfgpde.core.arrays import Array


class NotEnclosed(TypeError):
    """A function that is no formula of what a Jet goes through: its derivatives are not bounded by intervals."""


def called(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a formula with Taylor coefficients; NotEnclosed where it is none."""
    try:
        found = function(*arguments)
    except NotEnclosed:
        raise
    except Exception as problem:  # whatever a user's function does with coefficients in place of numbers
        raise NotEnclosed(f"no formula: {type(problem).__name__}: {str(problem)[:100]}") from problem
    return found.item() if isinstance(found, np.ndarray) and found.ndim == 0 else found


class Jet:
    """Intervals lower, upper (n + 1, …) that hold f^(k)(x)/k!, k = 0 … n, for every x of an interval; up to rounding.

    >>> from mfgpde.core.taylor import Jet
    >>> x = Jet.variable(np.array([0.0]), np.array([0.5]), 3)
    >>> (x * x).lower[:, 0].tolist(), (x * x).upper[:, 0].tolist()  # x², 2x, 1, 0 on [0, ½]
    ([0.0, 0.0, 1.0, 0.0], [0.25, 1.0, 1.0, 0.0])
    """

    def __init__(self, lower: Array, upper: Array, square: Jet | None = None, top: int | None = None) -> None:
        self.lower, self.upper, self.square = lower, upper, square
        self.top = len(lower) - 1 if top is None else min(top, len(lower) - 1)
        """the last coefficient that is not zero for certain"""

    @classmethod
    def constant(cls, lower: Any, upper: Any, order: int) -> Jet:
        """Return an interval that does not move."""
        ends = np.broadcast_arrays(np.asarray(lower, dtype=float), np.asarray(upper, dtype=float))
        lower, upper = (np.concatenate((end[None], np.zeros((order, *end.shape)))) for end in ends)
        return cls(lower, upper, top=0)

    @classmethod
    def variable(cls, lower: Any, upper: Any, order: int) -> Jet:
        """Return the variable itself on an interval."""
        found = cls.constant(lower, upper, order)
        found.lower[1] = found.upper[1] = 1.0
        found.top = 1
        return found

    @property
    def order(self) -> int:
        """The highest derivative."""
        return len(self.lower) - 1

    def largest(self, k: int) -> Array:
        """Return the largest |f^(k)|/k!."""
        return np.maximum(np.abs(self.lower[k]), np.abs(self.upper[k]))

    def _of(self, other: Any) -> Jet:
        if isinstance(other, Jet):
            return other
        if isinstance(other, int | float | np.floating | np.integer):
            return Jet.constant(float(other), float(other), self.order)
        raise NotEnclosed(f"a formula mixes Taylor coefficients with {type(other).__name__}")

    def __add__(self, other: Any) -> Jet:
        if isinstance(other, np.ndarray):  # NumPy goes through its elements
            return NotImplemented
        one = self._of(other)
        return Jet(_sum(self.lower, one.lower), _sum(self.upper, one.upper), top=max(self.top, one.top))

    def __neg__(self) -> Jet:
        return Jet(-self.upper, -self.lower, top=self.top)

    def __sub__(self, other: Any) -> Jet:
        if isinstance(other, np.ndarray):
            return NotImplemented
        return self + -self._of(other)

    def __rsub__(self, other: Any) -> Jet:
        return -self + other

    def __mul__(self, other: Any) -> Jet:
        if isinstance(other, np.ndarray):
            return NotImplemented
        if isinstance(other, int | float | np.floating | np.integer):
            low, high = float(other) * self.lower, float(other) * self.upper
            return Jet(low, high, top=self.top) if other >= 0 else Jet(high, low, top=self.top)
        one = self._of(other)
        if one is self:
            return self._squared()
        return _product(self, one)

    __radd__, __rmul__ = __add__, __mul__

    def _squared(self) -> Jet:
        """Return the square, whose values are not negative; of a root what it is the root of."""
        if self.square is not None:
            return self.square
        found, ends = _product(self, self), np.sort(np.abs(np.stack((self.lower[0], self.upper[0]))), axis=0) ** 2
        inside = (self.lower[0] <= 0) & (self.upper[0] >= 0)
        found.lower[0], found.upper[0] = np.where(inside, 0.0, ends[0]), ends[1]
        return found

    def __truediv__(self, other: Any) -> Jet:
        if isinstance(other, np.ndarray):
            return NotImplemented
        if isinstance(other, int | float | np.floating | np.integer) and other != 0:
            low, high = self.lower / float(other), self.upper / float(other)
            return Jet(low, high, top=self.top) if other > 0 else Jet(high, low, top=self.top)
        return self * self._of(other) ** -1.0

    def __rtruediv__(self, other: Any) -> Jet:
        return self._of(other) / self

    def __pow__(self, power: Any) -> Jet:
        if isinstance(power, Jet):
            return (power * self.log()).exp()
        if float(power) == int(power) and 0 <= power <= 64:
            return self._whole(int(power))
        if not np.all(self.lower[0] > 0) and not (float(power) == -1.0 and np.all(self.upper[0] < 0)):
            raise NotEnclosed("a power or quotient of an interval that holds zero")
        ends = np.sort(np.stack((self.lower[0] ** float(power), self.upper[0] ** float(power))), axis=0)

        def row(k: int, before: Jet) -> tuple[Array, Array]:
            factors = (float(power) + 1) * np.arange(1.0, k + 1) - k
            total = _dot(self, before, range(1, k + 1), k, factors)
            return _times(total, _inverse(_at(self, 0)), 1 / k)

        return _built((ends[0], ends[1]), row, self.order)

    def __rpow__(self, base: Any) -> Jet:
        return (self * float(np.log(base))).exp()

    def _whole(self, power: int) -> Jet:
        if power == 0:
            return Jet.constant(np.ones_like(self.lower[0]), np.ones_like(self.lower[0]), self.order)
        if power % 2:
            return self if power == 1 else self * self._whole(power - 1)
        return self._whole(power // 2)._squared()

    def exp(self) -> Jet:
        """Return e^f: k e_k = Σ j f_j e_{k−j}."""

        def row(k: int, before: Jet) -> tuple[Array, Array]:
            return _dot(self, before, range(1, k + 1), k, np.arange(1.0, k + 1) / k)

        return _built((np.exp(self.lower[0]), np.exp(self.upper[0])), row, self.order)

    def expm1(self) -> Jet:
        """Return e^f − 1."""
        return self.exp() - 1.0

    def log(self) -> Jet:
        """Return log f."""
        if not np.all(self.lower[0] > 0):
            raise NotEnclosed("the logarithm of an interval that holds zero")
        inverse = _inverse(_at(self, 0))

        def row(k: int, before: Jet) -> tuple[Array, Array]:
            total = _at(self, k)
            for j in range(max(1, k - self.top), k):
                total = _plus(total, _times(_at(before, j), _at(self, k - j), -j / k))
            return _times(total, inverse, 1.0)

        return _built((np.log(self.lower[0]), np.log(self.upper[0])), row, self.order)

    def sqrt(self) -> Jet:
        """Return √f, which knows its square; of an interval that holds zero that is all there is."""
        return _Root(self)

    def tanh(self) -> Jet:
        """Return a = tanh f: k a_k = Σ j f_j q_{k−j}, q = 1 − a²."""
        a: list[Interval] = [(np.tanh(self.lower[0]), np.tanh(self.upper[0]))]
        squares = np.sort(np.abs(np.stack(a[0])), axis=0) ** 2
        least = np.where((self.lower[0] <= 0) & (self.upper[0] >= 0), 0.0, squares[0])
        q: list[Interval] = [(1 - squares[1], 1 - least)]
        for k in range(1, self.order + 1):
            slope, square = _zero(self.lower[0]), _zero(self.lower[0])
            for j in range(1, min(k, self.top) + 1):
                slope = _plus(slope, _times(_at(self, j), q[k - j], j / k))
            a.append(slope)
            for j in range(k + 1):
                square = _plus(square, _times(a[j], a[k - j], -1.0))
            q.append(square)
        return _stack(a)

    def sin(self) -> Jet:
        """Return sin f."""
        return self._waves()[0]

    def cos(self) -> Jet:
        """Return cos f."""
        return self._waves()[1]

    def _waves(self) -> tuple[Jet, Jet]:
        """Return sin f and cos f: k s_k = Σ j f_j c_{k−j}, k c_k = −Σ j f_j s_{k−j}."""
        a, b = self.lower[0], self.upper[0]
        s, c = [_wave(a, b)], [_wave(a + np.pi / 2, b + np.pi / 2)]
        for k in range(1, self.order + 1):
            sine, cosine = None, None
            for j in range(1, min(k, self.top) + 1):
                own = _at(self, j)
                more, less = _times(own, c[k - j], j / k), _times(own, s[k - j], -j / k)
                sine, cosine = (
                    (more, less) if sine is None or cosine is None else (_plus(sine, more), _plus(cosine, less))
                )
            s.append(_zero(a) if sine is None else sine)
            c.append(_zero(a) if cosine is None else cosine)
        return _stack(s), _stack(c)


class _Root(Jet):
    """√f, whose own coefficients are found when they are asked for: noise is mostly a root that is squared again."""

    def __init__(self, square: Jet) -> None:
        self.square, self.top = square, square.order

    @cached_property
    def _ends(self) -> Interval:
        assert self.square is not None
        if not np.all(self.square.lower[0] > 0):
            return np.full_like(self.square.lower, np.nan), np.full_like(self.square.upper, np.nan)
        found = self.square**0.5
        return found.lower, found.upper

    @property
    def lower(self) -> Array:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The lower ends."""
        return self._ends[0]

    @property
    def upper(self) -> Array:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The upper ends."""
        return self._ends[1]


def layer(matrix: Array, inputs: Jet, offset: Array | None = None) -> Jet:
    """Return W h + b of inputs (n + 1, inputs, …): (n + 1, width, …).

    >>> from mfgpde.core.taylor import Jet, layer
    >>> h = Jet(np.array([[[0.0], [1.0]]]), np.array([[[1.0], [2.0]]]))  # two inputs in [0, 1] and [1, 2]
    >>> out = layer(np.array([[1.0, -1.0]]), h, np.array([3.0]))
    >>> out.lower.item(), out.upper.item()
    (1.0, 3.0)
    """
    plus, minus = np.maximum(matrix, 0.0), np.minimum(matrix, 0.0)
    lower, upper = plus @ inputs.lower + minus @ inputs.upper, plus @ inputs.upper + minus @ inputs.lower
    if offset is not None:
        lower[0], upper[0] = lower[0] + offset[:, None], upper[0] + offset[:, None]
    return Jet(lower, upper, top=inputs.top)


type Interval = tuple[Array, Array]


def _at(jet: Jet, k: int) -> Interval:
    return jet.lower[k], jet.upper[k]


def _zero(like: Array) -> Interval:
    return np.zeros_like(like), np.zeros_like(like)


def _plus(a: Interval, b: Interval) -> Interval:
    return a[0] + b[0], a[1] + b[1]


def _times(a: Interval, b: Interval, factor: Any) -> Interval:
    scaled = a if isinstance(factor, float) and factor == 1.0 else (factor * a[0], factor * a[1])
    products = [x * y for x in scaled for y in b]
    low = np.minimum(np.minimum(products[0], products[1]), np.minimum(products[2], products[3]))
    high = np.maximum(np.maximum(products[0], products[1]), np.maximum(products[2], products[3]))
    return low, high


def _inverse(a: Interval) -> Interval:
    return 1 / a[1], 1 / a[0]


def _wave(a: Array, b: Array) -> Interval:
    """Return the range of the sine on [a, b]."""
    ends = np.sort(np.stack((np.sin(a), np.sin(b))), axis=0)
    top = np.floor((b - np.pi / 2) / (2 * np.pi)) >= np.ceil((a - np.pi / 2) / (2 * np.pi))
    bottom = np.floor((b + np.pi / 2) / (2 * np.pi)) >= np.ceil((a + np.pi / 2) / (2 * np.pi))
    return np.where(bottom, -1.0, ends[0]), np.where(top, 1.0, ends[1])


def _sum(a: Array, b: Array) -> Array:
    """Return a sum over the leading axis, other axes broadcast from behind."""
    shape = np.broadcast_shapes(a.shape[1:], b.shape[1:])
    return _spread(a, shape) + _spread(b, shape)


def _spread(a: Array, shape: tuple[int, ...]) -> Array:
    if a.shape[1:] == shape:
        return a
    return np.broadcast_to(a.reshape(len(a), *(1,) * (len(shape) + 1 - a.ndim), *a.shape[1:]), (len(a), *shape))


def _dot(a: Jet, b: Jet, indices: range, k: int, factors: Any = None) -> Interval:
    """Return Σ_j f_j a_j b_{k−j}, all products at once but those with a coefficient that is zero for certain."""
    shape = np.broadcast_shapes(a.lower.shape[1:], b.lower.shape[1:])
    first, last = max(indices.start, k - b.top), min(indices.stop - 1, a.top)
    if first > last:
        return np.zeros(shape), np.zeros(shape)
    one = [_spread(ends[first : last + 1], shape) for ends in (a.lower, a.upper)]
    other = [_spread(ends[k - last : k - first + 1][::-1], shape) for ends in (b.lower, b.upper)]
    if factors is None:
        scales = 1.0
    else:
        scales = factors[first - indices.start : last + 1 - indices.start].reshape(-1, *[1] * len(shape))
    low, high = _times((one[0], one[1]), (other[0], other[1]), scales)
    return low.sum(axis=0), high.sum(axis=0)


def _product(a: Jet, b: Jet) -> Jet:
    """Return the product; of what is zero for certain no sums are made."""
    shape, top = np.broadcast_shapes(a.lower.shape[1:], b.lower.shape[1:]), min(a.top + b.top, a.order)
    lower, upper = (np.zeros((a.order + 1, *shape)) for _ in range(2))
    for k in range(top + 1):
        lower[k], upper[k] = _dot(a, b, range(k + 1), k)
    return Jet(lower, upper, top=top)


def _stack(rows: list[Interval]) -> Jet:
    return Jet(np.stack([low for low, _ in rows]), np.stack([high for _, high in rows]))


def _built(first: Interval, row: Callable[[int, Jet], Interval], order: int) -> Jet:
    lower, upper = (np.empty((order + 1, *np.shape(one))) for one in first)
    lower[0], upper[0] = first
    for k in range(1, order + 1):
        lower[k], upper[k] = row(k, Jet(lower[:k], upper[:k]))
    return Jet(lower, upper)
