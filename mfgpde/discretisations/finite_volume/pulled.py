"""The drift −a(t) x on a device: face Péclet numbers are g(t) times what never changes, g = a/D.

So a march sends a few numbers an instant, asks for none, and evaluates no function of points.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from mfgpde.core.arrays import Array
from mfgpde.core.recent import Recent
from mfgpde.discretisations.finite_volume.fitted_chain import FittedChain, fitted
from mfgpde.discretisations.finite_volume.markov_chain import MarkovChain
from mfgpde.grids import CartesianGrid
from mfgpde.kernels import cpu

Chain = MarkovChain | FittedChain


class Pull(NamedTuple):
    """What one instant needs."""

    strength: float
    """g, per length²"""
    rates: tuple[float, ...]
    """D/h² per axis"""
    fastest: tuple[float, ...]
    """the fastest departure from a cell along each axis, in units of D/h²"""
    fits: bool
    """whether |w| ≤ 1 on all faces, so that rates can be found on the fly"""


@dataclass(eq=False)
class Pulled:
    """A box between walls, relaxation a(t) and diffusivity D(t)."""

    grid: CartesianGrid
    xp: Any
    relaxation: Callable[[float], Any]
    diffusivity: Callable[[float], Any]
    corrected: bool
    _recent: Recent[Pull | None] = field(default_factory=lambda: Recent(4), repr=False)

    @cached_property
    def along(self) -> tuple[Array, ...]:
        """The Péclet numbers −h x of g = 1 on the faces of each axis (n + 1,), zero on walls."""
        found = []
        for axis, h in enumerate(self.grid.spacing):
            w = -h * self.grid.face_axes(axis)[axis]
            w[0] = w[-1] = 0.0
            found.append(w)
        return tuple(found)

    @cached_property
    def units(self) -> tuple[Any, ...]:
        """The same on all faces, on the device."""
        found = []
        for axis, w in enumerate(self.along):
            there, d = self.xp.asarray(w), self.grid.dimension
            full = np.empty_like(there, shape=tuple(n + (i == axis) for i, n in enumerate(self.grid.cells)))
            full[...] = there.reshape((-1,) + (1,) * (d - 1 - axis))
            found.append(full)
        return tuple(found)

    def at(self, t: float) -> Pull | None:
        """Return an instant; None where D is not positive, or a number is none."""
        return self._recent(t, lambda: self._at(t))

    def _at(self, t: float) -> Pull | None:
        a, D = float(self.relaxation(t)), float(self.diffusivity(t))
        if not (0 < D < np.inf and np.isfinite(a / D)):
            return None
        lines = [a / D * w for w in self.along]
        fits = max(float(np.abs(w).max()) for w in lines) <= 1
        fastest = tuple(float(cpu.largest_departure(w.reshape(1, -1, 1), False)) for w in lines)
        return Pull(a / D, tuple(D / h**2 for h in self.grid.spacing), fastest, fits)

    def chain(self, pull: Pull) -> Chain:
        """Return the chain of an instant."""
        return self._made(pull.strength, pull.rates, pull.fits, pull.fastest)

    def numbers(self, pull: Pull) -> tuple[float, ...]:
        """Return what `made` asks for."""
        return *pull.rates, pull.strength

    def made(self, numbers: Any, fits: bool) -> Chain:
        """Return the same from its numbers on the device."""
        d = self.grid.dimension
        return self._made(numbers[d : d + 1], numbers[:d], fits, ())

    def _made(self, strength: Any, rates: Any, fits: bool, fastest: tuple[float, ...]) -> Chain:
        peclet = tuple(strength * w for w in self.units)
        if fits:
            return FittedChain(self.grid, peclet, rates, fastest, self.corrected)
        return MarkovChain(self.grid, *fitted(self.grid, peclet, rates), peclet if self.corrected else None)

    def spectral_radius(self, pull: Pull) -> float:
        """Return Gershgorin's bound, as chains do: the fastest cell is that of each axis."""
        return FittedChain(self.grid, (), pull.rates, pull.fastest, self.corrected).spectral_radius(np.empty(0), 0.0)
