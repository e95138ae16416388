"""Costs of a density: variations are derivatives, proximal maps solve their equations, conjugates their suprema."""

import numpy as np
import pytest

import mfgpde as mfg
from mfgpde.games import Functional

LAW = mfg.densities.bimodal(1)
X = np.linspace(-2.5, 2.5, 41)[:, None]


@pytest.mark.parametrize("dimension", [1, 2])
def test_nonlocal_costs_convolve(dimension, rng):
    grid = mfg.CartesianGrid.cube(3.0, 24, dimension)
    cost = mfg.games.Nonlocal(lambda x: np.exp(-np.sum(x * x, axis=-1)))
    c, r = cost.reference(grid.points, 0.0), rng.uniform(0, 1, grid.cells)
    flat = grid.points.reshape(-1, dimension)
    kernel = np.exp(-np.sum((flat[:, None] - flat[None]) ** 2, axis=-1))
    np.testing.assert_allclose(cost.first_variation(r, c).ravel(), kernel @ r.ravel() * grid.volume, atol=1e-12)
    assert cost.monotone(grid.points, 0.0)
    assert not mfg.games.Nonlocal(lambda x: -np.exp(-np.sum(x * x, axis=-1))).monotone(grid.points, 0.0)


def test_bad_games_are_refused():
    law, end = mfg.gaussian([0.0], [[1.0]]), mfg.games.Potential(lambda x, t: x[..., 0] ** 2)
    with pytest.raises(ValueError, match="horizon must be a positive"):
        mfg.MeanFieldGame(law, end, 0.0)
    with pytest.raises(ValueError, match="viscosity must be ≥ 0"):
        mfg.MeanFieldGame(law, end, viscosity=lambda t: 0.5 - t)
    with pytest.raises(ValueError, match="either drift or drift_potential"):
        mfg.MeanFieldGame(law, end, drift=lambda x, t: x, drift_potential=lambda x, t: x[..., 0])
    with pytest.raises(ValueError, match="terminal must be a cost of a density"):
        mfg.MeanFieldGame(law, lambda x: x)
    with pytest.raises(ValueError, match="not convex"):
        mfg.games.TabulatedCost(lambda v: np.sin(v), 3.0)
    with pytest.raises(ValueError, match="q > 1"):
        mfg.games.PowerCost(1.0)
    with pytest.raises(ValueError, match="convex power"):
        mfg.games.Power(-1.0)
    with pytest.raises(ValueError, match="hard target"):
        mfg.MeanFieldGame(law, end, interaction=mfg.games.Target(law))
    assert issubclass(mfg.games.Power, Functional)
