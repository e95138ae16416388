"""Meshes from files: what gmsh (and whatever else meshio reads) wrote, checked before any rank builds on it."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mfgpde.core.arrays import Array
from mfgpde.discretisations.finite_element._petsc import MPI, mesh
from mfgpde.discretisations.finite_element.meshes.shapes import Mesh, create
from mfgpde.discretisations.finite_element.meshes.sound import complaint

CELLS = {  # meshio's name: dimension, DOLFINx's name, degree
    "line": (1, "interval", 1),
    "line3": (1, "interval", 2),
    "triangle": (2, "triangle", 1),
    "triangle6": (2, "triangle", 2),
    "tetra": (3, "tetrahedron", 1),
    "tetra10": (3, "tetrahedron", 2),
}


def read(path: str | Path, *, dimension: int | None = None) -> Mesh:
    """Return the mesh in a gmsh file (.msh); `resolution` counts uniform refinements from 1.

    Cells of the highest dimension count: lines, triangles or tetrahedra, straight or of second order. Triangles in space
    make a surface. Only straight meshes can be refined.

    Raises ValueError, on every rank, for a file that is missing or no mesh, for cells of another `dimension` than asked
    for or of several kinds, for vertices that belong to no cell, for cells without volume, for coordinates that are not
    finite, and for cells that make no mesh: listed twice, overlapping, tangled, not joined (see `sound`).

    >>> import meshio
    >>> corners = [[0.0, 0.0, 0.0], [2.0, 0.0, 0.0], [2.0, 1.0, 0.0], [0.0, 1.0, 0.0]]
    >>> meshio.Mesh(corners, [("triangle", [[0, 1, 2], [0, 2, 3]])]).write("rectangle.msh", file_format="gmsh22")
    >>> grid = mfg.FiniteElement(mfg.meshes.read("rectangle.msh")).grid
    >>> print(f"{float(grid.integrate(np.ones(len(grid.points)))):.4f}")
    2.0000
    """
    path, comm = Path(path), MPI.COMM_WORLD
    found, problem = None, ""
    if comm.rank == 0:
        try:
            found = _parsed(path, dimension)
        except ValueError as complaint:
            problem = str(complaint)
    found, problem = comm.bcast((found, problem))
    if found is None:
        raise ValueError(problem)
    x, cells, kind = found
    dim, cell, degree = CELLS[kind]

    def build(n: int, _degree: int, comm: Any) -> Any:
        if n > 1 and degree > 1:
            raise ValueError(f"{path.name} has curved cells, which cannot be refined; make the finer mesh in gmsh")
        domain = create(comm, x, cells, degree, x.shape[1], cell)
        for _ in range(int(np.log2(n))):
            domain.topology.create_entities(1)
            domain = mesh.refine(domain)[0]
        return domain

    return Mesh(path.stem, 1, build, dim, x.shape[1], curved=degree > 1, bulge=0.01 if degree > 1 else 0.0)


def _parsed(path: Path, dimension: int | None) -> tuple[Array, NDArray[np.int64], str]:
    """Return coordinates, cells and the kind of cell of a file that is a good mesh; else raise ValueError."""
    import meshio

    if not path.is_file():
        raise ValueError(f"there is no mesh file {path}")
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            read = meshio.read(path)
    except (Exception, SystemExit) as problem:  # meshio leaves the process on files that it does not know
        why = "" if isinstance(problem, SystemExit) or not str(problem) else f": {problem}"
        raise ValueError(
            f"cannot read {path} as a mesh{why}; expected what gmsh writes (.msh), or meshio reads"
        ) from None
    kinds = sorted((kind for kind in read.cells_dict if kind in CELLS), key=lambda kind: CELLS[kind][0])
    if not kinds:
        known = ", ".join(CELLS)
        raise ValueError(f"{path} has cells of kind {', '.join(read.cells_dict) or 'none'}; known are {known}")
    kind = kinds[-1]
    dim, cell, _ = CELLS[kind]
    others = sorted({block.type for block in read.cells if block.type != kind and block.dim >= dim})
    if others:
        raise ValueError(
            f"{path} has cells of kind {', '.join(others)} beside {kind}, which would be left out; make all cells alike in "
            "gmsh (no recombination, one order)"
        )
    if dimension not in (None, dim):
        raise ValueError(f"{path} holds cells of dimension {dim}, expected {dimension}")
    x, cells = np.asarray(read.points, float), np.asarray(read.cells_dict[kind], dtype=np.int64)
    if not np.isfinite(x).all():
        raise ValueError(
            f"{path}: node {int(np.argmax(~np.isfinite(x).all(axis=1)))} has coordinates that are not finite"
        )
    orphans = np.setdiff1d(np.arange(len(x)), cells)
    if orphans.size:
        places = ", ".join(f"{c:.4g}" for c in x[orphans[0]])
        raise ValueError(
            f"{path} has {orphans.size} vertices that belong to no {cell}, the first at ({places}); remove them in "
            "gmsh (Tools: remove duplicate nodes; or save only physical groups)"
        )
    x = x[:, : _extent(x, dim)]
    corners = x[cells[:, : dim + 1]]
    edges = corners[:, 1:] - corners[:, :1]
    volume = np.sqrt(np.maximum(np.linalg.det(np.einsum("cid,cjd->cij", edges, edges)), 0.0))
    size = np.abs(edges).max() ** dim
    if volume.min() <= 1e-12 * size:
        where = ", ".join(f"{c:.4g}" for c in corners[np.argmin(volume)].mean(axis=0))
        raise ValueError(f"{path} has a {cell} without volume at ({where})")
    wrong = complaint(x, cells, dim, cell, CELLS[kind][2])
    if wrong:
        raise ValueError(f"{path} {wrong}")
    from dolfinx.io.utils import cell_perm_gmsh

    order: Sequence[int] = cell_perm_gmsh(getattr(mesh.CellType, cell), cells.shape[1])
    return x, cells[:, order], kind


def _extent(x: Array, dim: int) -> int:
    """Return the dimension of the space the mesh lies in: planes z = const do not count."""
    flat = np.ptp(x, axis=0) <= 1e-13 * max(np.ptp(x), 1e-300)
    gdim = x.shape[1]
    while gdim > dim and flat[gdim - 1]:
        gdim -= 1
    return gdim
