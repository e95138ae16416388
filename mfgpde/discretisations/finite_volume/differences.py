"""Central differences on cell centres with ghost values at walls: gradients, Laplacians, face gradients."""

from __future__ import annotations

from typing import Literal

import numpy as np

from mfgpde.core.arrays import Array
from mfgpde.grids import CartesianGrid

Walls = Literal["far", "reflecting"]


def extended(u: Array, axis: int, periodic: bool, walls: Walls) -> Array:
    """Return u with one ghost cell at both ends of `axis`: periodic, mirrored, or extrapolated as a parabola (far walls).

    Parabolas are exact for log-densities of Gaussians; errors made at a far wall leave with the characteristics.
    """
    u = np.moveaxis(u, axis, 0)
    if periodic:
        low, high = u[-1], u[0]
    elif walls == "reflecting":
        low, high = u[0], u[-1]
    else:
        low, high = 3 * (u[0] - u[1]) + u[2], 3 * (u[-1] - u[-2]) + u[-3]
    return np.moveaxis(np.concatenate((low[None], u, high[None])), 0, axis)


def gradient_and_laplacian(u: Array, grid: CartesianGrid, walls: Walls) -> tuple[Array, Array]:
    """Return ∇u (*cells, d) and Δu (*cells), both second order."""
    gradient, laplacian = np.empty_like(u, shape=(*u.shape, u.ndim)), np.zeros_like(u)
    for axis, h in enumerate(grid.spacing):
        wide = extended(u, axis, grid.periodic[axis], walls)
        low, high = along(wide, axis, 0, -2), along(wide, axis, 2, None)
        gradient[..., axis] = (high - low) * (0.5 / h)
        laplacian += (high - 2 * u + low) * (1 / h**2)
    return gradient, laplacian


def along(u: Array, axis: int, start: int, stop: int | None) -> Array:
    """Return the slice start:stop of one axis."""
    return u[(slice(None),) * axis + (slice(start, stop),)]
