"""W₂ on grids: closed forms inside the bracket, known images under convex potentials, exact transport of points."""

import numpy as np
import pytest

import mfgpde as mfg
from mfgpde.kernels import transport as kernels
from mfgpde.kernels.regions import read

A, B = ([-0.6, 0.4], [[0.35, 0.1], [0.1, 0.25]]), ([0.7, -0.3], [[0.2, -0.05], [-0.05, 0.45]])


def density(mean, covariance, grid):
    return mfg.gaussian(np.array(mean), np.array(covariance)).density(grid.points)


@pytest.mark.parametrize("n", [64, 128])
def test_gaussians_lie_in_a_bracket_that_shrinks(n):
    """1.50619627 by the closed form; the bracket's width is of second order, below 1 % and 0.25 % here."""
    grid = mfg.CartesianGrid.cube(4.0, n, 2)
    found = mfg.back_and_forth(density(*A, grid), density(*B, grid), grid)
    truth = mfg.transport.wasserstein_gaussian(*A, *B)
    assert truth == pytest.approx(1.50619627, abs=1e-8)
    assert found.lower < truth < found.upper
    assert found.upper - found.lower < 1.2e-2 * truth * (64 / n) ** 2
    assert found.distance.value == pytest.approx(truth, abs=1.2e-4 * (64 / n) ** 2)
    x = grid.points
    heavy = density(*A, grid) > 1e-3
    moved = found.map[heavy].mean(axis=0) - x[heavy].mean(axis=0)
    assert np.linalg.norm(moved - np.array([1.3, -0.7])) < 0.1


def test_without_a_bracket_the_ascent_is_the_same_and_nothing_is_claimed():
    """1.50619627 by the closed form, to what cells leave; the potential and the map are those that a bracket is made of."""
    grid = mfg.CartesianGrid.cube(4.0, 64, 2)
    laws = density(*A, grid), density(*B, grid), grid
    found, known = mfg.back_and_forth(*laws, bracketed=False), mfg.back_and_forth(*laws)
    assert (found.lower, found.upper, found.distance.half_width) == (0.0, np.inf, np.inf)
    assert "no bracket" in found.distance.method
    assert found.distance.value == pytest.approx(1.50619627, abs=1.2e-4)
    assert found.history == known.history
    assert np.array_equal(found.potential, known.potential)
    assert np.array_equal(found.map, known.map)


@pytest.mark.slow
@pytest.mark.parametrize("dimension", [2, 3])
def test_images_under_a_known_convex_potential(dimension):
    """T = x + ½ sin(x)/… is the gradient of a convex function, so ∫|T − x|² p is W₂² exactly; no Gaussian is near."""
    n = 128 if dimension == 2 else 40
    grid = mfg.CartesianGrid.cube(5.0, n, dimension)
    fine = np.linspace(-5, 5, 200_001)
    T = fine + 0.8 * np.sin(1.2 * fine)  # slope 1 + 0.96 cos > 0: increasing, axis by axis
    p1 = np.exp(-0.5 * (fine / 1.1) ** 2)
    p1 /= p1.sum() * (fine[1] - fine[0])
    truth = np.sqrt(dimension * np.trapezoid((T - fine) ** 2 * p1, fine))
    edges = np.linspace(-5, 5, n + 1)
    cumulative = np.concatenate(([0], np.cumsum(0.5 * (p1[1:] + p1[:-1])))) * (fine[1] - fine[0])
    source = np.diff(np.interp(edges, fine, cumulative))
    image = np.diff(np.interp(np.interp(edges, T, fine), fine, cumulative))
    product = [np.ones(())] * 2
    for _ in range(dimension):
        product = [np.multiply.outer(f, g) for f, g in zip(product, (source, image), strict=True)]
    found = mfg.back_and_forth(*product, grid)
    assert found.lower - 1e-9 < truth < found.upper
    assert found.distance.value == pytest.approx(truth, rel=3e-3 if dimension == 2 else 3e-2)


@pytest.mark.slow
def test_pieces_that_a_law_falls_into():
    """A smooth law onto four blobs, where the map jumps: the bracket holds the value of exact transport on blocks."""
    grid = mfg.CartesianGrid.cube(4.0, 128, 2)
    p, q = mfg.densities.four_blobs().density(grid.points), mfg.gaussian(0.0, 0.5, 2).density(grid.points)
    found = mfg.back_and_forth(p, q, grid)
    blocks = mfg.transport.wasserstein_by_blocks(p, q, grid, blocks=16)
    assert blocks.lower < found.lower < found.upper < blocks.upper
    assert found.upper - found.lower < 0.06 * found.upper
    assert all(b >= a for a, b in zip(found.history, found.history[1:], strict=False))
    other = mfg.back_and_forth(q, p, grid)
    assert other.distance.value == pytest.approx(found.distance.value, rel=5e-3)


