"""One inequality between two estimates: excess ≤ δ. Identities, bounds, rates, optimality are all written so."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from mfgpde.core.estimate import Estimate


class Outcome(StrEnum):
    """What the court says, best first."""

    HOLDS = "holds"
    UNDECIDED = "undecided"
    REFUTED = "refuted"
    BROKEN = "broken"
    SKIPPED = "skipped"
    """not judged: it needs a library that is not installed"""


@dataclass(frozen=True)
class Finding:
    """`left relation right` to within `resolution` δ ≥ 0, the smallest violation anyone would care about.

    With excess = left − right ("≤") or |left − right| ("=") and bar = the sum of both errors: holds if
    excess + bar ≤ δ, refuted if excess − bar > δ, undecided otherwise. A side that is infinite decides nothing.
    """

    label: str
    left: Estimate
    relation: Literal["=", "≤"]
    right: Estimate
    resolution: float

    def __post_init__(self) -> None:
        for side in (self.left, self.right):
            if not isinstance(side, Estimate):  # pyright: ignore[reportUnnecessaryIsInstance]
                raise TypeError(
                    f"{self.label}: both sides are estimates with error bars, got {side!r:.80}; "
                    "exact(value, why), or the limit of a ladder"
                )
        if not self.resolution >= 0 or not math.isfinite(self.resolution):
            raise ValueError(f"{self.label}: the resolution must be a finite number ≥ 0, got {self.resolution!r}")
        if self.relation not in ("=", "≤"):
            raise ValueError(f"{self.label}: the relation must be '=' or '≤', got {self.relation!r}")
        if self.relation == "=" and self.resolution == 0:
            raise ValueError(f"{self.label}: an equality between numbers with error bars needs a resolution > 0")

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
    def infinite(self) -> str:
        """Which side is no finite number, in words; nothing if both are."""
        sides = (("left", self.left), ("right", self.right))
        return " and ".join(
            f"the {name} side is {one.value} ({one.method})" for name, one in sides if not math.isfinite(one.value)
        )

    @property
    def outcome(self) -> Outcome:
        """Holds, refuted or undecided."""
        if self.infinite:
            return Outcome.UNDECIDED
        if self.excess + self.bar <= self.resolution:
            return Outcome.HOLDS
        return Outcome.REFUTED if self.excess - self.bar > self.resolution else Outcome.UNDECIDED

    @property
    def margin(self) -> float:
        """The distance of the excess from δ, in error bars: ≥ 1 holds, < −1 refuted; −∞ for infinite sides."""
        if self.infinite:
            return -math.inf
        room = self.resolution - self.excess
        return room / self.bar if self.bar > 0 else math.copysign(math.inf, room)

    @property
    def suspect_bar(self) -> bool:
        """Whether an equality holds although the difference exceeds its own error bar: then the bar is too small."""
        return self.relation == "=" and self.outcome is Outcome.HOLDS and self.excess > self.bar

    def __str__(self) -> str:
        return f"{self.label}: {self.left} {self.relation} {self.right} (δ {self.resolution:.1e})"


def equal(label: str, left: Estimate, right: Estimate, *, resolution: float) -> Finding:
    """Return the finding left = right.

    >>> mfg.verify.equal("1 + 1", mfg.exact(2.0, "by hand"), mfg.exact(2.0, "claimed"), resolution=1e-3).outcome.value
    'holds'
    """
    return Finding(label, left, "=", right, resolution)


def at_most(label: str, left: Estimate, right: Estimate, *, resolution: float) -> Finding:
    """Return the finding left ≤ right.

    >>> mfg.verify.at_most("π ≤ 3", mfg.exact(np.pi, "π"), mfg.exact(3.0, "3"), resolution=1e-3).outcome.value
    'refuted'
    """
    return Finding(label, left, "≤", right, resolution)


def at_least(label: str, left: Estimate, right: Estimate, *, resolution: float) -> Finding:
    """Return the finding left ≥ right, written as right ≤ left.

    >>> known = mfg.Estimate(3.0, 0.5, mfg.Kind.BOUND, "a bracket")  # too wide to tell
    >>> mfg.verify.at_least("x ≥ 3", known, mfg.exact(3.0, "3"), resolution=1e-3).outcome.value
    'undecided'
    """
    return Finding(label, right, "≤", left, resolution)
