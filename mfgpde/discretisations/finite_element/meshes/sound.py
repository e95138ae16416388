"""Whether cells from a file make a mesh: each once, side by side, joined at their nodes, none folded over another.

Where every facet has one cell on either side, the number of cells over a point changes at the boundary alone. So nothing
overlaps in the plane if no boundary node lies in a cell that it does not belong to and no boundary edges cross; in space
the middles of cells at the boundary are looked at instead of crossings.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from mfgpde.core.arrays import Array
from mfgpde.discretisations.finite_element._petsc import basix

Numbers = NDArray[Any]
TOUCHING = 1e-9  # of a cell
LATTICE = 6  # points along an edge at which a curved cell's Jacobian is looked at


def complaint(x: Array, cells: Numbers, dim: int, cell: str, degree: int) -> str:
    """Return what is wrong with cells (n, nodes), in gmsh's order, over points x (m, gdim); nothing if they are a mesh."""
    corners = cells[:, : dim + 1]
    return (
        _doubled(x, corners, cell)
        or _unmerged(x, cells)
        or _crowded(x, corners, cell, dim)
        or (_folded(x, corners, cell, dim) or _covered(x, corners, cell, dim) if x.shape[1] == dim else "")
        or (_tangled(x, cells, cell, degree) if degree > 1 else "")
    )


def _at(points: Array) -> str:
    return "(" + ", ".join(f"{c:.4g}" for c in points) + ")"


def _doubled(x: Array, corners: Numbers, cell: str) -> str:
    _, first, count = np.unique(np.sort(corners, axis=1), axis=0, return_index=True, return_counts=True)
    if count.max() == 1:
        return ""
    where = x[corners[first[np.argmax(count)]]].mean(axis=0)
    return f"lists a {cell} {count.max()} times, the one at {_at(where)}; remove duplicate elements in gmsh"


def _unmerged(x: Array, cells: Numbers) -> str:
    width = np.ptp(x[cells], axis=1).max(axis=1)
    near = cKDTree(x).query_pairs(TOUCHING * float(width.min()), output_type="ndarray")
    if not len(near):
        return ""
    return (
        f"has {len(near)} pairs of nodes in one place, the first at {_at(x[near[0, 0]])}, so that cells beside each other "
        "are not joined; remove duplicate nodes in gmsh (Tools, or -merge)"
    )


def _facets(corners: Numbers, dim: int) -> tuple[Numbers, Numbers, Numbers]:
    """Return facets (k, dim) without repetition, and for each cell's own ones the facet and the vertex opposite."""
    drops = [[j for j in range(dim + 1) if j != i] for i in range(dim + 1)]
    every = np.sort(np.stack([corners[:, keep] for keep in drops], axis=1).reshape(-1, dim), axis=1)
    unique, number = np.unique(every, axis=0, return_inverse=True)
    return unique, number.ravel(), corners.ravel()


def _crowded(x: Array, corners: Numbers, cell: str, dim: int) -> str:
    facets, number, _ = _facets(corners, dim)
    count = np.bincount(number)
    if count.max() <= 2:
        return ""
    where = x[facets[np.argmax(count)]].mean(axis=0)
    name = {1: "node", 2: "edge", 3: "face"}[dim]
    return f"has {count.max()} cells of kind {cell} at one {name}, at {_at(where)}: they overlap, or a surface branches"


def _side(x: Array, facets: Numbers, apex: Numbers) -> Array:
    """Return the sign of the volume of each facet with a point beside it."""
    base = x[facets]
    edges = np.concatenate((base[:, 1:] - base[:, :1], (x[apex] - base[:, 0])[:, None]), axis=1)
    return np.sign(np.linalg.det(edges))


def _folded(x: Array, corners: Numbers, cell: str, dim: int) -> str:
    facets, number, apex = _facets(corners, dim)
    sides = np.bincount(number, _side(x, facets[number], apex), minlength=len(facets))
    bad = (np.bincount(number, minlength=len(facets)) == 2) & (sides != 0)
    if not bad.any():
        return ""
    where = x[facets[np.argmax(bad)]].mean(axis=0)
    return f"has two cells of kind {cell} on the same side of what they share, at {_at(where)}: one is folded over"


