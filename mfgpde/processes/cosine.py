"""The cosine schedule of diffusion models: variance preserving, nothing of the data left at its end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from mfgpde.processes.contract import positive
from mfgpde.processes.scheduled import Schedule, ScheduledProcess, of_variance


@dataclass(frozen=True)
class Cosine(ScheduledProcess):
    """α(t) = cos(u(t))/cos(u(0)), σ² = 1 − α², u(t) = ½π (t/T + s)/(1 + s). — arXiv:2102.09672, eq. (17).

    s = `offset` keeps the first noise from being too small. Lengths are in units of the prior's deviation, which is one.
    Raises ValueError for an offset or horizon that is not positive and finite; `trigonometric` is that without offset.

    >>> print(f"{mfg.processes.Cosine().mean_coefficient(0.5):.4f}, {mfg.processes.Cosine().variance(1.0):.1f}")
    0.7027, 1.0
    """

    offset: float = 0.008
    horizon: float = 1.0

    def __post_init__(self) -> None:
        positive(offset=self.offset, horizon=self.horizon)

    def schedule(self, t: ArrayLike) -> Schedule:
        """Return α = cos u/cos u₀, σ² = sin(u − u₀) sin(u + u₀)/cos²u₀."""
        speed = 0.5 * np.pi / ((1 + self.offset) * self.horizon)
        start, moved = 0.5 * np.pi * self.offset / (1 + self.offset), speed * np.asarray(t, dtype=float)
        left = speed * (self.horizon - np.asarray(t, dtype=float))  # of the quarter turn: cos u = sin(½π − u)
        alpha, noise = np.sin(left) / np.cos(start), np.sin(moved) * np.sin(moved + 2 * start) / np.cos(start) ** 2
        rate = -speed * np.cos(left) / np.cos(start)
        return of_variance(alpha, noise, rate, -2 * alpha * rate)

    @property
    def prior_variance(self) -> float:
        """One."""
        return 1.0


def examples() -> Iterator[Cosine]:
    """Yield members to hold the laws to: as published, another offset, gigaseconds."""
    yield Cosine()
    yield Cosine(0.1, 2.7)
    yield Cosine(horizon=2.7e9)
