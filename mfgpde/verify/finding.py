"""One inequality between two estimates: excess ≤ δ. Identities, bounds, rates, optimality are all written so."""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import Literal, Protocol, runtime_checkable

import numpy as np

from mfgpde.core.estimate import Estimate, Kind, joined


class Outcome(StrEnum):
    """What the court says, best first."""

    HOLDS = "holds"
    UNDECIDED = "undecided"
    REFUTED = "refuted"
    BROKEN = "broken"
    SKIPPED = "skipped"
    """not judged: it needs a library that is not installed"""


FAR = 5.0
"""a δ above so many times what was reached says less than was found: it is near, or says why it is not"""


def far(resolution: float, excess: float | None, bar: float | None) -> bool:
    """Say whether δ > 5 (|excess| + bar): whether the sides agree far better than the finding asks.

    Not where one of them is infinite or unknown (None): nothing was reached.

    >>> from mfgpde.verify.finding import far
    >>> far(0.1, 1e-3, 1e-3), far(0.1, 0.0, 0.05), far(0.1, None, 0.0)
    (True, False, False)
    """
    return excess is not None and bar is not None and resolution > FAR * (abs(excess) + bar)


@dataclass(frozen=True)
class Finding:
    """`left relation right` to within `resolution` δ ≥ 0, the smallest violation anyone would care about.

    With excess = left − right ("≤") or |left − right| ("=") and bar = the sum of both errors: holds if
    excess + bar ≤ δ, refuted if excess − bar > δ, undecided otherwise, as whole numbers over powers of two: the judge
    rounds nothing. A side that is infinite decides nothing.

    `because` says in one line why δ is far above what is reached, 5 times |excess| + bar, where it is meant to be:

    >>> mean = mfg.Estimate(1e-6, 1e-6, mfg.Kind.CONFIDENCE, "a draw")
    >>> known = mfg.verify.equal("mean", mean, 0.0, resolution=1e-3, because="the gauge shows three digits")
    >>> known.far, known.because, mfg.verify.equal("mean", mean, 0.0, resolution=5e-6).far
    (True, 'the gauge shows three digits', False)
    """

    label: str
    left: Estimate
    relation: Literal["=", "≤"]
    right: Estimate
    resolution: float
    because: str = ""

    def __post_init__(self) -> None:
        if not isinstance(self.label, str) or not self.label:  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"a finding's label is a word or more, got {self.label!r}")
        for side in (self.left, self.right):
            _estimate(self.label, side, measured=False)
        object.__setattr__(self, "resolution", _size(self.label, self.resolution))
        if not self.resolution >= 0 or not math.isfinite(self.resolution):
            raise ValueError(f"{self.label}: the resolution must be a finite number ≥ 0, got {self.resolution!r}")
        if self.relation not in ("=", "≤"):
            raise ValueError(f"{self.label}: the relation must be '=' or '≤', got {self.relation!r}")
        if self.relation == "=" and self.resolution == 0:
            raise ValueError(f"{self.label}: an equality between numbers with error bars needs a resolution > 0")
        if not isinstance(self.because, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"{self.label}: the reason of its resolution is a line of words, got {self.because!r}")

    @property
    def difference(self) -> float:
        """Left − right."""
        return self.left.value - self.right.value

    @property
    def excess(self) -> float:
        """By how much the relation fails (negative: room to spare)."""
        return abs(self.difference) if self.relation == "=" else self.difference

    @property
    def bar(self) -> float:
        """The sum of both errors."""
        return self.left.half_width + self.right.half_width

    @property
    def far(self) -> bool:
        """Whether δ is more than 5 times |excess| + bar: `because` should then say why."""
        return far(self.resolution, self.excess, self.bar)

    @property
    def kind(self) -> Kind:
        """How strong it is: as the weaker of its sides, where a number without a bar is what it is."""
        kinds = [side.kind for side in (self.left, self.right) if side.half_width > 0]
        return min(kinds, default=min(self.left.kind, self.right.kind))

    @property
    def infinite(self) -> str:
        """Which side is no finite number, in words; nothing if both are."""
        sides = (("left", self.left), ("right", self.right))
        return " and ".join(
            f"the {name} side is {one.value} ({one.method})" for name, one in sides if not math.isfinite(one.value)
        )

    @property
    def outcome(self) -> Outcome:
        """Holds, refuted or undecided."""
        if self.infinite or not math.isfinite(self.bar):
            return Outcome.UNDECIDED
        difference = Fraction(self.left.value) - Fraction(self.right.value)
        excess = abs(difference) if self.relation == "=" else difference
        bar = Fraction(self.left.half_width) + Fraction(self.right.half_width)
        if excess + bar <= Fraction(self.resolution):
            return Outcome.HOLDS
        return Outcome.REFUTED if excess - bar > Fraction(self.resolution) else Outcome.UNDECIDED

    @property
    def margin(self) -> float:
        """The distance of the excess from δ, in error bars: ≥ 1 holds, < −1 refuted; −∞ for infinite sides."""
        if self.infinite:
            return -math.inf
        room = self.resolution - self.excess
        return room / self.bar if self.bar > 0 else math.copysign(math.inf, room)

    @property
    def at(self) -> str:
        """At which resolution or small parameter it speaks; nothing if both sides are meant in the limit.

        δ then holds what the grid leaves, which no bar claims to: the excess is its size.
        """
        return joined(self.left, self.right)

    @property
    def suspect_bar(self) -> bool:
        """Whether an equality in the limit holds although the difference exceeds its error bar, which is then too small."""
        return self.relation == "=" and self.outcome is Outcome.HOLDS and self.excess > self.bar and not self.at

    def __str__(self) -> str:
        return f"{self.label}: {self.left} {self.relation} {self.right} (δ {self.resolution:.1e})"


