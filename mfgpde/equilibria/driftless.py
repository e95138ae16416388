"""A drift b = −∇V as costs of position: for w = b + g v, ∫|w − b|²/2g² and ∫w·∇V/g² integrate along the paths, so that
ℓ + |∇V|²/2g² − ∂_τ(V/g²) − κΔV/g² and F + V/g² without drift have the same optimal densities, and U + V/g² for U.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mfgpde.core.arrays import Array
from mfgpde.games import MeanFieldGame
from mfgpde.grids import CartesianGrid


def potential_cost(game: MeanFieldGame, grid: CartesianGrid, t: float) -> Array:
    """Return V/g², what the drift adds to the value function."""
    V = game.drift_potential
    return np.zeros(grid.cells) if V is None else np.asarray(V(grid.points, t)) / game.control_gain(t) ** 2


def running_cost(game: MeanFieldGame, grid: CartesianGrid, t: float) -> Array:
    """Return ℓ + |∇V|²/2g² − ∂_τ(V/g²) − κΔV/g², derivatives by differences of order four."""
    x = grid.points
    total = np.zeros(grid.cells) if game.running is None else np.asarray(game.running(x, t), dtype=float)
    if total.shape != grid.cells or not np.isfinite(total).all():
        raise ValueError(f"the running cost must be finite with shape {grid.cells}, got {total.shape}")
    V = game.drift_potential
    if V is None:
        return total
    g2, h = game.control_gain(t) ** 2, 1e-3 * max(1.0, max(grid.lengths) / 8)
    middle = V(x, t)
    for e in np.eye(grid.dimension):
        far2, far1, near1, near2 = (V(x + k * h * e, t) for k in (-2, -1, 1, 2))
        slope = (8 * (near1 - far1) - (near2 - far2)) / (12 * h)
        bend = (16 * (near1 + far1) - (near2 + far2) - 30 * middle) / (12 * h * h)
        total = total + (0.5 * slope**2 - game.kappa(t) * bend) / g2
    return total - _rate(lambda s: V(x, s) / game.control_gain(s) ** 2, t, game.horizon)


def _rate(f: Callable[[float], Array], t: float, end: float) -> Array:
    """Return f′(t) by differences of order four that stay within [0, end]."""
    h = 1e-4 * end
    if 2 * h <= t <= end - 2 * h:
        return (8 * (f(t + h) - f(t - h)) - (f(t + 2 * h) - f(t - 2 * h))) / (12 * h)
    h = h if t < 2 * h else -h
    weights = (-25, 48, -36, 16, -3)
    return sum(w * f(t + k * h) for k, w in enumerate(weights)) / (12 * h)  # pyright: ignore[reportReturnType]