def test_envelopes_are_minima(rng):
    f, h = rng.normal(size=(5, 33)), 0.3
    f[2, 4:9] = np.inf
    out, place, offset = np.empty_like(f), np.empty(f.shape, np.int32), np.empty_like(f)
    kernels.envelope(f, h, False, out, place, offset)
    i = np.arange(33)
    brute = (0.5 * h**2 * (i[None, :, None] - i[None, None, :]) ** 2 + f[:, :, None]).min(axis=1)
    np.testing.assert_allclose(out, brute, atol=1e-12)
    smooth = np.cos(h * i)[None] * 0.5
    kernels.envelope(-smooth, h, True, out[:1], place[:1], offset[:1])
    y = h * i[8:24]
    finer = np.linspace(0, h * 32, 32_001)
    truth = (0.5 * (finer[:, None] - y) ** 2 - 0.5 * np.cos(finer)[:, None]).min(axis=0)
    np.testing.assert_allclose(out[0, 8:24], truth, atol=1e-3)


def test_mass_is_carried_whole(rng):
    for d in (2, 3):
        mass = rng.random((9, 7, 6)[:d])
        targets = [rng.uniform(-3, 12, mass.shape) for _ in range(d)]
        out, cost = np.empty((3, *mass.shape)), np.empty(3)
        (kernels.carry_2d if d == 2 else kernels.carry_3d)(mass, *read(*targets), 2, out, cost)
        assert out.sum() == pytest.approx(mass.sum(), rel=1e-12)
        mass = np.zeros((9, 9, 9)[:d])
        mass[(slice(2, 6),) * d] = rng.random((4,) * d)
        out = np.empty((3, *mass.shape))
        still = np.meshgrid(*(np.arange(9.0) for _ in range(d)), indexing="ij")
        shifted = [g + 1.3 * (k == 0) for k, g in enumerate(still)]
        (kernels.carry_2d if d == 2 else kernels.carry_3d)(mass, *read(*shifted), 1, out, cost)
        for k in range(d):
            drift = np.sum(still[k] * (out.sum(axis=0) - mass)) / mass.sum()
            assert drift == pytest.approx(1.3 * (k == 0), abs=1e-12)


def test_points_agree_with_one_dimension_and_refuse_nonsense(rng):
    x, y = rng.normal(size=(40, 1)), 0.5 + 2 * rng.normal(size=(40, 1))
    exact = np.sqrt(np.mean((np.sort(x[:, 0]) - np.sort(y[:, 0])) ** 2))
    assert mfg.transport.wasserstein_points(x, y) == pytest.approx(exact, rel=1e-12)
    with pytest.raises(ValueError, match="at most 50000"):
        mfg.transport.wasserstein_points(np.zeros((50_001, 2)), y=np.zeros((2, 2)))
    with pytest.raises(ValueError, match="finite values ≥ 0"):
        mfg.transport.wasserstein_points(x, y, p=-np.ones(40))
    with pytest.raises(ValueError, match="points must have shapes"):
        mfg.transport.wasserstein_points(x, np.zeros((3, 2)))
    with pytest.raises(ValueError, match="multiple of 32"):
        mfg.transport.wasserstein_by_blocks(np.ones((60, 60)), np.ones((60, 60)), mfg.CartesianGrid.cube(1.0, 60, 2))


@pytest.mark.parametrize("unit", [1e-9, 1.0, 1e9])
@pytest.mark.parametrize("origin", [0.0, 1e8])
def test_points_have_no_unit_and_no_origin(unit, origin):
    """H4: squares expanded, and absolute tolerances, gave 1.118 in nanometres, and 0 far from the origin, for 0.5."""
    a, b = np.array([[0.0], [1.0]]), np.array([[0.5], [1.5]])
    found = mfg.transport.wasserstein_points((a + origin) * unit, (b + origin) * unit)
    assert found == pytest.approx(0.5 * unit, rel=1e-6)
    cloud = np.random.default_rng(0).normal(size=(60, 2))
    assert mfg.transport.wasserstein_points((cloud + origin) * unit, (cloud + origin) * unit) == 0.0


@pytest.mark.parametrize("shift", [(0.03, 0.02), (1.3, 0.4)])
@pytest.mark.parametrize("blocks", [8, 16])
def test_blocks_hold_translations_of_any_size(shift, blocks):
    """K1: a shift far below a block's width costs its square; by the middles of blocks it would cost far more."""
    grid = mfg.CartesianGrid.cube(4.5, 64, 2)
    weights, means = np.ones(9), np.stack(np.meshgrid((-2.0, 0.0, 2.0), (-2.0, 0.0, 2.0)), axis=-1).reshape(-1, 2)
    laws = [mfg.GaussianMixture(weights, means + by, 0.08) for by in (np.zeros(2), np.array(shift))]
    found = mfg.transport.wasserstein_by_blocks(*(law.cell_means(grid) for law in laws), grid, blocks=blocks)
    assert np.hypot(*shift) in found
    assert found.upper < np.hypot(*shift) + 3 * 9.0 / blocks


@pytest.mark.parametrize(
    ("grid", "p", "message"),
    [
        (mfg.CartesianGrid.cube(1.0, 8, 1), np.ones(8), "2D or 3D"),
        (mfg.CartesianGrid((0, 0), (1, 2), (8, 8)), np.ones((8, 8)), "square cells"),
        (mfg.CartesianGrid.cube(1.0, 8, 2), np.ones((8, 7)), "finite values"),
        (mfg.CartesianGrid.cube(1.0, 8, 2), -np.ones((8, 8)), "≥ 0"),
    ],
)
def test_refusals(grid, p, message):
    with pytest.raises(ValueError, match=message):
        mfg.back_and_forth(p, p, grid)
