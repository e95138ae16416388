"""The score of noised data in closed form, and deliberate disturbances of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from mfgpde.arrays import dot
from mfgpde.densities import GaussianMixture
from mfgpde.processes import LinearProcess

Array = NDArray[np.float64]


class Score(Protocol):
    """A vector field s(x, t) meant to be ∇log p_t(x): points (..., d) in, (..., d) out."""

    def __call__(self, x: Array, t: float) -> Array:
        """Return s(x, t)."""
        ...


class DivergenceScore(Score, Protocol):
    """A score whose divergence is known."""

    def divergence(self, x: Array, t: float) -> Array:
        """Return ∇·s, shape (...)."""
        ...


class PotentialScore(DivergenceScore, Protocol):
    """A score that is the gradient of a potential φ, with the derivatives that residuals need."""

    def potential(self, x: Array, t: float) -> Array:
        """Return φ(x, t), shape (...)."""
        ...

    def time_derivative(self, x: Array, t: float) -> Array:
        """Return ∂_tφ, shape (...)."""
        ...


@dataclass(frozen=True, eq=False)
class ExactScore:
    """s = ∇log p_t of a Gaussian mixture under a linear process; φ = log p_t."""

    process: LinearProcess
    data: GaussianMixture

    def __post_init__(self) -> None:
        object.__setattr__(self, "at", lru_cache(maxsize=8)(self._at))

    def _at(self, t: float) -> GaussianMixture:
        return self.data.after(self.process.transition(0.0, t))

    at: Callable[[float], GaussianMixture] = None  # pyright: ignore[reportAssignmentType]  # set above: p_t, cached

    def __call__(self, x: Array, t: float) -> Array:
        """Return ∇log p_t(x)."""
        return self.at(float(t)).score(x)

    def potential(self, x: Array, t: float) -> Array:
        """Return log p_t(x)."""
        return self.at(float(t)).log_density(x)

    def divergence(self, x: Array, t: float) -> Array:
        """Return Δlog p_t(x)."""
        return self.at(float(t)).laplacian(x)

    def time_derivative(self, x: Array, t: float) -> Array:
        """Return ∂_t log p_t(x), from the motion of the mixture's parameters."""
        law = self.at(float(t))
        origin = np.zeros((1, law.dimension))
        offset = self.process.drift(origin, t)[0]
        matrix = (self.process.drift(np.eye(law.dimension), t) - offset).T
        return law.log_density_rate(x, matrix, offset, float(self.process.diffusivity(t)))


@dataclass(frozen=True, eq=False)
class Bump:
    """The potential amplitude·cos(frequency·t)·exp(−|x − centre|²/(2 width²)), with its derivatives: a disturbance."""

    amplitude: float
    centre: tuple[float, ...]
    width: float
    frequency: float = 0.0

    def _shape(self, x: Array, t: float) -> tuple[Array, Array]:
        z = (x - np.asarray(self.centre)) / self.width
        return z, self.amplitude * np.cos(self.frequency * t) * np.exp(-0.5 * dot(z, z))

    def __call__(self, x: Array, t: float) -> Array:
        """Return its gradient."""
        z, value = self._shape(x, t)
        return -z * value[..., None] / self.width

    def potential(self, x: Array, t: float) -> Array:
        """Return its value."""
        return self._shape(x, t)[1]

    def divergence(self, x: Array, t: float) -> Array:
        """Return its Laplacian."""
        z, value = self._shape(x, t)
        return value * (dot(z, z) - x.shape[-1]) / self.width**2

    def time_derivative(self, x: Array, t: float) -> Array:
        """Return its time derivative."""
        z = (x - np.asarray(self.centre)) / self.width
        rate = -self.amplitude * self.frequency * np.sin(self.frequency * t)
        return rate * np.exp(-0.5 * dot(z, z))


@dataclass(frozen=True, eq=False)
class Sum:
    """The sum of two potential scores: a synthetic learned score is the exact one plus a disturbance."""

    first: PotentialScore
    second: PotentialScore

    def __call__(self, x: Array, t: float) -> Array:
        """Return the sum of the scores."""
        return self.first(x, t) + self.second(x, t)

    def potential(self, x: Array, t: float) -> Array:
        """Return the sum of the potentials."""
        return self.first.potential(x, t) + self.second.potential(x, t)

    def divergence(self, x: Array, t: float) -> Array:
        """Return the sum of the divergences."""
        return self.first.divergence(x, t) + self.second.divergence(x, t)

    def time_derivative(self, x: Array, t: float) -> Array:
        """Return the sum of the time derivatives."""
        return self.first.time_derivative(x, t) + self.second.time_derivative(x, t)


@dataclass(frozen=True, eq=False)
class Swirl:
    """The non-gradient disturbance strength·(−x₂, x₁)·exp(−|x|²/(2 width²)) in 2D, of problem P4 (0.3, 2)."""

    base: Score
    strength: float = 0.3
    width: float = 2.0

    def __call__(self, x: Array, t: float) -> Array:
        """Return base + swirl."""
        envelope = self.strength * np.exp(-0.5 * dot(x, x) / self.width**2)
        return self.base(x, t) + envelope[..., None] * np.stack((-x[..., 1], x[..., 0]), axis=-1)
