"""Plans from the nearest cells: feasible, so no cheaper than the simplex's, and hardly dearer where lacks are few."""

import numpy as np
import pytest

import mfgpde as mfg
from mfgpde.transport.nearest import by_nearest, least_by_nearest
from mfgpde.transport.shared_mass import least_cost


def simplex(wanted, there, grid):
    x, a, b = grid.points.reshape(-1, grid.dimension), wanted.ravel(), there.ravel()
    return least_cost(x[a > 0], a[a > 0], x[b > 0], b[b > 0])


@pytest.mark.parametrize(("cells", "share"), [((40,), 0.2), ((17, 24), 0.1), ((8, 7, 9), 0.1), ((24, 24), 0.45)])
def test_between_the_least_cost_and_little_more(rng, cells, share):
    pytest.importorskip("ot")
    grid = mfg.CartesianGrid((0.0,) * len(cells), tuple(1.0 + 0.5 * k for k in range(len(cells))), cells)
    lacking = rng.random(cells) < share
    wanted, there = np.where(lacking, rng.random(cells), 0.0), np.where(lacking, 0.0, rng.random(cells))
    found, least = by_nearest(wanted, there, grid), simplex(wanted, there, grid)
    assert least * (1 - 1e-9) <= found <= (1.1 if share < 0.4 else 2.5) * least


def test_what_is_far_away_is_found_between_blocks(rng):
    """All that is wanted is in one corner, all that there is in the other: blocks bound the distance from above."""
    grid = mfg.CartesianGrid.cube(1.0, 64, 2)
    wanted, there = np.zeros((64, 64)), np.zeros((64, 64))
    wanted[0, 0], there[63, 63] = 0.25, 0.5
    truth = 0.25 * 2 * (63 * grid.spacing[0]) ** 2
    assert truth <= by_nearest(wanted, there, grid) <= 0.25 * float(np.sum(np.square(grid.lengths)))


def test_given_arrays_stay_and_too_little_has_no_plan():
    grid = mfg.CartesianGrid.cube(1.0, 4, 1)
    wanted, there = np.array([0.5, 0, 0, 0]), np.array([0, 0.2, 0.2, 0])
    assert by_nearest(wanted, there, grid) == np.inf
    assert by_nearest(np.zeros(4), there, grid) == 0.0
    np.testing.assert_array_equal(there, [0, 0.2, 0.2, 0])


def test_no_law_is_further_than_the_plan(rng):
    """Between a certified lower bound and the box; equal laws, and ones that differ by rounding, are next to each other."""
    grid = mfg.CartesianGrid.cube(2.0, 32, 2)
    p, q = (mfg.gaussian(np.full(2, m), 0.2 * np.eye(2)).cell_means(grid) for m in (0.0, 0.2))
    assert mfg.back_and_forth(p / p.sum(), q / q.sum(), grid).lower <= least_by_nearest(p, q, grid) < 2.0
    assert least_by_nearest(p, p, grid) == 0.0
    assert least_by_nearest(p, p * (1 + 1e-15 * rng.normal(size=p.shape)), grid) < 1e-6
