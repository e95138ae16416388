"""The trigonometric path: a quarter of a circle from data to noise."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from mfgpde.processes.contract import positive
from mfgpde.processes.scheduled import Schedule, ScheduledProcess, of_deviation


@dataclass(frozen=True)
class Trigonometric(ScheduledProcess):
    """α = cos(½πt/T), σ = `scale`·sin(½πt/T), `scale` a length. — arXiv:2209.15571, eq. (5); arXiv:2410.11081, section 3.

    Raises ValueError for a scale or horizon that is not positive and finite.

    >>> half = mfg.processes.Trigonometric().schedule(0.5)
    >>> print(f"{half.alpha:.4f}, {half.sigma:.4f}")  # √½, √½
    0.7071, 0.7071
    """

    scale: float = 1.0
    horizon: float = 1.0

    def __post_init__(self) -> None:
        positive(scale=self.scale, horizon=self.horizon)

    def schedule(self, t: ArrayLike) -> Schedule:
        """Return cosine and sine."""
        speed = 0.5 * np.pi / self.horizon
        turned, left = speed * np.asarray(t, dtype=float), speed * (self.horizon - np.asarray(t, dtype=float))
        c, s = np.sin(left), np.sin(turned)
        return of_deviation(c, self.scale * s, -speed * s, self.scale * speed * c)

    @property
    def prior_variance(self) -> float:
        """The square of the scale."""
        return self.scale**2


def examples() -> Iterator[Trigonometric]:
    """Yield members to hold the laws to: the defaults, other numbers, nanometres in gigaseconds."""
    yield Trigonometric()
    yield Trigonometric(1.3, 2.7)
    yield Trigonometric(1e-9, 1e9)
