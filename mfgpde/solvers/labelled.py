"""Labelled arrays on disk, read by what they hold: another file, or a header that claims too much, is one sentence."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mfgpde.core.files import room, written
from mfgpde.core.stored import SMALL, SPREAD, TROUBLES, said
from mfgpde.discretisations import Distributed, Field
from mfgpde.grids import CartesianGrid

if TYPE_CHECKING:
    import xarray


def read_labelled(path: str | os.PathLike[str], what: str, fits: Callable[[xarray.Dataset], bool]) -> xarray.Dataset:
    """Return the variables of a NetCDF file that hold `what`. ValueError for others, NaN, damage, and false sizes."""
    import xarray

    try:
        with xarray.open_dataset(path, engine="h5netcdf", phony_dims="sort") as stored:
            if not fits(stored):
                raise ValueError(f"it holds {', '.join(map(str, stored.data_vars)) or 'nothing'}")
            if stored.nbytes > SMALL and stored.nbytes > SPREAD * os.path.getsize(path):
                raise ValueError(f"its header claims {stored.nbytes} bytes, the file has {os.path.getsize(path)}")
            found = stored.load()
            holed = [str(name) for name, array in found.data_vars.items() if array.isnull().any()]
            if holed:
                raise ValueError(f"NaN in its {', '.join(holed)}")
            return found
    except (*TROUBLES, RuntimeError) as trouble:
        raise ValueError(f"{path} is no whole file of {what} ({said(trouble)})") from trouble


AXES = ("x", "y", "z")


def places(grid: Any) -> tuple[list[str], dict[str, Any], dict[str, Any]]:
    """Return dimensions, coordinates and attributes of arrays on a grid, or at the points of a mesh. Collective."""
    names = AXES[: grid.dimension]
    box = {"lower": grid.lower, "upper": grid.upper, "periodic": [int(p) for p in grid.periodic]}
    if isinstance(grid, CartesianGrid):
        return list(names), dict(zip(names, grid.axes, strict=True)), box
    where = dict(zip(names, grid.gathered(grid.points).T, strict=True))  # points in no order, their weights beside them
    columns = {name: ("point", x) for name, x in (*where.items(), ("weight", grid.gathered(grid.weights)))}
    return ["point"], columns, box


def save_fields(fields: Mapping[str, Field], path: str | os.PathLike[str]) -> Path:
    """Write fields on one domain as NetCDF 4, each a variable of its own; return the path. Collective on a mesh.

    >>> grid = mfg.CartesianGrid((0.0,), (1.0,), (64,))
    >>> square = mfg.Field(mfg.FiniteVolume(grid), grid.points[..., 0] ** 2)
    >>> mfg.solvers.save_fields({"square": square}, "square.nc").name
    'square.nc'
    """
    import xarray

    path, grid = Path(path), next(iter(fields.values())).grid
    dims, coordinates, box = places(grid)
    arrays = {}
    for name, field in fields.items():
        values = field.values if isinstance(grid, CartesianGrid) else grid.gathered(field.values)
        arrays[name] = ([*dims, *(["component"] if values.ndim > len(dims) else [])], values)
    data = xarray.Dataset(arrays, coordinates, box)
    if not isinstance(grid, Distributed) or grid.comm.rank == 0:
        write_labelled(data, path)
    return path


def write_labelled(data: xarray.Dataset | xarray.DataArray, path: Path) -> None:
    """Write labelled arrays, each with its checksum, through a temporary file beside `path`."""
    import xarray

    whole = data.to_dataset() if isinstance(data, xarray.DataArray) else data
    summed = [
        name for name, array in whole.variables.items() if array.ndim and array.size and array.dtype.kind in "fiub"
    ]
    with written(path) as part:
        room(part, whole.nbytes)
        whole.to_netcdf(part, engine="h5netcdf", encoding={name: {"fletcher32": True} for name in summed})
