"""What a family of cases is: random problems, and of each some numbers with their bars and the truth."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np

from mfgpde.core.estimate import Estimate, Kind


@dataclass(frozen=True)
class Case:
    """One number on trial: what it is of, its estimate, the truth, and to what the truth is `known` (rounding, quadrature).

    >>> from mfgpde.calibration import Case
    >>> round(Case("a length", mfg.Estimate(2.1, 0.2, mfg.Kind.BOUND, "a ruler"), 2.0).ratio, 9)
    0.5
    """

    what: str
    estimate: Estimate
    truth: float
    known: float = 0.0

    @property
    def off(self) -> float:
        """How far the value is from the truth, as far as the truth is known."""
        return max(0.0, abs(self.estimate.value - self.truth) - self.known)

    @property
    def ratio(self) -> float:
        """|value − truth|/bar: above one the bar does not hold the truth. An infinite bar holds everything."""
        if self.off == 0 or self.estimate.half_width == np.inf:
            return 0.0
        return self.off / self.estimate.half_width if self.estimate.half_width > 0 else np.inf


def between(lower: float, upper: float, method: str, kind: Kind = Kind.BOUND) -> Estimate:
    """Return a bracket as an estimate.

    >>> from mfgpde.calibration.contract import between
    >>> print(between(1.0, 2.0, "a bracket"))
    1.5 ± 5.0e-01
    """
    return Estimate(0.5 * (lower + upper), 0.5 * (upper - lower), kind, method)


@runtime_checkable
class Family(Protocol):
    """Random problems with a known answer.

    `covers` names the functions, properties and fields whose numbers are tried, as they are called in their module's room:
    "solvers.Ladder.limit". `remembered` are draws, as pairs of seed and number, that once failed: they are tried first.
    """

    covers: tuple[str, ...]
    remembered: tuple[tuple[int, int], ...]

    def cases(self, rng: np.random.Generator) -> Iterator[Case]:
        """Draw a problem and yield what is asked of it; ValueError where the library refuses it."""
        ...
