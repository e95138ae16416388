"""Costs of a density: variations are derivatives, proximal maps solve their equations, conjugates their suprema."""

import numpy as np
import pytest

import mfgpde as mfg
from mfgpde.games import Functional

LAW = mfg.densities.bimodal(1)
X = np.linspace(-2.5, 2.5, 41)[:, None]
COSTS = {
    "potential": mfg.games.Potential(lambda x, t: np.sin(3 * x[..., 0]) + t),
    "relative entropy": mfg.games.RelativeEntropy(LAW, 0.7),
    "entropy": mfg.games.RelativeEntropy(),
    "reverse": mfg.games.ReverseRelativeEntropy(LAW),
    "chi squared": mfg.games.ChiSquared(LAW),
    "power 2": mfg.games.Power(1.5),
    "power 3": mfg.games.Power(0.8, 3.0),
    "power 1.5": mfg.games.Power(0.8, 1.5),
}
SMOOTH = pytest.mark.parametrize("cost", COSTS.values(), ids=COSTS.keys())


@SMOOTH
def test_variation_and_curvature_are_derivatives(cost, rng):
    c, r, h = cost.reference(X, 0.3), rng.uniform(0.2, 2.0, 41), 1e-6
    np.testing.assert_allclose(
        (cost.value(r + h, c) - cost.value(r - h, c)) / (2 * h), cost.variation(r, c), rtol=1e-6, atol=1e-6
    )
    slope = (cost.variation(r + h, c) - cost.variation(r - h, c)) / (2 * h)
    np.testing.assert_allclose(slope, cost.curvature(r, c), rtol=1e-5, atol=1e-6)


@SMOOTH
@pytest.mark.parametrize("s", [1e-3, 0.1, 10.0])
def test_proximal_maps_solve_their_equations(cost, s, rng):
    c, y = cost.reference(X, 0.3), rng.uniform(-1.0, 3.0, 41)
    r = cost.proximal(y, s, c)
    assert r.min() >= 0
    inside = r > 0
    np.testing.assert_allclose((r + s * cost.variation(np.maximum(r, 1e-300), c))[inside], y[inside], atol=1e-9)
    blocked = r == 0  # there the slope at zero keeps it from growing
    assert np.all((s * cost.variation(np.full(41, 1e-250), c) - y)[blocked] >= -1e-9)
    z = cost.entropic(y, s, c)
    np.testing.assert_allclose(z + s * cost.variation(np.exp(z), c), y, atol=1e-9)


@SMOOTH
def test_conjugates_are_suprema(cost, rng):
    c, r = cost.reference(X, 0.3), rng.uniform(0.05, 2.0, 41)
    u = cost.variation(r, c)  # there the supremum is attained at r
    np.testing.assert_allclose(cost.conjugate(u, c), u * r - cost.value(r, c), atol=1e-9)
    if not cost.linear:
        v = u + rng.uniform(-0.2, 0.2, 41) * np.where(u < 0.7, 1, 0)
        table = np.linspace(1e-6, 30, 200_001)[:, None]
        best = np.max(v[:4] * table - cost.value(table * np.ones(4), None if c is None else c[:4]), axis=0)
        np.testing.assert_allclose(cost.conjugate(v, c)[:4], best, atol=2e-4)


def test_hard_costs(rng):
    y = rng.uniform(-1, 3, 41)
    capacity, target = mfg.games.Capacity(1.2), mfg.games.Target(LAW)
    np.testing.assert_array_equal(capacity.proximal(y, 5.0, None), np.clip(y, 0, 1.2))
    assert capacity.conjugate(np.array([2.0, -1.0]), None).tolist() == [2.4, 0.0]
    assert np.isinf(capacity.value(np.array([1.3]), None))
    c = target.reference(X, 0.0)
    np.testing.assert_allclose(target.proximal(y, 1.0, c), LAW.density(X))
    np.testing.assert_allclose(target.conjugate(y, c), y * LAW.density(X))


@pytest.mark.parametrize("dimension", [1, 2])
def test_nonlocal_costs_convolve(dimension, rng):
    grid = mfg.CartesianGrid.cube(3.0, 24, dimension)
    cost = mfg.games.Nonlocal(lambda x: np.exp(-np.sum(x * x, axis=-1)))
    c, r = cost.reference(grid.points, 0.0), rng.uniform(0, 1, grid.cells)
    flat = grid.points.reshape(-1, dimension)
    kernel = np.exp(-np.sum((flat[:, None] - flat[None]) ** 2, axis=-1))
    np.testing.assert_allclose(cost.variation(r, c).ravel(), kernel @ r.ravel() * grid.volume, atol=1e-12)
    assert cost.monotone(grid.points, 0.0)
    assert not mfg.games.Nonlocal(lambda x: -np.exp(-np.sum(x * x, axis=-1))).monotone(grid.points, 0.0)


def test_running_costs_are_legendre_transforms():
    speed = np.linspace(0, 7, 70_001)
    for cost in (
        mfg.games.PowerCost(1.5),
        mfg.games.PowerCost(3.0),
        mfg.games.TabulatedCost(lambda v: v**2 / 2 + v**4 / 4, 4.0),
    ):
        slope = np.linspace(0.1, 2.5, 7)
        best = np.max(slope[:, None] * speed - cost.lagrangian(speed), axis=1)
        np.testing.assert_allclose(cost.hamiltonian(slope), best, atol=1e-6)
        h = 1e-5
        numeric = (cost.hamiltonian(slope + h) - cost.hamiltonian(slope - h)) / (2 * h)
        np.testing.assert_allclose(numeric, cost.speed(slope), rtol=2e-3)


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
