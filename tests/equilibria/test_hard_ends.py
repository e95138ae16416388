"""Sweeps towards a law that must be met: what a law that keeps a part costs, brackets at every sweep, and when to end."""

from dataclasses import replace

import numpy as np
import pytest

import mfgpde as mfg
from mfgpde.equilibria.entropic import _Sweeps
from mfgpde.equilibria.noisy_steps import NoisySteps

GRID = mfg.CartesianGrid.cube(4.0, 40, 1)
TWO = mfg.GaussianMixture([0.4, 0.6], [[-1.2], [0.9]], [0.15, 0.3])
BRIDGE = replace(
    mfg.games.schroedinger_bridge(mfg.gaussian(-0.4, 0.3), TWO, 0.4), running=lambda x, t: np.sin(2 * x[..., 0]) + t
)


def swept(count, steps=6, game=BRIDGE, grid=GRID):
    sweep = _Sweeps(game, grid, NoisySteps.of(game, grid, steps, np), None, np)
    for _ in range(count):
        sweep.improve()
    sweep.gap()
    return sweep


@pytest.mark.parametrize("count", [0, 1, 3])
def test_a_share_kept_at_the_end_is_a_share_of_the_paths(count, rng):
    """What is kept of the end, ∫ keep r_T, is what is kept of the start, ∫ r_0 β̃_0/β_0: both are E[keep(X_T)]."""
    sweep = swept(count)
    start, end = (np.exp(sweep.log_initial), sweep.marginals[-1])
    for keep in (rng.uniform(0.0, 1.0, GRID.cells), np.ones(GRID.cells), np.full(GRID.cells, 0.3)):
        share = np.exp(sweep._behind_kept(keep) - sweep.ahead[0])
        assert GRID.integrate(start * share) == pytest.approx(GRID.integrate(keep * end), rel=1e-10)
    np.testing.assert_allclose(share, 0.3, rtol=1e-10)
    half = (GRID.points[..., 0] > 0.2).astype(float)
    kept = np.exp(sweep._behind_kept(half) - sweep.ahead[0])
    assert kept[-1] > kept[0]  # who starts on the right ends there rather
    assert np.all((kept >= 0) & (kept <= 1 + 1e-12))


@pytest.mark.parametrize("count", [0, 1])
def test_the_gap_is_the_cost_of_a_law_that_meets_its_end_path_by_path(count):
    """All 24³ paths of two steps: what is kept of the law of the potentials, the rest joined independently, less the dual.

    KL to the noise's paths plus costs of position; the noise joins two points with at least its Gaussian density.
    """
    grid = mfg.CartesianGrid.cube(4.0, 24, 1)
    sweep = swept(count, 2, grid=grid)
    gap, h, paths = sweep.gap(), grid.volume, sweep.paths
    with np.errstate(divide="ignore"):
        step = np.exp(np.stack([paths.noise(np.log(e)) for e in np.eye(24)], axis=1))  # from row to column, of mass
    start, target = np.exp(sweep.log_initial) * h, np.exp(sweep.known_end) * h
    costs = [0.0, *(sweep.fixed[k] for k in (1, 2))]
    tilts = [np.exp(-sweep.fixed[k] - sweep.moved[k]) for k in (1, 2)]
    noise = start[:, None, None] * step[:, :, None] * step[None]
    law = noise * tilts[0][:, None] * tilts[1]
    law *= (start / law.sum(axis=(1, 2)))[:, None, None]
    end = law.sum(axis=(0, 1))
    np.testing.assert_allclose(end, sweep.marginals[-1] * h, rtol=1e-9)
    kept = law * np.minimum(1.0, target / end)
    missing = 1 - kept.sum()
    assert missing > 1e-3
    part = kept / kept.sum()
    here = np.sum(part * np.log(part / noise)) + np.sum(part * (costs[1][:, None] + costs[2]))
    first, last = start - kept.sum(axis=(1, 2)), target - kept.sum(axis=(0, 1))
    first, last = np.maximum(first, 0) / np.maximum(first, 0).sum(), last / last.sum()
    x, variance = grid.points[:, 0], 2 * paths.variance
    square = (x[:, None] - x) ** 2
    joined = first @ np.log(np.maximum(first, 1e-300) / start) + last @ np.log(np.maximum(last, 1e-300) / h)
    joined += first @ (0.5 * square / variance + 0.5 * np.log(2 * np.pi * variance)) @ last
    joined += costs[1].max() + costs[2].max()
    dual = np.sum(start * np.log(start)) - np.sum(
        start * np.log((noise * tilts[0][:, None] * tilts[1]).sum(axis=(1, 2)))
    )
    dual -= np.sum(sweep.moved[2] * target)
    whole = (1 - missing) * here + missing * max(joined, 0.0)
    assert gap == pytest.approx(paths.gamma * (whole - dual), rel=1e-7)


@pytest.mark.parametrize("d", [1, 2])
def test_every_sweep_s_bracket_holds_the_cost_of_a_finished_one(d):
    game = mfg.games.schroedinger_bridge(
        mfg.gaussian(np.full(d, -0.3), 0.4 * np.eye(d)), mfg.gaussian(np.full(d, 0.5), 0.3 * np.eye(d)), 0.4
    )
    grid = mfg.CartesianGrid.cube(3.5, (40, 16)[d - 1], d)
    done = mfg.equilibrium(game, grid, steps=5, tolerance=1e-11)
    assert done.converged
    width = np.inf
    for iterations in (1, 2, 3, 5):
        with pytest.warns(UserWarning, match="not converged"):
            found = mfg.equilibrium(game, grid, steps=5, iterations=iterations, tolerance=0.0)
        assert found.discrete_dual <= done.discrete_primal + 1e-11
        assert found.discrete_primal >= done.discrete_dual - 1e-11
        assert found.discrete_primal - found.discrete_dual < width
        width = found.discrete_primal - found.discrete_dual


def test_a_gap_that_is_as_small_as_asked_ends_the_sweeps():
    """The same run, asked for a gap that it has after its fourth sweep, to the last bit."""
    with pytest.warns(UserWarning, match="not converged"):
        whole = mfg.equilibrium(BRIDGE, GRID, steps=6, iterations=7, tolerance=0.0)
    assert np.all(np.diff(whole.history) < 0)
    found = mfg.equilibrium(BRIDGE, GRID, steps=6, iterations=7, tolerance=whole.history[3])
    assert found.converged
    assert found.history == whole.history[:4]
    assert found.cost["iterations"] == 3
