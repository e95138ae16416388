"""Laws wrapped round circles and tori, and starts narrower than cells."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mfgpde as mfg
from mfgpde.equilibria.circles import WrappedLaw, on_torus
from mfgpde.equilibria.equilibrium import initial_on, start_resolved
from mfgpde.games import Power, RelativeEntropy

GAME = mfg.MeanFieldGame(
    mfg.gaussian(-0.4, 0.3), RelativeEntropy(mfg.gaussian(0.5, 0.4)), 1.3, viscosity=0.3, interaction=Power(0.5),
    running=lambda x, t: 0.2 * (1 + t) * x[..., 0] ** 2,
)  # fmt: skip
LINE = mfg.CartesianGrid.cube(4.0, 48, 1)


@settings(max_examples=20)
@given(st.floats(-3, 3), st.floats(0.05, 3.0), st.floats(-50, 50))
def test_laws_wrapped_round_a_circle(mean, variance, turns):
    """Mass one, the same a turn further, its score the slope of its logarithm; as cos-moments e^{−k²v/2} cos km."""
    grid = mfg.CartesianGrid((0.0,), (2 * np.pi,), (64,), (True,))
    law = WrappedLaw(mfg.gaussian(mean, variance), grid)
    x = grid.points
    p = np.exp(law.log_density(x))
    assert float(grid.integrate(p)) == pytest.approx(1.0, abs=1e-6)
    for k in (1, 2):
        wanted = np.exp(-0.5 * k * k * variance) * np.cos(k * mean)
        assert float(grid.integrate(p * np.cos(k * x[..., 0]))) == pytest.approx(wanted, abs=1e-6)
    h = 1e-5
    slope = (law.log_density(x + h) - law.log_density(x - h)) / (2 * h)
    assert law.score(x)[..., 0] == pytest.approx(slope, abs=1e-4 / variance)
    points = law.sample(500, np.random.default_rng(0))
    assert grid.contains(points).all()
    assert law.box(0.9)[0] == pytest.approx([0.0])


@settings(max_examples=20)
@given(st.integers(1, 2), st.floats(-1.9, 1.9), st.floats(1e-4, 0.3), st.booleans())
def test_starts_narrower_than_cells_are_wrapped_once(d, mean, variance, second):
    """Their means over cells are those of the law on the line, its images added: mass one on every torus."""
    grid = mfg.CartesianGrid((-2.0,) * d, (2.0,) * d, (9,) * d, (True, second)[:d])
    law = mfg.gaussian([mean, 0.1][:d], variance * np.eye(d))
    end = mfg.games.Potential(lambda x, t: np.cos(0.5 * np.pi * x).sum(axis=-1))
    game = on_torus(mfg.MeanFieldGame(law, end, 1.0, viscosity=0.3), grid)
    assert game.initial.cell_means(grid) == pytest.approx(law.cell_means(grid))
    start = initial_on(game, grid)
    assert float(grid.integrate(start)) == pytest.approx(1.0)
    if not start_resolved(game, grid):
        assert start == pytest.approx(law.cell_means(grid), rel=2e-3)


def test_starts_are_taken_at_centres_where_cells_resolve_them_and_as_means_elsewhere():
    wide, narrow, cut = mfg.gaussian(0.1, 0.3), mfg.gaussian(0.013, 1e-3), mfg.gaussian(2.9, 0.3)
    games = [replace(GAME, initial=law) for law in (wide, narrow, cut)]
    assert [start_resolved(game, LINE) for game in games[:2]] == [True, False]
    values = np.exp(wide.log_density(LINE.points))
    assert initial_on(games[0], LINE) == pytest.approx(values / float(LINE.integrate(values)))
    means = mfg.densities.cell_means(narrow, LINE)
    assert initial_on(games[1], LINE) == pytest.approx(means / float(LINE.integrate(means)))
    with pytest.raises(ValueError, match="widen the box"):
        initial_on(games[2], LINE)


def test_games_on_a_torus_have_their_laws_wrapped_and_no_others():
    grid = mfg.CartesianGrid((0.0,), (2.0,), (32,), (True,))
    assert on_torus(GAME, LINE) is GAME
    found = on_torus(replace(GAME, running=None), grid)
    for law in (found.initial, found.terminal.law):
        assert isinstance(law, WrappedLaw)
        assert law.log_density(np.array([[0.3]])) == pytest.approx(law.log_density(np.array([[2.3]])))
    with pytest.raises(ValueError, match="jumps by"):
        on_torus(replace(GAME, drift=lambda x, t: x), grid)
