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


def test_a_law_and_itself_are_no_distance_apart_in_any_unit():
    p = bump(0.1)
    for scale in (1e-9, 1.0, 1e9):
        grid = mfg.CartesianGrid((0.0,), (scale,), (96,), (True,))
        assert mfg.wasserstein(p, p, grid) < 1e-12 * scale
        turned = mfg.wasserstein(p, np.roll(p, 5), grid) / scale
        assert turned == pytest.approx(mfg.wasserstein(p, np.roll(p, 5), GRID) / (2 * np.pi), rel=1e-9)
