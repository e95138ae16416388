"""Variance-preserving diffusions: dX = −½β(t) X dt + √β(t) dW, and the sub-variance-preserving variant."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from mfgpde.core.arrays import Array
from mfgpde.processes.contract import IsotropicProcess, positive


@dataclass(frozen=True)
class VariancePreserving(IsotropicProcess):
    """β(t) = β₀ + (β₁ − β₀) t/T; m = e^{−B/2}, v = 1 − e^{−B}, B = ∫₀ᵗβ. — arXiv:2011.13456, eqs. (11), (29).

    β₀ = `beta_min` and β₁ = `beta_max` are per time; lengths are in units of the prior's deviation, which is one.
    Raises ValueError for numbers that are not positive and finite.

    >>> constant = mfg.VariancePreserving(beta_min=1.0, beta_max=1.0)
    >>> print(f"{constant.mean_coefficient(1.0):.4f}, {constant.variance(1.0):.4f}")  # e^(−½), 1 − e⁻¹
    0.6065, 0.6321
    """

    beta_min: float = 0.1
    beta_max: float = 20.0
    horizon: float = 1.0

    def __post_init__(self) -> None:
        positive(beta_min=self.beta_min, beta_max=self.beta_max, horizon=self.horizon)

    def beta(self, t: ArrayLike) -> Array:
        """Return the noise rate β(t), per time."""
        return self.beta_min + (self.beta_max - self.beta_min) * np.asarray(t) / self.horizon

    def integrated_beta(self, t: ArrayLike) -> Array:
        """Return B(t) = ∫₀ᵗ β."""
        t = np.asarray(t)
        return self.beta_min * t + 0.5 * (self.beta_max - self.beta_min) * t**2 / self.horizon

    def diffusion(self, t: ArrayLike) -> Array:
        """Return √β(t)."""
        return np.sqrt(self.beta(t))

    def relaxation(self, t: ArrayLike) -> Array:
        """Return ½β(t)."""
        return 0.5 * self.beta(t)

    def mean_coefficient(self, t: ArrayLike) -> Array:
        """Return e^{−B(t)/2}."""
        return np.exp(-0.5 * self.integrated_beta(t))

    def variance(self, t: ArrayLike) -> Array:
        """Return 1 − e^{−B(t)}."""
        return -np.expm1(-self.integrated_beta(t))

    @property
    def time_scale(self) -> float:
        """T max β/|β₁ − β₀|: β is linear."""
        change = abs(self.beta_max - self.beta_min)
        return self.horizon * max(self.beta_min, self.beta_max) / change if change else np.inf

    @property
    def prior_variance(self) -> float:
        """One."""
        return 1.0


@dataclass(frozen=True)
class SubVariancePreserving(IsotropicProcess):
    """f = −½β x, g² = β(1 − e^{−2B}); v = (1 − e^{−B})². The diffusivity vanishes at t = 0.

    arXiv:2011.13456, eqs. (12), (29).

    Parameters, and what is refused, as in `VariancePreserving`.

    >>> constant = mfg.SubVariancePreserving(beta_min=1.0, beta_max=1.0)
    >>> print(f"{constant.variance(1.0):.4f}")  # (1 − e⁻¹)²
    0.3996
    """

    beta_min: float = 0.1
    beta_max: float = 20.0
    horizon: float = 1.0

    def __post_init__(self) -> None:
        positive(beta_min=self.beta_min, beta_max=self.beta_max, horizon=self.horizon)

    @property
    def _schedule(self) -> VariancePreserving:
        return VariancePreserving(self.beta_min, self.beta_max, self.horizon)

    def diffusion(self, t: ArrayLike) -> Array:
        """Return √(β(1 − e^{−2B}))."""
        schedule = self._schedule
        return np.sqrt(schedule.beta(t) * -np.expm1(-2 * schedule.integrated_beta(t)))

    def relaxation(self, t: ArrayLike) -> Array:
        """Return ½β(t)."""
        return self._schedule.relaxation(t)

    def mean_coefficient(self, t: ArrayLike) -> Array:
        """Return e^{−B(t)/2}."""
        return self._schedule.mean_coefficient(t)

    def variance(self, t: ArrayLike) -> Array:
        """Return (1 − e^{−B(t)})²."""
        return self._schedule.variance(t) ** 2

    @property
    def time_scale(self) -> float:
        """The largest D over a bound of |D′|, ½|β′| + max β²e^{−2B}, which is β₀² or below β′."""
        slope = (self.beta_max - self.beta_min) / self.horizon
        fastest = 0.5 * abs(slope) + max(self.beta_min**2, slope)
        largest = float(np.max(self.diffusivity(self.horizon * np.linspace(0, 1, 33))))
        return min(largest / fastest, self._schedule.time_scale)

    @property
    def prior_variance(self) -> float:
        """One."""
        return 1.0


def examples() -> Iterator[VariancePreserving | SubVariancePreserving]:
    """Yield members to hold the laws to: the defaults, other numbers, horizons of gigaseconds and nanoseconds."""
    for make in (VariancePreserving, SubVariancePreserving):
        yield make()
        yield make(0.3, 4.0, 2.7)
        yield make(0.1e-9, 4e-9, 2.7e9)
        yield make(0.1e9, 20e9, 1e-9)
