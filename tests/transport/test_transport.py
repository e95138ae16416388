"""Wasserstein distances against closed forms and against SciPy."""

import numpy as np
import pytest
from scipy.stats import wasserstein_distance

import mfgpde as mfg

GRID = mfg.CartesianGrid((-3.0,), (5.0,), (200,))


def test_atoms_and_uniform_pieces_exactly():
    """Uniform on [−1, 1] to uniform on [1, 3] moves by 2; to uniform on [−1, 3]: T(x) = 2x + 1, W₂² = E|x + 1|² = 4/3."""
    x = GRID.points[..., 0]
    p, q, r = (((a < x) & (x < b)).astype(float) for a, b in ((-1, 1), (1, 3), (-1, 3)))
    for order in (1, 2):
        assert mfg.wasserstein(p, q, GRID, order=order) == pytest.approx(2.0, abs=1e-13)
    assert mfg.wasserstein(p, r, GRID) == pytest.approx(np.sqrt(4 / 3), abs=1e-13)
    assert mfg.wasserstein(p, r, GRID, order=1) == pytest.approx(1.0, abs=1e-13)
    assert mfg.wasserstein(p, p, GRID) == 0


def test_first_order_agrees_with_scipy(rng):
    """SciPy has atoms where we have uniform cells: the same for crossing-free pieces, within a cell otherwise."""
    p, q, x = rng.random(200), rng.random(200), GRID.axes[0]
    assert mfg.wasserstein(p, q, GRID, order=1) == pytest.approx(
        wasserstein_distance(x, x, p, q), abs=GRID.spacing[0] / 2
    )


def test_second_order_is_second_order_accurate():
    a, b = mfg.gaussian(0.5, 0.3), mfg.gaussian(-1.0, 1.0)
    truth = mfg.transport.wasserstein_gaussian(np.array([0.5]), np.array([[0.3]]), np.array([-1.0]), np.array([[1.0]]))
    errors = []
    for n in (100, 200, 400):
        grid = mfg.CartesianGrid.cube(8.0, n, 1)
        errors.append(abs(mfg.wasserstein(a.density(grid.points), b.density(grid.points), grid) - truth))
    assert 2.0 in mfg.observed_order(errors)


def test_gaussians_in_two_dimensions():
    """Problem P5's pair."""
    value = mfg.transport.wasserstein_gaussian(
        np.array([-0.6, 0.4]),
        np.array([[0.35, 0.1], [0.1, 0.25]]),
        np.array([0.7, -0.3]),
        np.array([[0.2, -0.05], [-0.05, 0.45]]),
    )
    assert value == pytest.approx(1.50619627, abs=5e-9)


@pytest.mark.parametrize(
    ("p", "order", "message"),
    [
        (np.ones(10), 2, "200"),
        (-np.ones(200), 2, "≥ 0"),
        (np.zeros(200), 2, "positive sum"),
        (np.full(200, np.nan), 2, "finite"),
        (np.ones(200), 3, "order must be"),
    ],
)
def test_bad_input(p, order, message):
    with pytest.raises(ValueError, match=message):
        mfg.wasserstein(p, np.ones(200), GRID, order=order)
    with pytest.raises(ValueError, match="one axis"):
        mfg.wasserstein(np.ones((8, 8)), np.ones((8, 8)), mfg.CartesianGrid.cube(1.0, 8, 2))


def test_divergences_on_gaussians():
    """KL(N(m₁,v₁)‖N(m₂,v₂)) = ½[v₁/v₂ + (m₁−m₂)²/v₂ − 1 − log(v₁/v₂)]."""
    space = mfg.Spectral(mfg.CartesianGrid.cube(9.0, 200, 1))
    p, q = mfg.gaussian(0.3, 0.5), mfg.gaussian(-0.2, 0.8)
    field = mfg.Field(space, p.density(space.grid.points))
    formula = 0.5 * (0.5 / 0.8 + 0.25 / 0.8 - 1 - np.log(0.5 / 0.8))
    assert mfg.kl_divergence(field, q) == pytest.approx(formula, abs=1e-12)
    assert mfg.kl_divergence(field, p) == pytest.approx(0.0, abs=1e-14)
    assert mfg.kl_divergence(field, np.zeros(200)) == np.inf
    assert mfg.l1_distance(field, q) == pytest.approx(
        float(space.grid.integrate(np.abs(p.density(space.grid.points) - q.density(space.grid.points))))
    )


def test_masses_that_double_precision_hardly_holds_do_no_harm():
    grid = mfg.CartesianGrid.cube(3.0, 200, 1)
    x = grid.axes[0]
    narrow, shifted = (np.exp(-0.5 * ((x - m) / 0.08) ** 2) for m in (0.0, 0.5))
    assert (narrow[narrow > 0].min() < 1e-300) or (narrow == 0).any()
    assert mfg.wasserstein(narrow, shifted, grid) == pytest.approx(0.5, abs=1e-6)


@pytest.mark.parametrize("ratio", [0.5, 0.97])
def test_blocks_hold_gaussians_of_two_sizes(ratio):
    """W₂ of N(0, s²I) and N(0, (rs)²I) is √2 (1 − r)s, far or near."""
    grid, s = mfg.CartesianGrid.cube(4.0, 80, 2), 0.9
    laws = (mfg.gaussian(np.zeros(2), v * np.eye(2)) for v in (s**2, (ratio * s) ** 2))
    found = mfg.transport.wasserstein_by_blocks(*(law.cell_means(grid) for law in laws), grid, blocks=20)
    assert np.sqrt(2) * (1 - ratio) * s in found


@pytest.mark.parametrize("variance", [0.025, 0.01, 1e-3])
def test_tails_below_the_smallest_numbers_move_nothing(variance):
    grid = mfg.CartesianGrid((-6.0,), (6.0,), (768,))
    p, q = (np.exp(-((grid.points[:, 0] - m) ** 2) / (2 * v)) for m, v in ((-1.0, variance), (-1.1, 0.1)))
    assert p.min() == 0.0
    expected = np.hypot(0.1, np.sqrt(0.1) - np.sqrt(variance))
    # laws uniform within cells of width 0.0156: both deviations grow by h²/24σ
    assert mfg.transport.wasserstein(p, q, grid) == pytest.approx(
        expected, abs=1.5 * grid.spacing[0] ** 2 / 24 / np.sqrt(variance)
    )
