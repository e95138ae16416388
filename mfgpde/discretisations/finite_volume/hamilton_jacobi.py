"""Scalar nonlinear equations ∂_t u = DΔu − H(x, ∇u, t) at cell centres, by central differences."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Self

import numpy as np

from mfgpde.core.arrays import Array, to_host
from mfgpde.discretisations.checks import checked, computing
from mfgpde.discretisations.finite_volume.differences import Walls, gradient_and_laplacian
from mfgpde.equations import ViscousHamiltonJacobi
from mfgpde.grids import CartesianGrid
from mfgpde.integrators import Integrator, RungeKuttaChebyshev


@dataclass(eq=False)
class AtCentres:
    """What schemes for a Hamilton–Jacobi equation share: values at cell centres, where the Hamiltonian is evaluated."""

    equation: ViscousHamiltonJacobi
    grid: CartesianGrid
    walls: Walls
    xp: Any = np
    """the namespace whose arrays hold the solution"""

    @cached_property
    def points(self) -> Array:
        """The cell centres where H is evaluated, once it is known to compute there."""
        return computing(self.equation.hamiltonian, "the Hamiltonian", self.grid, self.xp)

    def frozen(self, t0: float, t1: float) -> Self:
        """Return itself: the stages evaluate the coefficients at their own times."""
        return self

    def mass(self, u: Array) -> float:
        """Return ∫u."""
        return float(self.grid.integrate(u))

    def start(self, initial: Callable[[Array], Array]) -> Array:
        """Return the values of the initial condition at cell centres."""
        return self.xp.asarray(checked(initial(self.grid.points), self.grid.cells, "the initial condition"))

    def values(self, u: Array) -> Array:
        """Return the values at cell centres, on the host."""
        return to_host(u)


@dataclass(eq=False)
class CentralDifferences(AtCentres):
    """Second order for smooth solutions; viscosity must resolve kinks (cell Péclet number |H_p|h/D below about 2)."""

    default_integrator: Integrator = field(default_factory=lambda: RungeKuttaChebyshev(damping=2.0))

    def rate(self, u: Array, t: float, out: Array | None = None) -> Array:
        """Return DΔu − H(x, ∇u, t)."""
        gradient, laplacian = gradient_and_laplacian(u, self.grid, self.walls)
        return float(self.equation.diffusivity(t)) * laplacian - self.equation.hamiltonian(self.points, gradient, t)

    def spectral_radius(self, u: Array, t: float) -> float:
        """Return Σ 4D/h² + Σ max|∂H/∂p_i|/h_i at the present gradient, with a margin of 10 %."""
        gradient, _ = gradient_and_laplacian(u, self.grid, self.walls)
        diffusive = sum(4 * float(self.equation.diffusivity(t)) / h**2 for h in self.grid.spacing)
        slopes = to_host(largest_slopes(lambda p: self.equation.hamiltonian(self.points, p, t), gradient))
        return 1.1 * (diffusive + sum(float(c) / h for c, h in zip(slopes, self.grid.spacing, strict=True)))


def largest_slopes(function: Callable[[Array], Array], p: Array) -> Array:
    """Return max|∂function/∂p_i| over the grid (d,), where p lies, by central differences (for quadratics exact)."""
    largest = np.abs(p).max()
    step = 1e-3 * (largest + (largest == 0))  # at rest there is no unit of p
    moves = step * _directions(p)
    return np.stack([np.abs(function(p + e) - function(p - e)).max() for e in moves]) / (2 * step)


def _directions(p: Array) -> Array:
    """Return the unit vectors where p lies; a device makes them, for a copy would wait for it."""
    directions = np.zeros_like(p, shape=(p.shape[-1], p.shape[-1]))
    for i in range(p.shape[-1]):
        directions[i, i] = 1.0
    return directions
