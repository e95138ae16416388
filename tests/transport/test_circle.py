"""W₁ and W₂ on a circle: turns, wraps, an independent linear programme, and the line where nothing goes round."""

import numpy as np
import pytest
from scipy.optimize import linprog

import mfgpde as mfg

GRID = mfg.CartesianGrid((0.0,), (2 * np.pi,), (96,), (True,))
LINE = mfg.CartesianGrid((0.0,), (2 * np.pi,), (96,))


def bump(middle, grid=GRID, sharp=4.0):
    return np.exp(sharp * np.cos(grid.points[..., 0] - middle))


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("cells", [1, 20, 30, 90])
def test_a_narrow_law_that_is_turned_is_as_far_as_the_shorter_way(order, cells, rng):
    """Exactly, as long as law and way together are less than half the circle."""
    p = np.concatenate((rng.uniform(size=10), np.zeros(86)))
    wanted = min(cells, 96 - cells) * GRID.spacing[0]
    for start in (0, 40, 91):
        law = np.roll(p, start)
        assert mfg.wasserstein(law, np.roll(law, cells), GRID, order=order) == pytest.approx(wanted, rel=1e-9)


@pytest.mark.parametrize("order", [1, 2])
def test_the_linear_programme_of_masses_at_centres_agrees(order, rng):
    n = 24
    grid = mfg.CartesianGrid((0.0,), (1.0,), (n,), (True,))
    p, q = rng.uniform(size=(2, n)) ** 3
    x = grid.axes[0]
    apart = np.abs(x[:, None] - x)
    cost = np.minimum(apart, 1 - apart) ** order
    rows = np.kron(np.eye(n), np.ones(n)), np.kron(np.ones(n), np.eye(n))
    plan = linprog(cost.ravel(), A_eq=np.vstack(rows), b_eq=np.concatenate((p / p.sum(), q / q.sum())))
    fine = mfg.CartesianGrid((0.0,), (1.0,), (n * 41,), (True,))  # masses in the middle one of 41 cells each
    spikes = np.zeros((2, n, 41))
    spikes[:, :, 20] = p, q
    found = mfg.wasserstein(*spikes.reshape(2, -1), fine, order=order)
    assert found**order == pytest.approx(plan.fun, rel=1e-2)  # spikes are a 41st of a cell wide


def test_laws_away_from_the_seam_are_as_far_as_on_the_line_and_never_farther(rng):
    for order in (1, 2):
        near = [mfg.wasserstein(bump(2.8, g, 9.0), bump(3.4, g, 9.0), g, order=order) for g in (GRID, LINE)]
        assert near[0] == pytest.approx(near[1], rel=1e-3)  # tails beyond the seam
        p, q = rng.uniform(size=(2, 96))
        assert mfg.wasserstein(p, q, GRID, order=order) <= mfg.wasserstein(p, q, LINE, order=order) * (1 + 1e-12)
        across = [mfg.wasserstein(bump(0.2, g), bump(6.1, g), g, order=order) for g in (GRID, LINE)]
        assert across[0] < 0.5 * across[1]


def test_points_on_a_torus_go_the_shortest_way(rng):
    """A narrow cloud that is shifted: the shortest shift; any clouds: no more than in the plane, the same under turns."""
    periods = np.array([2.0, 3.0])
    x = 0.2 * rng.uniform(size=(40, 2))
    for shift in ((0.3, -0.4), (1.3, 2.9), (-0.6, 1.2)):
        apart = np.mod(np.array(shift), periods)
        wanted = float(np.linalg.norm(np.minimum(apart, periods - apart)))
        moved = np.mod(x + np.array(shift), periods)
        assert mfg.transport.wasserstein_points(x, moved, periods=periods) == pytest.approx(wanted, rel=1e-9)
    x, y = periods * rng.uniform(size=(2, 60, 2))
    found = mfg.transport.wasserstein_points(x, y, periods=periods)
    assert found <= mfg.transport.wasserstein_points(x, y) * (1 + 1e-12)
    turned = (np.mod(z + np.array([0.7, 1.9]), periods) for z in (x, y))
    assert mfg.transport.wasserstein_points(*turned, periods=periods) == pytest.approx(found, rel=1e-9)
    plane = mfg.transport.wasserstein_points(x, y, periods=[np.inf, np.inf])
    assert plane == pytest.approx(mfg.transport.wasserstein_points(x, y), rel=1e-9)


def test_points_and_quantiles_agree_on_a_circle(rng):
    n = 400
    grid = mfg.CartesianGrid((0.0,), (1.0,), (n,), (True,))
    p, q = (1 + 0.8 * np.cos(2 * np.pi * (grid.points[..., 0] - s)) for s in (0.1, 0.45))
    by_points = mfg.transport.wasserstein_points(grid.points, grid.points, p, q, periods=[1.0])
    assert by_points == pytest.approx(mfg.wasserstein(p, q, grid), abs=1 / n)


def test_what_knows_walls_alone_refuses_a_torus():
    grid = mfg.CartesianGrid.cube(1.0, 32, 2, periodic=True)
    p = np.ones(grid.cells)
    with pytest.raises(ValueError, match="periods=…"):
        mfg.transport.wasserstein_by_blocks(p, p, grid, blocks=16)
    with pytest.raises(ValueError, match="with walls"):
        mfg.transport.back_and_forth(p, p, grid)
    with pytest.raises(ValueError, match="one length > 0"):
        mfg.transport.wasserstein_points(np.zeros((2, 2)), np.ones((2, 2)), periods=[1.0])


def test_a_law_and_itself_are_no_distance_apart_in_any_unit():
    p = bump(0.1)
    for scale in (1e-9, 1.0, 1e9):
        grid = mfg.CartesianGrid((0.0,), (scale,), (96,), (True,))
        assert mfg.wasserstein(p, p, grid) < 1e-12 * scale
        turned = mfg.wasserstein(p, np.roll(p, 5), grid) / scale
        assert turned == pytest.approx(mfg.wasserstein(p, np.roll(p, 5), GRID) / (2 * np.pi), rel=1e-9)
