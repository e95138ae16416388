"""Meshes with cells of a given width at each place, by bisection (Plaza's algorithm in DOLFINx): straight meshes only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from mfgpde.discretisations.finite_element._petsc import mesh
from mfgpde.discretisations.finite_element.meshes.shapes import Array, Mesh

ROUNDS = 30


def graded(base: Mesh, width: Callable[[Array], Array]) -> Mesh:
    """Return the mesh with cells bisected until no edge is longer than width(its midpoint).

    Its refinements divide `width` by the same power of two. Raises ValueError for curved meshes, a `width` that is not
    positive, and one so small that 30 bisections do not reach it.

    >>> base = mfg.meshes.interval(0.0, 1.0, 2)
    >>> finer = mfg.meshes.graded(base, lambda x: 0.1 + x[..., 0])  # cells end at 0, 1/8, 1/4, 1/2, 1
    >>> len(mfg.FiniteElement(finer).grid.points) / len(mfg.FiniteElement(base).grid.points)
    2.0
    """
    straight(base)

    def build(n: int, _degree: int, comm: Any) -> Any:
        domain = base.builder(base.resolution, 1, comm)
        for _ in range(ROUNDS):
            edges = _too_long(domain, width, base.resolution / n)
            if comm.allreduce(len(edges)) == 0:
                return domain
            domain = mesh.refine(domain, edges)[0]
        raise ValueError(f"{ROUNDS} rounds of bisection do not reach the width asked for; start from a finer mesh")

    return replace(base, name=f"graded {base.name}", builder=build)


def toward(density: Any, finest: float, coarsest: float, *, degree: int = 1) -> Callable[[Array], Array]:
    """Return a width for `graded`: `finest` at the mode, growing as p^{−1/(degree+2)} in the tails, up to `coarsest`.

    The power balances ∫|h^{degree+1} p| over the cells, as if derivatives of p were of its own size.
    """
    if not 0 < finest < coarsest:
        raise ValueError(f"needs 0 < finest < coarsest, got {finest}, {coarsest}")
    peak = float(np.max(density.log_density(density.sample(1000, np.random.default_rng(0)))))
    return lambda x: np.minimum(finest * np.exp(np.maximum(peak - density.log_density(x), 0) / (degree + 2)), coarsest)


def fixed(base: Mesh, domain: Any) -> Mesh:
    """Return the recipe of a mesh that exists; its refinements are uniform.

    >>> from mpi4py import MPI
    >>> base = mfg.meshes.interval(0.0, 1.0, 4)
    >>> kept = mfg.meshes.fixed(base, base.builder(4, 1, MPI.COMM_WORLD))
    >>> kept.name, kept.resolution
    ('adapted interval', 4)
    """

    def build(n: int, _degree: int, _comm: Any) -> Any:
        finer = domain
        for _ in range(int(np.log2(n // base.resolution))):
            finer.topology.create_entities(1)
            finer = mesh.refine(finer)[0]
        return finer

    return replace(base, name=f"adapted {base.name.removeprefix('adapted ')}", builder=build)


def bisected(domain: Any, cells: Array) -> Any:
    """Return the mesh with all edges of these cells of the rank cut in two, and what that entails."""
    dim = domain.topology.dim
    domain.topology.create_entities(1)
    domain.topology.create_connectivity(dim, 1)
    return mesh.refine(domain, mesh.compute_incident_entities(domain.topology, cells.astype(np.int32), dim, 1))[0]


def _too_long(domain: Any, width: Callable[[Array], Array], shrink: float) -> Array:
    """Return this rank's edges longer than shrink·width at their midpoints."""
    domain.topology.create_entities(1)
    domain.topology.create_connectivity(1, domain.topology.dim)
    domain.topology.create_connectivity(domain.topology.dim, 1)
    count = domain.topology.index_map(1).size_local
    ends = mesh.entities_to_geometry(domain, 1, np.arange(count, dtype=np.int32))
    x = domain.geometry.x[ends][..., : domain.geometry.dim]
    allowed = np.asarray(width(x.mean(axis=1)), dtype=float)
    if allowed.shape != (count,) or not np.all(allowed > 0):
        raise ValueError(
            f"the width must be a positive number per point, got shape {allowed.shape}, least {allowed.min()}"
        )
    return np.flatnonzero(np.linalg.norm(x[:, 1] - x[:, 0], axis=-1) > shrink * allowed).astype(np.int32)


def straight(base: Mesh) -> None:
    """Raise ValueError for a mesh with curved cells."""
    if base.curved:
        raise ValueError(
            f"a {base.name} has curved cells, which cannot be bisected; use a finer one, or a straight mesh"
        )
