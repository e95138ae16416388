"""From face Péclet numbers to jump rates: stored, or evaluated on the fly where a short series gives them.

In three dimensions memory is the limit. Where |w| ≤ 1 on all faces, the rates are a polynomial in w: three arrays
instead of six, and, because a stencil waits for memory and not for arithmetic, less time as well.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mfgpde.discretisations.base import Array
from mfgpde.discretisations.finite_volume.markov_chain import MarkovChain
from mfgpde.grids import CartesianGrid
from mfgpde.kernels import cpu

Rates = tuple[tuple[Array, ...], tuple[Array, ...]]


@dataclass(eq=False)
class FittedChain:
    """du/dt = Au in three dimensions from Péclet numbers |w| ≤ 1 (set to 0 on walls) and rates D/h² per axis."""

    grid: CartesianGrid
    peclet: tuple[Array, ...]
    rates: tuple[float, ...]

    def __post_init__(self) -> None:
        _close(self.grid, self.peclet)

    def rate(self, u: Array, t: float, out: Array | None = None) -> Array:
        """Return Au, in `out` if given."""
        out = np.empty_like(u) if out is None else out
        w0, w1, w2 = self.peclet
        rates, glued, blocks = np.array(self.rates), np.array(self.grid.periodic), min(cpu.threads(), len(u))
        cpu.fitted_3d(np.ascontiguousarray(u), w0, w1, w2, rates, glued, blocks, out)
        return out

    @cached_property
    def stored(self) -> MarkovChain:
        """The same chain with stored rates, for what needs its matrix."""
        return MarkovChain(self.grid, *fitted(self.grid, self.peclet, self.rates))

    @cached_property
    def _radius(self) -> float:
        total = 0.0
        for axis, (w, rate) in enumerate(zip(self.peclet, self.rates, strict=True)):
            faces = w.reshape(-1, w.shape[axis], int(np.prod(w.shape[axis + 1 :])))
            total += 2 * rate * cpu.largest_departure(faces, self.grid.periodic[axis])
        return total

    def spectral_radius(self, u: Array, t: float) -> float:
        """Return twice the sum of the fastest departures along each axis, at least Gershgorin's bound."""
        return self._radius

    def frozen(self, t0: float, t1: float) -> FittedChain:
        """Return itself."""
        return self

    def solve(self, rhs: Array, t: float, shift: float) -> Array:
        """Return (I − shift·A)⁻¹ rhs."""
        return self.stored.solve(rhs, t, shift)

    def mass(self, u: Array) -> float:
        """Return ∫u."""
        return float(self.grid.integrate(u))


def fitted(grid: CartesianGrid, peclet: tuple[Array, ...], rates: tuple[float, ...]) -> Rates:
    """Return the jump rates (up, down) of exponential fitting, zero through walls."""
    up, down = tuple(np.empty(w.shape) for w in peclet), tuple(np.empty(w.shape) for w in peclet)
    for w, rate, u, d in zip(peclet, rates, up, down, strict=True):
        cpu.jump_rates(w.ravel(), rate, u.ravel(), d.ravel())
    _close(grid, up)
    _close(grid, down)
    return up, down


def upwind(grid: CartesianGrid, velocity: tuple[Array, ...]) -> Rates:
    """Return the jump rates without diffusion."""
    up, down = tuple(np.empty(v.shape) for v in velocity), tuple(np.empty(v.shape) for v in velocity)
    for v, h, u, d in zip(velocity, grid.spacing, up, down, strict=True):
        cpu.upwind_rates(v.ravel(), 1 / h, u.ravel(), d.ravel())
    _close(grid, up)
    _close(grid, down)
    return up, down


def _close(grid: CartesianGrid, faces: tuple[Array, ...]) -> None:
    """Set what is written on walls to zero: nothing flows there."""
    for axis, glued in enumerate(grid.periodic):
        if not glued:
            faces[axis][(slice(None),) * axis + ([0, -1],)] = 0.0
