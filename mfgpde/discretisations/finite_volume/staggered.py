"""The score equation on a staggered grid: component i lives on the faces normal to axis i, the bracket at cell centres.

Then ∇·s is a sum of face differences and ∇[…] a difference of cells: a compact Laplacian, and a discrete gradient
stays one — the curl of the solution keeps its initial value to rounding.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from mfgpde.arrays import to_host
from mfgpde.discretisations.base import Array, checked, computing
from mfgpde.discretisations.finite_volume.differences import Walls, along, face_gradient
from mfgpde.discretisations.finite_volume.hamilton_jacobi import largest_slopes
from mfgpde.equations import ScoreFokkerPlanck
from mfgpde.grids import CartesianGrid
from mfgpde.integrators import Integrator, RungeKuttaChebyshev


@dataclass(eq=False)
class StaggeredScore:
    """∂_t s = ∇[D∇·s + Q|s|² − f·s − ∇·f]; the unknown is one flat vector of all face components."""

    equation: ScoreFokkerPlanck
    grid: CartesianGrid
    walls: Walls
    xp: Any = np
    """the namespace whose arrays hold the solution"""
    default_integrator: Integrator = field(default_factory=lambda: RungeKuttaChebyshev(damping=2.0))

    @cached_property
    def points(self) -> Array:
        """The cell centres where the bracket is evaluated, once it is known to compute there."""
        return computing(self.equation.transport, "the drift", self.grid, self.xp)

    def components(self, u: Array) -> list[Array]:
        """Return the face arrays (*cells + e_i) as views of u."""
        shapes = [tuple(n + (i == axis) for i, n in enumerate(self.grid.cells)) for axis in range(self.grid.dimension)]
        ends = np.cumsum([0, *(int(np.prod(shape)) for shape in shapes)]).tolist()
        return [u[a:b].reshape(shape) for a, b, shape in zip(ends, ends[1:], shapes, strict=False)]

    def rate(self, u: Array, t: float, out: Array | None = None) -> Array:
        """Return the gradient of the bracket on all faces."""
        parts = self.components(u)
        bracket = self.equation.transport(self.points, self._at_centres(u), t)
        divergence = sum(np.diff(s, axis=i) / h for i, (s, h) in enumerate(zip(parts, self.grid.spacing, strict=True)))
        bracket = bracket + float(self.equation.diffusivity(t)) * divergence
        return np.concatenate([face_gradient(bracket, i, self.grid, self.walls).ravel() for i in range(len(parts))])

    def spectral_radius(self, u: Array, t: float) -> float:
        """Return Σ 4D/h² + Σ max|∂bracket/∂s_i|/h_i, with a margin of 10 %."""
        diffusive = sum(4 * float(self.equation.diffusivity(t)) / h**2 for h in self.grid.spacing)
        slopes = largest_slopes(lambda s: self.equation.transport(self.points, s, t), self._at_centres(u))
        return 1.1 * (diffusive + sum(c / h for c, h in zip(slopes, self.grid.spacing, strict=True)))

    def frozen(self, t0: float, t1: float) -> StaggeredScore:
        """Return itself."""
        return self

    def mass(self, u: Array) -> float:
        """Return ∫Σ_i s_i, which changes only through the walls."""
        return float(np.sum(self.grid.integrate(self._at_centres(u))))

    def start(self, initial: Callable[[Array], Array]) -> Array:
        """Return the normal components of the initial score on all faces, flat."""
        parts = []
        for axis in range(self.grid.dimension):
            faces = self.grid.faces(axis)
            parts.append(checked(initial(faces), faces.shape, "the initial score")[..., axis].ravel())
        return self.xp.asarray(np.concatenate(parts))

    def values(self, u: Array) -> Array:
        """Return the score at cell centres (*cells, d), means of opposite faces, on the host."""
        return to_host(self._at_centres(u))

    def _at_centres(self, u: Array) -> Array:
        parts = self.components(u)
        return np.stack([0.5 * (along(s, i, 0, -1) + along(s, i, 1, None)) for i, s in enumerate(parts)], axis=-1)
