"""Meshes adapted to a number: residuals say which cells to bisect, for eigenvalues and for stationary expectations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mfgpde.core.arrays import Array
from mfgpde.discretisations.field import Field
from mfgpde.discretisations.finite_element._petsc import MPI, Factorised, PETSc, fem, multiply, ufl
from mfgpde.discretisations.finite_element.eigenpairs import eigenpairs
from mfgpde.discretisations.finite_element.meshes.graded import bisected, fixed, straight
from mfgpde.discretisations.finite_element.space import over_ranks
from mfgpde.equations import FokkerPlanck
from mfgpde.processes import MarkovGenerator


@dataclass(frozen=True, eq=False)
class Adaptation:
    """One rung of an adaptive refinement: the space, its number, the number's a-posteriori indicator and the unknowns."""

    discretisation: Any
    value: float
    indicator: float
    unknowns: int


def adapt_eigenvalue(
    discretisation: Any,
    n: int,
    generator: MarkovGenerator = MarkovGenerator(),  # noqa: B008  # frozen
    *,
    max_unknowns: int = 20_000,
    share: float = 0.5,
) -> list[Adaptation]:
    """Refine the mesh for the n-th eigenvalue of the generator (see `eigenpairs`) and return all rungs.

    The indicator Σ_K h_K²‖∇·(πA∇φ) + λπφ‖²_K/π + Σ_F h_F‖[πA∂_nφ]‖²_F/π is of the size of the eigenvalue's error up to a
    constant: for a self-adjoint operator the eigenfunction is its own dual solution, so residuals enter squared.
    """

    def solve(space: Any) -> tuple[float, Array]:
        potential, tensor = generator.potential, generator.tensor
        pairs = eigenpairs(space, n + 1, generator)
        V = space.space.interpolated(potential or (lambda x: np.zeros(len(x))), ())
        weight = ufl.exp(-V)
        phi = space.space.held(pairs.functions[n])
        flux = ufl.grad(phi)
        if tensor is not None:
            flux = ufl.dot(space.space.interpolated(tensor, (space.space.gdim,) * 2), flux)
        mass = float(
            space.grid.integrate(np.exp(-(potential(space.grid.points) if potential else 0.0 * space.grid.weights)))
        )
        squares = residuals(space.space, weight * flux, float(pairs.values[n]) * weight * phi, weight)
        return float(pairs.values[n]), squares / mass

    return _adapted(discretisation, solve, max_unknowns, share)


def stationary(equation: FokkerPlanck, discretisation: Any) -> Field:
    """Return the stationary density of a Fokker–Planck equation whose coefficients do not depend on time, mass one.

    Two steps of inverse iteration on its weak form: the second changes nothing unless there is more than one such
    density. Raises ValueError for coefficients that depend on time.
    """
    if equation.time_dependent:
        raise ValueError("a stationary density needs coefficients that do not depend on time")
    system, space = discretisation.semidiscretise(equation), discretisation.space
    step = _almost_singular(system, 1e8)
    u, before = np.ones(space.own), np.zeros(space.own)
    for _ in range(20):
        u = step(u)
        u /= system.mass(u)
        if system.size(u - before) <= 1e-11 * system.size(u):
            return Field(discretisation, system.values(u))
        before = u
    raise RuntimeError("inverse iteration did not settle: there may be several stationary densities, or none")


def _almost_singular(system: Any, shift: float) -> Callable[[Array], Array]:
    """Return (I − shift·A)⁻¹ by sparse LU, whatever its size."""
    now = system.at(0.0)
    P = now.M.copy()
    P.axpy(-shift, now.K, structure=PETSc.Mat.Structure.DIFFERENT_NONZERO_PATTERN)
    solve = Factorised(P, system.space.domain.topology.dim, direct=True)
    return lambda u: solve(multiply(now.M, u))


