"""Linear transport by finite elements: Fokker–Planck, its backward equation, and continuity, in weak form.

Galerkin: ∫∂_tp v = ∫(f p − D∇p)·∇v for all v: mass is conserved (v = 1) and walls carry no flux.
Fitted, on linear elements: the stiffness matrix weighs each edge, and exponential fitting along it (Xu, Zikatanov,
Math. Comp. 68, 1999) gives a Markov chain on the vertices: positive wherever no weight is negative (Delaunay meshes).
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
from mfgpde.core.recent import Recent
from mfgpde.discretisations.agreed import agreed
from mfgpde.discretisations.finite_element._petsc import MPI, Factorised, PETSc, fem, fetch, multiply, petsc_forms, ufl
from mfgpde.discretisations.finite_element.narrow import narrow_load
from mfgpde.discretisations.finite_element.ranks import over_ranks, read_drift, read_values
from mfgpde.discretisations.finite_element.space import LagrangeSpace
from mfgpde.equations import BackwardKolmogorov, Continuity, FokkerPlanck, Unknown
from mfgpde.integrators import TRBDF2, Integrator
from mfgpde.kernels import cpu

OWN, RESOLVED = 1e-9, 1e-2  # L¹ distance from the space, relative: of its own functions; of those that its points see
UNDERSHOOT = 1e-3  # of ∫|p|: negative mass of a start that is told
OBTUSE = 1e-9  # of the largest weight: negative ones beyond rounding

Transport = FokkerPlanck | BackwardKolmogorov | Continuity


@dataclass(eq=False)
class Linear:
    """M du/dt = K u with constant matrices; the three verbs.

    `integrals` are those of the basis functions, if the equation conserves mass: then 1ᵀK = 0, and what an iterative solve
    leaves of its tolerance in the total mass is taken off. `added`, if given, is b in M du/dt = Ku + b, and `outer` a pair
    (column, row) of which column·(rowᵀu) is added: what is reset. `kept` factorisations of shifts are kept, the last used.
    """

    space: LagrangeSpace
    M: Any
    K: Any
    solve_mass: Callable[[Array], Array]
    work: Counter[str]
    integrals: Array | None = None
    added: Array | None = None
    outer: tuple[Array, Array] | None = None
    kept: int = 1
    _factors: Recent[tuple[Factorised, Array]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._factors = Recent(self.kept)

    def rate(self, u: Array, t: float, out: Array | None = None) -> Array:
        """Return M⁻¹(Ku + b), and what is reset."""
        weak = multiply(self.K, u)
        if self.added is not None:
            weak += self.added
        if self.outer is not None:
            weak += self.outer[0] * self._with_row(u)
        r = self.solve_mass(weak)
        return r if self.integrals is None else r - self._total(r) / self._total(np.ones_like(r))

    def _total(self, u: Array) -> float:
        assert self.integrals is not None
        return self.space.comm.allreduce(float(self.integrals @ u))

    def _with_row(self, u: Array) -> float:
        assert self.outer is not None
        return self.space.comm.allreduce(float(self.outer[1] @ u))

    def solve(self, rhs: Array, t: float, shift: float) -> Array:
        """Return u with u − shift·M⁻¹(Ku + b) = rhs."""
        return self._solved(multiply(self.M, rhs), rhs, shift, self.added)

    def filtered(self, rhs: Array, t: float, shift: float) -> Array:
        """Return (I − shift·M⁻¹K)⁻¹ rhs."""
        return self._solved(multiply(self.M, rhs), rhs, shift, None)

    def _factorised(self, shift: float) -> tuple[Factorised, Array]:
        P = self.M.copy()
        P.axpy(-shift, self.K, structure=PETSc.Mat.Structure.DIFFERENT_NONZERO_PATTERN)
        factors = Factorised(P, self.space.domain.topology.dim, work=self.work)
        return factors, np.zeros(0) if self.outer is None else shift * factors(self.outer[0])

    def _solved(self, load: Array, rhs: Array, shift: float, added: Array | None) -> Array:
        factors, column = self._factors(shift, lambda: self._factorised(shift))
        u = factors(load if added is None else load + shift * added)
        if self.outer is not None:  # Sherman and Morrison
            u = u + column * (self._with_row(u) / (1 - self._with_row(column)))
        if self.integrals is None:
            return u
        found, size = self._total(u), self._total(np.abs(u))
        return u * (self._total(rhs) / found) if abs(found) > 0.1 * size else u

    def mass(self, u: Array) -> float:
        """Return ∫u."""
        return float(self.space.comm.allreduce(float(np.sum(multiply(self.space.mass, u)))))

    def frozen(self, t0: float, t1: float) -> Linear:
        """Return itself."""
        return self

    def halfway(self, other: Linear) -> Any:
        """Return the mean of both matrices K, of one pattern."""
        K = self.K.copy()
        K.axpy(1.0, other.K, structure=PETSc.Mat.Structure.SAME_NONZERO_PATTERN)
        K.scale(0.5)
        return K


@dataclass(eq=False)
class TransportSystem:
    """The same with matrices that depend on time, in a Galerkin or a fitted form."""

    equation: Transport
    space: LagrangeSpace
    fitted: bool
    absorbing: bool = False
    default_integrator: Integrator = field(default_factory=TRBDF2)
    work: Counter[str] = field(default_factory=Counter)
    _recent: Recent[Linear] = field(default_factory=lambda: Recent(3), repr=False)

    def at(self, t: float) -> Linear:
        """Return the system at one instant."""
        key = t if self.equation.time_dependent else 0.0
        return self._recent(key, lambda: self._linear(key))

    def _linear(self, t: float) -> Linear:
        K = self._fitted(t) if self.fitted else self._galerkin(t)
        self.work["drift evaluations"] += 1
        if self.absorbing:
            K = self.space.held_at_wall(K, 0.0)
        return Linear(self.space, self._mass, K, self._solve_mass, self.work, self._integrals)

    @cached_property
    def _mass(self) -> Any:
        M = self._lump() if self.fitted else self.space.mass
        return self.space.held_at_wall(M, 1.0) if self.absorbing else M

    def _lump(self) -> Any:
        M = self.space.mass.duplicate()
        M.setDiagonal(PETSc.Vec().createWithArray(self._lumped, size=(self.space.own, None), comm=self.space.comm))
        M.assemble()
        return M

    @cached_property
    def _integrals(self) -> Array | None:
        """The integrals of the basis functions; None where mass is not conserved."""
        return None if self.absorbing or not self.equation.conservative else self._lumped

    @cached_property
    def _lumped(self) -> Array:
        return multiply(self.space.mass, np.ones(self.space.own))

    def _solve_mass(self, b: Array) -> Array:
        if self.fitted:
            return b / self._lumped
        return self._held_mass(b) if self.absorbing else self.space.solve_mass(b)

    @cached_property
    def _held_mass(self) -> Factorised:
        return Factorised(self._mass, self.space.domain.topology.dim)

    def diffusivity(self, t: float) -> float:
        """Return D(t), zero for a continuity equation."""
        return 0.0 if isinstance(self.equation, Continuity) else float(self.equation.diffusivity(t))

    def drift(self, x: Array, t: float) -> Array:
        """Return f(x, t), checked."""
        function = self.equation.velocity if isinstance(self.equation, Continuity) else self.equation.drift
        return read_drift(function, x, t, "the drift", self.space.comm)

    @cached_property
    def _convection(self) -> tuple[Any, Any]:
        space = self.space
        holder = space.at_quadrature((space.gdim,))
        trial, test = space.trial, space.test
        if self.backward:
            trial, test = test, trial
        return holder, fem.form(ufl.inner(holder * trial, ufl.grad(test)) * space.dx)

    def _galerkin(self, t: float) -> Any:
        holder, form = self._convection
        self.space.fill(holder, self.drift(self.space.grid.points, t))
        K = petsc_forms.assemble_matrix(form)
        K.assemble()
        K.axpy(-self.diffusivity(t), self.space.stiffness, structure=PETSc.Mat.Structure.SAME_NONZERO_PATTERN)
        return K

    @cached_property
    def _edges(self) -> tuple[Any, Any, Any, Any, Array, Array]:
        """Row pointers, global columns, rows, whether off the diagonal, and both ends of each entry's edge."""
        pointers, columns, _ = self.space.stiffness.getValuesCSR()
        rows = np.repeat(np.arange(self.space.own), np.diff(pointers))
        first = self.space.V.dofmap.index_map.local_range[0]
        asked, place = np.unique(columns, return_inverse=True)
        own = self.space.nodes[: self.space.own]
        there = np.stack([fetch(x, asked, self.space.comm) for x in own.T], axis=-1)[place]
        return pointers, columns, rows, columns != rows + first, own[rows], there

    @cached_property
    def _weights(self) -> Array:
        """What the stiffness matrix weighs each edge with."""
        return self._weights_of(self.space.stiffness, "the mesh is not Delaunay there")

    def _weights_of(self, stiffness: Any, because: str) -> Array:
        """Return what a stiffness matrix weighs each edge with. Warns where it is negative: positivity is lost there."""
        off = self._edges[3]
        weight = -stiffness.getValuesCSR()[2][off]
        largest = float(over_ranks(self.space.comm, weight.max(initial=0.0), MPI.MAX))
        bad = weight < -OBTUSE * largest
        count, of = (int(over_ranks(self.space.comm, n, MPI.SUM)) for n in (bad.sum(), len(bad)))
        if count:
            warnings.warn(
                f"{count} of {of} edges have a negative weight, since {because}: densities may become "
                "negative although scheme='fitted'; remesh (gmsh: Delaunay, no slivers), or use a box of equal cells",
                RuntimeWarning,
                stacklevel=2,
            )
        return weight

    def _fitted(self, t: float) -> Any:
        """Return A: entry (j, i) = D ω B(−w), w = ∫f·dx/D from i to j; the diagonal is minus what leaves j."""
        _, _, _, off, here, there = self._edges
        D = self.diffusivity(t)
        start, end = there[off], here[off]
        potential = None if isinstance(self.equation, Continuity) else self.equation.potential
        if potential is not None and D > 0:
            w = agreed(self.space.comm, lambda: np.asarray(potential(start, t)) - np.asarray(potential(end, t)))
        else:
            along = np.einsum("ij,ij->i", self.drift(0.5 * (start + end), t), end - start)
            w = along / D if D > 0 else along
        inflow, outflow = np.empty_like(w), np.empty_like(w)
        if D > 0:
            cpu.jump_rates(np.ascontiguousarray(w), D, inflow, outflow)
        else:
            cpu.upwind_rates(np.ascontiguousarray(w), 1.0, inflow, outflow)
        return self._chain(self._weights * inflow, self._weights * outflow)

    def _chain(self, inflow: Array, outflow: Array) -> Any:
        """Return the matrix of a chain on the vertices from what flows in and out along each edge; or its transpose."""
        pointers, columns, rows, off, *_ = self._edges
        data = np.zeros(len(columns))
        data[off] = outflow if self.backward else inflow
        leaving = np.bincount(rows[off], outflow, minlength=self.space.own)
        data[~off] = -leaving[rows[~off]]
        A = PETSc.Mat().createAIJ(self.space.stiffness.getSizes(), csr=(pointers, columns, data), comm=self.space.comm)
        A.assemble()
        return A

    @property
    def backward(self) -> bool:
        """Whether the equation is one of expectations."""
        return isinstance(self.equation, BackwardKolmogorov)

    def rate(self, u: Array, t: float, out: Array | None = None) -> Array:
        """Return du/dt."""
        return self.at(t).rate(u, t)

    def solve(self, rhs: Array, t: float, shift: float) -> Array:
        """Return (I − shift·A(t))⁻¹ rhs."""
        return self.at(t).solve(rhs, t, shift)

    def frozen(self, t0: float, t1: float) -> Linear:
        """Return the system with the mean of the matrices at both ends."""
        a, b = self.at(t0), self.at(t1)
        if a is b:
            return a
        return Linear(self.space, self._mass, a.halfway(b), self._solve_mass, self.work, self._integrals)

    def norm(self, t: float) -> float:
        """Return the largest row of |K| over the mass on its diagonal: the norm of the operator, in units of a rate."""
        pointers, _, entries = self.at(t).K.getValuesCSR()
        rows = np.add.reduceat(np.abs(entries), pointers[:-1]) if self.space.own else np.zeros(0)
        diagonal = self._mass.getDiagonal().getArray()
        return float(over_ranks(self.space.comm, (rows / diagonal).max(initial=0.0), MPI.MAX))

    def mass(self, u: Array) -> float:
        """Return ∫u."""
        return float(self.space.comm.allreduce(float(self._lumped @ u)))

    def size(self, u: Array) -> float:
        """Return the root mean square of all ranks' unknowns."""
        total = self.space.comm.allreduce(float(np.sum(np.abs(u) ** 2)), MPI.SUM)
        return float(np.sqrt(total / self.space.size))

    def start(self, initial: Callable[[Array], Array]) -> Array:
        """Return the coefficients of the initial condition: its L² projection, itself if it is a function of the space.

        A fitted density gets its means under the hat functions, ∫pφ_i/∫φ_i: they carry its mass and its sign. Integrals of
        what is too narrow for the points of a cell are found on pieces of cells.
        """
        if self.fitted and self.backward:
            u = read_values(initial, self.space.nodes[: self.space.own], "the initial condition", self.space.comm)
        else:
            u = self._projected(initial)
        if self.absorbing:
            u[self.space.wall] = 0.0
        return u

    def _projected(self, initial: Callable[[Array], Array]) -> Array:
        space, grid = self.space, self.space.grid
        values = read_values(initial, grid.points, "the initial condition", space.comm)
        u = space.project(values)
        missed, size = float(grid.integrate(np.abs(values - space.sample(u)))), float(grid.integrate(np.abs(values)))
        if size > 0 and missed <= OWN * size:
            return np.maximum(u, 0.0) if self.fitted and grid.minimum(values) >= 0 else u  # signs that rounding lost
        narrow = missed > RESOLVED * size or size == 0
        if not narrow and not self.fitted:
            return u
        load = narrow_load(space, initial, "the initial condition") if narrow else space.load(values)
        u = load / self._lumped if self.fitted else space.solve_mass(load)
        if narrow and not self.fitted and self.equation.unknown is Unknown.DENSITY:
            self._warn_of_signs(u, values)
        return u

    def _warn_of_signs(self, u: Array, values: Array) -> None:
        """Warn where the projection of a density has lost its sign."""
        grid, found = self.space.grid, self.space.sample(u)
        negative, size = float(grid.integrate(np.maximum(-found, 0.0))), float(grid.integrate(np.abs(found)))
        if grid.minimum(values) >= 0 and negative > UNDERSHOOT * size:
            warnings.warn(
                f"the initial density is narrower than cells: its projection is negative down to {grid.minimum(found):.2g},"
                f" {negative / size:.1%} of its size, and so are densities soon after; take scheme='fitted', which keeps"
                " the sign where the mesh is Delaunay, a finer mesh, or a later start",
                RuntimeWarning,
                stacklevel=2,
            )

    def values(self, u: Array) -> Array:
        """Return the values at the quadrature points."""
        return self.space.sample(u)
