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
from scipy import fft

from mfgpde.core.arrays import Array, contiguous
from mfgpde.densities import cell_means
from mfgpde.discretisations.checks import checked
from mfgpde.discretisations.finite_volume.jump_rates import Jumps, jumps, with_slope
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
    def _kernel(self) -> tuple[Array, tuple[int, ...]]:
        """The transform of K at differences of centres, on a box twice as wide where axes are not periodic."""
        grid = self.grid
        sizes = tuple(n if p else 2 * n for n, p in zip(grid.cells, grid.periodic, strict=True))
        along = [h * ((np.arange(m) + m // 2) % m - m // 2) for m, h in zip(sizes, grid.spacing, strict=True)]
        z = np.stack(np.meshgrid(*along, indexing="ij"), axis=-1)
        with np.errstate(all="ignore"):
            K = np.array(np.broadcast_to(self.equation.interaction(np.asarray(z, dtype=float)), z.shape), dtype=float)
        K[(0,) * grid.dimension] = 0.0  # a particle does not act on itself
        if not np.isfinite(K).all():
            where = z[tuple(np.argwhere(~np.isfinite(K))[0][:-1])]
            raise ValueError(f"the interaction is not finite at the difference {where.tolist()}")
        for axis, (m, periodic) in enumerate(zip(sizes, grid.periodic, strict=True)):
            if periodic and m % 2 == 0:  # half way round both ways are as short
                opposite: list[Any] = [slice(None)] * grid.dimension
                opposite[axis] = m // 2
                K[(*opposite, axis)] = 0.0
        transform: Any = fft.rfftn(K, axes=range(grid.dimension))
        return transform, sizes

    def force(self, u: Array) -> Array:
        """Return ∫K(x − y) u(y) dy at cell centres, (*cells, d)."""
        transform, sizes = self._kernel
        axes = tuple(range(self.grid.dimension))
        law = fft.rfftn(u, s=sizes, axes=axes)[..., None]
        found = fft.irfftn(transform * law, s=sizes, axes=axes) * self.grid.volume
        return found[tuple(slice(0, n) for n in self.grid.cells)]

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
