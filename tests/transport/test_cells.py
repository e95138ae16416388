"""W₁ and W₂ on tori and boxes between bounds: shortest shifts, Gaussians, halving cells, what is wrong."""

import numpy as np
import pytest

import mfgpde as mfg
from mfgpde.transport import wasserstein_cells, wasserstein_points


def torus(n, d=2):
    return mfg.CartesianGrid((0.0,) * d, (2.0, 3.0, 1.0)[:d], (n,) * d, (True,) * d)


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("shift", [(3, 1), (17, 20), (7, 0)])
def test_shifts_of_a_narrow_law_go_the_shortest_way(order, shift, rng):
    grid = torus(24)
    p = np.zeros((24, 24))
    p[:5, :4] = rng.uniform(size=(5, 4))
    way = [min(k, 24 - k) * h for k, h in zip(shift, grid.spacing, strict=True)]
    found = wasserstein_cells(p, np.roll(p, shift, axis=(0, 1)), grid, order=order)
    assert found.lower <= np.hypot(*way) <= found.upper + 1e-12
    assert found.upper == pytest.approx(np.hypot(*way), rel=1e-9)  # shifts of centres are shifts
    assert found.half_width == pytest.approx(np.sqrt(np.sum(np.square(grid.spacing)) / 12))


@pytest.mark.parametrize("order", [pytest.param(1, marks=pytest.mark.slow), 2])
def test_fine_cells_lie_in_the_bars_of_coarse_ones(order, rng):
    """One law on 8² cells, and cut into four and sixteen: intervals that hold one number, each half as wide."""
    rough = rng.uniform(size=(2, 8, 8)) ** 12 + np.eye(8)[[0, 4]][:, None] * 3
    brackets = []
    for k in (1, 2, 4):
        p, q = (np.kron(u, np.ones((k, k))) for u in rough)
        brackets.append(wasserstein_cells(p, q, torus(8 * k), order=order))
    for coarse, finer in zip(brackets, brackets[1:], strict=False):
        assert coarse.lower <= finer.upper <= coarse.upper * (1 + 1e-12)
        assert finer.half_width == pytest.approx(0.5 * coarse.half_width)
    p, q = (np.kron(u, np.ones((4, 4))) for u in rough)
    line = wasserstein_cells(p, q, mfg.CartesianGrid((0.0, 0.0), (2.0, 3.0), (32, 32)), order=order)
    assert brackets[-1].upper <= line.upper * (1 + 1e-12)  # ways round the torus are ways more


def test_gaussians_in_a_box_and_laws_on_a_circle():
    grid = mfg.CartesianGrid.cube(4.0, 40, 2)
    p, q = (mfg.gaussian(m, v, 2).density(grid.points) for m, v in ((-0.5, 0.3), (0.5, 0.5)))
    found = wasserstein_cells(np.where(p < 1e-7, 0, p), np.where(q < 1e-7, 0, q), grid)
    truth = np.sqrt(2 + 2 * (np.sqrt(0.5) - np.sqrt(0.3)) ** 2)
    assert found.lower < truth < found.upper
    circle = mfg.CartesianGrid((0.0,), (2 * np.pi,), (200,), (True,))
    a, b = (np.exp(3 * np.cos(circle.points[..., 0] - m)) for m in (0.3, 6.0))
    for order in (1, 2):
        exact = float(mfg.wasserstein(a, b, circle, order=order))
        assert abs(float(wasserstein_cells(a, b, circle, order=order).value) - exact) < 2 * 2 * np.pi / 200


def test_first_distances_of_points():
    """|x − y| on the line: the sorted means; on a circle the shorter way."""
    x, y = np.array([[0.0], [1.0], [3.0]]), np.array([[0.5], [2.5], [2.9]])
    assert wasserstein_points(x, y, order=1) == pytest.approx((0.5 + 1.5 + 0.1) / 3)
    assert wasserstein_points(x[:1], y[2:], order=1, periods=[3.0]) == pytest.approx(0.1)


def test_what_does_is_named():
    grid = torus(8)
    with pytest.raises(ValueError, match="on tori and other cells"):
        mfg.back_and_forth(np.ones((8, 8)), np.ones((8, 8)), grid)
    with pytest.raises(ValueError, match="the density q needs"):
        wasserstein_cells(np.ones((8, 8)), np.zeros((8, 8)), grid)
    with pytest.raises(ValueError, match="at most 6000 points"):
        wasserstein_cells(np.ones((80, 80)), np.ones((80, 80)), torus(80))
    with pytest.raises(ValueError, match="the order is 1 or 2"):
        wasserstein_cells(np.ones((8, 8)), np.ones((8, 8)), grid, order=3)
