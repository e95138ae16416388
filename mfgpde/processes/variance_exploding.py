"""Variance-exploding diffusions: pure noise, dX = g(t) dW, with a geometric scale; Brownian motion."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike

from mfgpde.core.arrays import Array
from mfgpde.processes.contract import IsotropicProcess, positive


@dataclass(frozen=True)
class VarianceExploding(IsotropicProcess):
    """σ(t) = σ₀ (σ₁/σ₀)^{t/T}, g² = dσ²/dt; v = σ(t)² − σ₀². — arXiv:2011.13456, eqs. (9), (29).

    `sigma_min` σ₀ and `sigma_max` σ₁ are lengths: of the noise at t = 0 and at the horizon T.
    Raises ValueError unless 0 < σ₀ < σ₁ < ∞ and T > 0.

    >>> float(round(mfg.VarianceExploding(sigma_min=1.0, sigma_max=4.0).variance(0.5), 6))  # 2² − 1²
    3.0
    """

    sigma_min: float = 0.01
    sigma_max: float = 2.0
    horizon: float = 1.0

    def __post_init__(self) -> None:
        positive(sigma_min=self.sigma_min, sigma_max=self.sigma_max, horizon=self.horizon)
        if self.sigma_max <= self.sigma_min:
            raise ValueError(f"sigma_max must exceed sigma_min, got {self.sigma_max!r} ≤ {self.sigma_min!r}")

    def sigma(self, t: ArrayLike) -> Array:
        """Return the noise scale σ(t), a length."""
        return self.sigma_min * (self.sigma_max / self.sigma_min) ** (np.asarray(t) / self.horizon)

    def diffusion(self, t: ArrayLike) -> Array:
        """Return σ(t) √(2 log(σ₁/σ₀)/T)."""
        return self.sigma(t) * np.sqrt(2 * np.log(self.sigma_max / self.sigma_min) / self.horizon)

    def relaxation(self, t: ArrayLike) -> Array:
        """Return zero."""
        return np.zeros(np.shape(t))

    def mean_coefficient(self, t: ArrayLike) -> Array:
        """Return one."""
        return np.ones(np.shape(t))

    def variance(self, t: ArrayLike) -> Array:
        """Return σ(t)² − σ₀²."""
        return self.sigma(t) ** 2 - self.sigma_min**2

    @property
    def time_scale(self) -> float:
        """T/(2 log σ₁/σ₀), that of σ²."""
        return self.horizon / (2 * float(np.log(self.sigma_max / self.sigma_min)))

    @property
    def prior_variance(self) -> float:
        """The noise variance added over the whole horizon."""
        return float(self.variance(self.horizon))


@dataclass(frozen=True)
class Brownian(IsotropicProcess):
    """dX = g dW with constant g; v = g² t: the heat flow.

    g = `scale` is a length per √time. Raises ValueError for a scale or horizon that is not positive and finite.

    >>> float(mfg.Brownian(scale=2.0).variance(0.5))  # g²t
    2.0
    """

    scale: float = 1.0
    horizon: float = 1.0
    autonomous: ClassVar[bool] = True

    def __post_init__(self) -> None:
        positive(scale=self.scale, horizon=self.horizon)

    def diffusion(self, t: ArrayLike) -> Array:
        """Return the constant g."""
        return np.full(np.shape(t), self.scale)

    def relaxation(self, t: ArrayLike) -> Array:
        """Return zero."""
        return np.zeros(np.shape(t))

    def mean_coefficient(self, t: ArrayLike) -> Array:
        """Return one."""
        return np.ones(np.shape(t))

    def variance(self, t: ArrayLike) -> Array:
        """Return g² t."""
        return self.scale**2 * np.asarray(t, dtype=float)

    @property
    def prior_variance(self) -> float:
        """The noise variance added over the whole horizon."""
        return self.scale**2 * self.horizon


def examples() -> Iterator[VarianceExploding | Brownian]:
    """Yield members to hold the laws to: the defaults, other numbers, nanometres in gigaseconds and the reverse."""
    for length, time in ((1.0, 1.0), (1e-9, 1e9), (1e9, 1e-9)):
        yield VarianceExploding(0.01 * length, 2.0 * length, time)
        yield VarianceExploding(0.3 * length, 7.0 * length, 2.7 * time)
        yield Brownian(1.3 * length * time**-0.5, 2.7 * time)
    yield Brownian()
