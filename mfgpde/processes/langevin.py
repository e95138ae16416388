"""Overdamped Langevin dynamics dX = −D∇V(X) dt + √(2D) dW, reversible with respect to e^{−V}."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike

from mfgpde.core.arrays import Array, dot
from mfgpde.processes.contract import ForwardProcess, positive


@dataclass(frozen=True, eq=False)
class OverdampedLangevin(ForwardProcess):
    """A potential V with its gradient and Laplacian; the invariant law is e^{−V}/∫e^{−V}, whatever D is.

    `potential` maps (..., d) to (...), `gradient` to (..., d), `laplacian` to (...).
    """

    potential: Callable[[Array], Array]
    gradient: Callable[[Array], Array]
    laplacian: Callable[[Array], Array]
    scale: float = 1.0
    horizon: float = 1.0
    autonomous: ClassVar[bool] = True

    def __post_init__(self) -> None:
        positive(scale=self.scale, horizon=self.horizon)

    def drift(self, x: Array, t: ArrayLike) -> Array:
        """Return −D∇V(x)."""
        D = self.diffusivity(t)
        return -(D[..., None] if D.ndim else float(D)) * self.gradient(x)

    def divergence(self, x: Array, t: ArrayLike) -> Array:
        """Return −DΔV(x)."""
        D = self.diffusivity(t)
        return -(D if D.ndim else float(D)) * self.laplacian(x)

    def diffusion(self, t: ArrayLike) -> Array:
        """Return the constant g."""
        return np.full(np.shape(t), self.scale)


def double_well(depth: float = 1.0, scale: float = 1.0, horizon: float = 1.0) -> OverdampedLangevin:
    """Return the Langevin process in V(x) = depth·(x₁² − 1)² + ½ Σ_{i>1} x_i², with wells at x₁ = ±1."""
    positive(depth=depth)

    def potential(x: Array) -> Array:
        return depth * (x[..., 0] ** 2 - 1) ** 2 + 0.5 * dot(x[..., 1:], x[..., 1:])

    def gradient(x: Array) -> Array:
        return np.concatenate((4 * depth * x[..., :1] * (x[..., :1] ** 2 - 1), x[..., 1:]), axis=-1)

    def laplacian(x: Array) -> Array:
        return depth * (12 * x[..., 0] ** 2 - 4) + (x.shape[-1] - 1)

    return OverdampedLangevin(potential, gradient, laplacian, scale, horizon)
