"""The schedule whose time is the noise itself: σ(t) = t, nothing taken from the data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from mfgpde.processes.contract import positive
from mfgpde.processes.scheduled import Schedule, ScheduledProcess, of_deviation


@dataclass(frozen=True)
class EDM(ScheduledProcess):
    """α = 1, σ(t) = t up to the horizon σ_max, 80 as published; time is a length. — arXiv:2206.00364, table 1.

    Raises ValueError for a horizon that is not positive and finite.

    >>> law = mfg.processes.EDM().transition(0.0, 2.0)
    >>> law.factor, law.covariance
    (1.0, 4.0)
    """

    horizon: float = 80.0

    def __post_init__(self) -> None:
        positive(horizon=self.horizon)

    def schedule(self, t: ArrayLike) -> Schedule:
        """Return one and t."""
        t = np.asarray(t, dtype=float)
        return of_deviation(np.ones_like(t), t, np.zeros_like(t), np.ones_like(t))

    @property
    def time_scale(self) -> float:
        """The horizon: D = t."""
        return self.horizon

    @property
    def prior_variance(self) -> float:
        """The square of the horizon."""
        return self.horizon**2


def examples() -> Iterator[EDM]:
    """Yield members to hold the laws to: as published, in other units."""
    yield EDM()
    yield EDM(2.7e-9)
