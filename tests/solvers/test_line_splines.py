"""Splines on a line are those of tables, and fall to zero at far walls as they do."""

import numpy as np
import pytest
from scipy.interpolate import make_interp_spline

import mfgpde as mfg
from mfgpde.solvers.bounded_residual import panels_of
from mfgpde.solvers.reconstruction import Panels, Reconstruction, walls


@pytest.mark.parametrize("ends", ["far", "reflecting"])
@pytest.mark.parametrize("cells", [16, 97])
def test_values_slopes_and_curvatures_are_those_of_tables(ends, cells, rng):
    space, u = mfg.FiniteVolume(mfg.CartesianGrid((-1.3,), (2.9,), (cells,)), walls=ends), rng.normal(size=cells)
    at = Reconstruction.of(space, 3)
    value, slope, bend = (table @ u for table in at.tables[0])
    found = at.all(u)
    assert at.value(u) == pytest.approx(value, abs=1e-11 * np.abs(value).max())
    assert found[0] == pytest.approx(value, abs=1e-11 * np.abs(value).max())
    assert found[1][0] == pytest.approx(slope, abs=1e-11 * np.abs(slope).max())
    assert found[2] == pytest.approx(bend, abs=1e-11 * np.abs(bend).max())


@pytest.mark.parametrize("ends", ["far", "reflecting"])
def test_many_fields_and_points_of_two_rules_are_those_of_each(ends, rng):
    space, u = mfg.FiniteVolume(mfg.CartesianGrid((-1.3,), (2.9,), (30,)), walls=ends), rng.normal(size=(4, 30))
    few, many = (Reconstruction.of(space, nodes, apart=3) for nodes in (3, 6))
    (value, (slope,), bend), moved = few.together(many).all(u), few.together(many).value(u)
    for k, one in enumerate(u):
        parts = [(at.value(one), at.all(one)[1][0], at.all(one)[2]) for at in (few, many)]
        for found, *whole in zip((value, slope, bend), *parts, strict=True):
            assert found[k] == pytest.approx(np.concatenate(whole), rel=1e-12)
        assert (moved[k] == value[k]).all()


@pytest.mark.parametrize("cells", [16, 97])
def test_rows_at_both_ends_are_those_of_splines_through_each_cell(cells, rng):
    grid, u = mfg.CartesianGrid((-1.3,), (2.9,), (cells,)), rng.normal(size=cells)
    spline = make_interp_spline(grid.edges[0], np.append(0.0, grid.spacing[0] * np.cumsum(u)), k=5)
    for k, rows in enumerate(walls(mfg.FiniteVolume(grid, walls="reflecting"), 0), 1):
        far = spline(np.array([-1.3, 2.9]), nu=k)
        assert rows @ u == pytest.approx(far, abs=1e-11 * np.abs(far).max())


def test_gauss_points_of_panels_integrate_each_panel():
    panels = Panels(np.array([0.0, 0.5, 2.0, 2.25]), np.array([3, 5, 3]))
    x, w = panels.rule
    starts = np.cumsum(panels.nodes) - panels.nodes
    assert np.add.reduceat(w * x**5, starts) == pytest.approx(np.diff(panels.edges**6) / 6)
    assert (np.diff(x) > 0).all()
    space = mfg.FiniteVolume(mfg.CartesianGrid.cube(1.0, 16, 1))
    assert Reconstruction.on(space, (panels_of(space, 0, 1, None),)).weights.sum() == pytest.approx(2.0)
