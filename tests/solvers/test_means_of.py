"""Means of a user's function by a bound: what points miss is bounded for formulas, and seen where a function jumps."""

import numpy as np
import pytest
from scipy.stats import norm

import mfgpde as mfg
from mfgpde.core.estimate import Kind
from mfgpde.solvers.first_solve import GridField
from mfgpde.solvers.means_of import lobatto

OU = mfg.OrnsteinUhlenbeck()
START = mfg.gaussian(0.4, 0.3)
END = mfg.marginal(OU, START, 1.0)
MEAN, DEVIATION = float(END.means[0, 0]), float(END.covariances[0, 0, 0]) ** 0.5
LINES = {
    "volumes": lambda: mfg.FiniteVolume(mfg.CartesianGrid.cube(6.0, 81, 1), order=4),
    "an expansion": lambda: mfg.Spectral(mfg.CartesianGrid.cube(6.0, 81, 1)),
    "elements": lambda: mfg.FiniteElement(mfg.meshes.interval(-6.0, 6.0, 60), 3),
}


@pytest.fixture(scope="module", params=LINES)
def bound(request):
    """Return the bound of a law whose error is far below what points miss of a jump."""
    if request.param == "elements":
        pytest.importorskip("dolfinx_solver")
    return mfg.solve(mfg.FokkerPlanck.of(OU), LINES[request.param](), START, (0.0, 1.0), rtol=1e-8).error_bound()


def test_jumps_anywhere_in_a_cell_are_in_the_bar(bound):
    """P(X > c), c at 60 places of two cells, from face to face; by two rules of Gauss 24 to 26 are outside."""
    width = 12.0 / (60 if "Element" in type(bound.field).__name__ else 81)
    for c in np.linspace(-width, width, 60):
        found = bound.mean(lambda x, c=c: np.where(x[..., 0] > c, 1.0, 0.0), 1.0)
        assert found.kind is Kind.EXTRAPOLATED
        assert float(norm.sf(c, MEAN, DEVIATION)) in found
        assert found.half_width < bound.value + 0.2 * width * float(norm.pdf(0.0)) / DEVIATION


def test_formulas_have_bounds_that_add_little(bound):
    k = 2.3
    found = bound.mean(lambda x: np.cos(k * x[..., 0] - 0.4), 1.0)
    assert found.kind is Kind.BOUND
    assert float(np.exp(-0.5 * (k * DEVIATION) ** 2) * np.cos(k * MEAN - 0.4)) in found
    assert found.half_width < bound.value + 1e-10
    fast = bound.mean(lambda x: np.cos(70.0 * x[..., 0]), 1.0)  # three cells of elements a wave: points do miss it
    assert abs(fast.value - np.exp(-0.5 * (70 * DEVIATION) ** 2) * np.cos(70 * MEAN)) < fast.half_width
    assert bound.mean(lambda x: 0.25 + 0 * x[..., 0], 0.25).value == pytest.approx(0.25, abs=1e-6)


def test_a_function_larger_than_is_said_is_refused(bound):
    with pytest.raises(ValueError, match=r"is said not to exceed 1: name a larger bound"):
        bound.mean(lambda x: 5 * np.cos(x[..., 0]), 1.0)
    with pytest.raises(ValueError, match="the function is inf at x ="):
        bound.mean(lambda x: np.where(x[..., 0] > 1, np.inf, 0.0), 1.0)


def test_ends_of_cells_stay_in_the_box_where_edges_are_rounded():
    """Of these thirty boxes' cells some have a middle and a half that add up to more than the upper end."""
    beyond = 0
    for k in range(30):
        grid = mfg.CartesianGrid((-6.0 - 0.0713 * k,), (5.0 + 0.0311 * k,), (81,))
        (edges,) = grid.edges
        beyond += 0.5 * (edges[-1] + edges[-2]) + 0.5 * (edges[-1] - edges[-2]) > edges[-1]
        beyond += 0.5 * (edges[1] + edges[0]) - 0.5 * (edges[1] - edges[0]) < edges[0]
        found = GridField(mfg.FiniteVolume(grid), np.ones(81)).sampled(
            lambda x: np.where(x[..., 0] > 0.3, 1.0, 0.0), lobatto(10)
        )
        assert found.points.min() >= edges[0]
        assert found.points.max() <= edges[-1]
    assert beyond > 0


def test_in_the_plane():
    law, space = mfg.gaussian([0.3, -0.2], 0.4), mfg.FiniteVolume(mfg.CartesianGrid.cube(5.0, 41, 2), order=4)
    bound = mfg.solve(mfg.FokkerPlanck.of(OU), space, law, (0.0, 0.5), rtol=1e-7).error_bound()
    end = mfg.marginal(OU, law, 0.5)
    (m, n), s = end.means[0], float(end.covariances[0, 0, 0]) ** 0.5
    wave = bound.mean(lambda x: np.sin(1.3 * x[..., 0] + x[..., 1]), 1.0)
    assert wave.kind is Kind.BOUND
    assert float(np.exp(-0.5 * (1.69 + 1) * s**2) * np.sin(1.3 * m + n)) in wave
    assert wave.half_width < bound.value + 1e-9
    for c in (0.0031, 0.05, 0.119):
        found = bound.mean(lambda x, c=c: (x[..., 0] > c) * np.where(x[..., 1] > -c, 1.0, 0.0), 1.0)
        assert float(norm.sf(c, m, s) * norm.sf(-c, n, s)) in found
        assert found.kind is Kind.EXTRAPOLATED
