"""Paths under an equilibrium's control: they stay in the box as the solver's mass does, and have its law."""

import numpy as np
import pytest

import mfgpde as mfg
from mfgpde.equilibria.paths import reflected
from mfgpde.games import MeanFieldGame, Potential, linear_quadratic


def law(mean, variance):
    return mfg.gaussian([mean], [[variance]])


@pytest.mark.parametrize("cells", [32, 64])
def test_paths_from_beside_a_wall_follow_riccati(cells):
    """U = ½ax² with a = 1/(2 − τ): X_T = x/2 exactly, here from 2.9 in ±3."""
    game = linear_quadratic(law(0.4, 0.3), 1.0)
    found = mfg.equilibrium(game, mfg.CartesianGrid.cube(3.0, cells, 1), method="newton", order=1)
    ends = found.trajectories(np.array([[2.9], [-2.9], [1.0]]))[-1]
    np.testing.assert_allclose(ends[2], 0.5, atol=0.5 * 6 / cells / 4)  # upwind: a share of h
    # beside the wall U is even about it: it takes h/2 off the slope of the last cell, whence a path leaves late
    np.testing.assert_allclose(ends[:2, 0], [1.45, -1.45], atol=0.15)


def test_noise_without_control_stays_in_the_box_with_its_law():
    """Reflected Brownian motion on [0, 2]: E cos(πX/2) falls by e^{−κπ²T/4}."""
    game = MeanFieldGame(law(1.0, 0.02), Potential(lambda x, t: np.zeros(x.shape[:-1])), 1.0, viscosity=0.5)
    found = mfg.equilibrium(game, mfg.CartesianGrid((0.0,), (2.0,), (64,)), steps=16)
    ends = found.trajectories(np.full((20_000, 1), 0.2), rng=np.random.default_rng(1))
    assert ends.min() >= 0
    assert ends.max() <= 2
    wave = np.cos(0.5 * np.pi * ends[-1, :, 0])
    truth = np.cos(0.1 * np.pi) * np.exp(-0.5 * np.pi**2 / 4)
    assert abs(wave.mean() - truth) < 4 * wave.std() / np.sqrt(len(wave))


def test_the_law_of_paths_is_the_density_that_was_found():
    """All start from ρ_0; a well at a wall draws them there. The density's mean by the solver, the paths' by sampling."""
    game = MeanFieldGame(law(0.0, 0.1), Potential(lambda x, t: -3 * x[..., 0]), 1.0, viscosity=0.2)
    grid = mfg.CartesianGrid((-1.5,), (1.5,), (96,))
    found = mfg.equilibrium(game, grid, steps=32)
    ends = found.trajectories(game.initial.sample(20_000, np.random.default_rng(0)), rng=np.random.default_rng(1))[-1]
    assert np.abs(ends).max() <= 1.5
    mean = float(grid.integrate(grid.axes[0] * found.densities[-1]))
    assert (
        abs(ends.mean() - mean) < 4 * ends.std() / np.sqrt(len(ends)) + 0.01
    )  # steps of 1/128 beside a wall: √(κ/128)/4


def test_points_are_folded_as_often_as_it_takes():
    grid = mfg.CartesianGrid((0.0, 0.0), (2.0, 1.0), (4, 4), (False, True))
    x = np.array([[2.5, 1.25], [-0.5, -0.25], [4.5, 7.5], [-4.25, 0.5], [1.0, 0.5]])
    np.testing.assert_allclose(reflected(grid, x), [[1.5, 0.25], [0.5, 0.75], [0.5, 0.5], [0.25, 0.5], [1.0, 0.5]])


def test_paths_start_in_the_box():
    game = linear_quadratic(law(0.4, 0.1), 1.0, viscosity=0.3)
    found = mfg.equilibrium(game, mfg.CartesianGrid.cube(3.0, 32, 1), steps=4)
    for points in ([[3.1]], [[0.0, 0.0]], [0.0]):
        with pytest.raises(ValueError, match="paths start at points"):
            found.trajectories(np.array(points))
    with pytest.raises(ValueError, match="0 steps"):
        found.trajectories(np.zeros((1, 1)), substeps=0)
