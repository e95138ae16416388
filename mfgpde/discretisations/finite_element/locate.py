"""Where points lie on a mesh: cells, coordinates on the reference cell, and the matrix that interpolates there.

Cells whose boxes hold a point are inverted by Gauss–Newton, all at once, and the nearest counts; all tolerances are shares
of a cell's width. On a surface, and at the rim of a curved domain, the nearest point of the mesh stands for the true one.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from mfgpde.core.arrays import Array
from mfgpde.discretisations.finite_element._petsc import MPI, basix, geometry
from mfgpde.discretisations.finite_element.ranks import over_ranks

ROUNDS = 30
INSIDE = 1e-10  # of a reference cell
BESIDE = 0.5  # of a reference cell: points farther off, by the cell's vertices, belong to another
ROUNDING = 16 * float(np.finfo(float).eps)  # of the largest coordinate
BLOCK = 50_000  # pairs of a point and a cell, inverted at once


def located(
    domain: Any, own_cells: NDArray[np.int32], x: Array, slack: float
) -> tuple[NDArray[np.int32], Array, Array]:
    """Return for points (k, gdim) a rank's own cell, coordinates (k, tdim) on the reference cell, and how far off it is.

    Points farther off than `slack` widths of a cell, and rounding, belong to none: −1, and infinitely far.
    """
    tdim = domain.topology.dim
    cells, place = np.full(len(x), -1, dtype=np.int32), np.zeros((len(x), tdim))
    away = np.full(len(x), np.inf)
    if not len(own_cells) or not len(x):
        return cells, place, away
    widths = _widths(domain, own_cells)
    rounding = ROUNDING * max(float(np.abs(x[np.isfinite(x)]).max(initial=0.0)), float(np.abs(domain.geometry.x).max()))
    points, candidates = _candidates(domain, own_cells, x, (slack + INSIDE) * float(widths.max()) + rounding)
    allowed = np.zeros(int(own_cells.max()) + 1)
    allowed[own_cells] = (slack + INSIDE) * widths + rounding
    for start in range(0, len(points), BLOCK):
        which, there = points[start : start + BLOCK], candidates[start : start + BLOCK]
        guess = _straight(domain, there, x[which])
        near = (guess.min(axis=1) > -BESIDE) & (guess.sum(axis=1) < 1 + BESIDE)
        which, there = which[near], there[near]
        inside, missed = _inverted(domain, there, x[which], guess[near])
        good = missed <= allowed[there]
        which, there, inside, missed = which[good], there[good], inside[good], missed[good]
        order = np.lexsort((there, missed, which))  # the nearest of each point, the first of equals
        first = order[np.r_[True, np.diff(which[order]) > 0]] if len(order) else order
        first = first[missed[first] < away[which[first]]]
        cells[which[first]], place[which[first]], away[which[first]] = there[first], inside[first], missed[first]
    return cells, place, away


def _widths(domain: Any, cells: NDArray[np.int32]) -> Array:
    """Return the diagonal of the box around each cell's nodes."""
    nodes = domain.geometry.x[domain.geometry.dofmaps[0][cells]]
    return np.linalg.norm(np.ptp(nodes, axis=1), axis=1)


def _candidates(
    domain: Any, own_cells: NDArray[np.int32], x: Array, padding: float
) -> tuple[NDArray[np.intp], NDArray[np.int32]]:
    """Return pairs of a point and a cell whose box, padded, holds it: the points in rising order."""
    padded = np.zeros((len(x), 3))
    padded[:, : x.shape[1]] = x
    tree = geometry.bb_tree(domain, domain.topology.dim, padding=padding, entities=own_cells)
    found = geometry.compute_collisions_points(tree, padded)
    return np.repeat(np.arange(len(x)), np.diff(found.offsets)), found.array.copy()


def _straight(domain: Any, cells: NDArray[np.int32], x: Array) -> Array:
    """Return coordinates on the reference cells as if the cells were straight between their vertices."""
    tdim, gdim = domain.topology.dim, domain.geometry.dim
    corners = domain.geometry.x[domain.geometry.dofmaps[0][cells][:, : tdim + 1]][:, :, :gdim]
    edges = corners[:, 1:] - corners[:, :1]
    rhs = np.einsum("kti,ki->kt", edges, x - corners[:, 0])
    return np.linalg.solve(np.einsum("kti,ksi->kts", edges, edges), rhs[:, :, None])[:, :, 0]


def _inverted(domain: Any, cells: NDArray[np.int32], x: Array, guess: Array) -> tuple[Array, Array]:
    """Return coordinates on the reference cells of the points, or of the nearest ones on them, and their distance."""
    element = geometry_element(domain)
    nodes = domain.geometry.x[domain.geometry.dofmaps[0][cells]][:, :, : domain.geometry.dim]
    place = guess.copy()
    busy = np.arange(len(x))
    for _ in range(ROUNDS):
        table = element.tabulate(1, place[busy])[..., 0]
        away = x[busy] - np.einsum("kg,kgi->ki", table[0], nodes[busy])
        J = np.einsum("jkg,kgi->kij", table[1:], nodes[busy])
        step = np.linalg.solve(J.swapaxes(1, 2) @ J, J.swapaxes(1, 2) @ away[:, :, None])[:, :, 0]
        before = place[busy]
        place[busy] = np.clip(before + step, -BESIDE, 1 + BESIDE)
        busy = busy[np.abs(place[busy] - before).max(axis=1) > 1e-13]
        if not len(busy):
            break
    inside = np.maximum(place, 0)
    inside /= np.maximum(inside.sum(axis=1, keepdims=True), 1)
    found = np.einsum("kg,kgi->ki", element.tabulate(0, inside)[0, ..., 0], nodes)
    return place, np.linalg.norm(x - found, axis=1)


def geometry_element(domain: Any) -> Any:
    """Return the element that maps reference cells to the mesh's."""
    cmap = domain.geometry.cmaps[0]
    return basix.create_element(
        basix.ElementFamily.P,
        getattr(basix.CellType, domain.topology.cell_name()),
        cmap.degree,
        lagrange_variant=basix.LagrangeVariant(cmap.variant),
    )


def interpolation_matrix(space: Any, x: Array) -> tuple[csr_matrix, NDArray[np.bool_]]:
    """Return E (k, own and ghost unknowns), and which points the mesh has: u(x_k) is the sum of (E u)_k over ranks.

    Each point has rows on one rank, that of the nearest cell and the first of several. Collective.
    """
    cells, place, away = located(space.domain, space.own_cells, x, space.slack)
    comm, own = space.comm, cells >= 0
    nearest = over_ranks(comm, away, MPI.MIN)
    own &= away == nearest
    own &= over_ranks(comm, np.where(own, comm.rank, comm.size), MPI.MIN) == comm.rank
    table = space.V.element.basix_element.tabulate(0, place[own])[0, ..., 0]
    columns = space.V.dofmap.list[cells[own]]
    rows = np.repeat(np.flatnonzero(own), table.shape[1])
    shape = (len(x), space.all_unknowns)
    return csr_matrix((table.ravel(), (rows, columns.ravel())), shape=shape), np.isfinite(nearest)
