"""Scalar nonlinear equations ∂_t u = DΔu − H(x, ∇u, t) by finite elements; implicit stages by Newton's method.

∫∂_tu v = −∫D∇u·∇v + ∫_∂Ω D ∂_nu v − ∫H(x, ∇u, t) v. Far walls keep the boundary term, so that u leaves as it comes, to
the order of the elements from degree two on; reflecting ones drop it, absorbing ones hold the initial values. H is any
function of points and gradients: its slope H_p is taken by central differences, exact for quadratic Hamiltonians up to
rounding.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from mfgpde.core.arrays import Array
from mfgpde.discretisations.agreed import agreed
from mfgpde.discretisations.finite_element._petsc import MPI, Factorised, PETSc, fem, multiply, petsc_forms, ufl
from mfgpde.discretisations.finite_element.ranks import over_ranks, read_values
from mfgpde.discretisations.finite_element.space import LagrangeSpace
from mfgpde.equations import ViscousHamiltonJacobi
from mfgpde.integrators import TRBDF2, Integrator

LARGEST_CONTRACTION = (
    0.2  # a factorised Jacobian is kept while each iteration leaves at most this share of the residual
)
ITERATIONS = 25


@dataclass(eq=False)
class HamiltonJacobiSystem:
    """The nonlinear system; `instant`, if set, pins the coefficients to one time (the middle of a step)."""

    equation: ViscousHamiltonJacobi
    space: LagrangeSpace
    walls: str = "far"
    instant: float | None = None
    default_integrator: Integrator = field(default_factory=TRBDF2)
    work: Counter[str] = field(default_factory=Counter)
    _jacobian: Factorised | None = None
    _shift: float = 0.0

    def frozen(self, t0: float, t1: float) -> HamiltonJacobiSystem:
        """Return the system with coefficients of the middle of the step: an error of O((t1 − t0)³)."""
        pinned = HamiltonJacobiSystem(self.equation, self.space, self.walls, 0.5 * (t0 + t1), work=self.work)
        made_once = ("parts", "blank", "matrix", "solve_mass")
        pinned.__dict__ |= {name: getattr(self, name) for name in made_once}
        return pinned

    @cached_property
    def parts(self) -> tuple[Any, Any, Any]:
        """The matrix of ∫∇u·∇v (less the boundary term), the place of H_p, and the form of ∫(H_p·∇u) v."""
        space = self.space
        flux = ufl.inner(ufl.grad(space.trial), ufl.grad(space.test)) * space.dx
        if self.walls == "far" and space.domain.geometry.dim == space.domain.topology.dim:
            if space.degree == 1:
                warnings.warn(
                    "elements of degree one have no second derivative that far walls could keep: the error beside walls "
                    "does not fall with the cells, though it does inside; take degree=2",
                    RuntimeWarning,
                    stacklevel=2,
                )
            normal = ufl.FacetNormal(space.domain)
            flux -= ufl.inner(ufl.grad(space.trial), normal) * space.test * ufl.ds(domain=space.domain)
        slope = space.at_quadrature((space.gdim,))
        form = fem.form(ufl.inner(slope, ufl.grad(space.trial)) * space.test * space.dx)
        return space.matrix(fem.form(flux)), slope, form

    @cached_property
    def blank(self) -> Any:
        """A matrix of zeros whose entries are where those of the slopes' form are: finding the places takes long."""
        return self.space.matrix(self.parts[2])

    def weak(self, u: Array, t: float) -> Array:
        """Return the right-hand side tested with all test functions of this rank."""
        t = t if self.instant is None else self.instant
        x, p = self.space.grid.points, self.space.gradient(u)
        H = agreed(self.space.comm, lambda: np.asarray(self.equation.hamiltonian(x, p, t)))
        result = -float(self.equation.diffusivity(t)) * multiply(self.parts[0], u) - self.space.load(H)
        if self.walls == "absorbing":
            result[self.space.wall] = 0.0
        return result

    @cached_property
    def matrix(self) -> Any:
        """The mass matrix, with identity rows where the wall holds the values."""
        return self.space.held_at_wall(self.space.mass, 1.0) if self.walls == "absorbing" else self.space.mass

    @cached_property
    def solve_mass(self) -> Factorised:
        """Its inverse."""
        return Factorised(self.matrix, self.space.domain.topology.dim)

    def rate(self, u: Array, t: float, out: Array | None = None) -> Array:
        """Return du/dt."""
        return self.solve_mass(self.weak(u, t))

    def solve(self, rhs: Array, t: float, shift: float) -> Array:
        """Return u with u − shift·rate(u) = rhs by Newton's method; RuntimeError with the residuals if it fails."""
        u, history = rhs.copy(), []
        right = multiply(self.matrix, rhs)
        scale = max(self.norm(right), 1e-300)
        for iteration in range(ITERATIONS):
            residual = multiply(self.matrix, u) - shift * self.weak(u, t) - right
            history.append(self.norm(residual) / scale)
            if not np.isfinite(history[-1]):
                break
            if history[-1] < 1e-12 or (len(history) > 2 and history[-1] < 1e-9 and history[-1] > 0.5 * history[-2]):
                self.work["Newton iterations"] += iteration  # done, or at the floor of rounding errors
                return u
            slow = len(history) > 1 and history[-1] > LARGEST_CONTRACTION * history[-2]
            jacobian = self._jacobian
            if jacobian is None or self._shift != shift or slow:
                jacobian = self._jacobian = self._factorise(u, t, shift)
                self._shift = shift
            u = u - jacobian(residual)
        shown = ", ".join(f"{r:.1e}" for r in history)
        raise RuntimeError(f"Newton's method failed at t = {t:g}, residuals {shown}; try a smaller time step or rtol")

    def filtered(self, defect: Array, t: float, shift: float) -> Array:
        """Return (I − shift·J)⁻¹ defect with the last Jacobian: smooths an error estimate."""
        assert self._jacobian is not None, "a stage was solved before"
        return self._jacobian(multiply(self.matrix, defect))

    def _factorise(self, u: Array, t: float, shift: float) -> Factorised:
        t = t if self.instant is None else self.instant
        laplacian, holder, form = self.parts
        self.space.fill(holder, self._slopes(u, t))
        J = self.blank.duplicate()
        petsc_forms.assemble_matrix(J, form)  # pyright: ignore[reportArgumentType]
        J.assemble()
        J.scale(shift)
        same = PETSc.Mat.Structure.SUBSET_NONZERO_PATTERN
        J.axpy(shift * float(self.equation.diffusivity(t)), laplacian, structure=same)
        J.axpy(1.0, self.space.mass, structure=same)
        if self.walls == "absorbing":
            J = self.space.held_at_wall(J, 1.0)
        return Factorised(J, self.space.domain.topology.dim, work=self.work)

    def _slopes(self, u: Array, t: float) -> Array:
        x, p = self.space.grid.points, self.space.gradient(u)
        largest = float(over_ranks(self.space.comm, np.abs(p).max(initial=0.0), MPI.MAX))
        step = 1e-4 * (largest or 1 / float((self.space.grid.upper - self.space.grid.lower).max()))

        def differences() -> Array:
            columns = [
                (self.equation.hamiltonian(x, p + e, t) - self.equation.hamiltonian(x, p - e, t)) / (2 * step)
                for e in step * np.eye(self.space.gdim)
            ]
            return np.stack(columns, axis=-1)

        return agreed(self.space.comm, differences)

    def norm(self, b: Array) -> float:
        """Return the Euclidean norm over all ranks."""
        return float(np.sqrt(self.space.comm.allreduce(float(b @ b), MPI.SUM)))

    def size(self, u: Array) -> float:
        """Return the root mean square of all ranks' unknowns."""
        return self.norm(u) / float(np.sqrt(self.space.size))

    def mass(self, u: Array) -> float:
        """Return ∫u."""
        return float(self.space.comm.allreduce(np.sum(multiply(self.space.mass, u))))

    def start(self, initial: Callable[[Array], Array]) -> Array:
        """Return the L² projection of the initial condition."""
        x = self.space.grid.points
        return self.space.project(read_values(initial, x, "the initial condition", self.space.comm))

    def values(self, u: Array) -> Array:
        """Return the values at the quadrature points."""
        return self.space.sample(u)
