"""Upper bounds of W₂ from what two laws do not share: exact on the line, above the bracket's lower end in the plane."""

import numpy as np
import pytest

import mfgpde as mfg
from mfgpde.transport.shared_mass import MOST_COSTS, by_shared_mass, least_cost

pytest.importorskip("ot", reason="POT is optional")


def test_on_the_line_it_lies_between_w2_and_what_w1_allows(rng):
    """At least W₂ by quantiles; where shared mass stays W₁ is least, and no square exceeds a way times the length, one."""
    grid = mfg.CartesianGrid((0.0,), (1.0,), (40,))
    for _ in range(10):
        p, q = rng.dirichlet(np.ones(40)), rng.dirichlet(np.ones(40))
        found, truth = by_shared_mass(p, q, grid), mfg.wasserstein(p * 40, q * 40, grid)
        w1 = float(np.abs(np.cumsum(p - q)).sum()) / 40
        assert truth * (1 - 1e-12) <= found <= np.sqrt(w1)


def test_rough_laws_that_differ_by_little_are_close():
    """Mass of 1e-3 over two cells of a checkerboard: √(1e-3)·2h; a flux loses itself between the fields."""
    grid = mfg.CartesianGrid.cube(1.0, 32, 2)
    board = (np.indices(grid.cells).sum(axis=0) % 2 == 0).astype(float)
    p = board / board.sum()
    q = p.copy()
    q[10, 10] -= 1e-3 * p.max()
    q[10, 12] += 1e-3 * p.max()
    right = np.sqrt(1e-3 * p.max()) * 2 * grid.spacing[0]
    assert by_shared_mass(p, q, grid) == pytest.approx(right, rel=1e-9)


def test_equal_laws_and_too_many_cells():
    grid = mfg.CartesianGrid.cube(1.0, 8, 2)
    p = np.full(grid.cells, 1 / 64)
    assert by_shared_mass(p, p, grid) == 0.0
    n = int(np.sqrt(MOST_COSTS)) + 1
    assert least_cost(np.zeros((n, 1)), np.ones(n), np.zeros((n, 1)), np.ones(n)) == np.inf
    with pytest.raises(ValueError, match="negative"):
        by_shared_mass(p - 1, p, grid)
