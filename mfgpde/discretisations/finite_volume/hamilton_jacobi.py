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

MOST_AT_ONCE = 2**20
"""cells up to which a Hamiltonian on a device is asked at all ends of its differences at once, 4d² numbers a cell"""


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

    def fastest(self, p: Array, t: float) -> Array:
        """Return max|∂H/∂p_i| at slopes p (*cells, d), (d,), where they lie; on a device from one call if H allows it."""
        return largest_slopes(lambda q: self.equation.hamiltonian(self.points, q, t), p, self._at_once)

    @cached_property
    def _at_once(self) -> bool:
        """Whether H takes several slopes a point, tried at two cells: there a call costs launches, whatever it computes."""
        if self.xp is np or int(np.prod(self.grid.cells)) > MOST_AT_ONCE:
            return False
        x = self.points.reshape(-1, self.grid.dimension)[:2]
        p, H = np.stack([x, 0.5 * x + 0.1, x - 0.3]), self.equation.hamiltonian
        try:
            together = to_host(H(x, p, 0.0))
            return np.array_equal(together, np.array([to_host(H(x, q, 0.0)) for q in p]), equal_nan=True)
        except Exception:  # whatever a function of one slope a point does with several
            return False

    @property
    def askable(self) -> bool:
        """Whether H takes all slopes of a stage at once."""
        return self._at_once

    def diffusivity(self, t: float) -> float:
        """Return D."""
        return float(self.equation.diffusivity(t))

    def answer(self, points: Array, t: float) -> Array:
        """Return H at slopes (…, *cells, d)."""
        return self.equation.hamiltonian(self.points, points, t)

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
        return self.diffusivity(t) * laplacian - self.equation.hamiltonian(self.points, gradient, t)

    def question(self, u: Array) -> tuple[Array, Array]:
        """Return ∇u, and Δu in a line."""
        gradient, laplacian = gradient_and_laplacian(u, self.grid, self.walls)
        return gradient, laplacian.ravel()

    def rate_of(self, rest: Array, answer: Array, D: Array) -> Array:
        """Return DΔu − H."""
        return D * rest.reshape(self.grid.cells) - answer

    def spectral_radius(self, u: Array, t: float) -> float:
        """Return Σ 4D/h² + Σ max|∂H/∂p_i|/h_i at the present gradient, with a margin of 10 %."""
        gradient, _ = gradient_and_laplacian(u, self.grid, self.walls)
        diffusive = sum(4 * float(self.equation.diffusivity(t)) / h**2 for h in self.grid.spacing)
        slopes = to_host(self.fastest(gradient, t))
        return 1.1 * (diffusive + sum(float(c) / h for c, h in zip(slopes, self.grid.spacing, strict=True)))


def largest_slopes(function: Callable[[Array], Array], p: Array, at_once: bool = False) -> Array:
    """Return max|∂function/∂p_i| over the grid (d,), where p lies, by central differences (for quadratics exact).

    With `at_once` the function is called once, for all ends (2d, *cells, d).
    """
    step = step_of(p)
    moves = step * _directions(p)
    if at_once:
        ends = np.empty_like(p, shape=(2 * p.shape[-1], *p.shape))
        fill_ends(p, step, ends)
        return steepest(function(ends), step)
    return np.stack([np.abs(function(p + e) - function(p - e)).max() for e in moves]) / (2 * step)


def step_of(p: Array) -> Array:
    """Return the step of differences in p, where p lies."""
    largest = np.abs(p).max()
    return 1e-3 * (largest + (largest == 0))  # at rest there is no unit of p


def fill_ends(p: Array, step: Array, ends: Array) -> None:
    """Fill the ends of the differences (2d, *cells, d), above and then below."""
    d = p.shape[-1]
    moves = (step * _directions(p)).reshape(d, *(1,) * (p.ndim - 1), d)
    ends[:d] = p + moves
    ends[d:] = p - moves


def steepest(values: Array, step: Array) -> Array:
    """Return max|∂/∂p_i| over the grid (d,) from values at the ends (2d, *cells)."""
    d = len(values) // 2
    return np.abs(values[:d] - values[d:]).reshape(d, -1).max(axis=1) / (2 * step)


def _directions(p: Array) -> Array:
    """Return the unit vectors where p lies; a device makes them, for a copy would wait for it."""
    directions = np.zeros_like(p, shape=(p.shape[-1], p.shape[-1]))
    for i in range(p.shape[-1]):
        directions[i, i] = 1.0
    return directions
