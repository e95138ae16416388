"""Distances of the proximal operator's law by moments: their bars hold closed forms on coarse cells and near walls."""

from pathlib import Path

import numpy as np
import pytest

import mfgpde as mfg
from mfgpde.verify import load_module

formula = load_module(Path(mfg.__file__).parents[1] / "validation" / "liliuosher" / "kernel_formula.py")


@pytest.mark.parametrize(("cells", "side"), [(24, 4.0), (40, 4.0), (128, 4.0), (64, 2.0), (512, 3.0)])
def test_bars_hold_two_gaussians(cells, side):
    beta, shrink = 0.1, 1 / (1 + formula.CURVATURE * formula.HORIZON)
    start, grid = mfg.gaussian([0.5], [[0.3]]), mfg.CartesianGrid.cube(side, cells, 1)
    found = mfg.wasserstein_proximal(start.density(grid.points), formula.bowl, grid, horizon=formula.HORIZON, beta=beta)
    more = 2 * beta * formula.HORIZON * shrink
    m, v, off = formula.moments(found.density, start, more)
    assert abs(m - 0.5 * shrink) <= off
    assert abs(v - 0.3 * shrink**2 - more) <= off
    if off < v:
        distance = formula.between_gaussians((m, v, off), (0.0, 1.0))
        assert np.hypot(0.5 * shrink, 1 - np.sqrt(0.3 * shrink**2 + more)) in distance


def test_moments_alone_stay_below_what_other_laws_are_apart():
    blobs = mfg.GaussianMixture([0.5, 0.5], [[-1.0], [1.0]], 0.04)
    wide = mfg.samplers.Line.of(blobs)
    true = wide.wasserstein(lambda z: 0.5 * z)
    assert formula.between_gaussians((0.0, 1.04, 0.0), (0.0, 0.25)).value < true
