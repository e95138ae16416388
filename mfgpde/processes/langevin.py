"""Overdamped Langevin dynamics dX = −D∇V(X) dt + √(2D) dW, reversible with respect to e^{−V}."""

from __future__ import annotations

from collections.abc import Callable, Iterator
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


@dataclass(frozen=True)
class Wells:
    """V(x) = depth·((x₁/width)² − 1)² + ½ Σ_{i>1} (x_i/width)², without a unit, and its derivatives."""

    depth: float = 1.0
    width: float = 1.0

    def potential(self, x: Array) -> Array:
        """Return V."""
        y = x / self.width
        return self.depth * (y[..., 0] ** 2 - 1) ** 2 + 0.5 * dot(y[..., 1:], y[..., 1:])

    def gradient(self, x: Array) -> Array:
        """Return ∇V."""
        y = x / self.width
        across = 4 * self.depth * y[..., :1] * (y[..., :1] ** 2 - 1)
        return np.concatenate((across, y[..., 1:]), axis=-1) / self.width

    def laplacian(self, x: Array) -> Array:
        """Return ΔV."""
        y = x / self.width
        return (self.depth * (12 * y[..., 0] ** 2 - 4) + (x.shape[-1] - 1)) / self.width**2


def double_well(depth: float = 1.0, scale: float = 1.0, horizon: float = 1.0, width: float = 1.0) -> OverdampedLangevin:
    """Return the Langevin process in V(x) = depth·((x₁/w)² − 1)² + ½ Σ_{i>1} (x_i/w)², with wells at x₁ = ±w, the width."""
    positive(depth=depth, width=width)
    wells = Wells(depth, width)
    return OverdampedLangevin(wells.potential, wells.gradient, wells.laplacian, scale, horizon)


def examples() -> Iterator[OverdampedLangevin]:
    """Yield members to hold the laws to: two wells in plain units, nanometres in gigaseconds and the reverse."""
    yield double_well(2.0, 0.7, 2.7)
    for length, time in ((1e-9, 1e9), (1e9, 1e-9)):
        yield double_well(0.8, 1.2 * length * time**-0.5, 2.7 * time, 0.9 * length)
