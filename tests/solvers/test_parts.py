"""Parts of solves against closed forms: starts read off other grids, waves between centres, steps of particles."""

import types

import numpy as np
import pytest
from scipy.stats import norm

import mfgpde as mfg
from mfgpde.solvers.initial import _Known
from mfgpde.solvers.reconstruction import Reconstruction


@pytest.mark.parametrize(("reach", "cells"), [(4.0, 32), (4.0, 48), (3.0, 32), (5.0, 64)])
def test_a_field_as_a_start_has_its_own_means_on_any_grid(reach, cells):
    """Blocks of its cells, other cells, a part of its box, a larger box: differences of Φ over each cell."""
    source = mfg.FiniteVolume(mfg.CartesianGrid((-4.0,), (4.0,), (64,)), order=4)
    field = mfg.Field(source, norm.pdf(source.grid.points[..., 0]))
    grid = mfg.CartesianGrid((-reach,), (reach,), (cells,))
    means = np.diff(norm.cdf(grid.edges[0])) / grid.spacing[0]
    inside = np.abs(grid.axes[0]) < 3.5
    assert _Known(field).cell_means(grid)[inside] == pytest.approx(means[inside], abs=2e-3)


@pytest.mark.parametrize("cells", [8, 9])
def test_waves_of_a_circle_are_whole_between_centres(cells):
    """Cos and sin of every wave that cells hold, with the one of opposite signs from cell to cell, and their slopes."""
    grid = mfg.CartesianGrid((0.0,), (2.0,), (cells,), (True,))
    space = mfg.Spectral(grid)
    at = Reconstruction.of(space, 3)
    x, centres = at.points[:, 0], grid.axes[0]
    for k in range(cells // 2 + 1):
        for shift in (0.0, 0.5 * np.pi) if 2 * k < cells and k else (0.0,):
            wave = np.pi * k * (centres - centres[0]) + shift
            value, slope, bend = (table @ np.cos(wave) for table in at.tables[0][:3])
            there = np.pi * k * (x - centres[0]) + shift
            assert value == pytest.approx(np.cos(there), abs=1e-12)
            assert bend == pytest.approx(-((np.pi * k) ** 2) * np.cos(there), abs=1e-9)
            if 2 * k < cells:
                assert slope == pytest.approx(-np.pi * k * np.sin(there), abs=1e-10)


@pytest.mark.parametrize("cells", [(32, 33), (33, 32), (33, 33)])
def test_a_grid_with_an_odd_axis_has_no_half(cells):
    law = types.SimpleNamespace(
        density=types.SimpleNamespace(grid=mfg.CartesianGrid((0.0, 0.0), (1.0, 1.0), cells)), ends=np.zeros(1)
    )
    with pytest.raises(ValueError, match="an even number along every axis"):
        mfg.solvers.on_half_grid(mfg.OrnsteinUhlenbeck(), law)


def test_particles_take_two_steps_and_no_odd_number():
    walk = mfg.processes.Diffusion(lambda x, t: 0 * x, lambda x, t: 0.5)
    equation = mfg.equations.FeynmanKac(walk, killing=lambda x, t: 0.3 + 0 * x[..., 0])

    def found(steps):
        return mfg.solvers.particle_expectation(
            equation, lambda x: 1 + 0 * x[..., 0], mfg.gaussian(0.0, 1.0), 1.0, steps=steps
        )

    assert found(2).value == pytest.approx(np.exp(-0.3))
    for steps in (0, 1, 3, -2):
        with pytest.raises(ValueError, match="an even number"):
            found(steps)
