"""Distances between Gaussians on a grid, against closed forms."""

import numpy as np
import pytest
from scipy.special import erf

import mfgpde as mfg
from mfgpde.diagnostics.compared import known_kl

GRID = mfg.CartesianGrid.cube(9.0, 600, 1)
SPACE = mfg.FiniteVolume(GRID)
P, Q = mfg.gaussian(mean=[0.0], covariance=[[1.0]]), mfg.gaussian(mean=[0.6], covariance=[[1.0]])
WIDE = mfg.gaussian(mean=[0.6], covariance=[[1.7]])


@pytest.fixture
def field():
    return mfg.Field(SPACE, P.density(GRID.points))


def test_total_variation_of_shifted_gaussians(field):
    exact = 2 * erf(0.3 / np.sqrt(2))
    for reference in (Q, mfg.Field(SPACE, Q.density(GRID.points)), Q.density, Q.density(GRID.points)):
        assert mfg.l1_distance(field, reference) == pytest.approx(exact, abs=1e-3)  # a kink: h² = 9e-4


def test_fields_of_another_grid_are_interpolated(field):
    other = mfg.FiniteVolume(mfg.CartesianGrid.cube(9.0, 450, 1))
    there = mfg.Field(other, Q.density(other.grid.points))
    assert mfg.l1_distance(field, there) == pytest.approx(mfg.l1_distance(field, Q), abs=1e-6)


def test_kullback_leibler(field):
    exact = 0.5 * (np.log(1.7) + (1 + 0.36) / 1.7 - 1)
    assert mfg.kl_divergence(field, WIDE) == pytest.approx(exact, abs=1e-10)
    holes = np.where(GRID.points[..., 0] > 3, 0.0, Q.density(GRID.points))
    assert mfg.kl_divergence(field, holes) == np.inf
    assert mfg.kl_divergence(field, holes - 1e-12) == np.inf  # as schemes of high order leave behind
    assert np.isfinite(mfg.kl_divergence(mfg.Field(SPACE, holes), P))


def test_weighted_errors_of_scores():
    shifted = mfg.Field(SPACE, P.score(GRID.points) + 0.25)
    assert mfg.diagnostics.weighted_error(shifted, P.score, P.density(GRID.points)) == pytest.approx(0.25, rel=1e-12)


def test_what_rounding_hides_of_a_divergence(field):
    """Far tails that a scheme rounds to zero make no divergence infinite; a hole where there is mass does."""
    narrow, x = mfg.gaussian(mean=[0.6], covariance=[[0.7]]), GRID.points[..., 0]
    exact = 0.5 * (np.log(0.7) + (1 + 0.36) / 0.7 - 1)
    tails, hole = (
        mfg.Field(SPACE, np.where(np.abs(x - 0.6) > r, 0.0, narrow.density(GRID.points))) for r in (7.2, 3.0)
    )
    assert mfg.kl_divergence(field, tails) == np.inf
    value, hidden = known_kl(field, tails)
    assert 0 < hidden < 1e-6
    assert value == pytest.approx(exact, abs=hidden)
    assert known_kl(field, hole) == (np.inf, 0.0)
