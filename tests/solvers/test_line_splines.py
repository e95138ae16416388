"""Splines on a line are those of tables, and fall to zero at far walls as they do."""

import numpy as np
import pytest

import mfgpde as mfg
from mfgpde.solvers.bounded_residual import panels_of
from mfgpde.solvers.reconstruction import Panels, Reconstruction


@pytest.mark.parametrize("walls", ["far", "reflecting"])
@pytest.mark.parametrize("cells", [16, 97])
def test_values_slopes_and_curvatures_are_those_of_tables(walls, cells, rng):
    space, u = mfg.FiniteVolume(mfg.CartesianGrid((-1.3,), (2.9,), (cells,)), walls=walls), rng.normal(size=cells)
    at = Reconstruction.of(space, 3)
    value, slope, bend = (table @ u for table in at.tables[0])
    found = at.all(u)
    assert at.value(u) == pytest.approx(value, abs=1e-11 * np.abs(value).max())
    assert found[0] == pytest.approx(value, abs=1e-11 * np.abs(value).max())
    assert found[1][0] == pytest.approx(slope, abs=1e-11 * np.abs(slope).max())
    assert found[2] == pytest.approx(bend, abs=1e-11 * np.abs(bend).max())


def test_gauss_points_of_panels_integrate_each_panel():
    panels = Panels(np.array([0.0, 0.5, 2.0, 2.25]), np.array([3, 5, 3]))
    x, w = panels.rule
    starts = np.cumsum(panels.nodes) - panels.nodes
    assert np.add.reduceat(w * x**5, starts) == pytest.approx(np.diff(panels.edges**6) / 6)
    assert (np.diff(x) > 0).all()
    space = mfg.FiniteVolume(mfg.CartesianGrid.cube(1.0, 16, 1))
    assert Reconstruction.on(space, (panels_of(space, 0, 1, None),)).weights.sum() == pytest.approx(2.0)
