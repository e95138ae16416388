"""A Lagrange space on a mesh, known through its values at quadrature points: those determine every function in it."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mfgpde.discretisations.agreed import agreed
from mfgpde.discretisations.finite_element._petsc import (
    MPI,
    Array,
    Factorised,
    PETSc,
    basix,
    fem,
    mesh,
    petsc_forms,
    ufl,
)
from mfgpde.discretisations.finite_element.locate import interpolation_matrix
from mfgpde.discretisations.finite_element.ranks import over_ranks


class MeshPoints:
    """The quadrature points of a rank's own cells, with what a grid knows of its cell centres.

    `integrate`, `minimum` and `outer_share` are collective: every rank must call them and gets the same number.
    """

    def __init__(self, points: Array, weights: Array, outermost: Array, resolution: int, comm: Any) -> None:
        self.points, self.weights, self.outermost, self.comm = points, weights, outermost, comm
        self.dimension, self.cells, self.periodic = points.shape[-1], (resolution,), ()
        self.lower = over_ranks(comm, points.min(axis=0, initial=np.inf), MPI.MIN)
        self.upper = over_ranks(comm, points.max(axis=0, initial=-np.inf), MPI.MAX)

    def integrate(self, values: Array) -> Array:
        """Return ∫ over the whole mesh; trailing axes of `values` stay."""
        return over_ranks(self.comm, np.tensordot(self.weights, values, axes=1), MPI.SUM)

    def gathered(self, values: Array) -> Array:
        """Return the values of all ranks, one after the other, on every rank."""
        return np.concatenate(self.comm.allgather(values))

    def minimum(self, values: Array) -> float:
        """Return the least value on the whole mesh."""
        return float(over_ranks(self.comm, values.min(initial=np.inf), MPI.MIN))

    def outer_share(self, values: Array) -> float:
        """Return the share of ∫|values| in the cells at the boundary."""
        size = np.abs(values)
        total = float(self.integrate(size))
        return float(self.integrate(size * self.outermost)) / total if total > 0 else 0.0


class LagrangeSpace:
    """Continuous piecewise polynomials of one degree on one mesh, with its mass matrix and quadrature.

    Points are taken to be on the mesh up to `slack` widths of a cell outside, where its shape is not the true one.
    """

    def __init__(self, domain: Any, degree: int, resolution: int, slack: float = 0.0) -> None:
        self.domain, self.degree, self.comm, self.slack = domain, degree, domain.comm, slack
        self.V = fem.functionspace(domain, ("Lagrange", degree))
        self.quadrature_degree = 2 * degree + 2
        rule = {"quadrature_degree": self.quadrature_degree, "quadrature_scheme": "default"}
        self.dx = ufl.dx(domain=domain, metadata=rule)
        self.reference, weights = basix.make_quadrature(
            getattr(basix.CellType, domain.topology.cell_name()), self.quadrature_degree
        )
        index = domain.topology.index_map(domain.topology.dim)
        self.own_cells = np.arange(index.size_local, dtype=np.int32)
        self.all_cells = index.size_local + index.num_ghosts
        self.gdim = domain.geometry.dim
        points = self._evaluate(ufl.SpatialCoordinate(domain)).reshape(-1, self.gdim)
        stretch = np.abs(self._evaluate(ufl.JacobianDeterminant(domain)))
        measure = (stretch * weights).ravel()
        outermost = np.repeat(np.isin(self.own_cells, self._boundary_cells()).astype(float), len(weights))
        self.grid = MeshPoints(points, measure, outermost, resolution, self.comm)
        self.trial, self.test = ufl.TrialFunction(self.V), ufl.TestFunction(self.V)
        self._function = fem.Function(self.V)
        self._sampler = fem.Expression(self._function, self.reference)

    @cached_property
    def widths(self) -> Array:
        """The longest edge of the cell that a quadrature point lies in, shape (n,)."""
        longest = np.asarray(self.domain.h(self.domain.topology.dim, self.own_cells), dtype=float)
        return np.repeat(longest, len(self.grid.points) // max(len(longest), 1))

    def _evaluate(self, expression: Any) -> Array:
        return fem.Expression(expression, self.reference).eval(self.domain, self.own_cells)

    def _boundary_cells(self) -> Array:
        tdim = self.domain.topology.dim
        self.domain.topology.create_connectivity(tdim - 1, tdim)
        facets = mesh.exterior_facet_indices(self.domain.topology)
        return mesh.compute_incident_entities(self.domain.topology, facets, tdim - 1, tdim)

    @property
    def own(self) -> int:
        """The number of unknowns of this rank."""
        return self.V.dofmap.index_map.size_local

    @property
    def size(self) -> int:
        """The number of unknowns of all ranks."""
        return self.V.dofmap.index_map.size_global

    @cached_property
    def wall(self) -> NDArray[np.int32]:
        """The rank's own unknowns on the boundary."""
        dim = self.domain.topology.dim
        self.domain.topology.create_connectivity(dim - 1, dim)
        dofs = fem.locate_dofs_topological(self.V, dim - 1, mesh.exterior_facet_indices(self.domain.topology))
        return dofs[dofs < self.own]

    @cached_property
    def nodes(self) -> Array:
        """The nodes of this rank, ghosts after its own, shape (n, gdim)."""
        return self.V.tabulate_dof_coordinates()[:, : self.gdim].copy()

    def function(self, u: Array) -> Any:
        """Return the DOLFINx function with these coefficients; the same object each time."""
        self._function.x.array[: self.own] = u
        self._function.x.scatter_forward()
        return self._function

    def sample(self, u: Array) -> Array:
        """Return the values at the quadrature points of a function given by its coefficients."""
        self.function(u)
        return self._sampler.eval(self.domain, self.own_cells).ravel()

    def gradient(self, u: Array) -> Array:
        """Return the (tangential) gradient at the quadrature points, shape (n, gdim)."""
        self.function(u)
        return self._gradient.eval(self.domain, self.own_cells).reshape(-1, self.gdim)

    @cached_property
    def _gradient(self) -> Any:
        return fem.Expression(ufl.grad(self._function), self.reference)

    def interpolated(self, function: Callable[[Array], Array], shape: tuple[int, ...]) -> Any:
        """Return the interpolant of a function of points (n, gdim), of the space's degree, for use in forms."""
        V = self.V if shape == () else fem.functionspace(self.domain, ("Lagrange", self.degree, shape))
        f = fem.Function(V)

        def read(x: Array) -> Array:
            values = agreed(self.comm, lambda: np.asarray(function(x[: self.gdim].T), float))
            return np.moveaxis(values, 0, -1).reshape(-1, x.shape[1])

        f.interpolate(read)
        return f

    def held(self, field: Any) -> Any:
        """Return a function of its own with the values of a field on this space, for use in forms."""
        f = fem.Function(self.V)
        f.x.array[: self.own] = self.project(field.values)
        f.x.scatter_forward()
        return f

    def at_quadrature(self, shape: tuple[int, ...]) -> Any:
        """Return a function that holds arbitrary values at quadrature points, for use in forms."""
        cell = self.domain.basix_cell()
        element = basix.ufl.quadrature_element(cell, value_shape=shape, degree=self.quadrature_degree)
        return fem.Function(fem.functionspace(self.domain, element))

    def fill(self, holder: Any, values: Array) -> None:
        """Put values at the rank's own quadrature points into a function made by `at_quadrature`."""
        holder.x.array[:] = 0.0
        holder.x.array[: values.size] = values.ravel()

    def matrix(self, form: Any) -> Any:
        """Return the PETSc matrix of a compiled bilinear form."""
        A = petsc_forms.assemble_matrix(form)
        A.assemble()
        return A

    def held_at(self, matrix: Any, unknowns: NDArray[np.integer[Any]], diagonal: float) -> Any:
        """Return a copy of the matrix with the rows of these own unknowns replaced by `diagonal` times identity."""
        held = matrix.copy()
        held.setOption(PETSc.Mat.Option.KEEP_NONZERO_PATTERN, True)
        first = self.V.dofmap.index_map.local_range[0]
        held.zeroRows((unknowns + first).astype(PETSc.IntType), diag=diagonal)
        return held

    def held_at_wall(self, matrix: Any, diagonal: float) -> Any:
        """Return the same for all unknowns on the boundary."""
        return self.held_at(matrix, self.wall, diagonal)

    @cached_property
    def mass(self) -> Any:
        """The mass matrix."""
        return self.matrix(fem.form(self.trial * self.test * self.dx))

    @cached_property
    def stiffness(self) -> Any:
        """The matrix of ∫∇u·∇v."""
        return self.matrix(fem.form(ufl.inner(ufl.grad(self.trial), ufl.grad(self.test)) * self.dx))

    @cached_property
    def solve_mass(self) -> Factorised:
        """The inverse of the mass matrix."""
        return Factorised(self.mass, self.domain.topology.dim)

    @cached_property
    def _load(self) -> tuple[Any, Any]:
        holder = self.at_quadrature(())
        return holder, fem.form(holder * self.test * self.dx)

    def load(self, values: Array) -> Array:
        """Return ∫ values·v for all test functions v of this rank, from values at the quadrature points."""
        holder, form = self._load
        self.fill(holder, values)
        b = fem.assemble_vector(form)
        b.scatter_reverse(summing())
        return b.array[: self.own].copy()

    def project(self, values: Array) -> Array:
        """Return the L² projection of values at the quadrature points; exact for functions of the space."""
        return self.solve_mass(self.load(values))

    def with_ghosts(self, u: Array) -> Array:
        """Return the coefficients (own, …) followed by those of the ghosts."""
        columns = u.reshape(self.own, -1)
        found = np.empty((self.all_unknowns, columns.shape[1]))
        for k, column in enumerate(columns.T):
            found[:, k] = self.function(column).x.array
        return found.reshape(-1, *u.shape[1:])

    def summed(self, v: Array) -> Array:
        """Return the rank's own entries of a vector whose contributions, ghosts after own, lie on several ranks."""
        self._function.x.array[:] = v
        self._function.x.scatter_reverse(summing())
        return self._function.x.array[: self.own].copy()

    @property
    def all_unknowns(self) -> int:
        """The number of unknowns of this rank and its ghosts."""
        return self.V.dofmap.index_map.size_local + self.V.dofmap.index_map.num_ghosts

    def evaluate(self, u: Array, x: Array) -> Array:
        """Return functions (own, …) at points x (…, gdim) on every rank; NaN outside the mesh. Collective."""
        flat = np.ascontiguousarray(x, dtype=float).reshape(-1, self.gdim)
        matrix, here = interpolation_matrix(self, flat)
        values = over_ranks(self.comm, matrix @ self.with_ghosts(u), MPI.SUM)
        values[~here] = np.nan
        return values.reshape(x.shape[:-1] + u.shape[1:])


def summing() -> Any:
    """Return DOLFINx's mode of adding what ranks share."""
    from dolfinx.la import InsertMode

    return InsertMode.add
