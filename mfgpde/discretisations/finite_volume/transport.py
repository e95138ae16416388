"""Continuity by limited upwind fluxes (MUSCL, van Leer): conservative, positive, second order away from extrema."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from mfgpde.core.arrays import Array, contiguous, to_host
from mfgpde.core.recent import Recent
from mfgpde.densities import cell_means
from mfgpde.discretisations.checks import checked
from mfgpde.discretisations.coefficients import Evaluating
from mfgpde.equations import Continuity
from mfgpde.grids import CartesianGrid
from mfgpde.integrators import SSPRK43, Integrator
from mfgpde.kernels import stencils


@dataclass(eq=False)
class LimitedUpwind(Evaluating):
    """∂_t p = −∇·(v p). Positive under a strong-stability-preserving integrator while dt·Σ|v|/h ≤ 1.

    van Leer, J. Comput. Phys. 32 (1979).
    """

    equation: Continuity
    grid: CartesianGrid
    xp: Any = np
    """the namespace whose arrays hold velocities and densities"""
    default_integrator: Integrator = field(default_factory=SSPRK43)
    limited: ClassVar[bool] = True
    """its order changes from place to place: errors are no powers of the cell width"""
    _recent: Recent[list[Array]] = field(default_factory=lambda: Recent(4), repr=False)

    @property
    def still(self) -> bool:
        """Whether the velocity does not depend on time."""
        return not self.equation.time_dependent

    def velocities(self, t: float) -> list[Array]:
        """Return v_i/h_i on the faces of every axis, shaped (outer, n + 1, inner); computed once per instant."""
        key = t if self.equation.time_dependent else 0.0
        return self._recent(key, lambda: [self._velocity(axis, key) for axis in range(self.grid.dimension)])

    def _velocity(self, axis: int, t: float) -> Array:
        v = self.coefficients.on_faces(self.equation.velocity, axis, t, f"the velocity at t = {t:g}")
        return contiguous(v / self.grid.spacing[axis]).reshape(-1, *self._shape(axis, 1))

    def _shape(self, axis: int, extra: int = 0) -> tuple[int, int]:
        return self.grid.cells[axis] + extra, int(np.prod(self.grid.cells[axis + 1 :]))

    def rate(self, u: Array, t: float, out: Array | None = None) -> Array:
        """Return −∇·(v p)."""
        u = contiguous(u)
        out = np.zeros_like(u)
        for axis, v in enumerate(self.velocities(t)):
            shape = (-1, *self._shape(axis))
            stencils.of(u).limited_flux(u.reshape(shape), v, self.grid.periodic[axis], out.reshape(shape))
        return out

    def mass(self, u: Array) -> float:
        """Return ∫u."""
        return float(self.grid.integrate(u))

    def start(self, initial: Callable[[Array], Array]) -> Array:
        """Return the means of the initial density over cells."""
        checked(initial(self.grid.points), self.grid.cells, "the initial condition")
        return self.xp.asarray(cell_means(initial, self.grid))

    def values(self, u: Array) -> Array:
        """Return the means over cells, on the host."""
        return to_host(u)
