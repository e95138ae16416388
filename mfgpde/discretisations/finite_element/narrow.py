"""Loads ∫f φ_i of functions that are narrower than cells: cells are cut where quadrature has not settled."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mfgpde.core.arrays import Array
from mfgpde.discretisations.agreed import agreed
from mfgpde.discretisations.checks import checked
from mfgpde.discretisations.finite_element._petsc import MPI, basix
from mfgpde.discretisations.finite_element.locate import geometry_element
from mfgpde.discretisations.finite_element.ranks import over_ranks

Function = Callable[[Array], Array]
Cells = NDArray[np.int32]
SETTLED, ENOUGH = 1e-9, 1e-3  # of ∫|f|: what a piece may still change by; and what ∫f may, where points run out
FALLS = 0.25  # of what it was on the piece before its cut: by how much a smooth function leaves its polynomial there
INWARD = 1e-9  # of a piece: corners just inside, so that a jump between two pieces is in neither
FIRST, DEEPEST = {1: 4, 2: 3, 3: 1}, 24  # times that all pieces are halved along each edge, by dimension, and at most
LARGEST, BLOCK = 500_000, 20_000  # points on a rank and level from the second on; pieces at once


def narrow_load(space: Any, function: Function, what: str) -> Array:
    """Return ∫f φ_i, the rank's own entries, by the rule of the space on pieces of cells: halved until sums settle.

    Raises ValueError if they do not, or take too many points. Collective: all ranks cut as often, if nothing else then air.
    """
    tdim = space.domain.topology.dim
    rule = basix.make_quadrature(getattr(basix.CellType, space.domain.topology.cell_name()), space.quadrature_degree)
    corners = np.concatenate((np.zeros((1, tdim)), np.eye(tdim)))
    cells, pieces, many = space.own_cells.copy(), np.repeat(corners[None], len(space.own_cells), axis=0), 2**tdim
    off = _off_polynomials(rule[0])
    found, rough = _integrals(space, function, what, cells, pieces, rule, off)
    total, size, left, level = np.zeros(space.all_unknowns), 0.0, np.inf, 0
    for level in range(1, DEEPEST + 1):
        if not over_ranks(space.comm, level == 1 or len(cells) * many * len(rule[1]) <= LARGEST, MPI.MIN):
            break
        cells, pieces = np.repeat(cells, many), _halves(pieces).reshape(-1, tdim + 1, tdim)
        finer, rougher = _integrals(space, function, what, cells, pieces, rule, off)
        change = np.abs(finer.reshape(-1, many, finer.shape[1]).sum(axis=1) - found).sum(axis=1)
        size = float(over_ranks(space.comm, np.abs(finer).sum() + np.abs(total).sum(), MPI.SUM))
        left = abs(float(over_ranks(space.comm, finer.sum() - found.sum(), MPI.SUM)))
        # a jump of any height stays as high on the part that it is in; integrals may miss it, between corner and points
        smooth = (rougher[:, 0] <= FALLS * np.repeat(rough[:, 0], many)) | (rougher[:, 1] <= SETTLED * size)
        done = np.repeat(change <= SETTLED * size, many) & smooth & (level >= FIRST[tdim])
        np.add.at(total, space.V.dofmap.list[cells[done]].ravel(), finer[done].ravel())
        cells, pieces, found, rough = cells[~done], pieces[~done], finer[~done], rougher[~done]
        if not over_ranks(space.comm, len(cells), MPI.SUM):
            return space.summed(total)
    if left <= ENOUGH * size:
        np.add.at(total, space.V.dofmap.list[cells].ravel(), found.ravel())
        return space.summed(total)
    raise ValueError(
        f"{what} is too narrow, or too rough, for this mesh: its integrals have not settled on pieces 2^{level} times "
        "smaller than cells; take a finer mesh, a later start, or FiniteVolume, which takes means over cells"
    )


def _halves(pieces: Array) -> Array:
    """Return the 2^d parts of simplices (n, d + 1, d), halved along each edge, shape (n, 2^d, d + 1, d)."""
    d = pieces.shape[-1]
    m = {(i, j): 0.5 * (pieces[:, i] + pieces[:, j]) for i in range(d + 1) for j in range(i, d + 1)}
    tables = {
        1: ((0, 0, 0, 1), (0, 1, 1, 1)),
        2: ((0, 0, 0, 1, 0, 2), (0, 1, 1, 1, 1, 2), (0, 2, 1, 2, 2, 2), (0, 1, 1, 2, 0, 2)),
        3: (
            (0, 0, 0, 1, 0, 2, 0, 3),
            (0, 1, 1, 1, 1, 2, 1, 3),
            (0, 2, 1, 2, 2, 2, 2, 3),
            (0, 3, 1, 3, 2, 3, 3, 3),
            (0, 1, 0, 2, 0, 3, 1, 3),
            (0, 1, 0, 2, 1, 2, 1, 3),
            (0, 2, 0, 3, 1, 3, 2, 3),
            (0, 2, 1, 2, 1, 3, 2, 3),
        ),
    }
    parts = [np.stack([m[row[k], row[k + 1]] for k in range(0, 2 * d + 2, 2)], axis=1) for row in tables[d]]
    return np.stack(parts, axis=1)


def _off_polynomials(points: Array) -> Array:
    """Return the matrix from values at a rule's points and a simplex's corners to what they are off a polynomial, (n, n).

    The polynomial is the one of the highest degree that the points alone determine.
    """
    d = points.shape[1]
    places = np.concatenate((points, np.zeros((1, d)), np.eye(d)))
    degree, terms = 0, np.ones((len(places), 1))
    while True:
        powers = [p for p in product(range(degree + 2), repeat=d) if sum(p) <= degree + 1]
        more = np.stack([np.prod(places**p, axis=1) for p in map(np.array, powers)], axis=1)
        if len(powers) > len(points) or np.linalg.matrix_rank(more[: len(points)], tol=1e-6) < len(powers):
            break
        degree, terms = degree + 1, more
    off = np.eye(len(places))
    off[:, : len(points)] -= terms @ np.linalg.pinv(terms[: len(points)])
    return off


def _integrals(
    space: Any, function: Function, what: str, cells: Cells, pieces: Array, rule: tuple[Array, Array], off: Array
) -> tuple[Array, Array]:
    """Return ∫f φ over pieces (n, d + 1, d) of reference cells, for the basis functions of their cells, (n, basis).

    And by how much f is off a polynomial between the points and corners of a piece, and this times its size, (n, 2).
    """

    def blocks() -> Array:
        found = np.zeros((len(cells), space.V.dofmap.list.shape[1] + 2))
        for start in range(0, len(cells), BLOCK):
            part = slice(start, start + BLOCK)
            found[part] = _block(space, function, what, cells[part], pieces[part], rule, off)
        return found

    found = agreed(space.comm, blocks)
    return found[:, :-2], found[:, -2:]


def _block(
    space: Any, function: Function, what: str, cells: Cells, pieces: Array, rule: tuple[Array, Array], off: Array
) -> Array:
    domain, (n, _, d), (points, weights) = space.domain, pieces.shape, rule
    corners = np.eye(d + 1) * (1 - (d + 1) * INWARD) + INWARD
    shares = np.concatenate((np.column_stack((1 - points.sum(axis=1), points)), corners))
    weights = np.concatenate((weights, np.zeros(d + 1)))
    place = np.einsum("qv,nvd->nqd", shares, pieces).reshape(-1, d)
    volume = np.abs(np.linalg.det(pieces[:, 1:] - pieces[:, :1]))
    nodes = domain.geometry.x[domain.geometry.dofmaps[0][cells]][:, :, : space.gdim]
    geometry = geometry_element(domain).tabulate(1, place)[..., 0].reshape(d + 1, n, len(weights), -1)
    x = np.einsum("nqg,ngi->nqi", geometry[0], nodes).reshape(-1, space.gdim)
    J = np.einsum("jnqg,ngi->nqij", geometry[1:], nodes)
    stretch = np.sqrt(np.linalg.det(np.einsum("nqij,nqik->nqjk", J, J)))
    values = checked(function(x), x.shape[:-1], what).reshape(n, -1)
    basis = space.V.element.basix_element.tabulate(0, place)[0, ..., 0].reshape(n, len(weights), -1)
    loads = np.einsum("nq,nq,n,q,nqb->nb", values, stretch, volume, weights, basis)
    rough = np.abs(values @ off.T).max(axis=1)
    return np.column_stack((loads, rough, rough * (stretch @ weights) * volume))
