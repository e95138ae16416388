"""Games on circles and tori: laws are wrapped round, and drifts and kernels must fit at the seam."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, is_dataclass, replace
from typing import Any

import numpy as np

from mfgpde.core.arrays import Array
from mfgpde.densities import Density, Wrapped, cell_means
from mfgpde.games import MeanFieldGame, Nonlocal
from mfgpde.grids import CartesianGrid

JUMP = 1e-8
"""of its range, by which a function may differ at both ends of a periodic axis"""


@dataclass(frozen=True, eq=False)
class WrappedLaw:
    """A law on a torus: p summed over the images of a point."""

    law: Density
    grid: CartesianGrid

    def log_density(self, x: Array) -> Array:
        """Return log Σ p(x + periods), by the largest term."""
        logs = np.stack([np.asarray(self.law.log_density(x + shift)) for shift in self._shifts])
        top = np.maximum(logs.max(axis=0), -1e300)
        return top + np.log(np.exp(logs - top).sum(axis=0))

    def score(self, x: Array) -> Array:
        """Return its gradient: the mean of the images' scores, by their weights."""
        logs = np.stack([np.asarray(self.law.log_density(x + shift)) for shift in self._shifts])
        weights = np.exp(logs - np.maximum(logs.max(axis=0), -1e300))
        scores = np.stack([self.law.score(x + shift) for shift in self._shifts])
        return (weights[..., None] * scores).sum(axis=0) / weights.sum(axis=0)[..., None]

    def sample(self, n: int, rng: np.random.Generator) -> Array:
        """Return points of the law, wrapped into the box along periodic axes."""
        x, lower = self.law.sample(n, rng), np.asarray(self.grid.lower)
        return np.where(self.grid.periodic, lower + np.mod(x - lower, np.asarray(self.grid.lengths)), x)

    def cell_means(self, grid: CartesianGrid) -> Array:
        """Return the means over cells: the law's own, which are wrapped along periodic axes."""
        return cell_means(self.law, grid)

    def box(self, mass: float) -> tuple[Array, Array]:
        """Return the law's own box, cut to the torus along its axes."""
        lower, upper = map(np.asarray, self.law.box(mass))
        round_ = np.asarray(self.grid.periodic)
        return np.where(round_, self.grid.lower, lower), np.where(round_, self.grid.upper, upper)

    @property
    def _shifts(self) -> list[Array]:
        return Wrapped(self.law, self.grid).shifts()


def on_torus(game: MeanFieldGame, grid: CartesianGrid) -> MeanFieldGame:
    """Return the game with its laws wrapped round the periodic axes of a grid; itself where there are none.

    Raises ValueError for a drift, its potential or a kernel that does not repeat itself with the box.
    """
    if not any(grid.periodic):
        return game
    for axis in np.flatnonzero(grid.periodic):
        for name in ("drift", "drift_potential"):
            function = getattr(game, name)
            if function is not None:
                for t in (0.0, 0.4 * game.horizon, game.horizon):
                    _check_seam(lambda x, f=function, t=t: f(x, t), grid, int(axis), name.replace("_", " "))
        for name, (cost, _) in game.costs_of_density.items():
            if isinstance(cost, Nonlocal):
                _check_kernel(cost.kernel, grid, int(axis), name)
    changed: dict[str, Any] = {"initial": _wrapped(game.initial, grid)}
    for name in ("terminal", "interaction"):
        cost: Any = getattr(game, name)
        if is_dataclass(cost) and isinstance(getattr(cost, "law", None), Density):
            changed[name] = replace(cost, law=_wrapped(cost.law, grid))  # pyright: ignore
    return replace(game, **changed)


def _wrapped(law: Density, grid: CartesianGrid) -> Density:
    """Return a law on the line wrapped round; one that repeats itself with the box is on the torus already."""
    x = grid.points.reshape(-1, grid.dimension)[:: max(1, int(np.prod(grid.cells)) // 32)]
    here = np.asarray(law.log_density(x))
    for axis in np.flatnonzero(grid.periodic):
        turn = np.where(np.arange(grid.dimension) == axis, grid.lengths[axis], 0.0)
        if np.abs(np.asarray(law.log_density(x + turn)) - here).max() > JUMP:
            return WrappedLaw(law, grid)
    return law


def _check_seam(function: Callable[[Array], Any], grid: CartesianGrid, axis: int, name: str) -> None:
    inside, ends = np.asarray(function(grid.points), dtype=float), []
    for wall in (grid.lower[axis], grid.upper[axis]):
        x = np.take(grid.points, [0], axis=axis).copy()
        x[..., axis] = wall
        ends.append(np.asarray(function(x), dtype=float))
    size = max(float(np.ptp(inside)), float(np.abs(ends[0] - inside.mean()).max()), 1e-300)
    jump = float(np.abs(ends[1] - ends[0]).max())
    if jump > JUMP * size:
        raise ValueError(
            f"the {name} jumps by {jump:.2g} across the seam of the periodic axis {axis}: it must repeat itself with the "
            "box, or the axis have walls"
        )


def _check_kernel(kernel: Callable[[Array], Any], grid: CartesianGrid, axis: int, name: str) -> None:
    z = (np.random.default_rng(0).uniform(-1, 0, (32, grid.dimension))) * np.asarray(grid.lengths)
    turn = np.where(np.arange(grid.dimension) == axis, grid.lengths[axis], 0.0)
    here, there = (np.asarray(kernel(y), dtype=float) for y in (z, z + turn))
    if np.abs(here - there).max() > JUMP * max(float(np.ptp(here)), 1e-300):
        raise ValueError(
            f"the kernel of the {name} does not repeat itself along the periodic axis {axis}, of length "
            f"{grid.lengths[axis]:.6g}: on a circle it must, k(z + L) = k(z)"
        )
