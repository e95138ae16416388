"""Where points lie on a mesh: cells, coordinates on the reference cell, and the matrix that interpolates there.

Curved cells are inverted by Gauss–Newton, all points at once. On a surface the nearest point of the mesh counts.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.spatial import cKDTree

from mfgpde.discretisations.finite_element._petsc import Array, basix, geometry

PADDING, ROUNDS, INSIDE = 1e-10, 30, 1e-10


def located(domain: Any, own_cells: NDArray[np.int32], x: Array) -> tuple[NDArray[np.int32], Array, Array]:
    """Return for points (k, gdim) a rank's own cell, coordinates (k, tdim) on the reference cell, and how far off it is.

    Without a cell the first is −1 and the last infinite.

    A point belongs to a surface if it is no farther from it than a tenth of a cell's width, which covers a mesh of lower
    order than the surface that points were drawn on.
    """
    tdim, gdim = domain.topology.dim, domain.geometry.dim
    padded = np.zeros((len(x), 3))
    padded[:, :gdim] = x
    cells = np.full(len(x), -1, dtype=np.int32)
    if len(own_cells) and len(x):
        tree = geometry.bb_tree(domain, tdim, padding=PADDING, entities=own_cells)
        if tdim == gdim:
            near = geometry.compute_colliding_cells(domain, geometry.compute_collisions_points(tree, padded), padded)
            has = near.offsets[1:] > near.offsets[:-1]
            cells[has] = near.array[near.offsets[:-1][has]]
        else:
            middles = domain.geometry.x[domain.geometry.dofmaps[0][own_cells]].mean(axis=1)
            cells[:] = own_cells[cKDTree(middles).query(padded)[1]]
            place = _inverted(domain, cells, x)[0]
            beside = (place.min(axis=1) < -INSIDE) | (
                place.sum(axis=1) > 1 + INSIDE
            )  # in another cell, mostly next to it
            if beside.any():
                middle = geometry.create_midpoint_tree(domain, tdim, own_cells)
                cells[beside] = geometry.compute_closest_entity(tree, middle, domain, padded[beside])
    here = cells >= 0
    place, missed, width = _inverted(domain, cells[here], x[here])
    if tdim < gdim:
        cells[np.flatnonzero(here)[missed > 0.1 * width]] = -1
    coordinates, away = np.zeros((len(x), tdim)), np.full(len(x), np.inf)
    coordinates[here], away[here] = place, missed
    away[cells < 0] = np.inf
    return cells, coordinates, away


def _inverted(domain: Any, cells: NDArray[np.int32], x: Array) -> tuple[Array, Array, Array]:
    """Return coordinates on the reference cell, the distance of the points from their cells, and the cells' widths."""
    tdim, cmap = domain.topology.dim, domain.geometry.cmaps[0]
    element = basix.create_element(
        basix.ElementFamily.P,
        getattr(basix.CellType, domain.topology.cell_name()),
        cmap.degree,
        lagrange_variant=basix.LagrangeVariant(cmap.variant),
    )
    nodes = domain.geometry.x[domain.geometry.dofmaps[0][cells]][:, :, : domain.geometry.dim]
    place = np.full((len(x), tdim), 1.0 / (tdim + 1))
    for _ in range(ROUNDS if len(x) else 0):
        table = element.tabulate(1, place)[..., 0]
        away = x - np.einsum("kg,kgi->ki", table[0], nodes)
        J = np.einsum("jkg,kgi->kij", table[1:], nodes)
        Jt = J.swapaxes(1, 2)
        step = np.linalg.solve(Jt @ J, Jt @ away[:, :, None])[:, :, 0]
        place = np.clip(place + step, -0.5, 1.5)
        if np.abs(step).max() < 1e-13:
            break
    inside = np.maximum(place, 0)
    inside /= np.maximum(inside.sum(axis=1, keepdims=True), 1)
    found = np.einsum("kg,kgi->ki", element.tabulate(0, inside)[0, ..., 0], nodes)
    width = np.ptp(nodes, axis=1).max(axis=1) if len(x) else np.zeros(0)
    return place, np.linalg.norm(x - found, axis=1), width


def interpolation_matrix(space: Any, x: Array) -> tuple[csr_matrix, NDArray[np.bool_]]:
    """Return E (k, own and ghost unknowns), and which points the mesh has: u(x_k) is the sum of (E u)_k over ranks.

    Each point has rows on one rank, that of the nearest cell and the first of several. Collective.
    """
    cells, place, away = located(space.domain, space.own_cells, x)
    comm, many = space.comm, space.comm.size > 1
    nearest = np.asarray(comm.allreduce(away, _least)) if many else away
    own = (cells >= 0) & (away <= nearest + 1e-12)
    if many:
        first = comm.allreduce(np.where(own, comm.rank, comm.size), _least)
        own &= first == comm.rank
    table = space.V.element.basix_element.tabulate(0, place[own])[0, ..., 0]
    columns = space.V.dofmap.list[cells[own]]
    rows = np.repeat(np.flatnonzero(own), table.shape[1])
    shape = (len(x), space.all_unknowns)
    return csr_matrix((table.ravel(), (rows, columns.ravel())), shape=shape), np.isfinite(nearest)


def _least(a: Array, b: Array) -> Array:
    return np.minimum(a, b)
