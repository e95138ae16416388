"""What users' functions return on the points of a grid: the right shape, finite, and where arrays are wanted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from mfgpde.core.arrays import Array, elsewhere, to_host
from mfgpde.grids import CartesianGrid


def checked(values: Any, shape: tuple[int, ...], what: str) -> Array:
    """Return `values` as an array if it has this shape and is finite; else say what came and where."""
    values = values if elsewhere(values) else np.asarray(values)
    if values.shape != shape:
        raise ValueError(f"{what} must return an array of shape {shape} on points of shape {shape}, got {values.shape}")
    if values.dtype.kind in "cO":
        raise TypeError(f"{what} must return real numbers, got dtype {values.dtype}")
    if not np.isfinite(values).all():
        where = tuple(int(i) for i in np.argwhere(~np.isfinite(to_host(values)))[0])
        raise ValueError(f"{what} returned {values[where]} at array index {where}")
    return values.astype(float, copy=False)


def computing(function: Callable[..., Any], what: str, grid: CartesianGrid, xp: Any) -> Any:
    """Return the cell centres as `xp` holds them; TypeError unless function(x, p, t) computes with such arrays."""
    if xp is np:
        return grid.points
    few = xp.asarray(np.ascontiguousarray(grid.points.reshape(-1, grid.dimension)[:2]))
    reason = trouble(lambda: function(few, few, 0.0))
    if reason:
        raise TypeError(
            f"{what} does not compute with arrays on the device: {reason}; write it with operators and NumPy functions of "
            "its arguments alone, without NumPy arrays of its own, or use backend='numpy'"
        )
    return xp.asarray(grid.points)


def trouble(evaluate: Callable[[], Any]) -> str:
    """Return why an evaluation with arrays on the device does not give one, or nothing."""
    try:
        values = evaluate()
    except Exception as problem:  # whatever a user's function meets there
        return f"{type(problem).__name__}: {problem}"
    return "" if elsewhere(values) else f"it returned {type(values).__name__}"
