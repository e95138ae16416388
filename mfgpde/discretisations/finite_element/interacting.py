"""McKean–Vlasov on elements: the weak form of the fixed part, and ∫(K∗p)p·∇v beside it, summed over quadrature points.

Steps are implicit in the fixed part; what the law does to itself is iterated within each stage until it stands still.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from mfgpde.core.arrays import Array
from mfgpde.discretisations.finite_element._petsc import fem, ufl
from mfgpde.discretisations.finite_element.kolmogorov import KolmogorovSystem
from mfgpde.discretisations.finite_element.sides import ElementSides
from mfgpde.discretisations.finite_element.space import LagrangeSpace, summing
from mfgpde.equations import ForwardKolmogorov, McKeanVlasov
from mfgpde.integrators import TRBDF2, Integrator

MOST = 6000
"""quadrature points beyond which the forces of all pairs, 300 MB an axis, are not kept"""
STILL, ROUNDS = 1e-12, 200
"""of the size of a stage, by which its last iterate may move it; iterates after which a step is too long"""


@dataclass(eq=False)
class ElementInteraction:
    """M du/dt = Ku + ∫(K∗p)p·∇v. Raises TypeError for open walls and several processes, ValueError for too many points."""

    equation: McKeanVlasov
    space: LagrangeSpace
    sides: ElementSides
    default_integrator: Integrator = field(default_factory=TRBDF2)

    def __post_init__(self) -> None:
        if self.sides.lets_out:
            raise TypeError(
                f"interacting particles live in closed domains, far or reflecting, got {self.sides.walls!r}"
            )
        if self.space.comm.size > 1:
            raise TypeError("interacting particles on elements are computed on one process")
        count = len(self.space.grid.points)
        if count > MOST:
            raise ValueError(
                f"every pair of {count} quadrature points interacts: elements take {MOST}; fewer cells, or "
                "FiniteVolume and Spectral, whose forces are fast convolutions"
            )
        self.fixed = KolmogorovSystem(ForwardKolmogorov(self.equation.diffusion), self.space, False, sides=self.sides)

    @property
    def work(self) -> Counter[str]:
        """Solves and evaluations so far."""
        return self.fixed.work

    @cached_property
    def _pairs(self) -> Array:
        """K(x_i − x_j) w_j at quadrature points, (n, n, d), zero where i = j."""
        grid = self.space.grid
        z = grid.points[:, None] - grid.points[None]
        with np.errstate(all="ignore"):
            K = np.array(np.broadcast_to(self.equation.interaction(z), z.shape), dtype=float)
        K[np.arange(len(z)), np.arange(len(z))] = 0.0
        if not np.isfinite(K).all():
            where = z[tuple(np.argwhere(~np.isfinite(K))[0][:-1])]
            raise ValueError(f"the interaction is not finite at the difference {where.tolist()}")
        return np.ascontiguousarray(np.moveaxis(K * grid.weights[:, None], -1, 0))

    @cached_property
    def _form(self) -> tuple[Any, Any]:
        g = self.space.at_quadrature((self.space.gdim,))
        return g, fem.form(ufl.inner(g, ufl.grad(self.space.test)) * self.space.dx)

    def pushed(self, u: Array) -> Array:
        """Return what the law does to itself, M⁻¹∫(K∗p)p·∇v."""
        g, form = self._form
        p = self.fixed.values(u)
        self.space.fill(g, np.stack([K @ p for K in self._pairs], axis=-1) * p[:, None])
        load = fem.assemble_vector(form)
        load.scatter_reverse(summing())
        return self.fixed._solve_mass(load.array[: self.space.own].copy())

    def rate(self, u: Array, t: float, out: Array | None = None) -> Array:
        """Return du/dt."""
        return self.fixed.rate(u, t) + self.pushed(u)

    def solve(self, rhs: Array, t: float, shift: float) -> Array:
        """Return u with u − shift·rate(u) = rhs. Raises RuntimeError where iterates do not come to rest: a shorter step."""
        u = self.fixed.solve(rhs + shift * self.pushed(rhs), t, shift)
        size = self.size(u)
        for _ in range(ROUNDS):
            before, u = u, self.fixed.solve(rhs + shift * self.pushed(u), t, shift)
            moved = self.size(u - before)
            if moved <= STILL * size:
                return u
            if not moved < 1e3 * size:
                break
        raise RuntimeError(
            f"particles pull so hard that a stage of length {shift:.2g} has no fixed point within reach at t = {t:.3g}: "
            "give a shorter max_step"
        )

    def filtered(self, rhs: Array, t: float, shift: float) -> Array:
        """Return (I − shift·A)⁻¹ rhs of the fixed part."""
        return self.fixed.at(t).filtered(rhs, t, shift)

    def frozen(self, t0: float, t1: float) -> ElementInteraction:
        """Return itself. Raises TypeError for coefficients that change in time."""
        if self.equation.time_dependent:
            raise TypeError("interacting particles are computed with still coefficients")
        return self

    def mass(self, u: Array) -> float:
        """Return ∫u."""
        return self.fixed.mass(u)

    def size(self, u: Array) -> float:
        """Return the root mean square of the unknowns."""
        return self.fixed.size(u)

    def start(self, initial: Callable[[Array], Array]) -> Array:
        """Return the coefficients of the initial density."""
        return self.fixed.start(initial)

    def values(self, u: Array) -> Array:
        """Return the values at the quadrature points."""
        return self.fixed.values(u)