def _covered(x: Array, corners: Numbers, cell: str, dim: int) -> str:
    facets, number, _ = _facets(corners, dim)
    outer = facets[np.bincount(number) == 1]
    nodes = np.unique(outer)
    which, there = _holding(x[nodes], x[corners])
    strange = ~(corners[there] == nodes[which][:, None]).any(axis=1)
    if strange.any():
        where = _at(x[nodes[which[np.argmax(strange)]]])
        return (
            f"has a node at {where} inside or at the side of a {cell} that it is no vertex of: cells overlap, or hang"
        )
    if dim == 2:
        crossing = _crossing(x, outer)
        return f"has cells of kind {cell} that overlap, their sides cross near {_at(crossing)}" if crossing.size else ""
    beside = np.unique(np.flatnonzero((np.bincount(number) == 1)[number]) // (dim + 1))
    which, there = _holding(x[corners[beside]].mean(axis=1), x[corners])
    strange = there != beside[which]
    if strange.any():
        where = _at(x[corners[there[np.argmax(strange)]]].mean(axis=0))
        return f"has cells of kind {cell} that overlap, at {where}: the middle of one lies in another"
    return ""


def _holding(points: Array, simplices: Array) -> tuple[Numbers, Numbers]:
    """Return pairs of a point and a simplex that holds it, sides included."""
    which, there = _near(points, np.zeros(len(points)), simplices)
    base = simplices[there]
    edges = (base[:, 1:] - base[:, :1]).swapaxes(1, 2)
    shares = np.linalg.solve(edges, (points[which] - base[:, 0])[:, :, None])[..., 0]
    inside = (shares.min(axis=1) > -TOUCHING) & (shares.sum(axis=1) < 1 + TOUCHING)
    return which[inside], there[inside]


def _near(points: Array, radius: Array, simplices: Array) -> tuple[Numbers, Numbers]:
    """Return pairs of a ball and a simplex that may meet; simplices of one size, up to two, are sought together."""
    middle = simplices.mean(axis=1)
    reach = np.linalg.norm(simplices - middle[:, None], axis=2).max(axis=1)
    octave = np.floor(np.log2(reach)).astype(int)
    first, second = [], []
    for size in np.unique(octave):
        own = np.flatnonzero(octave == size)
        found = cKDTree(middle[own]).query_ball_point(points, radius + reach[own].max() * (1 + TOUCHING))
        first.append(np.repeat(np.arange(len(points)), [len(hits) for hits in found]))
        second.append(own[np.fromiter(itertools.chain.from_iterable(found), int)])
    return np.concatenate(first), np.concatenate(second)


def _crossing(x: Array, edges: Numbers) -> Array:
    """Return a place where two edges (k, 2) in the plane, without a common end, cross; an empty array if none do."""
    ends = x[edges]
    middle, half = ends.mean(axis=1), 0.5 * np.linalg.norm(ends[:, 1] - ends[:, 0], axis=1)
    a, b = _near(middle, half, ends)
    keep = (a < b) & ~(edges[a][:, :, None] == edges[b][:, None, :]).any(axis=(1, 2))
    a, b = a[keep], b[keep]

    def sides(line: Array, points: Array) -> Array:
        along, to = line[:, 1] - line[:, 0], points - line[:, :1]
        return along[:, None, 0] * to[..., 1] - along[:, None, 1] * to[..., 0]

    one, other = sides(ends[a], ends[b]), sides(ends[b], ends[a])
    cross = (one.prod(axis=1) < 0) & (other.prod(axis=1) < 0)
    return middle[a[np.argmax(cross)]] if cross.any() else np.zeros(0)


def _tangled(x: Array, cells: Numbers, cell: str, degree: int) -> str:
    """Look at the Jacobian of curved cells on a lattice: it must keep its sign, on a surface its direction."""
    from dolfinx.io.utils import cell_perm_gmsh
    from dolfinx.mesh import CellType

    kind = getattr(basix.CellType, cell)
    element = basix.create_element(
        basix.ElementFamily.P, kind, degree, lagrange_variant=basix.LagrangeVariant.equispaced
    )
    places = basix.create_lattice(kind, LATTICE, basix.LatticeType.equispaced, True)
    table = element.tabulate(1, places)[1:, ..., 0]
    nodes = x[cells[:, cell_perm_gmsh(getattr(CellType, cell), cells.shape[1])]]
    J = np.einsum("tqg,cgi->cqit", table, nodes)
    dim = J.shape[-1]
    straight = (nodes[:, 1 : dim + 1] - nodes[:, :1]).swapaxes(1, 2)
    gram = np.linalg.det(np.einsum("cqit,cis->cqts", J, straight))  # of one sign with the straight cell's own
    bad = gram.min(axis=1) <= TOUCHING * np.linalg.det(np.einsum("cit,cis->cts", straight, straight))
    if not bad.any():
        return ""
    where = nodes[np.argmax(bad)].mean(axis=0)
    return f"has {int(bad.sum())} tangled cells of kind {cell}, curved until they turn over, the first at {_at(where)}"
