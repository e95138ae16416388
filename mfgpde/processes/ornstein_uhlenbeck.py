"""The Ornstein–Uhlenbeck process dX = −θ X dt + g dW, with stationary law N(0, g²/(2θ) I)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike

from mfgpde.core.arrays import Array
from mfgpde.processes.contract import IsotropicProcess, positive


@dataclass(frozen=True)
class OrnsteinUhlenbeck(IsotropicProcess):
    """m = e^{−θt}, v = g²(1 − e^{−2θt})/(2θ). With θ = g = 1 it is the process of arXiv:2311.15996, section 4.

    θ = `rate` is per time, g = `scale` a length per √time; the stationary law is N(0, g²/(2θ) I).
    Raises ValueError for a rate, scale or horizon that is not positive and finite.

    >>> process = mfg.OrnsteinUhlenbeck(rate=2.0, scale=2.0)
    >>> print(f"{process.mean_coefficient(0.5):.4f}, {process.variance(0.5):.4f}, {process.prior_variance:.1f}")
    0.3679, 0.8647, 1.0
    """

    rate: float = 1.0
    scale: float = 1.0
    horizon: float = 1.0
    autonomous: ClassVar[bool] = True

    def __post_init__(self) -> None:
        positive(rate=self.rate, scale=self.scale, horizon=self.horizon)

    def diffusion(self, t: ArrayLike) -> Array:
        """Return the constant g."""
        return np.full(np.shape(t), self.scale)

    def relaxation(self, t: ArrayLike) -> Array:
        """Return the constant θ."""
        return np.full(np.shape(t), self.rate)

    def mean_coefficient(self, t: ArrayLike) -> Array:
        """Return e^{−θt}."""
        return np.exp(-self.rate * np.asarray(t))

    def variance(self, t: ArrayLike) -> Array:
        """Return g²(1 − e^{−2θt})/(2θ)."""
        return -np.expm1(-2 * self.rate * np.asarray(t)) * self.prior_variance

    @property
    def prior_variance(self) -> float:
        """The stationary variance g²/(2θ)."""
        return self.scale**2 / (2 * self.rate)


def examples() -> Iterator[OrnsteinUhlenbeck]:
    """Yield members to hold the laws to: the defaults, other numbers, nanometres in gigaseconds and the reverse."""
    yield OrnsteinUhlenbeck()
    yield OrnsteinUhlenbeck(rate=0.7, scale=1.3, horizon=2.7)
    yield OrnsteinUhlenbeck(rate=0.7e-9, scale=1.3e-9 * 1e9**-0.5, horizon=2.7e9)
    yield OrnsteinUhlenbeck(rate=3e9, scale=1.3e9 * 1e9**0.5, horizon=0.4e-9)
