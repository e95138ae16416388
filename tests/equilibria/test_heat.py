"""Noise of games between walls and on circles: its mass, variance and units, sums of logarithms, too wide cells."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mfgpde as mfg
from mfgpde.equilibria.heat import RESOLVED, Heat, transition

SEEDS = st.integers(0, 10**6)


@settings(max_examples=30)
@given(st.integers(5, 40), st.floats(1e-3, 1e3), st.floats(0.8, 6.0), st.booleans())
def test_noise_keeps_mass_has_its_variance_and_knows_no_unit(n, h, width, periodic):
    """Rows sum to one; E (x_j − x_i)² is the variance, folded at walls; twice the noise has twice the variance."""
    v = (width * h) ** 2
    K = transition(n, h, v, periodic)
    assert K.sum(axis=1) == pytest.approx(1.0)
    assert K.min() >= 0
    assert pytest.approx(transition(n, 1.0, width**2, periodic), abs=1e-12) == K
    first = np.cos(np.pi * (np.arange(n) + 0.5) * (2 if periodic else 1) / n)
    q = (2 if periodic else 1) * np.pi / n
    assert K @ first == pytest.approx(np.exp(-0.5 * (q * width) ** 2) * first, abs=2e-3)
    assert pytest.approx(transition(n, h, 2 * v, periodic), abs=2e-3) == K @ K


@settings(max_examples=20)
@given(SEEDS, st.integers(1, 3), st.sampled_from([30.0, 1500.0, 1e5]), st.floats(-900, 900), st.booleans())
def test_noised_logarithms_are_sums_over_all_cells_at_any_range(seed, d, spread, shift, hole):
    """Against the dense sum in logarithms; what is added to a logarithm comes out, and what is nowhere may be so."""
    rng = np.random.default_rng(seed)
    grid = mfg.CartesianGrid((0.0,) * d, (1.0,) * d, (9, 6, 4)[:d], (False, True, False)[:d])
    heat, logs = Heat.on(grid, (RESOLVED * max(grid.spacing)) ** 2 * 1.5), rng.uniform(-spread, 0, (9, 6, 4)[:d])
    if hole:
        logs.flat[rng.integers(logs.size)] = -np.inf
    K = np.ones((1, 1))
    for matrix in heat.matrices:
        K = np.kron(K, matrix)
    with np.errstate(divide="ignore"):
        terms = np.log(K) + logs.ravel()
    top = terms.max(axis=1, keepdims=True)
    told = (top[:, 0] + np.log(np.exp(terms - top).sum(axis=1))).reshape(logs.shape)
    seen = told > told.max() - 500  # below, where the range fits into double precision, is as good as nothing
    assert heat(logs)[seen] == pytest.approx(told[seen], abs=1e-9 * (1 + spread))
    if spread > 600:
        assert heat(logs) == pytest.approx(told, abs=1e-9 * (1 + spread))
    assert heat(logs + shift)[seen] == pytest.approx(heat(logs)[seen] + shift, abs=1e-9 * (1 + spread))


def test_noise_narrower_than_cells_bear_says_how_many_cells_would_do():
    grid = mfg.CartesianGrid.cube(3.0, 20, 1)
    least = (RESOLVED * 0.3) ** 2
    Heat.on(grid, least)
    with pytest.raises(ValueError, match=r"take at least (\d+) cells") as problem:
        Heat.on(grid, 0.25 * least)
    assert int(str(problem.value).split("at least ")[1].split()[0]) in (40, 41)


def test_logarithms_wider_than_one_shift_holds_are_noised_line_by_line(monkeypatch):
    """A sweep that meets them is done again: the same game with every noise looked at by itself."""
    law = mfg.gaussian(0.0, 0.01)  # e^{−1800} at the wall
    game = mfg.games.schroedinger_bridge(law, mfg.gaussian(2.0, 0.02), viscosity=0.02)
    grid = mfg.CartesianGrid.cube(6.0, 256, 1)
    found = mfg.equilibrium(game, grid, method="entropic", steps=4, iterations=6)
    monkeypatch.setattr("mfgpde.equilibria.entropic._Sweeps._noise", lambda sweep, logs: sweep.paths.noise(logs))
    alone = mfg.equilibrium(game, grid, method="entropic", steps=4, iterations=6)
    np.testing.assert_array_equal(found.densities, alone.densities)
