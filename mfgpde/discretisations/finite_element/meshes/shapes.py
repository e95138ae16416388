"""Meshes by name: intervals, boxes, discs, annuli, curves, surfaces of spheres and tori.

Each is a recipe: a resolution and a way to build the cells with curved geometry of any degree, so that refinement follows
the true boundary at whatever order the elements need.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mfgpde.discretisations.finite_element._petsc import MPI, basix, mesh

Array = NDArray[Any]
Builder = Callable[[int, int, Any], Any]
"""(resolution, geometric degree, communicator) to a DOLFINx mesh"""
OFF_SURFACE = 0.1  # covers a mesh of lower order than the surface that points were drawn on
ARC = 0.8  # times one over the number of chords of a circle: how far it is from them, ¼π/n lengths of a chord


@dataclass(frozen=True, eq=False)
class Mesh:
    """A family of meshes of one domain; `resolution` is the number of cells along a side, a radius, or an edge.

    `bulge` is how far straight cells stay away from the true shape at resolution one, in widths of a cell.

    >>> coarse = mfg.meshes.interval(0.0, 1.0, 8)
    >>> coarse.name, coarse.resolution, coarse.refined().resolution
    ('interval', 8, 16)
    """

    name: str
    resolution: int
    builder: Builder
    dimension: int
    gdim: int
    curved: bool = False
    bulge: float = 0.0
    comm: Any = field(default_factory=lambda: MPI.COMM_WORLD)

    @property
    def slack(self) -> float:
        """How far outside its cells points of the true shape may lie, in widths of a cell; on surfaces a tenth at least."""
        off = self.bulge / self.resolution
        return max(off, OFF_SURFACE) if self.dimension < self.gdim else off

    def build(self, degree: int) -> Any:
        """Return the DOLFINx mesh with geometry of this degree (affine domains stay affine)."""
        return self.builder(self.resolution, degree, self.comm)

    def refined(self, k: int = 1) -> Mesh:
        """Return the mesh with 2^k times as many cells along each side."""
        return replace(self, resolution=self.resolution * 2**k)


def interval(lower: float, upper: float, cells: int) -> Mesh:
    """Return [lower, upper] in equal cells.

    >>> grid = mfg.FiniteElement(mfg.meshes.interval(0.0, 2.0, 8)).grid
    >>> print(f"{float(grid.integrate(np.ones(len(grid.points)))):.4f}")
    2.0000
    """
    _check(cells, lower < upper, f"an interval needs lower < upper, got {lower}, {upper}")
    return Mesh("interval", cells, lambda n, p, comm: mesh.create_interval(comm, n, [lower, upper]), 1, 1)


def box(lower: Sequence[float], upper: Sequence[float], cells: int) -> Mesh:
    """Return a box in two or three dimensions, cut into triangles or tetrahedra, `cells` squares or cubes a side.

    >>> grid = mfg.FiniteElement(mfg.meshes.box((0.0, 0.0), (2.0, 3.0), 4)).grid
    >>> print(f"{float(grid.integrate(np.ones(len(grid.points)))):.4f}")
    6.0000
    """
    a, b = np.asarray(lower, float), np.asarray(upper, float)
    _check(cells, a.shape == b.shape and len(a) in (2, 3) and bool(np.all(a < b)), f"no box from {lower} to {upper}")
    create = mesh.create_rectangle if len(a) == 2 else mesh.create_box
    return Mesh("box", cells, lambda n, p, comm: create(comm, [a, b], [n] * len(a)), len(a), len(a))


def disc(radius: float, cells: int) -> Mesh:
    """Return a disc in rings of triangles, `cells` along the radius; cells at the boundary are curved.

    >>> grid = mfg.FiniteElement(mfg.meshes.disc(1.0, 8), degree=2).grid
    >>> print(f"{float(grid.integrate(np.ones(len(grid.points)))):.4f}")  # π
    3.1416
    """
    _check(cells, radius > 0, f"the radius must be positive, got {radius}")

    def build(n: int, degree: int, comm: Any) -> Any:
        x, cells = _hexagon(n)
        normals = np.array([[0.75**0.5, 0, -(0.75**0.5)], [0.5, 1, 0.5]])  # of the hexagon's sides, 0.75^½ away
        ring = np.round(n * np.abs(x @ normals).max(axis=1) / 0.75**0.5)
        x = radius * x / np.maximum(np.linalg.norm(x, axis=1), 1e-300)[:, None] * (ring / n)[:, None]
        rim = ring == n

        def bend(points: Array, weights: Array, corners: Array) -> Array:
            """Move points of cells with an edge on the rim towards the circle; straight elsewhere."""
            on_rim = rim[corners]
            near = np.flatnonzero(on_rim.sum(axis=1) == 2)
            first, second = np.argmax(on_rim[near], axis=1), 2 - np.argmax(on_rim[near, ::-1], axis=1)
            p, q = weights[near, first], weights[near, second]
            s = 0.5 * (1 + q - p)  # blending by Szabó and Babuška: m-th derivatives of the map stay O(h^m)
            straight = (1 - s)[:, None] * x[corners[near, first]] + s[:, None] * x[corners[near, second]]
            outward = radius * straight / np.linalg.norm(straight, axis=1, keepdims=True) - straight
            moved = points.copy()
            moved[near] += (p * q / np.maximum(s * (1 - s), 1e-300))[:, None] * outward
            return moved

        return _curved(comm, x, cells, degree, 2, bend)

    return Mesh("disc", cells, build, 2, 2, curved=True, bulge=ARC / 6)


def annulus(inner: float, outer: float, cells: int) -> Mesh:
    """Return an annulus, `cells` across; all cells follow the polar coordinates.

    >>> grid = mfg.FiniteElement(mfg.meshes.annulus(1.0, 2.0, 4), degree=2).grid
    >>> print(f"{float(grid.integrate(np.ones(len(grid.points)))):.3f}")  # 3π
    9.425
    """
    _check(cells, 0 < inner < outer, f"an annulus needs 0 < inner < outer, got {inner}, {outer}")

    def build(n: int, degree: int, comm: Any) -> Any:
        around = max(6, int(np.ceil(2 * np.pi * 0.5 * (inner + outer) / (outer - inner) * n)))

        def place(s: Array) -> Array:
            r, angle = inner + (outer - inner) * s[:, 0], 2 * np.pi * s[:, 1]
            return np.stack((r * np.cos(angle), r * np.sin(angle)), axis=-1)

        return _lattice(comm, (n, around), (False, True), degree, 2, place)

    return Mesh("annulus", cells, build, 2, 2, curved=True, bulge=ARC * (outer - inner) / (np.pi * (inner + outer)))


def curve(place: Callable[[Array], Array], cells: int, closed: bool = False) -> Mesh:
    """Return the curve s ↦ place(s), [0, 1] to points (n, d) in the plane or in space; a closed one joins its ends.

    >>> parabola = mfg.meshes.curve(lambda s: np.stack((s, s**2), axis=-1), 32)
    >>> grid = mfg.FiniteElement(parabola, degree=2).grid
    >>> print(f"{float(grid.integrate(np.ones(len(grid.points)))):.4f}")  # ½√5 + ¼ arsinh 2
    1.4789
    """
    probe = np.asarray(place(np.linspace(0.0, 1.0, 3)), dtype=float)
    good = probe.ndim == 2 and probe.shape[0] == 3 and probe.shape[1] in (2, 3) and bool(np.isfinite(probe).all())
    _check(cells, good, f"place must map (n,) to finite points (n, 2) or (n, 3), got shape {probe.shape} for n = 3")
    joined = np.abs(probe[0] - probe[-1]).max() <= 1e-8 * np.ptp(probe, axis=0).max() if good else False
    _check(cells, not closed or bool(joined), "a closed curve must end where it starts")

    def build(n: int, degree: int, comm: Any) -> Any:
        lattice = np.r_[0.0, 1.0, np.arange(1, degree) / degree]  # DOLFINx's order: both ends, then between
        steps = np.round(degree * (np.arange(n)[:, None] + lattice)).astype(int)
        count = n * degree
        x = np.asarray(place(np.arange(count + (not closed)) / count), dtype=float)
        return create(comm, x, steps % count if closed else steps, degree, x.shape[1], "interval")

    return Mesh("curve", cells, build, 1, probe.shape[1], curved=True)


def torus(major: float, minor: float, cells: int) -> Mesh:
    """Return the surface of a torus in space, `cells` around the tube.

    >>> grid = mfg.FiniteElement(mfg.meshes.torus(2.0, 1.0, 32), degree=2).grid
    >>> print(f"{float(grid.integrate(np.ones(len(grid.points)))):.2f}")  # 4π²·2·1
    78.96
    """
    _check(cells, 0 < minor < major, f"a torus needs 0 < minor < major, got {minor}, {major}")

    def build(n: int, degree: int, comm: Any) -> Any:
        around = max(3, int(np.ceil(n * major / minor)))

        def place(s: Array) -> Array:
            u, v = 2 * np.pi * s[:, 0], 2 * np.pi * s[:, 1]
            r = major + minor * np.cos(u)
            return np.stack((r * np.cos(v), r * np.sin(v), minor * np.sin(u)), axis=-1)

        return _lattice(comm, (max(n, 3), around), (True, True), degree, 3, place)

    return Mesh("torus", cells, build, 2, 3, curved=True, bulge=ARC)


def sphere(radius: float, cells: int) -> Mesh:
    """Return the surface of a sphere in space: an icosahedron, `cells` along each edge, pushed out.

    >>> grid = mfg.FiniteElement(mfg.meshes.sphere(1.0, 8), degree=2).grid
    >>> print(f"{float(grid.integrate(np.ones(len(grid.points)))):.3f}")  # 4π
    12.566
    """
    _check(cells, radius > 0, f"the radius must be positive, got {radius}")

    def build(n: int, degree: int, comm: Any) -> Any:
        x, cells = _icosahedron(n)

        def push(points: Array, *_: Array) -> Array:
            return radius * points / np.linalg.norm(points, axis=1, keepdims=True)

        return _curved(comm, push(x), cells, degree, 3, push)

    return Mesh("sphere", cells, build, 2, 3, curved=True, bulge=0.2)


def _check(cells: int, good: bool, message: str) -> None:
    if cells < 1 or int(cells) != cells:
        raise ValueError(f"a mesh needs a whole number of cells ≥ 1, got {cells!r}")
    if not good:
        raise ValueError(message)


def _hexagon(n: int) -> tuple[Array, Array]:
    """Return vertices and triangles of a regular hexagon of side n in unit triangles."""
    return _sectors(n, np.stack([(np.cos(a), np.sin(a)) for a in np.pi / 3 * np.arange(6)]), 6)


def _sectors(n: int, corners: Array, count: int) -> tuple[Array, Array]:
    triangles = [(np.zeros(corners.shape[1]), corners[k], corners[(k + 1) % count]) for k in range(count)]
    return _subdivided(n, np.array(triangles))


def _icosahedron(n: int) -> tuple[Array, Array]:
    """Return vertices and triangles of an icosahedron with each edge cut into n."""
    from scipy.spatial import ConvexHull

    golden = (1 + 5**0.5) / 2
    signs = [(a, b) for a in (-1, 1) for b in (-golden, golden)]
    x = np.array([p for a, b in signs for p in ((0, a, b), (a, b, 0), (b, 0, a))], dtype=float)
    return _subdivided(n, x[ConvexHull(x).simplices])


def _subdivided(n: int, triangles: Array) -> tuple[Array, Array]:
    """Cut each triangle (count, 3, gdim) into n² and join equal vertices."""
    i, j = (a.ravel() for a in np.meshgrid(np.arange(n + 1), np.arange(n + 1), indexing="ij"))
    keep = i + j <= n
    number = np.full((n + 1, n + 1), -1)
    number[i[keep], j[keep]] = np.arange(keep.sum())
    weights = np.stack((n - i[keep] - j[keep], i[keep], j[keep]), axis=1) / n
    up = [(number[a, b], number[a + 1, b], number[a, b + 1]) for a in range(n) for b in range(n - a)]
    down = [(number[a + 1, b], number[a + 1, b + 1], number[a, b + 1]) for a in range(n) for b in range(n - a - 1)]
    local = np.array(up + down)
    x = np.einsum("wk,ckd->cwd", weights, triangles).reshape(-1, triangles.shape[-1])
    cells = (local[None] + len(weights) * np.arange(len(triangles))[:, None, None]).reshape(-1, 3)
    scale = np.abs(triangles).max()
    _, first, inverse = np.unique(np.round(x / scale, 9) + 0.0, axis=0, return_index=True, return_inverse=True)
    return x[first], inverse.ravel()[cells]


def _lattice(
    comm: Any,
    cells: tuple[int, int],
    periodic: tuple[bool, bool],
    degree: int,
    gdim: int,
    place: Callable[[Array], Array],
) -> Any:
    """Return triangles over the unit square mapped by `place`, its sides periodic where asked."""
    n, m = cells
    i, j = (a.ravel() for a in np.meshgrid(np.arange(n), np.arange(m), indexing="ij"))
    quad = np.stack((np.stack((i, j)), np.stack((i + 1, j)), np.stack((i, j + 1)), np.stack((i + 1, j + 1))))
    corners = np.concatenate((quad[[0, 1, 3]], quad[[0, 3, 2]]), axis=2).transpose(2, 0, 1).astype(float)
    lattice = _lattice_points(degree)
    weights = np.column_stack((1 - lattice.sum(axis=1), lattice))
    s = np.einsum("wk,ckd->cwd", weights, corners)
    period = np.array([n if periodic[0] else 4 * n, m if periodic[1] else 4 * m], dtype=float)
    key = np.round(np.mod(np.round(s.reshape(-1, 2), 9), period), 6)
    _, first, inverse = np.unique(key, axis=0, return_index=True, return_inverse=True)
    x = place(s.reshape(-1, 2)[first] / np.array([n, m]))
    return create(comm, x, inverse.ravel().reshape(len(corners), -1), degree, gdim)


def _curved(
    comm: Any, x: Array, cells: Array, degree: int, gdim: int, bend: Callable[[Array, Array, Array], Array]
) -> Any:
    """Return triangles with geometry nodes of this degree, moved by bend(points, barycentric weights, vertices)."""
    lattice = _lattice_points(degree)
    weights = np.column_stack((1 - lattice.sum(axis=1), lattice))
    corners = np.repeat(cells, len(weights), axis=0)
    shares = np.tile(weights, (len(cells), 1))
    points = bend(np.einsum("nk,nkd->nd", shares, x[corners]), shares, corners)
    steps = np.round(shares * degree).astype(int)
    named = np.where(steps > 0, corners, -1)
    order = np.argsort(named, axis=1, kind="stable")
    key = np.column_stack((np.take_along_axis(named, order, 1), np.take_along_axis(steps, order, 1)))
    _, first, inverse = np.unique(key, axis=0, return_index=True, return_inverse=True)
    return create(comm, points[first], inverse.ravel().reshape(len(cells), -1), degree, gdim)


def _lattice_points(degree: int) -> Array:
    """Return the geometry nodes of the reference triangle in DOLFINx's order."""
    return _element(degree).points  # pyright: ignore[reportAttributeAccessIssue]


def _element(degree: int) -> Any:
    return basix.create_element(
        basix.ElementFamily.P, basix.CellType.triangle, degree, lagrange_variant=basix.LagrangeVariant.equispaced
    )


def create(comm: Any, x: Array, cells: Array, degree: int, gdim: int, cell: str = "triangle") -> Any:
    """Return the DOLFINx mesh with these geometry nodes and cells, which the first rank brings and all share."""
    element = basix.ufl.element(
        "Lagrange", cell, degree, shape=(gdim,), lagrange_variant=basix.LagrangeVariant.equispaced
    )
    if comm.rank:
        x, cells = np.empty((0, gdim)), np.empty((0, cells.shape[1]))
    return mesh.create_mesh(comm, np.ascontiguousarray(cells, dtype=np.int64), element, np.ascontiguousarray(x))
