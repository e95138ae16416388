"""Distances between laws: what holds for all of them, means along paths by quadrature, and maps with known costs."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.linalg import sqrtm

import mfgpde as mfg
from mfgpde.transport import bracket, flux
from mfgpde.transport.bracket import (
    _carried,
    _curvature,
    _reflected,
    _slope,
    _squares,
    _taps,
    _value,
    _widest,
    target_of,
)
from mfgpde.transport.c_transform import transform
from mfgpde.transport.flux import _balanced, _Flux, _spectrum, by_flux, logarithmic_mean, path_mean
from mfgpde.transport.gaussian import moments, wasserstein_gaussian
from mfgpde.transport.quantiles import wasserstein

SEEDS, UNITS = st.integers(0, 10**6), st.sampled_from([1e-9, 1.0, 1e9])


def covariance(rng, d):
    A = rng.normal(size=(d, d))
    return A @ A.T + 0.05 * np.eye(d)


@settings(max_examples=30)
@given(SEEDS, st.integers(1, 4), UNITS)
def test_gaussians_are_as_far_as_their_moments(seed, d, unit):
    """By a root of the product without symmetry; symmetric, zero for itself, a length, and unmoved by turning both."""
    rng = np.random.default_rng(seed)
    m, n, A, B = rng.normal(size=d), rng.normal(size=d), covariance(rng, d), covariance(rng, d)
    found = wasserstein_gaussian(m, A, n, B)
    cross = np.trace(np.real(sqrtm(A @ B)))
    assert found**2 == pytest.approx(np.sum((m - n) ** 2) + np.trace(A) + np.trace(B) - 2 * cross, rel=1e-7)
    assert wasserstein_gaussian(n, B, m, A) == pytest.approx(found, rel=1e-9)
    assert wasserstein_gaussian(m, A, m, A) == pytest.approx(0.0, abs=1e-6)
    assert wasserstein_gaussian(unit * m, unit**2 * A, unit * n, unit**2 * B) == pytest.approx(unit * found, rel=1e-7)
    Q = np.linalg.qr(rng.normal(size=(d, d)))[0]
    assert wasserstein_gaussian(Q @ m, Q @ A @ Q.T, Q @ n, Q @ B @ Q.T) == pytest.approx(found, rel=1e-7)


@settings(max_examples=30)
@given(SEEDS, st.integers(1, 3))
def test_moments_of_masses_are_sums(seed, d):
    rng = np.random.default_rng(seed)
    grid = mfg.CartesianGrid.cube(2.0, 5, d)
    m = rng.random(grid.cells)
    m /= m.sum()
    mean, spread = moments(m, grid.points)
    x, w = grid.points.reshape(-1, d), m.ravel()
    assert mean == pytest.approx(w @ x)
    assert spread == pytest.approx(np.einsum("n,ni,nj->ij", w, x, x) - np.outer(w @ x, w @ x), abs=1e-12)


@settings(max_examples=16)
@given(SEEDS, UNITS, st.sampled_from([1, 2]), st.booleans())
def test_distances_on_a_line_are_metrics_and_know_no_unit(seed, unit, order, periodic):
    rng = np.random.default_rng(seed)
    grid = mfg.CartesianGrid((0.3,), (2.3,), (17,), (periodic,))
    wide = mfg.CartesianGrid((-7.0 * unit,), (-5.0 * unit,), (17,), (periodic,))
    p, q, r = rng.random((3, 17)) ** 4

    def far(a, b, on=grid):
        return wasserstein(a, b, on, order=order)

    assert far(p, p) == pytest.approx(0.0, abs=1e-9)
    assert far(p, q) == pytest.approx(far(q, p), rel=1e-6, abs=1e-9)
    assert far(p, r) <= far(p, q) + far(q, r) + 1e-7
    assert far(3 * p, 5 * q) == pytest.approx(far(p, q), rel=1e-9)
    assert far(p, q, wide) == pytest.approx(unit * far(p, q), rel=1e-6, abs=1e-9 * unit)
    assert far(p[::-1], q[::-1]) == pytest.approx(far(p, q), rel=1e-6, abs=1e-8)
    if order == 2:
        assert wasserstein(p, q, grid, order=1) <= far(p, q) + 1e-9
    if periodic:
        assert far(np.roll(p, 5), np.roll(q, 5)) == pytest.approx(far(p, q), rel=1e-6, abs=1e-8)
        line = mfg.CartesianGrid((0.3,), (2.3,), (17,))
        assert far(p, q) <= wasserstein(p, q, line, order=order) + 1e-9


@settings(max_examples=30)
@given(st.integers(1, 12), st.integers(0, 4), st.sampled_from([1, 2]))
def test_two_boxes_on_a_line(width, shift, order):
    """Uniform on [0, a] and [b, b + a]: b; and on [0, a] and [0, 2a]: ∫|au| du = a/2, (∫a²u² du)^½ = a/√3."""
    grid, h = mfg.CartesianGrid((0.0,), (4.0,), (32,)), 0.125
    p = (np.arange(32) < width).astype(float)
    assert wasserstein(p, np.roll(p, shift), grid, order=order) == pytest.approx(shift * h, abs=1e-9)
    twice = (np.arange(32) < 2 * width).astype(float)
    assert wasserstein(p, twice, grid, order=order) == pytest.approx(width * h / (2 if order == 1 else np.sqrt(3)))


@settings(max_examples=60)
@given(st.floats(1e-6, 10), st.floats(1e-3, 10), UNITS)
def test_means_along_paths_are_their_integrals(a, b, unit):
    """1/∫dt/((1 − t)a + tb) and 1/∫4t²/((1 − t²)a + t²b) dt, by quadrature; both are homogeneous."""
    along = quad(lambda t: 1 / ((1 - t) * a + t * b), 0, 1, limit=200)[0]
    assert float(logarithmic_mean(np.array(a), np.array(b))) == pytest.approx(1 / along, rel=1e-6)
    curved = quad(lambda t: 4 * t * t / ((1 - t * t) * a + t * t * b), 0, 1, limit=200)[0]
    found = float(path_mean(np.array(a), np.array(b)))
    assert found == pytest.approx(1 / curved, rel=1e-4)
    assert float(path_mean(unit * np.array(a), unit * np.array(b))) == pytest.approx(unit * found, rel=1e-9)
    assert found >= 0.25 * b * (1 - 1e-9)


def test_means_along_paths_at_their_ends():
    b = np.array([0.5, 2.0])
    assert path_mean(0 * b, b) == pytest.approx(b / 4)
    assert path_mean(b, b) == pytest.approx(0.75 * b, rel=1e-4)
    assert logarithmic_mean(b, b) == pytest.approx(b)
    near = b * (1 + 1e-9)
    assert logarithmic_mean(b, near) == pytest.approx(b, rel=1e-8)


@settings(max_examples=30)
@given(SEEDS, st.integers(1, 3))
def test_what_parts_have_too_much_of_is_taken_in_proportion(seed, d):
    """Of every part that touches along faces the source sums to nothing, and what is lost is in proportion to Λ."""
    rng = np.random.default_rng(seed)
    shape = (6, 5, 4)[:d]
    mean = rng.random(shape)
    mean[2] = 0.0  # two parts, without touching
    source = np.where(mean > 0, rng.normal(size=shape), 0.0)
    found = _balanced(source, mean, np)
    for part in (slice(0, 2), slice(3, None)):
        assert found[part].sum() == pytest.approx(0.0, abs=1e-12)
        taken = (source - found)[part] / mean[part]
        assert taken == pytest.approx(taken.flat[0])
    whole = _balanced(source, mean + 0.1, np)
    assert whole.sum() == pytest.approx(0.0, abs=1e-12)


@settings(max_examples=10)
@given(SEEDS, st.integers(1, 2), st.floats(0.5, 2.0))
def test_fluxes_bring_what_they_should_and_bound_the_distance(seed, d, unit):
    """The action falls with iterations, what is left over vanishes, and on the line it is the exact distance at most."""
    rng = np.random.default_rng(seed)
    cells = (24,) * d
    grid = mfg.CartesianGrid.cube(unit, 24, d)
    a, b = (1 + 0.3 * rng.random(cells) for _ in range(2))
    a, b = a / a.sum(), b / b.sum()
    mean = logarithmic_mean(a, b)
    actions = list(_Flux.of(mean, a - b, grid, np).improved())
    assert actions[-1][1] < 1e-6
    assert actions[-1][0] <= actions[0][0] * (1 + 1e-9)
    found = by_flux(a, b, grid, logarithmic_mean)
    assert found >= np.sqrt(actions[-1][0]) * (1 - 1e-3)
    if d == 1:
        assert found >= wasserstein(a, b, grid) - 1e-9
        assert found <= 1.05 * wasserstein(a, b, grid) + 1e-3 * unit
    assert by_flux(a, a, grid, logarithmic_mean, length=0.7) == pytest.approx(0.7)
    across = float(np.linalg.norm(grid.lengths))
    assert found <= np.sqrt(0.5 * np.abs(a - b).sum()) * across


def test_mass_where_nothing_arrives_goes_straight_across():
    grid = mfg.CartesianGrid.cube(1.0, 16, 1)
    a, b = np.zeros(16), np.zeros(16)
    a[:8], b[8:] = 1 / 8, 1 / 8
    found = by_flux(a, b, grid, logarithmic_mean)  # no cell has both: all of it across the box
    assert found == pytest.approx(2.0)


@settings(max_examples=30)
@given(st.integers(1, 3), SEEDS)
def test_waves_between_walls_have_the_laplacians_spectrum(d, seed):
    shape = (5, 4, 3)[:d]
    u = np.random.default_rng(seed).normal(size=shape)
    lam = _spectrum(shape)
    from scipy.fft import dctn, idctn

    minus_laplacian = np.zeros(shape)
    for axis in range(d):
        wide = np.pad(u, [(1, 1) if i == axis else (0, 0) for i in range(d)], mode="edge")
        minus_laplacian -= np.diff(wide, 2, axis=axis)
    assert idctn(lam * dctn(u)) == pytest.approx(minus_laplacian, abs=1e-12)


@settings(max_examples=40)
@given(SEEDS, st.integers(1, 3), st.floats(0.1, 3.0))
def test_c_transforms_on_a_lattice_are_minima_over_all_its_points(seed, d, h):
    rng = np.random.default_rng(seed)
    shape = (7, 6, 5)[:d]
    phi = rng.normal(size=shape)
    x = h * np.stack(np.meshgrid(*(np.arange(n) for n in shape), indexing="ij"), axis=-1).reshape(-1, d)
    costs = 0.5 * ((x[:, None] - x[None]) ** 2).sum(axis=-1)
    wanted = (costs - phi.reshape(-1, 1)).min(axis=0).reshape(shape)
    found = transform(phi, h, refine=False)
    assert found == pytest.approx(wanted, abs=1e-12)
    twice = transform(found, h, refine=False)
    assert np.all(twice >= phi - 1e-12)  # φᶜᶜ ≥ φ, and φᶜᶜᶜ = φᶜ
    assert transform(twice, h, refine=False) == pytest.approx(found, abs=1e-12)
    assert transform(phi + 1.5, h, refine=False) == pytest.approx(found - 1.5, abs=1e-12)


@settings(max_examples=20)
@given(SEEDS, st.floats(0.2, 2.0), st.integers(2, 3))
def test_maps_of_potentials_and_what_they_carry(seed, h, d):
    """φ = a·x moves all by a; carried mass is all there, its cost the mean square of the way, shares included."""
    rng = np.random.default_rng(seed)
    shape = (9, 8, 7)[:d]
    a = rng.uniform(-0.9, 0.9, d)
    x = h * np.stack(np.meshgrid(*(np.arange(n, dtype=float) for n in shape), indexing="ij"), axis=-1)
    target = target_of(x @ (a * h), h)
    for axis, t in enumerate(target):
        place = np.arange(shape[axis]).reshape([-1 if i == axis else 1 for i in range(d)])
        assert t == pytest.approx(np.broadcast_to(place - a[axis], shape), abs=1e-9)
    mass = np.zeros(shape)
    mass[tuple(n // 2 for n in shape)] = 1.0
    arrived, cost = _carried(mass, tuple(np.broadcast_to(t, shape) for t in target), 3)
    assert arrived.sum() == pytest.approx(1.0)
    assert arrived.min() >= 0
    centre = np.array([n // 2 for n in shape])
    places = np.stack(np.meshgrid(*(np.arange(n) for n in shape), indexing="ij"), axis=-1).reshape(-1, d)
    assert arrived.ravel() @ places == pytest.approx(centre - a, abs=0.35)  # a share goes to whole cells
    assert cost == pytest.approx(arrived.ravel() @ ((places - centre) ** 2).sum(axis=1), abs=1e-9)


@settings(max_examples=40)
@given(st.floats(-0.5, 0.5), SEEDS)
def test_splines_are_partitions_of_one_and_their_slopes_derivatives(u, seed):
    h = 1e-5
    assert sum(_value(u)) == pytest.approx(1.0)
    assert sum(_slope(u)) == pytest.approx(0.0, abs=1e-12)
    assert np.dot(_value(u), (-1, 0, 1)) == pytest.approx(u)  # linear functions are their own splines
    found = (np.array(_value(u + h)) - np.array(_value(u - h))) / (2 * h)
    assert found == pytest.approx(_slope(u), abs=1e-9)
    c = np.random.default_rng(seed).normal(size=(6, 5))
    means = _taps(c, [(1 / 6, 2 / 3, 1 / 6)] * 2)
    nodes, weights = np.polynomial.legendre.leggauss(4)
    quadrature = sum(
        0.25 * w * v * _taps(c, [_value(0.5 * a), _value(0.5 * b)])
        for a, w in zip(nodes, weights, strict=True)
        for b, v in zip(nodes, weights, strict=True)
    )
    assert means == pytest.approx(quadrature, abs=1e-12)


@settings(max_examples=20)
@given(SEEDS, st.integers(2, 3))
def test_curvature_bounds_eigenvalues_of_quadratics(seed, d):
    """Of ½xᵀSx differences are exact: Gershgorin's largest row, at least the largest eigenvalue."""
    S = covariance(np.random.default_rng(seed), d) - 0.5 * np.eye(d)
    h = 0.3
    x = h * np.stack(np.meshgrid(*(np.arange(7.0),) * d, indexing="ij"), axis=-1)
    found = _curvature(0.5 * np.einsum("...i,ij,...j->...", x, S, x), h)
    rows = np.diag(S) + np.abs(S).sum(axis=1) - np.abs(np.diag(S))
    assert found == pytest.approx(rows.max(), rel=1e-9)
    assert found.min() >= np.linalg.eigvalsh(S)[-1] - 1e-9


