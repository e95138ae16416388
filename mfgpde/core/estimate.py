"""A number with its error bar: value, half width, what kind of bar it is, and how it was obtained."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from enum import IntEnum

from mfgpde.core.renamed import renamed


class Kind(IntEnum):
    """How strong an error bar is; arithmetic keeps the weakest kind.

    >>> sampled = mfg.Estimate(0.5, 0.01, mfg.Kind.CONFIDENCE, "sampling")
    >>> (sampled + mfg.exact(1.0, "closed form")).kind.name
    'CONFIDENCE'
    """

    CONFIDENCE = 0
    """the truth lies inside with a stated probability (sampling)"""
    EXTRAPOLATED = 1
    """read off a sequence of resolutions in its asymptotic range"""
    BOUND = 2
    """the truth lies inside, up to rounding (closed form, duality gap)"""
    PROVED = 3
    """the truth lies inside, every rounding included (ball arithmetic)"""


@renamed(error="half_width")
@dataclass(frozen=True)
class Estimate:
    """A quantity known to lie in [value − half_width, value + half_width], in the sense that `kind` gives to "known".

    The half width must be ≥ 0 (infinite: nothing is known). Correlations are not tracked: where two quantities
    come from one discretisation, form their difference first and estimate that.

    `at` names a resolution or small parameter for a number that is meant there: the bar then holds what an exact
    evaluation would give on that grid, or at that parameter, and says nothing of the limit. Arithmetic hands it on.

    >>> print(mfg.Estimate(3.3e-5, 1e-12, mfg.Kind.BOUND, "sums over cells", at="192 cells a side"))
    3.3e-05 ± 1.0e-12 at 192 cells a side

    >>> length = mfg.Estimate(0.5, 0.01, mfg.Kind.BOUND, "a bracket")
    >>> print(2 * length + 1)
    2 ± 2.0e-02
    >>> 1.985 in 2 * length + 1, 2.03 in 2 * length + 1
    (True, False)
    """

    value: float
    half_width: float
    kind: Kind
    method: str
    at: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "value", float(self.value))  # NumPy scalars come in, plain numbers are kept
        object.__setattr__(self, "half_width", float(self.half_width))
        if math.isnan(self.value):
            raise ValueError(f"an estimate needs a value, got NaN (method: {self.method!r})")
        if not self.half_width >= 0:
            raise ValueError(f"the error bar must be ≥ 0, got {self.half_width!r} (method: {self.method!r})")
        if not self.method or not isinstance(self.method, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ValueError("an estimate must say by which method it was obtained")
        if not isinstance(self.kind, Kind):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"the kind of an error bar is one of {', '.join(Kind.__members__)}, got {self.kind!r}")

    @property
    def lower(self) -> float:
        """The smallest value compatible with the estimate."""
        return self.value - self.half_width

    @property
    def upper(self) -> float:
        """The largest value compatible with the estimate."""
        return self.value + self.half_width

    def __contains__(self, truth: float) -> bool:
        return self.lower <= truth <= self.upper

    def __neg__(self) -> Estimate:
        return replace(self, value=-self.value)

    def __add__(self, other: Estimate | float) -> Estimate:
        other = _as_estimate(other)
        return _combine(self, other, self.value + other.value, self.half_width + other.half_width, "+")

    def __sub__(self, other: Estimate | float) -> Estimate:
        other = _as_estimate(other)
        return _combine(self, other, self.value - other.value, self.half_width + other.half_width, "−")

    def __mul__(self, other: Estimate | float) -> Estimate:
        other = _as_estimate(other)
        error = (
            abs(self.value) * other.half_width + abs(other.value) * self.half_width + self.half_width * other.half_width
        )
        return _combine(self, other, self.value * other.value, error, "·")

    def __truediv__(self, other: Estimate | float) -> Estimate:
        other = _as_estimate(other)
        if other.lower <= 0 <= other.upper:
            raise ZeroDivisionError(f"the divisor {other} contains zero")
        ends = [a / b for a in (self.lower, self.upper) for b in (other.lower, other.upper)]
        value = self.value / other.value
        return _combine(self, other, value, max(max(ends) - value, value - min(ends)), "/")

    def __radd__(self, other: float) -> Estimate:
        return self + other

    def __rsub__(self, other: float) -> Estimate:
        return -self + other

    def __rmul__(self, other: float) -> Estimate:
        return self * other

    def __str__(self) -> str:
        return f"{self.value:.6g} ± {self.half_width:.1e}" + (f" at {self.at}" if self.at else "")


def exact(value: float, method: str) -> Estimate:
    """Return a number known in closed form; its bar is one rounding of its size.

    Raises ValueError for NaN.

    >>> print(mfg.exact(1 / 3, "closed form"))
    0.333333 ± 7.4e-17
    """
    return Estimate(float(value), abs(float(value)) * 2.0**-52, Kind.BOUND, method)


def _as_estimate(number: Estimate | float) -> Estimate:
    if isinstance(number, Estimate):
        return number
    return Estimate(float(number), abs(float(number)) * 2.0**-52, Kind.PROVED, "given")


def _combine(a: Estimate, b: Estimate, value: float, error: float, sign: str) -> Estimate:
    method = a.method if b.method in ("given", a.method) else f"({a.method}) {sign} ({b.method})"
    kind = min(a.kind, b.kind)
    if kind is Kind.PROVED:  # the numbers above are within a few roundings of what they stand for
        error = error * (1 + 2.0**-49) + abs(value) * 2.0**-49 + 2.0**-1000
    return Estimate(value, error, kind, method, joined(a, b))


def joined(*estimates: Estimate) -> str:
    """Return at which resolutions or parameters some estimates are meant, each once; nothing if all are in the limit.

    >>> one = mfg.Estimate(1.0, 0.0, mfg.Kind.BOUND, "sums", at="64 cells")
    >>> mfg.core.estimate.joined(one, one, mfg.exact(1.0, "closed form"))
    '64 cells'
    """
    return " and ".join(dict.fromkeys(one.at for one in estimates if one.at))
