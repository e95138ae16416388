"""Eigenpairs of reversible generators, Lφ = ∇·(A∇φ) − (A∇V)·∇φ = −λφ, on a mesh.

Weak form ∫(A∇φ)·∇v π = λ∫φ v π with π = e^{−V}/∫e^{−V}; eigenvalues converge at order 2p, eigenfunctions at p + 1.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.linalg import eigh

from mfgpde.core.arrays import Array
from mfgpde.discretisations.agreed import agreed
from mfgpde.discretisations.field import Field
from mfgpde.discretisations.finite_element._petsc import MPI, PETSc, fem, multiply, ufl
from mfgpde.discretisations.finite_element.ranks import over_ranks
from mfgpde.discretisations.finite_element.spectrum import Pencil, Spectrum, lowest
from mfgpde.processes import MarkovGenerator

DEEPEST = 690.0  # V − min V: beyond, e^{−V} leaves the numbers that a double holds to full precision
STEEPEST = 20.0  # change of V within a cell: at 30 to 35 spurious eigenvalues below the first were seen, at 18 none
SMALL, MOST = 1e-7, 64  # eigenvalues below this share of the largest are found again from gradients, so many at most
EPS = float(np.finfo(float).eps)


@dataclass(frozen=True, eq=False)
class Eigenpairs:
    """Eigenvalues λ_0 ≤ λ_1 ≤ … of −L (values, shape (k,)) and eigenfunctions, orthonormal in L²(π).

    `rounding` (k,) is about how far rounding may have moved each eigenvalue: of those that are smaller nothing is known but
    their size.
    """

    values: Array
    functions: tuple[Field, ...]
    rounding: Array


def eigenpairs(discretisation: Any, count: int, generator: MarkovGenerator = MarkovGenerator()) -> Eigenpairs:  # noqa: B008  # frozen
    """Return the lowest `count` eigenpairs of a generator on this mesh; by default, of Laplace–Beltrami.

    Walls reflect; at walls="absorbing" the functions vanish. That no copy of a multiple eigenvalue is missing is proved by
    counting (see `spectrum`); where `count` cuts through one, as many of its copies are there as fit. The discretisation's
    error comes from `converge(lambda space: eigenpairs(space, k).values[n], …, order=2 * degree)`.

    Warns of eigenvalues lost in rounding. Raises ValueError for a tensor that is not symmetric and positive, a potential
    that is not finite or spans more than a double holds, and a count that the mesh cannot bear; RuntimeError if SLEPc does
    not find all that are there.

    >>> pairs = mfg.eigenpairs(mfg.FiniteElement(mfg.meshes.interval(0.0, np.pi, 32), degree=2), 3)
    >>> [f"{value:.3f}" for value in pairs.values + 0.0]  # of −d²/dx² with reflecting ends: n²
    ['0.000', '1.000', '4.000']
    """
    space = discretisation.space
    absorbing = discretisation.walls == "absorbing"
    inside = np.setdiff1d(np.arange(space.own), space.wall) if absorbing else np.arange(space.own)
    most = int(over_ranks(space.comm, len(inside), MPI.SUM)) // 2
    if not 1 <= count <= most:
        raise ValueError(f"count must lie in [1, {most}] on this mesh, got {count}")
    _check_resolution(space, generator)
    K, M, weight = assembled(space, generator)
    gap = _first_gap(space, K, M)
    if absorbing:
        K, M = (_restricted(space, matrix, inside) for matrix in (K, M))
        found = lowest(Pencil(K, M, gap), count)
    else:
        pencil = Pencil(K, M, gap, np.ones(space.own))
        found = _refined(space, generator, weight, lowest(pencil, count), pencil)
    _warn_of_noise(found, absorbing)
    functions = []
    for u in found.vectors.T:
        whole = np.zeros(space.own)
        whole[inside] = u
        functions.append(Field(discretisation, _normalised(space, whole, weight)))
    return Eigenpairs(found.values, tuple(functions), found.rounding)


def rises(space: Any, generator: MarkovGenerator) -> Array:
    """Return how much V changes between quadrature points of each own cell, where it matters: at degree two and more.

    Where e^{−V} is felt at one quadrature point of a cell alone, such elements have functions with no gradient there.
    """
    if generator.potential is None or space.degree == 1:
        return np.zeros(len(space.own_cells))
    V = agreed(space.comm, lambda: potential_at(generator, space.grid.points)).reshape(len(space.own_cells), -1)
    return np.ptp(V, axis=1) if len(V) else np.zeros(0)


def _check_resolution(space: Any, generator: MarkovGenerator) -> None:
    rise = float(over_ranks(space.comm, rises(space, generator).max(initial=0.0), MPI.MAX))
    if rise > STEEPEST:
        raise ValueError(
            f"the potential changes by {rise:.3g} within one cell, which elements of degree {space.degree} cannot follow "
            f"(allowed {STEEPEST:.0f}); take finer cells where it is steep, or a mesh that ends before"
        )


def _first_gap(space: Any, K: Any, M: Any) -> float:
    """Return the least Rayleigh quotient of coordinates: it bounds the lowest eigenvalue above zero where walls reflect."""
    quotients, one = [], np.ones(space.own)
    mass = over_ranks(space.comm, one @ multiply(M, one), MPI.SUM)
    for x in space.nodes[: space.own].T:
        mean = over_ranks(space.comm, x @ multiply(M, one), MPI.SUM) / mass
        rise, spread = (over_ranks(space.comm, (x - mean) @ multiply(A, x - mean), MPI.SUM) for A in (K, M))
        if rise > 0 and spread > 0:  # a coordinate in which the mesh is flat tells nothing
            quotients.append(float(rise / spread))
    return min(quotients)


def _restricted(space: Any, matrix: Any, inside: Array) -> Any:
    """Return the rows and columns of these unknowns of the rank."""
    first = space.V.dofmap.index_map.local_range[0]
    kept = PETSc.IS().createGeneral((inside + first).astype(PETSc.IntType), comm=space.comm)
    return matrix.createSubMatrix(kept, kept)


def _refined(space: Any, generator: MarkovGenerator, weight: Array, found: Spectrum, pencil: Pencil) -> Spectrum:
    """Find eigenvalues far below the largest again in the span of their functions, from gradients at quadrature points.

    Entries of K are sums of large numbers that cancel, with an error of ε·λ_max. Gradients of a nearly constant function
    are small to begin with: their squares lose ε², and the span loses (ε·λ_max)² over the next eigenvalue.
    """
    few = min(int(np.sum(found.values < SMALL * pencil.scale)), MOST)
    if few < 2:
        return found
    A = agreed(space.comm, lambda: generator.diffusion_tensor(space.grid.points))
    slopes = [space.gradient(u) for u in found.vectors[:, :few].T]
    values = np.stack([space.sample(u) for u in found.vectors[:, :few].T], axis=1)
    measure = space.grid.weights * weight
    fluxes = [measure[:, None] * np.einsum("nij,nj->ni", A, slope) for slope in slopes]
    G = np.array([[np.vdot(flux, slope) for slope in slopes] for flux in fluxes])
    G, B = (over_ranks(space.comm, part, MPI.SUM) for part in (G, values.T @ (measure[:, None] * values)))
    fresh, turn = eigh(0.5 * (G + G.T)[1:, 1:], (B - np.outer(B[0], B[0]) / B[0, 0])[1:, 1:])  # the constant is known
    vectors = found.vectors.copy()
    vectors[:, 1:few] = (vectors[:, 1:few] - vectors[:, :1] * (B[0, 1:] / B[0, 0])) @ turn
    values, rounding = found.values.copy(), found.rounding.copy()
    values[1:few] = fresh
    following = pencil.scale * (pencil.values[few] if few < len(pencil.values) else SMALL)
    rounding[1:few] = np.minimum(rounding[1:few], 10 * EPS * fresh + rounding[1:few] ** 2 / following)
    return Spectrum(values, vectors, rounding)


def _warn_of_noise(found: Spectrum, absorbing: bool) -> None:
    lost = np.flatnonzero(np.abs(found.values) <= found.rounding)
    lost = lost[lost > 0] if not absorbing else lost
    if lost.size:
        n = int(lost[0])
        warnings.warn(
            f"{lost.size} eigenvalues are below what rounding leaves, the first λ_{n} = {found.values[n]:.1e} ± "
            f"{found.rounding[n]:.1e}: relaxation is slower than the numbers can tell, or the mesh is in several pieces; "
            "rates behind such barriers are 1/solvers.mean_first_passage_time with scheme='fitted' or FiniteVolume",
            RuntimeWarning,
            stacklevel=3,
        )


def assembled(space: Any, generator: MarkovGenerator) -> tuple[Any, Any, Array]:
    """Return the matrices of ∫(A∇u)·∇v π and ∫u v π, and π at quadrature points."""
    weight = stationary_weight(space.grid, generator)
    density = space.at_quadrature(())
    space.fill(density, weight)
    flux = ufl.grad(space.trial)
    if generator.tensor is not None:
        A = space.at_quadrature((space.gdim, space.gdim))
        space.fill(A, agreed(space.comm, lambda: generator.diffusion_tensor(space.grid.points)))
        flux = ufl.dot(A, flux)
    K = space.matrix(fem.form(density * ufl.inner(flux, ufl.grad(space.test)) * space.dx))
    return K, space.matrix(fem.form(density * space.trial * space.test * space.dx)), weight


def stationary_weight(grid: Any, generator: MarkovGenerator) -> Array:
    """Return π = e^{−V}/∫e^{−V} at quadrature points. Raises ValueError, on all ranks, for a V that e^{−V} cannot bear."""
    V = agreed(grid.comm, lambda: potential_at(generator, grid.points))
    lowest, highest = grid.minimum(V), -grid.minimum(-V)
    if highest - lowest > DEEPEST:
        raise ValueError(
            f"the potential rises by {highest - lowest:.3g} over the mesh, so that e^-V leaves the numbers; take a mesh "
            f"that ends where V - min V is below {DEEPEST:.0f}: what lies beyond has no mass and changes nothing"
        )
    weight = np.exp(lowest - V)
    return weight / float(grid.integrate(weight))


def potential_at(generator: MarkovGenerator, x: Array) -> Array:
    """Return V at points (n, d), zero where the generator has none. Raises ValueError where it is not finite."""
    if generator.potential is None:
        return np.zeros(len(x))
    V = np.asarray(generator.potential(x), float)
    if V.shape != (len(x),) or not np.isfinite(V).all():
        raise ValueError(f"the potential must be finite at all {len(x)} quadrature points, of shape {(len(x),)}")
    return V


def _normalised(space: Any, u: Array, weight: Array) -> Array:
    """Return the values at quadrature points, of norm one in L²(π), with ∫φπ or, if that vanishes, ∫x·φπ positive."""
    grid, values = space.grid, space.sample(u)
    values /= np.sqrt(float(grid.integrate(weight * values**2)))
    tilt = float(grid.integrate(weight * values))
    if abs(tilt) < 1e-6:
        places = (grid.points - grid.lower) / np.maximum((grid.upper - grid.lower).max(), 1e-300)
        tilt = float(grid.integrate(weight * values * (places @ np.arange(1.0, space.gdim + 1))))
    return values if tilt >= 0 else -values
