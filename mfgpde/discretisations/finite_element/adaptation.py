"""Meshes adapted to a number: residuals say which cells to bisect, for eigenvalues and for stationary expectations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
from scipy import sparse

from mfgpde.core.arrays import Array
from mfgpde.discretisations.agreed import agreed
from mfgpde.discretisations.field import Field
from mfgpde.discretisations.finite_element._petsc import MPI, Factorised, PETSc, fem, multiply, ufl
from mfgpde.discretisations.finite_element.eigenpairs import STEEPEST, eigenpairs, potential_at, rises
from mfgpde.discretisations.finite_element.meshes.graded import bisected, fixed, straight
from mfgpde.discretisations.finite_element.ranks import over_ranks, read_values
from mfgpde.discretisations.finite_volume.still import Rates
from mfgpde.equations import FokkerPlanck
from mfgpde.processes import MarkovGenerator

STILL = 1e-14  # relative: rates of change below this share of the operator's norm are rounding
LOST = 1e-3  # what rounding may move shares of mass by; seen were 1 to 15 % of the estimate that is held to it
DUAL = 1e-9  # as much for the dual solution, which grows with the shift and is wanted to a few digits


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
    constant: for a self-adjoint operator the eigenfunction is its own dual solution, so residuals enter squared. Cells in
    which the potential is too steep are cut first. Walls that absorb hold φ, and ask no flux.

    Raises RuntimeError where nothing is left to refine before the budget is spent.

    >>> space = mfg.FiniteElement(mfg.meshes.interval(0.0, np.pi, 4), 1, walls="absorbing")
    >>> rungs = mfg.finite_element.adapt_eigenvalue(space, 0, max_unknowns=60)
    >>> 0 < rungs[-1].value - 1 < 1e-3  # of −u″ = λu, sin x
    True
    """

    def solve(space: Any) -> tuple[float, Array]:
        pairs = eigenpairs(space, n + 1, generator)
        inner, weight = space.space, _smooth_weight(space.space, generator)
        phi = inner.held(pairs.functions[n])
        flux = ufl.grad(phi)
        if generator.tensor is not None:
            flux = ufl.dot(inner.interpolated(generator.tensor, (inner.gdim,) * 2), flux)
        squares = residuals(
            inner, weight * flux, float(pairs.values[n]) * weight * phi, weight, space.walls == "absorbing"
        )
        return float(pairs.values[n]), squares

    return _adapted(_following(discretisation, generator, max_unknowns), solve, max_unknowns, share)


def _following(discretisation: Any, generator: MarkovGenerator, max_unknowns: int) -> Any:
    """Return the discretisation on a mesh whose cells follow the potential, as far as the budget goes."""
    straight(discretisation.mesh)
    while discretisation.space.size <= max_unknowns:
        space = discretisation.space
        steep = space.own_cells[rises(space, generator) > STEEPEST]
        if space.comm.allreduce(len(steep)) == 0:
            break
        discretisation = replace(discretisation, mesh=fixed(discretisation.mesh, bisected(space.domain, steep)))
    return discretisation


def _smooth_weight(space: Any, generator: MarkovGenerator) -> Any:
    """Return e^{−V}/∫e^{−V}, V interpolated, for use in forms; its exponent is centred, so that no V is too high or low."""
    V = agreed(space.comm, lambda: potential_at(generator, space.grid.points))
    least = space.grid.minimum(V)
    mass = float(space.grid.integrate(np.exp(least - V)))
    held = space.interpolated(lambda x: potential_at(generator, x) - least, ())
    return ufl.exp(-held) / mass


def stationary(equation: FokkerPlanck, discretisation: Any) -> Field:
    """Return the stationary density of a Fokker–Planck equation whose coefficients do not depend on time, mass one.

    Where the equation's potential is known and its Gibbs density is stationary to rounding, that. Fitted elements are a
    Markov chain, whose law is found without a subtraction, however high the barriers (on one rank, on Delaunay meshes);
    others by inverse iteration on the weak form, shifted by what rounding of the operator allows, in any units.
    Raises ValueError for coefficients that depend on time and for absorbing walls; RuntimeError if relaxation is so slow,
    as behind barriers of some twenty kT, that rounding decides a thousandth of how mass is shared out.

    >>> equation = mfg.FokkerPlanck.of(mfg.OrnsteinUhlenbeck())
    >>> law = mfg.finite_element.stationary(equation, mfg.FiniteElement(mfg.meshes.interval(-4.0, 4.0, 64), degree=2))
    >>> print(f"{law.expectation(lambda x: x[..., 0] ** 2):.3f}")  # g²/(2θ)
    0.500
    """
    if equation.time_dependent:
        raise ValueError("a stationary density needs coefficients that do not depend on time")
    if discretisation.walls == "absorbing":
        raise ValueError(
            "at absorbing walls all mass leaves in the end and no density is stationary; make the walls 'reflecting' or "
            "'far', or take the law of those that stay from the lowest of `eigenpairs`"
        )
    system, space = discretisation.semidiscretise(equation), discretisation.space
    norm, u = system.norm(0.0), np.ones(space.own)
    if not norm > 0:
        raise ValueError("the equation has neither drift nor noise: every density is stationary")
    potential = equation.potential
    if potential is not None:
        V = read_values(lambda x: potential(x, 0.0), space.nodes[: space.own], "the potential", space.comm)
        u = np.exp(space.grid.minimum(V) - V)
        if system.size(system.rate(u, 0.0)) <= STILL * norm * system.size(u):
            return Field(discretisation, system.values(u / system.mass(u)))
    if system.fitted and space.comm.size == 1:
        law = _law_of_chain(system)
        if law is not None:
            return Field(discretisation, system.values(law))
    step, changes, before = _almost_singular(system, 1 / (STILL * norm)), [], np.zeros(space.own)
    for _ in range(20):
        u = step(u)
        u /= system.mass(u)
        changes.append(system.size(u - before) / system.size(u))
        if changes[-1] <= 1e-11:
            break
        before = u
    lost = _lost(changes)
    if changes[-1] <= 1e-11 and lost <= LOST:
        return Field(discretisation, system.values(u))
    raise RuntimeError(
        f"rounding decides {min(lost, 1.0):.1e} of how mass is shared out between wells (allowed {LOST:g}; the last "
        f"changes of inverse iteration are {changes[-2]:.1e}, {changes[-1]:.1e}): relaxation is slower than "
        f"{LOST / (np.finfo(float).eps * norm):.1e} units of time, as behind barriers of twenty kT, "
        "or the mesh is in several pieces; scheme='fitted' (degree 1, one rank) has no such limit, and with the equation's "
        "potential the Gibbs density itself"
    )