def test_lattices_are_continued_on_lines_and_squares_are_about_the_middle(rng):
    u = np.add.outer(2.0 * np.arange(5), -np.arange(4.0))
    wide = _reflected(u)
    assert wide == pytest.approx(np.add.outer(2.0 * np.arange(-1, 6), -np.arange(-1.0, 5)))
    grid = mfg.CartesianGrid((1.0, 5.0), (3.0, 6.5), (4, 3 + 1))
    square = mfg.CartesianGrid((1.0, 5.0), (3.0, 7.0), (4, 4))
    middle = 0.5 * (np.array(square.lower) + np.array(square.upper))
    assert _squares(square)[1:-1, 1:-1] == pytest.approx(((square.points - middle) ** 2).sum(axis=-1))
    assert grid.cells == (4, 4)
    a = rng.normal(size=(6, 5))
    assert _widest(a, [0, 1], 3) == pytest.approx(
        np.array([[a[i : i + 3, j : j + 3].max() for j in range(3)] for i in range(4)])
    )


@pytest.mark.parametrize("unit", [1e-6, 1.0, 1e6])
def test_brackets_go_with_the_unit_and_are_symmetric(unit):
    grid = mfg.CartesianGrid.cube(3.0 * unit, 20, 2)
    x = grid.points / unit
    p = np.exp(-((x - 0.2) ** 2).sum(axis=-1))
    q = np.exp(-((x + 0.3) ** 2).sum(axis=-1) / 0.8)
    one, other = mfg.back_and_forth(p, q, grid), mfg.back_and_forth(q, p, grid)
    for found in (one, other):
        assert found.lower <= found.distance.value <= found.upper
        assert found.upper - found.lower < 0.2 * unit
    assert max(one.lower, other.lower) <= min(one.upper, other.upper)
    assert one.squared.value == pytest.approx(one.distance.value**2, rel=0.1)


def test_shares_of_brackets_are_what_constants_say():
    assert 0 < bracket.ROUNDING < 1e-10
    assert sum(w for _, w in bracket.GAUSS) == pytest.approx(1.0)
    for k in range(6):  # Gauss' points on a cell of width one are exact for degree five
        found = sum(w * u**k for u, w in bracket.GAUSS)
        assert found == pytest.approx((0.5 ** (k + 1) - (-0.5) ** (k + 1)) / (k + 1), abs=1e-15)
    assert flux.LEAST < 1e-12