@runtime_checkable
class Limited(Protocol):
    """A ladder: what is judged of it is its limit."""

    @property
    def limit(self) -> Estimate:
        """The quantity at infinite resolution, with its bar."""
        ...


type Side = Estimate | Limited | float
"""of a finding: an estimate, a ladder, or, beside one of these, the plain number that it is claimed to be"""


def _sides(label: str, *sides: Side) -> list[Estimate]:
    """Return both sides as estimates; a plain number only beside one that is measured, since it says nothing of itself."""
    measured = any(isinstance(s, Limited) or (isinstance(s, Estimate) and s.half_width > 0) for s in sides)
    return [_estimate(label, side, measured) for side in sides]


def _estimate(label: str, side: Side, measured: bool) -> Estimate:
    if isinstance(side, Limited):
        return side.limit
    if isinstance(side, Estimate):
        return side
    if measured and _is_number(side):
        return Estimate(float(side), 0.0, Kind.BOUND, "as claimed")
    if _is_number(side):
        shown = f"{float(side):.4g}"
        raise TypeError(
            f"{label}: {shown} is a plain number, which does not say how wrong it may be: write Estimate({shown}, "
            f'half_width, Kind.BOUND, "how it was found"), the ladder that converge returned, or exact({shown}, "why") for '
            "a closed form; beside one of these with a bar the other side may be a plain number"
        )
    raise TypeError(
        f"{label}: both sides are estimates with error bars, got {_spoken(side)}; "
        "the ladder itself, Estimate(…), or exact(value, why); beside a ladder a plain number will do"
    )


def _size(label: str, resolution: float) -> float:
    """Return δ as a plain number, which NumPy's and JAX's scalars are not; TypeError for what is none."""
    if not isinstance(resolution, str | bytes | bool):
        with suppress(TypeError, ValueError, OverflowError):
            return float(resolution)
    raise TypeError(f"{label}: the resolution must be a finite number ≥ 0, got {resolution!r:.80}")


def _spoken(side: object) -> str:
    shape: object = getattr(side, "shape", None)
    return f"{side!r:.80}" if shape in (None, ()) else f"an array of shape {shape}"


def _is_number(side: object) -> bool:
    return isinstance(side, int | float | np.floating | np.integer) and not isinstance(side, bool)


def equal(label: str, left: Side, right: Side, *, resolution: float, because: str = "") -> Finding:
    """Return the finding left = right, of which one side may be the plain number that the other is claimed to be.

    >>> mfg.verify.equal("1 + 1", mfg.exact(2.0, "by hand"), mfg.exact(2.0, "claimed"), resolution=1e-3).outcome.value
    'holds'
    """
    one, other = _sides(label, left, right)
    return Finding(label, one, "=", other, resolution, because)


def at_most(label: str, left: Side, right: Side, *, resolution: float, because: str = "") -> Finding:
    """Return the finding left ≤ right.

    >>> mfg.verify.at_most("π ≤ 3", mfg.exact(np.pi, "π"), mfg.exact(3.0, "3"), resolution=1e-3).outcome.value
    'refuted'
    """
    one, other = _sides(label, left, right)
    return Finding(label, one, "≤", other, resolution, because)


def at_least(label: str, left: Side, right: Side, *, resolution: float, because: str = "") -> Finding:
    """Return the finding left ≥ right, written as right ≤ left.

    >>> known = mfg.Estimate(3.0, 0.5, mfg.Kind.BOUND, "a bracket")  # too wide to tell
    >>> mfg.verify.at_least("x ≥ 3", known, mfg.exact(3.0, "3"), resolution=1e-3).outcome.value
    'undecided'
    """
    one, other = _sides(label, left, right)
    return Finding(label, other, "≤", one, resolution, because)
