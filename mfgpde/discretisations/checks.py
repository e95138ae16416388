"""What users' functions return on the points of a grid: the right shape, finite, and where arrays are wanted."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from itertools import combinations
from typing import Any

import numpy as np

from mfgpde.core.arrays import Array, elsewhere, to_host
from mfgpde.grids import CartesianGrid


def checked(values: Any, shape: tuple[int, ...], what: str, finite: bool = True) -> Array:
    """Return `values` as an array if it has this shape and is finite; else say what came and where.

    With `finite` false whoever asks looks for what is not finite, with other things, in one number from the device.
    """
    values = values if elsewhere(values) else np.asarray(values)
    if values.shape != shape:
        raise ValueError(f"{what} must return an array of shape {shape} on points of shape {shape}, got {values.shape}")
    if values.dtype.kind in "cO":
        raise TypeError(f"{what} must return real numbers, got dtype {values.dtype}")
    if finite and not np.isfinite(values).all():
        where = tuple(int(i) for i in np.argwhere(~np.isfinite(to_host(values)))[0])
        raise ValueError(f"{what} returned {float(values[where])} at array index {where}")
    return values.astype(float, copy=False)


def check_tensor(D: Array, x: Array, units: Array, t: float) -> None:
    """Raise ValueError where a tensor is not finite, not symmetric, or not positive semidefinite; say where.

    D (..., d, d) at points x (..., d), compared in a unit of length along each axis.
    """

    def where(bad: Any) -> str:
        return f"at x = {x[tuple(np.argwhere(bad)[0])].tolist()}, t = {t:g}"

    if not np.isfinite(D).all():
        raise ValueError(f"the tensor D is not finite {where(~np.isfinite(D).all(axis=(-1, -2)))}")
    size, d = _largest(D), D.shape[-1]
    crooked = np.zeros(size.shape, dtype=bool)
    for i, j in combinations(range(d), 2):
        crooked |= np.abs(D[..., i, j] - D[..., j, i]) > 1e-10 * size
    if crooked.any():
        k = tuple(np.argwhere(crooked)[0])
        raise ValueError(f"the tensor D is not symmetric {where(crooked)}: {D[k].tolist()}; D = ½σσᵀ is")
    scaled = D / (units[:, None] * units)
    least = _least_eigenvalue(scaled)
    bad = least < -1e-10 * np.maximum(_largest(scaled), 1e-300)
    if bad.any():
        k = tuple(np.argwhere(bad)[0])
        low = float(np.linalg.eigvalsh(D[k])[0])
        raise ValueError(
            f"the tensor D is not positive semidefinite {where(bad)}: {D[k].tolist()} has the eigenvalue {low:.3g}; "
            "D = ½σσᵀ has none below zero"
        )


def _largest(D: Array) -> Array:
    """Return the largest entry of each tensor, in size: entry by entry, which is faster than along short axes."""
    d = D.shape[-1]
    return reduce(np.maximum, (np.abs(D[..., i, j]) for i in range(d) for j in range(d)))


def _least_eigenvalue(D: Array) -> Array:
    if D.shape[-1] == 1:
        return D[..., 0, 0]
    if D.shape[-1] > 2:
        return np.linalg.eigvalsh(D)[..., 0]
    half, apart = 0.5 * (D[..., 0, 0] + D[..., 1, 1]), 0.5 * (D[..., 0, 0] - D[..., 1, 1])
    return half - np.hypot(apart, D[..., 0, 1])


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
