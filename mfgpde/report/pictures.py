"""Pictures of fields: lines and maps on grids, meshes and surfaces in perspective by PyVista."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from mfgpde.core.optional import told
from mfgpde.discretisations import Field
from mfgpde.grids import CartesianGrid
from mfgpde.report import plotting


def picture(field: Field, path: str | Path, *, title: str = "", label: str = "") -> Path:
    """Draw a scalar field to an image file (.png; grids also .pdf) and return its path. Collective on a mesh.

    `label` says what the values are, beside the axis or the colours. Grids in three dimensions are shown by their integral
    along the last axis. Meshes need PyVista
    (`pip install pyvista`); raises ImportError without it, ValueError for vector fields.

    >>> grid = mfg.CartesianGrid.cube(1.0, 16, 2)
    >>> field = mfg.Field(mfg.FiniteVolume(grid), grid.points[..., 0])
    >>> mfg.picture(field, "field.png").read_bytes()[1:4]
    b'PNG'
    """
    path = Path(path)
    if isinstance(field.grid, CartesianGrid):
        _on_grid(field, path, title, label)
    else:
        _on_mesh(field, path, title)
    return path


def _on_grid(field: Field, path: Path, title: str, label: str) -> None:
    grid, values = field.grid, field.values
    if values.ndim != grid.dimension:
        raise ValueError(f"a picture needs a scalar field, got components of shape {values.shape[grid.dimension :]}")
    with plotting.style():
        figure = plotting.Figure(figsize=(plotting.SINGLE, 0.85 * plotting.SINGLE))
        axes = figure.subplots()
        if grid.dimension == 1:
            axes.plot(grid.axes[0], values)
            axes.set(xlabel="x", ylabel=label)
        else:
            flat = values if grid.dimension == 2 else values.sum(axis=2) * grid.spacing[2]
            extent = (grid.lower[0], grid.upper[0], grid.lower[1], grid.upper[1])
            image = axes.imshow(flat.T, origin="lower", extent=extent, cmap="viridis", interpolation="nearest")
            summed = ["summed along z"] if grid.dimension == 3 else []
            figure.colorbar(image, shrink=0.9, label=", ".join(filter(None, [label, *summed])))
            axes.set_xlabel("x")
            axes.set_ylabel("y")
        axes.set_title(title)
        plotting.write(figure, path)


def _on_mesh(field: Field, path: Path, title: str) -> None:
    from mfgpde.discretisations.finite_element import FiniteElement
    from mfgpde.discretisations.finite_element.output import vtk_cells

    assert isinstance(field.discretisation, FiniteElement)
    pv = _pyvista()
    found = vtk_cells(field.discretisation.space, field.values)
    if found is None:
        return
    cells, types, points, nodal = found
    mesh = pv.UnstructuredGrid(cells, types, points)
    mesh.point_data["u"] = nodal
    plotter = pv.Plotter(off_screen=True, window_size=(1400, 1200))
    flat = np.ptp(points[:, 2]) == 0
    if not flat and field.discretisation.space.domain.topology.dim == 3:  # a solid: three cuts through its middle
        mesh = mesh.slice_orthogonal()
    if isinstance(mesh, pv.UnstructuredGrid):
        mesh = mesh.extract_surface(nonlinear_subdivision=3, algorithm="dataset_surface")
    bar = {"title": "", "vertical": True, "position_x": 0.87, "position_y": 0.2, "height": 0.6, "label_font_size": 28}
    plotter.add_mesh(
        mesh,
        scalars="u",
        cmap="viridis",
        scalar_bar_args={**bar, "color": "black", "fmt": "%.3g"},
        lighting=not flat,
        smooth_shading=not flat,
        ambient=0.4,
    )
    plotter.add_text(title, position="upper_left", color="black", font_size=14)
    plotter.set_background("white")
    if flat:
        plotter.view_xy()
    plotter.camera.zoom(1.25)
    plotter.screenshot(path)
    plotter.close()


def _pyvista() -> Any:
    with told():
        import pyvista
    return pyvista
