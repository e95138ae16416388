"""Fields on meshes for ParaView: XDMF (nodes of the geometry), VTX/ADIOS2 (all nodes of the elements), and plain arrays."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mfgpde.core.arrays import Array
from mfgpde.discretisations.finite_element._petsc import fem
from mfgpde.discretisations.finite_element.space import LagrangeSpace


def write(space: LagrangeSpace, path: Path, name: str, times: Sequence[float], values: Sequence[Array]) -> None:
    """Write fields over time to `path`: .xdmf (with an .h5 beside it) or .bp. Collective; a crash leaves no half file.

    XDMF carries one value per node of the mesh's geometry, so that elements of higher degree on straight cells lose what
    lies between vertices; VTX keeps all of it. Raises ValueError where the format cannot hold the mesh.
    """
    from dolfinx.io import VTXWriter, XDMFFile

    part = path.with_name(path.stem + ".part" + path.suffix)
    if path.suffix == ".bp":
        function = fem.Function(space.V, name=name)
        with VTXWriter(space.comm, part, [function]) as file:
            for t, field in zip(times, values, strict=True):
                _set(function, space, field)
                file.write(float(t))
        space.comm.barrier()
        if space.comm.rank == 0:
            shutil.rmtree(path, ignore_errors=True)
            part.rename(path)
    else:
        degree = space.domain.geometry.cmaps[0].degree
        if degree > 2:
            raise ValueError(f"XDMF holds cells of degree 1 and 2, these have {degree}; write to a .bp folder instead")
        source = fem.Function(space.V)
        nodes = fem.Function(fem.functionspace(space.domain, ("Lagrange", degree)), name=name)
        with XDMFFile(space.comm, part, "w") as file:
            file.write_mesh(space.domain)
            for t, field in zip(times, values, strict=True):
                _set(source, space, field)
                nodes.interpolate(source)
                file.write_function(nodes, float(t))
        space.comm.barrier()
        if space.comm.rank == 0:
            text = part.read_text(encoding="utf-8").replace(part.with_suffix(".h5").name, path.with_suffix(".h5").name)
            part.with_suffix(".h5").rename(path.with_suffix(".h5"))
            part.write_text(text, encoding="utf-8")
            os.replace(part, path)
    space.comm.barrier()


def _set(function: Any, space: LagrangeSpace, values: Array) -> None:
    function.x.array[: space.own] = space.project(values)
    function.x.scatter_forward()


def vtk_cells(space: LagrangeSpace, values: Array) -> tuple[Any, ...] | None:
    """Return VTK's cells, cell types, points and nodal values of a field, of all ranks, on the first; None on others."""
    from dolfinx.plot import vtk_mesh

    cells, types, points = vtk_mesh(space.V)
    own = len(space.own_cells)
    width = int(cells[0]) + 1
    cells, types = cells.reshape(-1, width)[:own], types[:own]
    function = fem.Function(space.V)
    _set(function, space, values)
    pieces = space.comm.gather((cells, types, points, function.x.array.copy()))
    if pieces is None:
        return None
    starts = np.cumsum([0, *(len(piece[2]) for piece in pieces[:-1])])
    shifted = [np.column_stack((c[:, :1], c[:, 1:] + k)) for (c, *_), k in zip(pieces, starts, strict=True)]
    types, points, nodal = (np.concatenate([piece[i] for piece in pieces]) for i in (1, 2, 3))
    return np.concatenate(shifted).ravel(), types, points, nodal
