"""Labelled arrays on disk, read by what they hold: another file, or a header that claims too much, is one sentence."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from mfgpde.core.stored import SMALL, SPREAD, TROUBLES, said

if TYPE_CHECKING:
    import xarray


def read_labelled(path: str | os.PathLike[str], what: str, fits: Callable[[xarray.Dataset], bool]) -> xarray.Dataset:
    """Return the variables of a NetCDF file that hold `what`. ValueError for others, and sizes it cannot hold."""
    import xarray

    try:
        with xarray.open_dataset(path, engine="h5netcdf", phony_dims="sort") as stored:
            if not fits(stored):
                raise ValueError(f"it holds {', '.join(map(str, stored.data_vars)) or 'nothing'}")
            if stored.nbytes > SMALL and stored.nbytes > SPREAD * os.path.getsize(path):
                raise ValueError(f"its header claims {stored.nbytes} bytes, the file has {os.path.getsize(path)}")
            return stored.load()
    except (*TROUBLES, RuntimeError) as trouble:
        raise ValueError(f"{path} is no whole file of {what} ({said(trouble)})") from trouble
