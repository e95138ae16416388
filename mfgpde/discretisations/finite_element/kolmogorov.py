"""Kolmogorov's equations with a tensor D(x, t), killing, sources, resetting and walls by side, in weak form.

Forward: ∫∂_t p v = ∫(g p − D∇p)·∇v − ∫k p v + ∫s v + ∮q v, g the Itô drift less ∇·D, q what enters through walls.
Backward: ∫∂_τ u v = −∫D∇u·∇v + ∫(g·∇u) v − ∫k u v + ∫s v + ∮q v, the transpose. Fitted: the stiffness matrix of D weighs
each edge, w = ∫D⁻¹g·dl along it. Walls that hold the unknown replace its rows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mfgpde.core.arrays import Array
from mfgpde.core.recent import Recent
from mfgpde.discretisations.agreed import agreed
from mfgpde.discretisations.checks import check_tensor, checked
from mfgpde.discretisations.finite_element._petsc import MPI, Factorised, PETSc, fem, mesh, multiply, petsc_forms, ufl
from mfgpde.discretisations.finite_element.ranks import over_ranks
from mfgpde.discretisations.finite_element.sides import ElementSides, Part
from mfgpde.discretisations.finite_element.space import summing
from mfgpde.discretisations.finite_element.transport import Linear, TransportSystem
from mfgpde.discretisations.finite_volume.walls import Held, Inflow, given
from mfgpde.equations.contract import law_on
from mfgpde.equations.kolmogorov import Kolmogorov
from mfgpde.integrators import TRBDF2, Integrator
from mfgpde.kernels import cpu

NEAR = 0.01
"""of the smallest cell: half the width of differences of coefficients, which stay off walls"""
SHORT = 5e-4
"""of the box: the same, on coarse meshes"""
TIMES = (0.0, 0.37, 1.0)
"""shares of a run at which values at walls are looked at"""


@dataclass(eq=False)
class KolmogorovSystem(TransportSystem):
    """M du/dt = K u + b, and what is reset."""

    equation: Kolmogorov  # pyright: ignore[reportIncompatibleVariableOverride]
    sides: ElementSides = field(default_factory=lambda: ElementSides("far"))
    default_integrator: Integrator = field(default_factory=TRBDF2)
    _recent: Recent[Linear] = field(default_factory=lambda: Recent(3), repr=False)

    def __post_init__(self) -> None:
        surface = self.space.gdim > self.space.domain.topology.dim
        if surface and self.equation.diffusion.meaning != "haenggi-klimontovich":
            raise TypeError(
                "on a surface a diffusion is given by its flux f p − D∇p, D tangential: meaning='haenggi-klimontovich'; "
                "differences of D leave the surface"
            )
        values = [self._at_wall(share * self._span) for share in TIMES]
        if any(not np.array_equal(values[0], other) for other in values[1:]):
            raise ValueError("elements hold walls at values that do not change in time; for others: FiniteVolume")

    @property
    def inviscid(self) -> bool:
        """D = 0 is allowed, along some directions or all."""
        return not self.fitted

    @property
    def backward(self) -> bool:
        """Whether the equation is one of expectations."""
        return self.equation.backward

    @cached_property
    def parts(self) -> list[Part]:
        """The boundary, wall by wall."""
        return self.sides.parts(self.space)

    @cached_property
    def held(self) -> NDArray[np.int32]:
        """The rank's own unknowns that walls hold."""
        return np.unique(np.concatenate([np.zeros(0, dtype=np.int32), *(p.unknowns for p in self.parts if p.held)]))

    @cached_property
    def _holds(self) -> bool:
        return any(part.held for part in self.parts)

    @cached_property
    def _widths(self) -> Array:
        domain = self.space.domain
        dim = domain.topology.dim
        least = float(domain.h(dim, self.space.own_cells).min(initial=np.inf)) if len(self.space.own_cells) else np.inf
        least = float(over_ranks(self.space.comm, least, MPI.MIN))
        sides = np.asarray(self.space.grid.upper) - np.asarray(self.space.grid.lower)
        return np.minimum(SHORT * sides.max(), NEAR * least) * np.ones(self.space.gdim)

    def coefficients(self, x: Array, t: float) -> tuple[Array, Array]:
        """Return D (n, d, d) and g (n, d) at points, checked; collective."""

        def read() -> Array:
            D = self.equation.diffusion.diffusion_tensor(x, t)
            check_tensor(D, x, np.ones(x.shape[-1]), t)
            g = self.equation.diffusion.sharp_fickian_drift(x, t, self._widths)
            if not np.isfinite(g).all():
                where = x[np.argwhere(~np.isfinite(g))[0][0]]
                raise ValueError(f"the drift at t = {t:g} is not finite at x = {where.tolist()}")
            return np.concatenate((D, g[..., None]), axis=-1)

        both = agreed(self.space.comm, read)
        return both[..., :-1], both[..., -1]

    @cached_property
    def fed(self) -> list[Callable[[float], Array]]:
        """Values and fluxes at walls that are functions of time, on points all over the domain."""
        functions = [getattr(part.wall, "value", getattr(part.wall, "flux", None)) for part in self.parts]
        points = self.space.grid.points
        x = points[:: max(1, len(points) // 48)]
        return [partial(_as_array, function, x) for function in functions if callable(function)]

    def at(self, t: float) -> Linear:
        """Return the system at one instant."""
        key = t if self.equation.time_dependent or self.fed else 0.0
        return self._recent(key, lambda: self._linear(key))

    def _linear(self, t: float) -> Linear:
        K, reset = (self._fitted(t) if self.fitted else self._galerkin(t)), self._reset(t)
        self.work["drift evaluations"] += 1
        if self.fitted:
            lost = self._lost(t)
            if lost is not None:
                diagonal = K.getDiagonal()
                diagonal.axpy(-1.0, PETSc.Vec().createWithArray(self.space.load(lost), comm=self.space.comm))
                K.setDiagonal(diagonal)
                K.assemble()
        if self._holds:
            K = self.space.held_at(K, self.held, 0.0)
            if reset is not None:
                reset[0][self.held] = 0.0
        return Linear(self.space, self._mass, K, self._solve_mass, self.work, self._integrals, self._added(t), reset)

    @cached_property
    def _mass(self) -> Any:
        M = self._lump() if self.fitted else self.space.mass
        return self.space.held_at(M, self.held, 1.0) if self._holds else M

    @cached_property
    def _integrals(self) -> Array | None:
        kept = self.equation.conservative and self.equation.closed and not self.sides.lets_out
        return self._lumped if kept else None

    def _solve_mass(self, b: Array) -> Array:
        if self.fitted:
            diagonal = self._lumped.copy()
            diagonal[self.held] = 1.0
            return b / diagonal
        return self._held_mass(b) if self._holds else self.space.solve_mass(b)

    @cached_property
    def _held_mass(self) -> Factorised:
        return Factorised(self._mass, self.space.domain.topology.dim)

    def _lost(self, t: float) -> Array | None:
        """Return killing and the rate of resetting at quadrature points."""
        rates = [(self.equation.killing, "the killing")]
        if self.equation.resetting is not None:
            rates.append((self.equation.resetting.rate, "the rate of resetting"))
        found = [self._positive(rate, t, what) for rate, what in rates if rate is not None]
        return sum(found[1:], found[0]) if found else None

    def _positive(self, function: Callable[[Array, float], Any], t: float, what: str) -> Array:
        x = self.space.grid.points

        def read() -> Array:
            values = self._spread(function, x, t, what)
            if values.min(initial=0.0) < 0:
                where = x[int(values.argmin())].tolist()
                raise ValueError(f"{what} must be ≥ 0, got {values.min():.3g} at x = {where}")
            return values

        return agreed(self.space.comm, read)

    @staticmethod
    def _spread(function: Callable[[Array, float], Any], x: Array, t: float, what: str) -> Array:
        values = np.asarray(function(x, t), dtype=float)
        return checked(np.broadcast_to(values, x.shape[:-1]) if values.ndim == 0 else values, x.shape[:-1], what)

    @cached_property
    def _form(self) -> tuple[Any, Any, Any, Any]:
        """Places for D, g and k at quadrature points, and the form that they make."""
        space, d = self.space, self.space.gdim
        D, g, k = space.at_quadrature((d, d)), space.at_quadrature((d,)), space.at_quadrature(())
        trial, test = (space.test, space.trial) if self.backward else (space.trial, space.test)
        form = ufl.inner(g * trial, ufl.grad(test)) - ufl.inner(ufl.dot(D, ufl.grad(trial)), ufl.grad(test))
        loses = self.equation.killing is not None or self.equation.resetting is not None
        if loses:
            form -= k * trial * test
        return D, g, k, fem.form(form * space.dx)

    def _galerkin(self, t: float) -> Any:
        D, g, k, form = self._form
        tensor, pull = self.coefficients(self.space.grid.points, t)
        self.space.fill(D, tensor)
        self.space.fill(g, pull)
        lost = self._lost(t)
        if lost is not None:
            self.space.fill(k, lost)
        K = petsc_forms.assemble_matrix(form)
        K.assemble()
        return K

    @cached_property
    def _stiffness_form(self) -> tuple[Any, Any]:
        space, d = self.space, self.space.gdim
        D = space.at_quadrature((d, d))
        return D, fem.form(ufl.inner(ufl.dot(D, ufl.grad(space.trial)), ufl.grad(space.test)) * space.dx)

    def _fitted(self, t: float) -> Any:
        """Return the chain on the vertices: weights of D, w = ∫D⁻¹g·dl along edges, by Simpson's rule."""
        D, form = self._stiffness_form
        x = self.space.grid.points
        tensor, _ = self.coefficients(x, t)
        least, size = np.linalg.eigvalsh(tensor)[..., 0].min(initial=np.inf), np.abs(tensor).max(initial=0.0)
        if not float(over_ranks(self.space.comm, least / max(size, 1e-300), MPI.MIN)) > 1e-12:
            raise ValueError("scheme='fitted' needs noise along all directions, everywhere: take scheme='galerkin'")
        self.space.fill(D, tensor)
        weight = self._weights_of(self.space.matrix(form), "D and the angles of the mesh do not fit there")
        _, _, _, off, here, there = self._edges
        start, end, potential = there[off], here[off], self.equation.potential
        if potential is not None:
            w = agreed(self.space.comm, lambda: np.asarray(potential(start, t)) - np.asarray(potential(end, t)))
        else:
            w = self._along(start, end, t)
        inflow, outflow = np.empty_like(w), np.empty_like(w)
        cpu.jump_rates(np.ascontiguousarray(w, dtype=float), 1.0, inflow, outflow)
        return self._chain(weight * inflow, weight * outflow)

    def _along(self, start: Array, end: Array, t: float) -> Array:
        """Return ∫D⁻¹g·dl by Gauss's rule of two points, which lie inside of cells or on edges, never on vertices."""
        total = np.zeros(len(start))
        for share in (0.5 - 0.5 / np.sqrt(3), 0.5 + 0.5 / np.sqrt(3)):
            D, g = self.coefficients(start + share * (end - start), t)
            total += 0.5 * np.einsum("ni,ni->n", np.linalg.solve(D, g[..., None])[..., 0], end - start)
        return total

    def _added(self, t: float) -> Array | None:
        """Return b: sources, and what enters through walls."""
        flows = [part for part in self.parts if isinstance(part.wall, Inflow)]
        if self.equation.source is None and not flows:
            return None
        b, source = np.zeros(self.space.own), self.equation.source
        if source is not None:
            x = self.space.grid.points
            b += self.space.load(agreed(self.space.comm, lambda: self._spread(source, x, t, "the source")))
        for part in flows:
            b += self._through(part, t)
        b[self.held] = 0.0
        return b

    @property
    def _span(self) -> float:
        return self.equation.horizon if np.isfinite(self.equation.horizon) else 1.0

    def _at_wall(self, t: float) -> Array:
        """Return the values of the unknowns that walls hold, in the order of `held`."""
        values = np.zeros(self.space.own)
        for part in reversed(self.parts):
            if isinstance(part.wall, Held):
                asked = partial(given, part.wall.value, self.space.nodes[part.unknowns], t)
                values[part.unknowns] = agreed(self.space.comm, asked)
            elif part.held:
                values[part.unknowns] = 0.0
        return values[self.held]

    def _through(self, part: Part, t: float) -> Array:
        """Return ∮q v over a part of the boundary."""
        domain, flux = self.space.domain, part.wall.flux  # pyright: ignore[reportAttributeAccessIssue]
        dim = domain.topology.dim
        tags = mesh.meshtags(domain, dim - 1, np.sort(part.facets), np.ones(len(part.facets), dtype=np.int32))
        q = self.space.interpolated(lambda x: np.array(given(flux, x, t)), ())
        load = fem.assemble_vector(fem.form(q * self.space.test * ufl.ds(domain=domain, subdomain_data=tags)(1)))
        load.scatter_reverse(summing())
        return load.array[: self.space.own].copy()

    def _reset(self, t: float) -> tuple[Array, Array] | None:
        """Return the column and the row of what is reset: ∫q v and ∫r φ, or the other way round."""
        reset = self.equation.resetting
        if reset is None:
            return None
        held = self._projected(law_on(reset.law))
        into = self._lumped * held if self.fitted else multiply(self.space.mass, held)
        mass = float(over_ranks(self.space.comm, into.sum(), MPI.SUM))
        if abs(mass - 1) > 1e-4:
            raise ValueError(
                f"the law of resetting has mass {mass:.4g} on the mesh, expected 1; take a larger mesh or finer cells"
            )
        out = self.space.load(self._positive(reset.rate, t, "the rate of resetting"))
        return (out, into / mass) if self.backward else (into / mass, out)

    def frozen(self, t0: float, t1: float) -> Linear:
        """Return the system with the means of both ends."""
        a, b = self.at(t0), self.at(t1)
        if a is b:
            return a
        added = None if a.added is None or b.added is None else 0.5 * (a.added + b.added)
        outer = a.outer
        if a.outer is not None and b.outer is not None:
            outer = 0.5 * (a.outer[0] + b.outer[0]), 0.5 * (a.outer[1] + b.outer[1])  # of which the law stays
        return Linear(self.space, self._mass, a.halfway(b), self._solve_mass, self.work, self._integrals, added, outer)

    def start(self, initial: Callable[[Array], Array]) -> Array:
        """Return the coefficients of the initial condition, with the values that walls hold."""
        u = super().start(initial)
        u[self.held] = self._at_wall(0.0)
        return u


def _as_array(function: Callable[[Array, float], Any], x: Array, t: float) -> Array:
    return np.asarray(function(x, t), dtype=float)
