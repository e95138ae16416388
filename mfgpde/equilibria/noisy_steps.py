"""Steps in time between which the noise has equal variance, as many as a grid resolves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mfgpde.core.arrays import Array
from mfgpde.equilibria.heat import RESOLVED, Heat
from mfgpde.games import MeanFieldGame
from mfgpde.grids import CartesianGrid


def resolves(game: MeanFieldGame, grid: CartesianGrid, steps: int | None) -> str:
    """Return why a grid does not bear the noise of so many steps, by default one, or nothing."""
    most, asked = most_steps(game, grid), steps or 1
    if asked <= most:
        return ""
    finer = int(np.ceil(np.sqrt(asked / _available(game, grid)) * max(grid.cells)))
    fewer = f"take at most {most} steps on this grid, or" if most else "take"
    return f"the noise of one of {asked} steps is narrower than a cell; {fewer} at least {finer} cells a side"


def most_steps(game: MeanFieldGame, grid: CartesianGrid) -> int:
    """Return how many steps' noise a grid resolves."""
    return int(_available(game, grid) * (1 + 1e-9))


def sampled_off(game: MeanFieldGame, grid: CartesianGrid, steps: int) -> float:
    """Return what sampling the noise of that many steps on a grid may change of a cost.

    Poisson's sum: a Gaussian of w cells is off by 2e^{−2π²w²} along each axis, a cost by 2κ/g² times that in every step. A
    ladder does not see it, where steps grow as the grid bears them: w is the same on all its rungs.
    """
    width = _noise(game)[1][-1] * 2 / steps / max(grid.spacing) ** 2
    gamma = 2 * game.kappa(0.0) / game.control_gain(0.0) ** 2
    return float(gamma * steps * grid.dimension * 2 * np.exp(-2 * np.pi**2 * width))


def _noise(game: MeanFieldGame) -> tuple[Array, Array]:
    """Return times and ∫κ up to them."""
    fine = np.linspace(0, game.horizon, 4097)
    rate = np.array([game.kappa(t) for t in fine])
    return fine, np.concatenate(([0.0], np.cumsum(0.5 * (rate[1:] + rate[:-1]) * np.diff(fine))))


def _available(game: MeanFieldGame, grid: CartesianGrid) -> float:
    """Return the variance of the noise over the least that a step may have."""
    return float(2 * _noise(game)[1][-1] / (RESOLVED * max(grid.spacing)) ** 2)


@dataclass(frozen=True, eq=False)
class NoisySteps:
    """Times with equal variance between them, the noise of one step, that variance, and γ."""

    times: Array
    weights: Array
    noise: Heat
    variance: float
    gamma: float

    @classmethod
    def of(cls, game: MeanFieldGame, grid: CartesianGrid, steps: int | None, xp: Any) -> NoisySteps:
        """Return as many steps as asked for, or half of what the grid bears, at most 64; ValueError for more than that."""
        reason = resolves(game, grid, steps)
        if reason:
            raise ValueError(reason)
        fine, total = _noise(game)
        count = steps or min(max(1, most_steps(game, grid) // 2), 64)
        times = np.interp(np.linspace(0, total[-1], count + 1), total, fine)
        gaps = np.diff(times)
        weights = 0.5 * (np.concatenate((gaps, [0.0])) + np.concatenate(([0.0], gaps)))
        variance = 2 * total[-1] / count
        gamma = 2 * game.kappa(0.0) / game.control_gain(0.0) ** 2
        return cls(times, weights, Heat.on(grid, variance, xp), variance, gamma)
