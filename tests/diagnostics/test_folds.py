"""Flows whose corners fold cells over: where the mass goes, against a map in closed form."""

from dataclasses import replace
from importlib import import_module

import numpy as np
import pytest

import mfgpde as mfg
from mfgpde.diagnostics import folds
from mfgpde.diagnostics.compared import Law, halved, w2_entry
from mfgpde.diagnostics.folds import unfolded
from mfgpde.discretisations import Field, FiniteVolume, coarsened
from mfgpde.solvers import image_masses
from mfgpde.transport.shared_mass import MOST_COSTS, least_cost

GRID = mfg.CartesianGrid.cube(3.0, 48, 2)
PRIOR = mfg.gaussian(np.zeros(2), 0.5 * np.eye(2))


def sheared(x, strength=0.28, k=9.0):
    """Return the image under two shears, one along each axis: a map that keeps areas and never folds."""
    y = x[..., 1] + strength * np.sin(k * x[..., 0])
    return np.stack([x[..., 0] + strength * np.sin(k * y), y], axis=-1)


@pytest.fixture(scope="module")
def case():
    corners = Field(FiniteVolume(GRID), image_masses(sheared(GRID.corners), PRIOR) / GRID.volume, means=True)
    fine = mfg.CartesianGrid.cube(3.0, 48 * 16, 2)
    truth = coarsened(np.exp(PRIOR.log_density(sheared(fine.points))), GRID.cells)
    return corners, replace(corners, values=truth)


def on_blocks(p, q, size=8):
    return float(np.abs(coarsened(p.values - q.values, (48 // size,) * 2)).sum()) * GRID.volume * size**2


def test_mass_of_folded_cells_comes_off_their_neighbours(case):
    corners, truth = case
    found = unfolded(corners)
    assert found.folded > 0.05, "this map folds many cells"
    assert found.density.values.min() >= 0
    assert float(found.density.integral()) == pytest.approx(float(corners.integral()), rel=1e-12)
    clipped = replace(corners, values=np.maximum(corners.values, 0.0) / (1 + found.folded))
    assert on_blocks(found.density, truth) < 0.9 * on_blocks(clipped, truth)


def test_what_putting_it_right_can_reach_holds_the_truth(case):
    corners, truth = case
    found = unfolded(corners)
    apart = mfg.back_and_forth(found.density.values, truth.values, GRID)
    assert apart.lower <= found.reach < 0.2
    assert found.estimated


def test_a_plan_from_the_nearest_cells_is_hardly_dearer_than_the_cheapest(case):
    pytest.importorskip("ot")
    corners, _ = case
    masses, x = (corners.values * GRID.volume).ravel(), GRID.points.reshape(-1, 2)
    below, above = masses < 0, masses > 0
    least = folds.LEAST * np.sqrt(least_cost(x[below], -masses[below], x[above], masses[above]))
    assert least * (1 - 1e-9) <= folds._least(corners) < 1.05 * least


def test_fine_grids_have_a_repair_too():
    """Of 240² cells the pairs of lack and plenty are too many for the simplex; without a plan the bar is that of blocks."""
    grid = mfg.CartesianGrid.cube(3.0, 240, 2)
    field = Field(FiniteVolume(grid), image_masses(sheared(grid.corners, 0.28, 18.0), PRIOR) / grid.volume, means=True)
    assert (field.values < 0).sum() * (field.values > 0).sum() > MOST_COSTS
    found = unfolded(field)
    assert found.estimated
    assert found.reach < 0.07  # by blocks alone 0.149


@pytest.mark.parametrize("cut", [False, True], ids=["as it is", "cut by blocks"])
def test_a_repair_by_estimate_is_not_called_certified(case, cut, monkeypatch):
    compared = import_module("mfgpde.diagnostics.compared")
    exact = compared._transport
    if cut:  # a bracket that says nothing is cut with that by blocks
        monkeypatch.setattr(compared, "_transport", lambda *a: replace(exact(*a), lower=0.0, upper=6.0))
    corners, truth = case
    found = unfolded(corners)
    law = Law("ode", found.density, *(halved(found.density),) * 2, shifted=found.reach, estimated=found.estimated)
    how = w2_entry(law, Law.known("truth", truth)).method
    assert ("blocks" in how) == cut
    assert "certified" not in how
    assert "no bound" in how
    known = Law.known("truth", truth)
    assert (
        "certified bracket" in w2_entry(known, Law.known("prior", replace(truth, values=PRIOR.cell_means(GRID)))).method
    )


def test_a_density_without_folds_is_left_alone():
    field = Field(FiniteVolume(GRID), PRIOR.cell_means(GRID), means=True)
    found = unfolded(field)
    assert (found.folded, found.reach) == (0.0, 0.0)
    np.testing.assert_array_equal(found.density.values, field.values)
