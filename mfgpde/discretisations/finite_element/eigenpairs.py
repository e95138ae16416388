"""Eigenpairs of reversible generators, Lφ = ∇·(A∇φ) − (A∇V)·∇φ = −λφ, on a mesh.

Weak form ∫(A∇φ)·∇v π = λ∫φ v π with π = e^{−V}/∫e^{−V}; eigenvalues converge at order 2p, eigenfunctions at p + 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mfgpde.core.arrays import Array
from mfgpde.discretisations.field import Field
from mfgpde.discretisations.finite_element._petsc import SLEPc, fem, ufl
from mfgpde.processes import MarkovGenerator


@dataclass(frozen=True, eq=False)
class Eigenpairs:
    """Eigenvalues λ_0 ≤ λ_1 ≤ … of −L (values, shape (k,)) and eigenfunctions, orthonormal in L²(π)."""

    values: Array
    functions: tuple[Field, ...]


def eigenpairs(discretisation: Any, count: int, generator: MarkovGenerator = MarkovGenerator()) -> Eigenpairs:  # noqa: B008  # frozen
    """Return the lowest `count` eigenpairs of a generator on this mesh; by default, of Laplace–Beltrami. Walls reflect.

    The error of an eigenvalue comes from `converge(lambda space: eigenpairs(space, k).values[n], …, order=2 * degree)`.
    Raises ValueError for a tensor that is not symmetric and positive, a potential that is not finite, and a count that the
    mesh cannot bear; RuntimeError if SLEPc finds fewer pairs than asked for.
    """
    space = discretisation.space
    if not 1 <= count <= space.size // 2:
        raise ValueError(f"count must lie in [1, {space.size // 2}] on this mesh, got {count}")
    K, M, weight = assembled(space, generator)
    solver = SLEPc.EPS().create(space.comm)
    solver.setOperators(K, M)
    solver.setProblemType(SLEPc.EPS.ProblemType.GHEP)
    solver.setDimensions(count)
    solver.setTolerances(tol=1e-12, max_it=500)
    solver.setWhichEigenpairs(SLEPc.EPS.Which.TARGET_REAL)
    extent = float(np.max(space.grid.upper - space.grid.lower))
    solver.setTarget(-1.0 / extent**2)  # below the spectrum, of the size of the first gap: K alone is singular
    transform = solver.getST()
    transform.setType(SLEPc.ST.Type.SINVERT)
    transform.getKSP().setType("preonly")
    transform.getKSP().getPC().setType("lu")
    transform.getKSP().getPC().setFactorSolverType("mumps")
    solver.solve()
    if solver.getConverged() < count:
        raise RuntimeError(
            f"SLEPc found {solver.getConverged()} of {count} eigenpairs; use a finer mesh or ask for fewer"
        )
    values, functions, vector = [], [], K.createVecRight()
    for n in range(count):
        values.append(solver.getEigenpair(n, vector).real)
        functions.append(Field(discretisation, _normalised(space, vector, weight)))
    order = np.argsort(values)
    return Eigenpairs(np.array(values)[order], tuple(functions[n] for n in order))


def assembled(space: Any, generator: MarkovGenerator) -> tuple[Any, Any, Array]:
    """Return the matrices of ∫(A∇u)·∇v π and ∫u v π, and π at quadrature points."""
    weight = stationary_weight(space.grid, generator)
    density = space.at_quadrature(())
    space.fill(density, weight)
    flux = ufl.grad(space.trial)
    if generator.tensor is not None:
        A = space.at_quadrature((space.gdim, space.gdim))
        space.fill(A, generator.diffusion_tensor(space.grid.points))
        flux = ufl.dot(A, flux)
    K = space.matrix(fem.form(density * ufl.inner(flux, ufl.grad(space.test)) * space.dx))
    return K, space.matrix(fem.form(density * space.trial * space.test * space.dx)), weight


def stationary_weight(grid: Any, generator: MarkovGenerator) -> Array:
    """Return π = e^{−V}/∫e^{−V} at quadrature points."""
    V = (
        np.zeros(len(grid.points))
        if generator.potential is None
        else np.asarray(generator.potential(grid.points), float)
    )
    weight = np.exp(grid.minimum(V) - V)
    weight /= float(grid.integrate(weight))
    if not np.isfinite(grid.integrate(weight)):
        raise ValueError("the potential must be finite at all quadrature points")
    return weight


def _normalised(space: Any, vector: Any, weight: Array) -> Array:
    """Return the values at quadrature points, of norm one in L²(π), with ∫φ³π or, if that vanishes, ∫x·φπ positive."""
    values = space.sample(vector.getArray().copy())
    values /= np.sqrt(float(space.grid.integrate(weight * values**2)))
    tilt = float(space.grid.integrate(weight * values * (1 + space.grid.points @ np.arange(1.0, space.gdim + 1))))
    return values if tilt >= 0 else -values
