"""Hamilton–Jacobi equations with kinks: WENO5 slopes from both sides, and the Hamiltonian of Lax and Friedrichs.

Ĥ = H(x, ½(p⁻ + p⁺)) − ½ Σ_i a_i (p_i⁺ − p_i⁻), a_i ≥ |∂H/∂p_i|: monotone in what is smooth, so that kinks are those of the
viscosity solution. Order five where that is smooth and D = 0; diffusion is of order four.
Jiang, Peng, SIAM J. Sci. Comput. 21 (2000); Crandall, Lions, Math. Comp. 43 (1984).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from mfgpde.core.arrays import Array, beside, contiguous, to_host
from mfgpde.discretisations.checks import checked, computing
from mfgpde.discretisations.finite_volume.differences import Walls, along, widened
from mfgpde.discretisations.finite_volume.hamilton_jacobi import largest_slopes
from mfgpde.equations import ViscousHamiltonJacobi
from mfgpde.grids import CartesianGrid
from mfgpde.integrators import SSPRK43, Integrator
from mfgpde.kernels import stencils


@dataclass(eq=False)
class EssentiallyNonOscillatory:
    """∂_t u = DΔu − H(x, ∇u, t) at cell centres; explicit, best where D does not rule the time step."""

    equation: ViscousHamiltonJacobi
    grid: CartesianGrid
    walls: Walls
    xp: Any = np
    """the namespace whose arrays hold the solution"""
    default_integrator: Integrator = field(default_factory=SSPRK43)
    inviscid: ClassVar[bool] = True
    """D = 0 is allowed: the viscosity solution needs none"""

    @cached_property
    def points(self) -> Array:
        """The cell centres where H is evaluated, once it is known to compute there."""
        return computing(self.equation.hamiltonian, "the Hamiltonian", self.grid, self.xp)

    def _slopes(self, u: Array) -> tuple[Array, Array, Array]:
        """Return p⁻, p⁺ (*cells, d) and Δu."""
        low, high = (np.empty_like(u, shape=(*u.shape, u.ndim)) for _ in range(2))
        laplacian = np.zeros_like(u)
        for axis, (n, h) in enumerate(zip(u.shape, self.grid.spacing, strict=True)):
            wide = widened(u, axis, self.grid.periodic[axis], self.walls)
            inner = int(np.prod(u.shape[axis + 1 :]))
            below, above = (np.empty_like(u, shape=(u.size // (n * inner), n, inner)) for _ in range(2))
            stencils.of(u).weno_slopes(contiguous(wide).reshape(-1, n + 6, inner), 1 / h, below, above)
            low[..., axis], high[..., axis] = below.reshape(u.shape), above.reshape(u.shape)
            parts = [along(wide, axis, k, k + n) for k in range(1, 6)]
            laplacian += (16 * (parts[1] + parts[3]) - parts[0] - parts[4] - 30 * parts[2]) / (12 * h**2)
        return low, high, laplacian

    def rate(self, u: Array, t: float, out: Array | None = None) -> Array:
        """Return DΔu − Ĥ."""
        low, high, laplacian = self._slopes(u)
        middle, D = 0.5 * (low + high), float(self.equation.diffusivity(t))
        damping = beside(np.asarray(self._fastest(low, high, t)), u)
        H = self.equation.hamiltonian(self.points, middle, t) - 0.5 * (high - low) @ damping
        return D * laplacian - H

    def _fastest(self, low: Array, high: Array, t: float) -> list[float]:
        """Return max|∂H/∂p_i| at the slopes from both sides."""
        at_ends = [largest_slopes(lambda p: self.equation.hamiltonian(self.points, p, t), p) for p in (low, high)]
        return [max(pair) for pair in zip(*at_ends, strict=True)]

    def spectral_radius(self, u: Array, t: float) -> float:
        """Return Σ 16D/3h² + Σ 2 a_i/h_i with a margin of 10 %."""
        low, high, _ = self._slopes(u)
        D, spacing = float(self.equation.diffusivity(t)), self.grid.spacing
        advective = sum(2 * a / h for a, h in zip(self._fastest(low, high, t), spacing, strict=True))
        return 1.1 * (advective + sum(16 * D / (3 * h**2) for h in spacing))

    def frozen(self, t0: float, t1: float) -> EssentiallyNonOscillatory:
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
