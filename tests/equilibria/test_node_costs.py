"""Costs at the nodes of time: together as one by one, their conjugates and proximal maps."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mfgpde as mfg
from mfgpde.equilibria.node_costs import NodeCosts
from mfgpde.games import Power, RelativeEntropy

SEEDS = st.integers(0, 10**6)


HOME = mfg.games.Potential(lambda x, t: 0.5 * (x**2).sum(axis=-1))


def node_costs(rng, steps=5, cells=12, equal=True, end=None):
    grid = mfg.CartesianGrid.cube(2.0, cells, 1)
    law = mfg.gaussian(0.2, 0.5)
    entropy, crowd = RelativeEntropy(law, 0.7), Power(1.3, 3.0)
    weights = np.full(steps + 1, 0.4) if equal else rng.uniform(0.2, 1.0, steps + 1)
    pieces = [[(crowd, float(w), None)] for w in weights]
    pieces[-1] = [*pieces[-1], (entropy, 1.0, entropy.reference(grid.points, 0.0))]
    linear = [rng.normal(size=grid.cells) for _ in weights]
    return grid, NodeCosts(grid, linear, pieces, end is not None)


@settings(max_examples=15)
@given(SEEDS, st.booleans())
def test_nodes_together_are_nodes_one_by_one(seed, equal):
    """Values, proximal maps and conjugates of all nodes, whether their weights are equal and they go as one, or not."""
    rng = np.random.default_rng(seed)
    grid, costs = node_costs(rng, equal=equal)
    rho = rng.uniform(0.1, 1.0, (6, *grid.cells))
    rho /= rho.sum(axis=1, keepdims=True) * grid.volume
    assert (costs._together is not None) == equal
    values = costs.values(rho)
    assert values["running and interaction"] == pytest.approx(sum(costs.at(k, rho[k]) for k in range(5)))
    assert values["terminal"] == pytest.approx(costs.at(5, rho[5]))
    y = rng.normal(0.3, 0.6, (5, *grid.cells))
    alone = np.stack([costs.node_proximal(k, y[k - 1], 0.3) for k in range(1, 6)])
    assert costs.proximal(y, 0.3) == pytest.approx(alone, abs=1e-12)
    u = rng.normal(size=(6, *grid.cells))
    one_by_one = sum(costs.node_conjugate(k, u[k], rho[k]) for k in range(1, 6))
    assert costs.conjugate(u, rho) == pytest.approx(one_by_one, rel=1e-4, abs=1e-4)


@settings(max_examples=15)
@given(SEEDS)
def test_conjugates_at_nodes_are_above_every_density_and_nearly_reached(seed):
    """Max of ∫ u r − cost over densities of mass one: the best of many is below, the best by its own condition near."""
    rng = np.random.default_rng(seed)
    grid, costs = node_costs(rng)
    rho = np.full((6, *grid.cells), 1 / 4.0)
    u = rng.normal(size=(6, *grid.cells))
    bound = costs.node_conjugate(2, u[2], rho[2])
    f, w, _ = costs.pieces[2][0]
    slope = u[2] - costs.linear[2]
    low, high = slope.min() - 50.0, slope.max()
    for _ in range(80):  # r = (f*)′((slope − shift)/w) has mass one for one shift
        middle = 0.5 * (low + high)
        r = (np.maximum(slope - middle, 0.0) / w / f.weight) ** (1 / (f.exponent - 1))
        low, high = (middle, high) if r.sum() * grid.volume > 1 else (low, middle)
    best = float(grid.integrate(u[2] * r)) - costs.at(2, r)
    assert best - 1e-9 <= bound <= best + 0.02 * (1 + abs(best))
    for _ in range(20):
        other = rng.dirichlet(np.ones(grid.cells[0])) / grid.volume
        assert float(grid.integrate(u[2] * other)) - costs.at(2, other) <= bound + 1e-9


@settings(max_examples=15)
@given(SEEDS)
def test_proximal_maps_of_two_costs_at_one_node_solve_their_equation(seed):
    rng = np.random.default_rng(seed)
    grid, costs = node_costs(rng)
    y, s = rng.normal(0.5, 0.5, grid.cells), 0.4
    r = costs.node_proximal(5, y, s)
    pull = sum(w * f.first_variation(r, c) for f, w, c in costs.pieces[5])
    assert r + s * (pull + costs.linear[5]) == pytest.approx(y, abs=1e-9)
    assert r.min() > 0
