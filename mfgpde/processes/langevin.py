"""Overdamped Langevin dynamics dX = −D∇V(X) dt + √(2D) dW, reversible with respect to e^{−V}."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike

from mfgpde.core.arrays import Array, beside, dot
from mfgpde.processes.contract import ForwardProcess, positive


@dataclass(frozen=True, eq=False)
class OverdampedLangevin(ForwardProcess):
    """A potential V with its gradient and Laplacian; the invariant law is e^{−V}/∫e^{−V}, whatever D is.

    `potential` maps (..., d) to (...), `gradient` to (..., d), `laplacian` to (...). Where `hessian`, to (..., d, d), and
    `laplacian_gradient`, ∇ΔV to (..., d), are not given, differences of `gradient` and `laplacian` stand for them.

    g = `scale` is a length per √time, D = g²/2, V has no unit.
    Raises ValueError for a scale or horizon that is not positive and finite.

    >>> V = lambda x: 0.25 * (x**4).sum(axis=-1)
    >>> process = mfg.OverdampedLangevin(V, lambda x: x**3, lambda x: 3 * (x**2).sum(axis=-1), scale=2.0)
    >>> process.drift(np.array([0.5, 1.0]), 0.0)  # −½g²∇V
    array([-0.25, -2.  ])
    """

    potential: Callable[[Array], Array]
    gradient: Callable[[Array], Array]
    laplacian: Callable[[Array], Array]
    scale: float = 1.0
    horizon: float = 1.0
    hessian: Callable[[Array], Array] | None = None
    laplacian_gradient: Callable[[Array], Array] | None = None
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

    def drift_jacobian(self, x: Array, t: ArrayLike) -> Array:
        """Return −D∇²V(x)."""
        if self.hessian is None:
            return super().drift_jacobian(x, t)
        D = self.diffusivity(t)
        return -(D[..., None, None] if D.ndim else float(D)) * self.hessian(x)

    def divergence_gradient(self, x: Array, t: ArrayLike) -> Array:
        """Return −D∇ΔV(x)."""
        if self.laplacian_gradient is None:
            return super().divergence_gradient(x, t)
        D = self.diffusivity(t)
        return -(D[..., None] if D.ndim else float(D)) * self.laplacian_gradient(x)

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

    def hessian(self, x: Array) -> Array:
        """Return ∇²V, diagonal."""
        y = x / self.width
        bend = np.concatenate((self.depth * (12 * y[..., :1] ** 2 - 4), np.ones_like(y[..., 1:])), axis=-1)
        return bend[..., None] * beside(np.eye(x.shape[-1]), x) / self.width**2

    def laplacian_gradient(self, x: Array) -> Array:
        """Return ∇ΔV."""
        y = x / self.width
        return np.concatenate((24 * self.depth * y[..., :1], np.zeros_like(y[..., 1:])), axis=-1) / self.width**3


def double_well(depth: float = 1.0, scale: float = 1.0, horizon: float = 1.0, width: float = 1.0) -> OverdampedLangevin:
    """Return the Langevin process in V(x) = depth·((x₁/w)² − 1)² + ½ Σ_{i>1} (x_i/w)², with wells at x₁ = ±w, the width.

    >>> mfg.processes.double_well(depth=2.0).potential(np.array([[0.0], [1.0]]))
    array([2., 0.])
    """
    positive(depth=depth, width=width)
    wells = Wells(depth, width)
    known = (wells.potential, wells.gradient, wells.laplacian)
    return OverdampedLangevin(*known, scale, horizon, wells.hessian, wells.laplacian_gradient)


def examples() -> Iterator[OverdampedLangevin]:
    """Yield members to hold the laws to: two wells, with and without a Hessian; nanometres in gigaseconds, the reverse."""
    yield double_well(2.0, 0.7, 2.7)
    wells = Wells(0.9, 1.1)
    yield OverdampedLangevin(wells.potential, wells.gradient, wells.laplacian, 1.2)
    for length, time in ((1e-9, 1e9), (1e9, 1e-9)):
        yield double_well(0.8, 1.2 * length * time**-0.5, 2.7 * time, 0.9 * length)