def _lost(changes: list[float]) -> float:
    """Return what share of the mass one rounding of the operator may move, ε‖K‖/λ₁, as the changes of the iteration tell.

    With the shift 1/(STILL·‖K‖) they fall by ρ = 1/(1 + shift·λ₁) each time: ε‖K‖/λ₁ = ε/STILL·ρ/(1 − ρ).
    """
    slowest = max(
        (b / a for a, b in pairwise(changes) if a > 1e-9), default=0.0
    )  # of smaller ones rounding is the rest
    return float(np.finfo(float).eps) / STILL * slowest / (1 - slowest) if slowest < 1 else np.inf


def _law_of_chain(system: Any) -> Array | None:
    """Return the stationary density of a fitted scheme, which is a Markov chain; nothing where weights are negative."""
    pointers, columns, entries = system.at(0.0).K.getValuesCSR()
    into = sparse.csr_array((entries, columns, pointers), shape=(system.space.own,) * 2)
    among = sparse.csr_array((into - sparse.diags_array(into.diagonal())).T)
    if among.min() < 0:
        return None
    among.eliminate_zeros()
    rates = Rates(among, np.zeros(system.space.own))
    if rates.parts > 1:
        raise ValueError(
            f"the chain of the vertices has {rates.parts} parts that do not reach each other, in several pieces of the "
            "mesh or behind rates below 1e-308: several laws are stationary"
        )
    law = rates.factors().occupied()
    return law / system.mass(law / law.max()) / law.max()


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

    >>> equation = mfg.FokkerPlanck(lambda x, t: -x, lambda t: 0.5, time_dependent=False)
    >>> space = mfg.FiniteElement(mfg.meshes.interval(-6.0, 6.0, 16), 2)
    >>> rungs = mfg.finite_element.adapt_stationary(equation, space, lambda x: x[..., 0] ** 2, max_unknowns=200)
    >>> print(f"{rungs[-1].value:.3f}")  # of N(0, ½)
    0.500
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
    shift = 1 / (DUAL * system.norm(0.0))
    wanted = read_values(goal, space.grid.points, "the goal", space.space.comm)
    u = _almost_singular(system, shift)(shift * space.space.project(wanted - value))
    return Field(space, system.values(u))


def residuals(space: Any, flux: Any, source: Any, weight: Any, held: bool = False) -> Array:
    """Return per own cell h²‖∇·flux + source‖²/weight + Σ_F h_F‖[flux·n]‖²/weight; walls are without flux unless held."""
    domain = space.domain
    w = ufl.TestFunction(fem.functionspace(domain, ("DG", 0)))
    n, h = ufl.FacetNormal(domain), ufl.Circumradius(domain)
    rule = {"quadrature_degree": space.quadrature_degree}
    dx, ds, dS = (measure(domain=domain, metadata=rule) for measure in (ufl.dx, ufl.ds, ufl.dS))
    form = h**2 * ((ufl.div(flux) + source) / weight) ** 2 * weight * w * dx
    form += ufl.avg(h) * (ufl.jump(flux, n) / ufl.avg(weight)) ** 2 * ufl.avg(weight) * ufl.avg(w) * dS
    if not held:
        form += h * (ufl.inner(flux, n) / weight) ** 2 * weight * w * ds
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
        if not np.isfinite(total):
            raise RuntimeError(
                f"the indicator is not a number on {space.size} unknowns; is the potential smooth there?"
            )
        rungs.append(Adaptation(discretisation, value, total, space.size))
        everywhere = np.sort(np.concatenate(space.comm.allgather(squares)))[::-1]
        least = everywhere[min(int(np.searchsorted(np.cumsum(everywhere), share * total)), len(everywhere) - 1)]
        marked = space.own_cells[squares >= least]
        domain = bisected(space.domain, marked)
        finer = replace(discretisation, mesh=fixed(discretisation.mesh, domain))
        if finer.space.size > max_unknowns:
            return rungs
        if finer.space.size <= space.size:
            raise RuntimeError(
                f"bisection of the marked cells leaves {space.size} unknowns as they are; start from a finer mesh"
            )
        discretisation = finer
