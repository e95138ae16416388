"""What is asked of a solve, looked at before it starts: numbers, densities to start from, capacities that can be kept."""

from __future__ import annotations

from numbers import Real

import numpy as np

from mfgpde.core.arrays import Array
from mfgpde.equilibria.equilibrium import initial_on, reference_on
from mfgpde.games import Capacity, MeanFieldGame
from mfgpde.grids import CartesianGrid


def check_numbers(steps: object, tolerance: object, iterations: object) -> None:
    """Raise ValueError for steps or iterations that are no counts, and tolerances that are none; None is a default."""
    for name, value in (("steps", steps), ("iterations", iterations)):
        if value is not None and not (
            isinstance(value, int | np.integer) and not isinstance(value, bool) and value >= 1
        ):
            raise ValueError(f"{name} must be a whole number ≥ 1, got {value!r}")
    if tolerance is not None and not (isinstance(tolerance, Real) and 0 <= float(tolerance) < np.inf):
        raise ValueError(f"the tolerance must be a finite number ≥ 0, got {tolerance!r}")


def checked_start(start: object, grid: CartesianGrid, steps: int | None) -> Array:
    """Return densities to start from; ValueError unless they are finite, ≥ 0 and of shape (steps + 1, *cells)."""
    found = np.asarray(start, dtype=float)
    count = found.shape[0] if steps is None and found.ndim else (steps or 0) + 1
    if found.shape != (count, *grid.cells) or count < 2 or not (np.isfinite(found).all() and found.min() >= 0):
        raise ValueError(
            f"start must be finite densities ≥ 0 of shape (steps + 1, {', '.join(map(str, grid.cells))}), "
            f"got {found.shape}" + ("" if steps is None else f" for {steps} steps")
        )
    return found


def check_capacity(game: MeanFieldGame, grid: CartesianGrid) -> None:
    """Raise ValueError for a capacity below the uniform density, the initial or the target one: nothing keeps to it."""
    if not isinstance(game.interaction, Capacity):
        return
    least = {"the uniform density of the box": 1 / float(np.prod(grid.lengths))}
    least["the initial density"] = float(initial_on(game, grid).max())
    if game.terminal.hard:
        least["the target density"] = float(np.exp(reference_on(game.terminal, grid, game.horizon)).max())
    for name, value in least.items():
        if game.interaction.largest < value:
            raise ValueError(
                f"a capacity of {game.interaction.largest:g} is below {name}, {value:.4g}: no density keeps to it; raise "
                "it, or widen the box or the laws"
            )
