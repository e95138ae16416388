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


@pytest.mark.parametrize("q", [1.05, 1.2, 1.5, 1.9, 2.0, 2.5, 3.0, 6.0, 20.0])
def test_the_proximal_map_of_a_power_solves_its_equation(q):
    """It is r + s r^{q−1} = y to roundings of the sum, over forty orders of magnitude; nothing comes from nothing."""
    y, power = np.geomspace(1e-12, 1e8, 401), mfg.games.Power(1.0, q)
    for s in (1e-10, 1e-3, 1.0, 1e3, 1e10):
        r = power.proximal(y, s, None)
        known = r > 1e-200  # what is less has no room for its roundings
        total = r + s * r ** (q - 1)
        np.testing.assert_allclose(total[known], y[known], rtol=2e-14 * max(1.0, q - 1))
        assert known.sum() > 100
    assert power.proximal(np.array([-1.0, 0.0]), 0.5, None).tolist() == [0.0, 0.0]
