"""Paths under a control given on a grid, between walls that reflect as the solvers' do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
from scipy.interpolate import RegularGridInterpolator

from mfgpde.core.arrays import Array
from mfgpde.games import MeanFieldGame
from mfgpde.grids import CartesianGrid


class Controlled(Protocol):
    """A game on a grid with its control at the times of a solve."""

    @property
    def game(self) -> MeanFieldGame:
        """The game."""
        ...

    @property
    def grid(self) -> CartesianGrid:
        """The box."""
        ...

    @property
    def times(self) -> Array:
        """The times τ_0 … τ_N."""
        ...

    def control(self, k: int) -> Array:
        """Return v at the cell centres at times[k], shape (*cells, d)."""
        ...


def trajectories(found: Controlled, x: Array, rng: np.random.Generator, substeps: int) -> Array:
    """Return paths from x (n, d) at all times, shape (N + 1, n, d); ValueError for points outside the box."""
    grid, x = found.grid, np.asarray(x, dtype=float)
    if x.ndim != 2 or x.shape[1] != grid.dimension or not grid.contains(x).all() or substeps < 1:
        raise ValueError(
            f"paths start at points (n, {grid.dimension}) of the box {grid.lower} to {grid.upper}, in at least one step "
            f"between times; got shape {x.shape}, {int((~grid.contains(x)).sum()) if x.ndim == 2 else 'all'} outside, "
            f"{substeps} steps"
        )
    steered = [_between_walls(grid, found.control(k)) for k in range(len(found.times))]
    paths = [x]
    for k, (start, end) in enumerate(zip(found.times, found.times[1:], strict=False)):
        y = paths[-1]
        for j in range(substeps):
            y = _moved(found, (steered[k], steered[k + 1]), (float(start), float(end)), y, j, substeps, rng)
        paths.append(y)
    return np.stack(paths)


def _moved(
    found: Controlled,
    controls: tuple[Callable[[Array], Array], Callable[[Array], Array]],
    ends: tuple[float, float],
    y: Array,
    j: int,
    substeps: int,
    rng: np.random.Generator,
) -> Array:
    """Return the points after the j-th of `substeps` steps between two times."""
    game, grid, dt = found.game, found.grid, (ends[1] - ends[0]) / substeps

    def velocity(z: Array, share: float) -> Array:
        t = ends[0] + share * (ends[1] - ends[0])
        v = (1 - share) * controls[0](z) + share * controls[1](z)
        return game.velocity_of_drift(z, t, grid.lengths) + game.control_gain(t) * v

    middle = ends[0] + (j + 0.5) * dt
    kick = 0.0 if game.first_order else np.sqrt(2 * game.kappa(middle) * dt) * rng.standard_normal(y.shape)
    first = velocity(y, j / substeps)
    second = velocity(reflected(grid, y + dt * first + kick), (j + 1) / substeps)
    return reflected(grid, y + 0.5 * dt * (first + second) + kick)


def reflected(grid: CartesianGrid, x: Array) -> Array:
    """Return points (n, d) folded into the box: mirrored at walls as often as it takes, wrapped on periodic axes."""
    lower, lengths = np.array(grid.lower), np.array(grid.lengths)
    wrapped = np.mod(x - lower, lengths)
    there_and_back = np.mod(x - lower, 2 * lengths)
    mirrored = np.minimum(there_and_back, 2 * lengths - there_and_back)
    return lower + np.where(np.array(grid.periodic), wrapped, mirrored)


def _between_walls(grid: CartesianGrid, v: Array) -> Callable[[Array], Array]:
    """Return v as a function of points, linear between centres; across walls its normal component is odd, zero on them."""
    wide, axes = v, []
    for axis, (centres, h) in enumerate(zip(grid.axes, grid.spacing, strict=True)):
        axes.append(np.concatenate(([centres[0] - h], centres, [centres[-1] + h])))
        beside = [(1, 1) if i == axis else (0, 0) for i in range(v.ndim)]
        wide = np.pad(wide, beside, mode="wrap" if grid.periodic[axis] else "edge")
        for end in () if grid.periodic[axis] else (0, -1):
            where = [slice(None)] * grid.dimension
            where[axis] = slice(0, 1) if end == 0 else slice(-1, None)
            wide[(*where, axis)] *= -1
    return RegularGridInterpolator(axes, wide)
