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
from mfgpde.equations import ScoreFokkerPlanck, ScoreKolmogorov
from mfgpde.grids import CartesianGrid
from mfgpde.integrators import Integrator, RungeKuttaChebyshev
from mfgpde.kernels import stencils


@dataclass(eq=False)
class StaggeredScore(Evaluating):
    """∂_t s = ∇[Σ_i D_i ∂_i s_i + Q_i s_i² − f·s − ∇·f]; the unknown is one flat vector of all face components.

    Raises TypeError for a tensor D with cross terms: ∂_j s_i has no place on such a grid.
    """

    equation: ScoreFokkerPlanck | ScoreKolmogorov
    grid: CartesianGrid
    walls: Walls
    xp: Any = np
    """the namespace whose arrays hold the solution"""
    default_integrator: Integrator = field(default_factory=lambda: RungeKuttaChebyshev(damping=2.0))

    _recent: Recent[tuple[list[Array], Array]] = field(default_factory=lambda: Recent(2), repr=False)

    def noise(self, t: float) -> list[tuple[float, float]]:
        """Return D_i and Q_i along each axis."""
        if isinstance(self.equation, ScoreFokkerPlanck):
            equation = self.equation
            return [(float(equation.diffusivity(t)), float(equation.quadratic_coefficient(t)))] * self.grid.dimension
        D, d = np.asarray(self.equation.tensor(t), dtype=float), self.grid.dimension
        if D.shape != (d, d) or not np.isfinite(D).all() or np.any(np.diag(D) < 0):
            raise ValueError(f"D(t) must be a finite tensor of shape {(d, d)}, none of it below zero, got {D.tolist()}")
        if np.any(D - np.diag(np.diag(D))):
            raise TypeError(
                f"the score equation is solved with noise along the axes, got D = {D.tolist()} with cross terms: turn the "
                "coordinates, or solve ForwardKolmogorov and take ∇log p"
            )
        return [(D[i, i], D[i, i]) for i in range(d)]

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
        (drift, divergence), far = self.drift(t), self.walls == "far"
        bracket = contiguous(-divergence)
        parts = zip(self.components(u), drift, self.grid.spacing, self.noise(t), strict=True)
        for axis, (s, f, h, (D, Q)) in enumerate(parts):
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
        total = 0.0
        parts = zip(self.components(u), self.drift(t)[0], self.grid.spacing, self.noise(t), strict=True)
        for axis, (s, f, h, (D, Q)) in enumerate(parts):
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
