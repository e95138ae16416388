"""What a score offers: values, and, each a Protocol of its own, the derivatives and the potential it may have besides.

Ask for what you need by type: isinstance(score, PotentialScore) is whether it is the gradient of a known potential.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

from mfgpde.core.arrays import Array


@runtime_checkable
class Score(Protocol):
    """A vector field s(x, t) meant to be ∇log p_t(x): points (..., d) in, (..., d) out."""

    def __call__(self, x: Array, t: float, /) -> Array:
        """Return s(x, t), per length."""
        ...


@runtime_checkable
class DivergenceScore(Score, Protocol):
    """A score whose divergence is known."""

    def divergence(self, x: Array, t: float) -> Array:
        """Return ∇·s, shape (...)."""
        ...


@runtime_checkable
class DifferentiableScore(DivergenceScore, Protocol):
    """A score with the derivatives that its equation has."""

    def jacobian(self, x: Array, t: float) -> Array:
        """Return ∂_j s_i, shape (..., d, d)."""
        ...

    def rate(self, x: Array, t: float) -> Array:
        """Return ∂_t s, shape (..., d)."""
        ...

    def divergence_gradient(self, x: Array, t: float) -> Array:
        """Return ∇(∇·s), shape (..., d)."""
        ...


@runtime_checkable
class DirectionalScore(Score, Protocol):
    """A score with the derivatives that many dimensions can afford: along one direction a point, and in time."""

    def products(self, x: Array, t: float, v: Array) -> tuple[Array, Array, Array]:
        """Return Jv, Jᵀv and ∇(vᵀJv) for one direction v a point, shapes (..., d)."""
        ...

    def rate(self, x: Array, t: float) -> Array:
        """Return ∂_t s, shape (..., d)."""
        ...


@runtime_checkable
class PotentialScore(DivergenceScore, Protocol):
    """A score that is the gradient of a known potential φ, an unnormalised log-density."""

    def potential(self, x: Array, t: float) -> Array:
        """Return φ(x, t), shape (...)."""
        ...

    def time_derivative(self, x: Array, t: float) -> Array:
        """Return ∂_tφ, shape (...)."""
        ...


@runtime_checkable
class Uncertain(Protocol):
    """A score whose derivatives are approximate, and that keeps account of it."""

    @property
    def uncertainty(self) -> Mapping[str, float]:
        """The largest error estimated so far of each derivative that was asked for, in its own units."""
        ...
