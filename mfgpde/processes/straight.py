"""Straight paths between data and noise: rectified flow, and conditional flow matching with its least noise."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from mfgpde.processes.contract import positive
from mfgpde.processes.scheduled import Schedule, ScheduledProcess, of_deviation


@dataclass(frozen=True)
class Straight(ScheduledProcess):
    """x_t = (1 − t/T) x₀ + σ(t) ε, σ(t) = σ₀ + (σ₁ − σ₀) t/T. — arXiv:2209.03003; arXiv:2210.02747, eq. (20).

    `sigma_min` σ₀ ≥ 0 is the noise that the data have at t = 0, `sigma_max` σ₁ that of the prior, both lengths. Data are at
    t = 0, as in rectified flow; a model whose time runs from noise to data is called with 1 − t/T, its velocity negated.
    Raises ValueError unless 0 ≤ σ₀ < σ₁ < ∞ and T > 0.

    >>> path = mfg.processes.Straight()
    >>> path.transition(0.0, 0.25).factor, path.transition(0.0, 1.0).covariance, path.prior_variance
    (0.75, 1.0, 1.0)
    """

    sigma_min: float = 0.0
    sigma_max: float = 1.0
    horizon: float = 1.0

    def __post_init__(self) -> None:
        positive(sigma_max=self.sigma_max, horizon=self.horizon)
        if not 0 <= self.sigma_min < self.sigma_max:
            raise ValueError(f"sigma_min must lie in [0, sigma_max = {self.sigma_max:g}), got {self.sigma_min!r}")

    def schedule(self, t: ArrayLike) -> Schedule:
        """Return two straight lines."""
        t, end = np.asarray(t, dtype=float), self.horizon
        spread = self.sigma_max - self.sigma_min
        ones = np.ones_like(t)
        return of_deviation((end - t) / end, self.sigma_min + spread * t / end, -ones / end, spread / end * ones)

    @property
    def prior_variance(self) -> float:
        """The square of `sigma_max`."""
        return self.sigma_max**2


def rectified_flow(horizon: float = 1.0) -> Straight:
    """Return x_t = (1 − t) x₀ + t ε. — arXiv:2209.03003.

    >>> mfg.processes.rectified_flow()
    Straight(sigma_min=0.0, sigma_max=1.0, horizon=1.0)
    """
    return Straight(horizon=horizon)


def flow_matching(sigma_min: float = 0.0, horizon: float = 1.0) -> Straight:
    """Return the path of conditional flow matching, noise `sigma_min` left on the data. — arXiv:2210.02747, eq. (20).

    >>> mfg.processes.flow_matching(1e-4).schedule(0.0).sigma.tolist()
    0.0001
    """
    return Straight(sigma_min, horizon=horizon)


def examples() -> Iterator[Straight]:
    """Yield members to hold the laws to: as published, noise at the start, nanometres in gigaseconds."""
    yield Straight()
    yield Straight(0.01, 1.3, 2.7)
    yield Straight(0.0, 1e-9, 1e9)
