"""McKean–Vlasov as a chain whose rates follow its own law: the force of all on each by fast convolution, then fitted.

What the law adds to the Péclet numbers of the fixed part is added at every stage: the scheme is positive, conservative
and of order two. The convolution is that of masses at the centres of cells, without a force of a
particle on itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from mfgpde.core.arrays import Array, contiguous
from mfgpde.densities import cell_means
from mfgpde.discretisations.checks import checked
from mfgpde.discretisations.convolution import Force
from mfgpde.discretisations.finite_volume.jump_rates import Jumps, jumps, pull_along_noise, with_slope
from mfgpde.discretisations.finite_volume.walls import Sides
from mfgpde.equations import ForwardKolmogorov
from mfgpde.equations.mckean_vlasov import McKeanVlasov
from mfgpde.grids import CartesianGrid
from mfgpde.integrators import Integrator, RungeKuttaChebyshev
from mfgpde.kernels import jumps as kernels


@dataclass(eq=False)
class InteractingChain:
    """du/dt = A(u)u. Raises TypeError for walls that let out, and where some direction has no noise."""

    equation: McKeanVlasov
    grid: CartesianGrid
    sides: Sides
    xp: Any = np
    default_integrator: Integrator = field(default_factory=RungeKuttaChebyshev)

    def __post_init__(self) -> None:
        if self.xp is not np or self.equation.time_dependent:
            raise TypeError("interacting particles are computed on the host, with still coefficients")
        if self.sides.lets_out:
            raise TypeError(f"interacting particles live in closed boxes, far or on circles, got {self.sides.pairs!r}")
        D = self.equation.diffusion.diffusion_tensor(self.grid.points, 0.0)
        if self.fixed.degenerate or not float(np.linalg.eigvalsh(D)[..., 0].min()) > 0:
            raise TypeError("interacting particles need noise along all directions")

    @cached_property
    def fixed(self) -> Jumps:
        """The chain without interaction."""
        return jumps(ForwardKolmogorov(self.equation.diffusion), self.grid, 0.0)

    @cached_property
    def _inverse(self) -> Array:
        """D⁻¹ at cell centres."""
        return np.linalg.inv(self.equation.diffusion.diffusion_tensor(self.grid.points, 0.0))

    @cached_property
    def force(self) -> Force:
        """∫K(x − y) u(y) dy at cell centres, (*cells, d), of means u."""
        return Force(self.equation.interaction, self.grid)

    def pull(self, u: Array) -> Array:
        """Return D⁻¹ of the drift in the force of a law at cell centres, (*cells, d), per length."""
        fixed = pull_along_noise(ForwardKolmogorov(self.equation.diffusion), self.grid, 0.0)
        return fixed + np.einsum("...ij,...j->...i", self._inverse, self.force(u))

    def chain(self, u: Array) -> Jumps:
        """Return the chain in the force of a law."""
        along = np.einsum("...ij,...j->...i", self._inverse, self.force(u)) * np.asarray(self.grid.spacing)
        return with_slope(self.fixed, along)

    def rate(self, u: Array, t: float, out: Array | None = None) -> Array:
        """Return A(u)u."""
        found, u = self.chain(u), contiguous(u)
        out = np.empty_like(u) if out is None else out
        kernels.jump(
            u.reshape(found.shape), found.offsets, found.up, found.down, found.departures(), out.reshape(found.shape)
        )
        return out

    def spectral_radius(self, u: Array, t: float) -> float:
        """Return Gershgorin's bound of A(u), with room for what u does to it."""
        return 2.2 * float(self.chain(u).departures().max())

    def frozen(self, t0: float, t1: float) -> InteractingChain:
        """Return itself."""
        return self

    def mass(self, u: Array) -> float:
        """Return ∫u."""
        return float(self.grid.integrate(u))

    def start(self, initial: Callable[[Array], Array]) -> Array:
        """Return the means of a density over cells."""
        checked(initial(self.grid.points), self.grid.cells, "the initial condition")
        return cell_means(initial, self.grid)

    def values(self, u: Array) -> Array:
        """Return the means over cells."""
        return u
