"""The score equation on a staggered grid: component i lives on the faces normal to axis i, the bracket at cell centres.

Then ∇·s is a sum of face differences and ∇[…] a difference of cells: a compact Laplacian, and a discrete gradient
stays one — the curl of the solution keeps its initial value to rounding.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mfgpde.core.arrays import Array, contiguous, to_host
from mfgpde.core.recent import Recent
from mfgpde.discretisations.checks import checked
from mfgpde.discretisations.coefficients import Evaluating
from mfgpde.discretisations.finite_volume.differences import Walls, along
from mfgpde.equations import ScoreFokkerPlanck
from mfgpde.grids import CartesianGrid
from mfgpde.integrators import Integrator, RungeKuttaChebyshev
from mfgpde.kernels import stencils


@dataclass(eq=False)
class StaggeredScore(Evaluating):
    """∂_t s = ∇[D∇·s + Q|s|² − f·s − ∇·f]; the unknown is one flat vector of all face components."""

    equation: ScoreFokkerPlanck
    grid: CartesianGrid
    walls: Walls
    xp: Any = np
    """the namespace whose arrays hold the solution"""
    default_integrator: Integrator = field(default_factory=lambda: RungeKuttaChebyshev(damping=2.0))

    _recent: Recent[tuple[list[Array], Array]] = field(default_factory=lambda: Recent(2), repr=False)

    def drift(self, t: float) -> tuple[list[Array], Array]:
        """Return f_i and ∇·f at cell centres, computed once per instant."""
        key = t if self.equation.time_dependent else 0.0
        return self._recent(key, lambda: self._drift(key))

    def _drift(self, t: float) -> tuple[list[Array], Array]:
        x, cells = self.grid.points, self.grid.cells
        f = self.coefficients(self.equation.drift, x, t, x.shape, f"the drift at t = {t:g}")
        divergence = self.coefficients(self.equation.divergence, x, t, cells, f"∇·f at t = {t:g}")
        return [contiguous(f[..., i]) for i in range(len(cells))], divergence

    def components(self, u: Array) -> list[Array]:
        """Return the face arrays (*cells + e_i) as views of u."""
        shapes = [tuple(n + (i == axis) for i, n in enumerate(self.grid.cells)) for axis in range(self.grid.dimension)]
        ends = np.cumsum([0, *(int(np.prod(shape)) for shape in shapes)]).tolist()
        return [u[a:b].reshape(shape) for a, b, shape in zip(ends, ends[1:], shapes, strict=False)]

    def rate(self, u: Array, t: float, out: Array | None = None) -> Array:
        """Return the gradient of the bracket on all faces."""
        out, kernels = np.empty_like(u) if out is None else out, stencils.of(u)
        drift, divergence = self.drift(t)
        D, Q, far = (
            float(self.equation.diffusivity(t)),
            float(self.equation.quadratic_coefficient(t)),
            self.walls == "far",
        )
        bracket = contiguous(-divergence)
        for axis, (s, f, h) in enumerate(zip(self.components(u), drift, self.grid.spacing, strict=True)):
            lines = self._lines(axis)
            kernels.score_axis(s.reshape(self._lines(axis, 1)), f.reshape(lines), D / h, Q, bracket.reshape(lines))
        for axis, (part, h) in enumerate(zip(self.components(out), self.grid.spacing, strict=True)):
            periodic, faces = self.grid.periodic[axis], part.reshape(self._lines(axis, 1))
            kernels.face_slopes(bracket.reshape(self._lines(axis)), 1 / h, periodic, far, faces)
        return out

    def _lines(self, axis: int, extra: int = 0) -> tuple[int, int, int]:
        return -1, self.grid.cells[axis] + extra, int(np.prod(self.grid.cells[axis + 1 :]))

    def spectral_radius(self, u: Array, t: float) -> float:
        """Return Σ 4D/h² + Σ max|2Q s_i − f_i|/h_i, with a margin of 10 %."""
        D, Q, drift = (
            float(self.equation.diffusivity(t)),
            float(self.equation.quadratic_coefficient(t)),
            self.drift(t)[0],
        )
        total = 0.0
        for axis, (s, f, h) in enumerate(zip(self.components(u), drift, self.grid.spacing, strict=True)):
            twice = along(s, axis, 0, -1) + along(s, axis, 1, None)
            total += 4 * D / h**2 + float(np.abs(Q * twice - f).max()) / h
        return 1.1 * total

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