def adapt_stationary(
    equation: FokkerPlanck,
    discretisation: Any,
    goal: Callable[[Array], Array],
    *,
    max_unknowns: int = 20_000,
    share: float = 0.5,
) -> list[Adaptation]:
    """Refine the mesh for E_p[goal] under the stationary density and return all rungs.

    Goal-oriented: residuals of p are weighted by those of the dual solution z, −Lz = goal − E_p[goal], as
    Σ_K η_K(p)·η_K(z), which bounds the error of the expectation up to a constant.
    """

    def solve(space: Any) -> tuple[float, Array]:
        p = stationary(equation, space)
        inner = space.space
        value = p.expectation(goal)
        z = _dual(equation, space, goal, value)
        D = float(equation.diffusivity(0.0))
        f = inner.interpolated(lambda x: equation.drift(x, 0.0), (inner.gdim,))
        density, dual = inner.held(p), inner.held(z)
        h = inner.interpolated(goal, ())
        one = fem.Constant(inner.domain, 1.0)
        primal = residuals(inner, D * ufl.grad(density) - f * density, 0 * density, one)
        adjoint = residuals(inner, D * ufl.grad(dual), ufl.inner(f, ufl.grad(dual)) + h - value, one)
        return value, np.sqrt(primal * adjoint)

    return _adapted(discretisation, solve, max_unknowns, share)


def _dual(equation: FokkerPlanck, space: Any, goal: Callable[[Array], Array], value: float) -> Field:
    """Return z with −Lz = goal − value, up to a constant: the transposed stationary equation, almost singular."""
    from mfgpde.equations import BackwardKolmogorov

    system = space.semidiscretise(BackwardKolmogorov(equation.drift, equation.diffusivity, time_dependent=False))
    shift = 1e4
    u = _almost_singular(system, shift)(shift * space.space.project(goal(space.grid.points) - value))
    return Field(space, system.values(u))


def residuals(space: Any, flux: Any, source: Any, weight: Any) -> Array:
    """Return per own cell h²‖∇·flux + source‖²/weight + Σ_F h_F‖[flux·n]‖²/weight; walls are without flux."""
    domain = space.domain
    w = ufl.TestFunction(fem.functionspace(domain, ("DG", 0)))
    n, h = ufl.FacetNormal(domain), ufl.Circumradius(domain)
    rule = {"quadrature_degree": space.quadrature_degree}
    dx, ds, dS = (measure(domain=domain, metadata=rule) for measure in (ufl.dx, ufl.ds, ufl.dS))
    form = h**2 * (ufl.div(flux) + source) ** 2 / weight * w * dx + h * ufl.inner(flux, n) ** 2 / weight * w * ds
    if domain.topology.dim > 0:
        form += ufl.avg(h) * ufl.jump(flux, n) ** 2 / ufl.avg(weight) * ufl.avg(w) * dS
    b = fem.assemble_vector(fem.form(form))
    from dolfinx.la import InsertMode

    b.scatter_reverse(InsertMode.add)
    return b.array[: len(space.own_cells)].copy()


def _adapted(
    discretisation: Any, solve: Callable[[Any], tuple[float, Array]], max_unknowns: int, share: float
) -> list[Adaptation]:
    """Solve, estimate, mark the cells that carry `share` of the indicator (Dörfler), bisect, until the budget is spent."""
    if not 0 < share <= 1:
        raise ValueError(f"share must lie in (0, 1], got {share}")
    straight(discretisation.mesh)
    rungs = []
    while True:
        value, squares = solve(discretisation)
        space = discretisation.space
        total = float(over_ranks(space.comm, squares.sum(), MPI.SUM))
        rungs.append(Adaptation(discretisation, value, total, space.size))
        everywhere = np.sort(np.concatenate(space.comm.allgather(squares)))[::-1]
        least = everywhere[min(int(np.searchsorted(np.cumsum(everywhere), share * total)), len(everywhere) - 1)]
        marked = space.own_cells[squares >= least]
        domain = bisected(space.domain, marked)
        finer = replace(discretisation, mesh=fixed(discretisation.mesh, domain))
        if finer.space.size > max_unknowns:
            return rungs
        discretisation = finer
