"""The bracket of W₂ holds the exact distance of densities constant on cells: of lines, spread over further axes alike."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mfgpde as mfg
from mfgpde.transport import bracket as bracket_module
from mfgpde.transport.bracket import _by_lattice, _by_splines, _curvature
from mfgpde.transport.flux import by_flux, logarithmic_mean, path_mean


def spread_line(line, dimension):
    """Return a law of the first coordinate times one that is the same for all: neither adds to the distance."""
    n = len(line)
    other = np.exp(-0.5 * ((np.arange(n) + 0.5 - n / 2) / (0.2 * n)) ** 2)
    whole = line / line.sum()
    for _ in range(dimension - 1):
        whole = np.multiply.outer(whole, other / other.sum())
    return whole


def exact(p, q, length):
    n = len(p)
    line = mfg.CartesianGrid((0.0,), (length,), (n,))
    return mfg.wasserstein(p / p.sum() * n / length, q / q.sum() * n / length, line)


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(st.integers(2, 3), st.floats(1e-3, 1.0), st.integers(0, 2**32 - 1))
def test_exact_distances_lie_in_the_bracket(dimension, size, seed):
    rng = np.random.default_rng(seed)
    n = 24 if dimension == 2 else 12
    x = (np.arange(n) + 0.5) / n
    p = np.exp(-0.5 * ((x - 0.5) / 0.2) ** 2)
    q = p * np.exp(size * sum(a * np.sin(2 * np.pi * k * x + b) for k, a, b in rng.normal(size=(3, 3)) * (1, 1, 6)))
    found = mfg.back_and_forth(
        spread_line(p, dimension), spread_line(q, dimension), mfg.CartesianGrid.cube(2.0, n, dimension)
    )
    truth = exact(p, q, 4.0)
    assert found.lower <= truth * (1 + 1e-7)
    assert truth <= found.upper * (1 + 1e-7)


def test_it_is_narrow_where_laws_are_a_tenth_of_a_cell_apart():
    """Curvature costs the lower end a share of about its size, here 1 %; a plan between centres ends at 7 times this."""
    n, x = 32, (np.arange(32) + 0.5) / 8
    p = np.exp(-((x - 2) ** 2))
    q = p * (1 + 0.05 * np.sin(3 * x))
    found = mfg.back_and_forth(spread_line(p, 2), spread_line(q, 2), mfg.CartesianGrid.cube(2.0, n, 2))
    truth = exact(p, q, 4.0)
    assert 0.1 < truth / (4 / n) < 0.12
    assert 0.98 * truth < found.lower < truth < found.upper < 1.002 * truth


def test_one_law_is_at_no_distance_from_itself():
    p = mfg.densities.four_blobs().density(mfg.CartesianGrid.cube(4.0, 40, 2).points)
    found = mfg.back_and_forth(p, p, mfg.CartesianGrid.cube(4.0, 40, 2))
    assert found.lower == 0.0
    assert found.upper < 1e-6


@settings(max_examples=10, deadline=None)
@given(st.floats(-5.0, 5.0), st.floats(-5.0, 5.0), st.integers(0, 2**32 - 1))
def test_squares_on_the_lattice_are_about_any_point(a, b, seed):
    """Hats keep mass and centre: of |x − c|² only |x|² is left in the difference, so that c may be where it likes."""
    rng = np.random.default_rng(seed)
    grid = mfg.CartesianGrid.cube(2.0, 12, 2)
    phi, p, q = 0.1 * rng.normal(size=(12, 12)), rng.dirichlet(np.ones(144)), rng.dirichlet(np.ones(144))
    masses = p.reshape(12, 12), q.reshape(12, 12)
    plain, h = bracket_module._squares, grid.spacing[0]

    def elsewhere(grid):
        x, y = (h * (np.arange(-1, 13) + 0.5 - 6) for _ in range(2))
        return (x[:, None] - a) ** 2 + (y[None, :] - b) ** 2

    with pytest.MonkeyPatch.context() as patched:
        found = _by_lattice(phi, *masses, grid)
        patched.setattr(bracket_module, "_squares", elsewhere)
        moved = _by_lattice(phi, *masses, grid)
    assert moved == pytest.approx(found, abs=1e-13 * (float(plain(grid).max()) + a**2 + b**2))


@settings(max_examples=60, deadline=None)
@given(st.floats(0.01, 3.0), st.integers(0, 2**32 - 1))
def test_any_potential_bounds_from_below(size, seed):
    """Not only good ones: a bound that is too high for some potential is none."""
    rng = np.random.default_rng(seed)
    n, h = 24, 4.0 / 24
    x = (np.arange(n) + 0.5) * h
    p, q = (
        np.exp(-0.5 * ((x - a) / s) ** 2)
        for a, s in zip(rng.uniform(1.5, 2.5, 2), rng.uniform(0.3, 0.8, 2), strict=True)
    )
    waves = sum(
        a * np.sin(k * x + b) / (1 + k) ** 2 for k, a, b in zip(range(5), *rng.normal(size=(2, 5)), strict=True)
    )
    slope = rng.normal() * x
    phi = np.add.outer(size * (waves + slope), 0.1 * size * np.cos(x))
    assert _by_splines(phi, spread_line(p, 2), spread_line(q, 2), h) <= 0.5 * exact(p, q, 4.0) ** 2 + 1e-12


def test_translations_and_gaussians_are_closed_in_to_rounding():
    """Means alone bound translations; the spline of an affine potential has no curvature and loses nothing."""
    n, grid = 48, mfg.CartesianGrid.cube(2.0, 48, 2)
    h, shift = grid.spacing[0], 3
    p = spread_line(np.exp(-0.5 * ((np.arange(n) - 20) / 4.0) ** 2) * (np.abs(np.arange(n) - 20) < 12), 2)
    q = np.roll(p, shift, axis=0)
    phi = -shift * h * grid.points[..., 0]
    assert np.sqrt(2 * _by_splines(phi, p, q, h)) == pytest.approx(shift * h, rel=1e-12)
    half = 0.3 * phi  # of any affine potential the optimal multiple is known: s − s²/2 of the whole
    assert _by_splines(half, p, q, h) == pytest.approx((shift * h) ** 2 * (0.3 - 0.045), rel=1e-12)


def test_curvature_is_bounded():
    """x²/2 has curvature one, a saddle as much; of a wave the bound is near its largest second derivative."""
    h, c = 0.1, np.mgrid[0:12, 0:12] * 0.1
    assert _curvature(0.5 * c[0] ** 2, h) == pytest.approx(1.0)
    assert _curvature(c[0] * c[1], h) == pytest.approx(1.0)
    assert _curvature(-0.5 * (c[0] ** 2 + c[1] ** 2), h) == pytest.approx(-1.0)
    wave = np.sin(3 * np.arange(200) * 0.02)
    assert _curvature(np.add.outer(wave, np.zeros(5)), 0.02).max() == pytest.approx(9.0, rel=1e-3)
    cube = np.mgrid[0:6, 0:7, 0:8] * h
    assert _curvature(cube[0] * cube[1] + cube[1] * cube[2], h) == pytest.approx(2.0)  # Gershgorin: the truth is √2


def test_the_bound_of_what_is_left_is_one():
    """Between two close one-dimensional laws, put on a line of the plane, the action bounds the exact distance."""
    grid = mfg.CartesianGrid((0.0, 0.0), (4.0, 4.0), (64, 64))
    x = grid.points
    a = np.exp(-((x[..., 0] - 2) ** 2) - (x[..., 1] - 2) ** 2)
    b = a * (1 + 0.05 * np.sin(3 * x[..., 0]))
    a, b = a / a.sum(), b / b.sum()
    line = mfg.CartesianGrid((0.0,), (4.0,), (64,))
    exact = mfg.wasserstein(a.sum(1), b.sum(1), line)  # both are products with the same factor in the other direction
    bound = by_flux(a, b, grid)
    assert exact <= bound < 1.3 * exact
    np.testing.assert_allclose(path_mean(np.array([0.0, 1.0, 2.0]), np.ones(3))[:2], [0.25, 0.75], rtol=1e-3)
    t = np.linspace(0, 1, 100_001)
    for r in (0.3, 2.0, 7.0):
        integral = np.trapezoid(4 * t**2 / ((1 - t**2) * r + t**2), t)
        np.testing.assert_allclose(path_mean(np.array([r]), np.ones(1)), 1 / integral, rtol=1e-6)
    straight = by_flux(a, b, grid, logarithmic_mean)
    assert exact <= straight < 1.001 * exact
    for r in (1.0, 1 + 1e-6, 0.3, 7.0):
        integral = np.trapezoid(1 / ((1 - t) * r + t), t)
        np.testing.assert_allclose(logarithmic_mean(np.array([r]), np.ones(1)), 1 / integral, rtol=1e-8)


@pytest.mark.parametrize("seed", range(6))
def test_flux_between_histograms_with_empty_cells_bounds_the_distance(seed):
    """Parts of a support that do not touch exchange nothing: their masses go across the box, and no number overflows."""
    rng, grid = np.random.default_rng(seed), mfg.CartesianGrid.cube(1.0, 12, 2)
    a, b = (rng.multinomial(40, np.full(144, 1 / 144)).reshape(12, 12) / 40 for _ in range(2))
    b = np.where(a + b > 0, 0.999 * b + 1e-3 / np.count_nonzero(a + b), 0.0)
    b /= b.sum()
    exact = mfg.transport.wasserstein_points(
        grid.points.reshape(-1, 2), grid.points.reshape(-1, 2), a.ravel(), b.ravel()
    )
    with np.errstate(all="raise", under="ignore"):
        bound = by_flux(a, b, grid)
    assert np.isfinite(bound)
    cell = np.hypot(*grid.spacing)  # laws flat in cells are at most half a diagonal from their centres, both
    assert bound >= exact - cell
    assert bound <= np.sqrt(8 * 0.5 * np.abs(a - b).sum()) + 1e-12


@pytest.mark.parametrize("cells", [(8, 5), (16, 4)])
def test_cells_that_are_no_squares_are_refused(cells):
    """What counts in cells knows one width: on cells of 1 to 3.6 a flux was a third below W₂."""
    grid = mfg.CartesianGrid((0.0, 0.0), (1.0, 1.0), cells)
    p = np.full(cells, 1 / np.prod(cells))
    with pytest.raises(ValueError, match="as wide along all axes"):
        by_flux(p, p, grid)
    with pytest.raises(ValueError, match="as wide along all axes"):
        bracket_module.bracket(0 * p, p, p, grid)
