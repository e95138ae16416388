"""From face Péclet numbers to jump rates: stored, or evaluated on the fly where a short series gives them.

In three dimensions, and on a GPU in two, memory is the limit. Where |w| ≤ 1 on all faces, the rates are a polynomial in
w: half the arrays, and, because a stencil waits for memory and not for arithmetic, less time as well.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from mfgpde.core.arrays import Array, beside, contiguous, elsewhere, to_host
from mfgpde.discretisations.finite_volume.markov_chain import MarkovChain
from mfgpde.grids import CartesianGrid
from mfgpde.kernels import cpu, stencils
from mfgpde.kernels.launch import Stencil

Rates = tuple[tuple[Array, ...], tuple[Array, ...]]


@dataclass(eq=False)
class FittedChain:
    """du/dt = Au from Péclet numbers |w| ≤ 1 and rates D/h² per axis.

    They are zero on walls; of a corrected chain they may be anything there, where its kernel lets nothing through.
    """

    grid: CartesianGrid
    peclet: tuple[Array, ...]
    rates: Any
    """numbers, or an array beside the Péclet numbers"""
    fastest: tuple[float, ...]
    """the fastest departure from a cell along each axis, in units of D/h²"""
    corrected: bool = False
    """to fourth order, on a device"""

    def rate(self, u: Array, t: float, out: Array | None = None) -> Array:
        """Return Au, in `out` if given."""
        out = np.empty_like(u) if out is None else out
        if elsewhere(u):
            self._there.rate(contiguous(u), out)
        else:
            cpu.fitted(contiguous(u), self.peclet, self.rates, self.grid.periodic, out)
        return out

    @cached_property
    def _there(self) -> Stencil:
        """The same on the device: one launch a rate, and one a stage."""
        rates = beside(np.asarray(self.rates), self.peclet[0]) if isinstance(self.rates, tuple) else self.rates
        given = (*self.peclet, rates, *self.grid.periodic)
        name = "corrected_fitted_stage" if self.corrected else "fitted_stage"
        return stencils.on_device().stencil(name, self.grid.cells, *given)

    def stages(self, y0: Array, f0: Array, rows: Any) -> Array | None:
        """Return Chebyshev's last stage, where each stage is one pass; else None."""
        return stencils.on_device().chebyshev(self._there, y0, f0, rows) if elsewhere(y0) else None

    @cached_property
    def stored(self) -> MarkovChain:
        """The same chain with stored rates, for what needs its matrix."""
        rates = fitted(self.grid, self.peclet, self.rates)
        return MarkovChain(self.grid, *rates, self.peclet if self.corrected else None)

    def spectral_radius(self, u: Array, t: float) -> float:
        """Return twice the sum of the fastest departures along each axis, at least Gershgorin's bound.

        The correction multiplies a flux by at most 4/3 (δ² of alternating fluxes).
        """
        bound = 2 * sum(rate * fastest for rate, fastest in zip(self.rates, self.fastest, strict=True))
        return bound * (4 / 3 if self.corrected else 1.0)

    def frozen(self, t0: float, t1: float) -> FittedChain:
        """Return itself."""
        return self

    def solve(self, rhs: Array, t: float, shift: float) -> Array:
        """Return (I − shift·A)⁻¹ rhs."""
        return self.stored.solve(rhs, t, shift)

    def mass(self, u: Array) -> float:
        """Return ∫u."""
        return float(self.grid.integrate(u))


def largest_and_fastest(grid: CartesianGrid, peclet: tuple[Array, ...]) -> tuple[float, tuple[float, ...]]:
    """Return the largest |w|, and the fastest departure from a cell along each axis in units of D/h²; by one copy."""
    if elsewhere(peclet[0]):
        largest, fastest = to_host(departures(grid, peclet)).T
        return float(largest.max()), tuple(map(float, fastest))
    lines = [w.reshape(-1, w.shape[axis], int(np.prod(w.shape[axis + 1 :]))) for axis, w in enumerate(peclet)]
    fastest = tuple(float(cpu.largest_departure(w, closed)) for w, closed in zip(lines, grid.periodic, strict=True))
    return float(np.max([np.abs(w).max() for w in peclet])), fastest


def departures(grid: CartesianGrid, peclet: tuple[Array, ...]) -> Any:
    """Return the same of a device's, an axis a row, (axes, 2), there; infinite for what is no number."""
    return stencils.on_device().departures(peclet, grid.periodic)


def fitted(grid: CartesianGrid, peclet: tuple[Array, ...], rates: Any) -> Rates:
    """Return the jump rates (up, down) of exponential fitting, zero through walls."""
    up, down = tuple(np.empty_like(w) for w in peclet), tuple(np.empty_like(w) for w in peclet)
    there = beside(np.asarray(rates), peclet[0]) if isinstance(rates, tuple) else rates
    for axis, (w, u, d) in enumerate(zip(peclet, up, down, strict=True)):
        rate = there[axis : axis + 1] if elsewhere(w) else there[axis]
        stencils.of(w).jump_rates(w.ravel(), rate, u.ravel(), d.ravel())
    close(grid, up)
    close(grid, down)
    return up, down


def upwind(grid: CartesianGrid, velocity: tuple[Array, ...]) -> Rates:
    """Return the jump rates without diffusion."""
    up, down = tuple(np.empty_like(v) for v in velocity), tuple(np.empty_like(v) for v in velocity)
    for v, h, u, d in zip(velocity, grid.spacing, up, down, strict=True):
        stencils.of(v).upwind_rates(v.ravel(), 1 / h, u.ravel(), d.ravel())
    close(grid, up)
    close(grid, down)
    return up, down


def close(grid: CartesianGrid, faces: tuple[Array, ...]) -> None:
    """Set what is written on walls to zero: nothing flows there."""
    for axis, (part, periodic) in enumerate(zip(faces, grid.periodic, strict=True)):
        for wall in () if periodic else (0, -1):  # no list of both: a device would be sent it
            part[(slice(None),) * axis + (wall,)] = 0.0
