"""A drift b = −∇V as costs of position: for w = b + g v, ∫|w − b|²/2g² and ∫w·∇V/g² integrate along the paths, so that
ℓ + |∇V|²/2g² − ∂_τ(V/g²) − κΔV/g² and F + V/g² without drift have the same optimal densities, and U + V/g² for U.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mfgpde.core.arrays import Array, dot
from mfgpde.equilibria.equilibrium import position_cost
from mfgpde.games import MeanFieldGame
from mfgpde.games.differences import laplacian, slopes
from mfgpde.grids import CartesianGrid


def potential_cost(game: MeanFieldGame, grid: CartesianGrid, t: float) -> Array:
    """Return V/g², what the drift adds to the value function."""
    return position_cost(game.drift_potential, "potential of the drift", grid, t) / game.control_gain(t) ** 2


def running_cost(game: MeanFieldGame, grid: CartesianGrid, t: float) -> Array:
    """Return ℓ + |∇V|²/2g² − ∂_τ(V/g²) − κΔV/g², derivatives by differences of order four."""
    x, V = grid.points, game.drift_potential
    total = position_cost(game.running, "running cost", grid, t)
    if V is None:
        return total
    g2 = game.control_gain(t) ** 2
    potential_cost(game, grid, t)  # finite
    slope, bend = slopes(lambda y: V(y, t), x, grid.lengths), laplacian(lambda y: V(y, t), x, grid.lengths)
    total = total + (0.5 * dot(slope, slope) - game.kappa(t) * bend) / g2
    total = total - _rate(lambda s: V(x, s) / game.control_gain(s) ** 2, t, game.horizon)
    if not np.isfinite(total).all():
        raise ValueError(
            f"the potential of the drift must have finite derivatives in the box, and does not at τ = {t:.3g}"
        )
    return total


def _rate(f: Callable[[float], Array], t: float, end: float) -> Array:
    """Return f′(t) by differences of order four that stay within [0, end]."""
    h = 1e-4 * end
    if 2 * h <= t <= end - 2 * h:
        return (8 * (f(t + h) - f(t - h)) - (f(t + 2 * h) - f(t - 2 * h))) / (12 * h)
    h = h if t < 2 * h else -h
    weights = (-25, 48, -36, 16, -3)
    return sum(w * f(t + k * h) for k, w in enumerate(weights)) / (12 * h)  # pyright: ignore[reportReturnType]
