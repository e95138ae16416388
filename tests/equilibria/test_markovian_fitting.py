"""Iterative Markovian fitting on grids: sums of paths done by hand, and what is refused."""

import itertools

import numpy as np
import pytest

import mfgpde as mfg
from mfgpde.equilibria.markovian_fitting import markovian_fitting
from mfgpde.equilibria.noisy_steps import NoisySteps

LAW = mfg.gaussian(0.0, 0.5)
GAME = mfg.games.schroedinger_bridge(mfg.gaussian(-0.3, 0.4), LAW, viscosity=2.0)


def test_a_round_by_all_paths():
    """Nine cells, three steps: all 6561 paths, without a formula of the module."""
    grid = mfg.CartesianGrid.cube(3.2, 9, 1)
    fit = markovian_fitting(GAME, grid, steps=3, rounds=2)
    K = NoisySteps.of(GAME, grid, 3, np).noise.matrices[0]
    p, q = fit.bridge.sum(axis=1), fit.bridge.sum(axis=0)
    whole = np.linalg.matrix_power(K, 3)

    def bridges(ends):
        return {
            path: ends[path[0], path[3]]
            / whole[path[0], path[3]]
            * np.prod([K[a, b] for a, b in itertools.pairwise(path)])
            for path in itertools.product(range(9), repeat=4)
        }

    def pairs(law, k):
        found = np.zeros((9, 9))
        for path, mass in law.items():
            found[path[k], path[k + 1]] += mass
        return found

    def kl(first, second):
        return sum(mass * np.log(mass / second[path]) for path, mass in first.items() if mass > 0)

    mixed, best = bridges(np.outer(p, q)), bridges(fit.bridge)
    moves = [pairs(mixed, k) / pairs(mixed, k).sum(axis=1, keepdims=True) for k in range(3)]
    chain = {path: p[path[0]] * np.prod([moves[k][path[k], path[k + 1]] for k in range(3)]) for path in mixed}
    assert fit.rounds[0].to_bridge == pytest.approx(kl(mixed, best), rel=1e-9)
    assert fit.rounds[0].dropped == pytest.approx(kl(mixed, chain), rel=1e-9)
    assert fit.rounds[0].projected == pytest.approx(kl(chain, best), rel=1e-9)


def test_a_bridge_is_fixed_and_drops_nothing():
    grid = mfg.CartesianGrid.cube(4.0, 40, 1)
    best = markovian_fitting(GAME, grid, steps=4, rounds=1).bridge
    (fixed,) = markovian_fitting(GAME, grid, steps=4, rounds=1, start=best).rounds
    assert max(fixed.to_bridge, fixed.dropped, fixed.projected) < 1e-12


def test_other_games_and_couplings_are_refused():
    grid = mfg.CartesianGrid.cube(4.0, 40, 1)
    with pytest.raises(ValueError, match="schroedinger_bridge"):
        markovian_fitting(mfg.games.linear_quadratic(LAW, viscosity=0.5), grid, steps=4)
    with pytest.raises(ValueError, match="marginals are off"):
        markovian_fitting(GAME, grid, steps=4, start=np.full((40, 40), 1 / 1600))
    with pytest.raises(ValueError, match="finite masses"):
        markovian_fitting(GAME, grid, steps=4, start=np.ones((3, 3)))
    with pytest.raises(ValueError, match="1600 cells"):
        markovian_fitting(GAME, mfg.CartesianGrid.cube(4.0, 1601, 1), steps=4)
