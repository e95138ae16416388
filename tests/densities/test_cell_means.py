"""Means over cells: mass one whatever the cells, the mean of finer means, wrapped where walls are periodic."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.special import ndtr

import mfgpde as mfg
from mfgpde.densities import cell_means
from mfgpde.densities.gauss_points import averages
from mfgpde.discretisations import centres_of, coarsened, means_of

QUICK = settings(deadline=None, max_examples=15, suppress_health_check=[HealthCheck.too_slow])
PLANE = mfg.CartesianGrid.cube(6.0, 32, 2)
OTHER = mfg.CartesianGrid.cube(5.0, 27, 2)
BOARD = mfg.densities.checkerboard()
LAWS = {
    "correlated": mfg.densities.bimodal(2),
    "a needle": mfg.gaussian(np.array([0.3, -0.2]), np.array([[1.0, 0.9999], [0.9999, 1.0]])),
    "a point": mfg.gaussian(np.array([0.3, -0.2]), 1e-6 * np.array([[1.0, 0.5], [0.5, 1.0]])),
    "blobs": mfg.densities.four_blobs(),
    "low rank": mfg.GaussianMixture([1.0], [[0.0, 0.5]], mfg.densities.LowRank.of([[0.2, 0.3]], [[[0.5], [0.4]]])),
    "board": BOARD,
    "blurred board": BOARD.after(mfg.OrnsteinUhlenbeck().transition(0.0, 0.003)),
    "on another grid": mfg.densities.OnGrid(OTHER, mfg.densities.four_blobs().density(OTHER.points)),
}  # fmt: skip


@pytest.mark.parametrize("name", LAWS)
def test_means_are_those_of_finer_means_and_sum_to_one(name):
    law = LAWS[name]
    means, finer = cell_means(law, PLANE), cell_means(law, PLANE.refined())
    assert float(PLANE.integrate(means)) == pytest.approx(1.0, abs=3e-7)
    assert means.min() >= 0
    np.testing.assert_allclose(coarsened(finer, PLANE.cells), means, atol=1e-6 * means.max())


def test_a_law_is_averaged_not_sampled():
    """N(0.02, 1e-6) lies in one cell of 0.08; a box law between two; both by known shares."""
    line = mfg.CartesianGrid((-5.0,), (5.0,), (129,))
    assert cell_means(mfg.gaussian(0.02, 1e-6, 1), line)[64] * line.volume == pytest.approx(1.0, abs=1e-15)
    narrow = mfg.gaussian(0.02, 1e-4, 1)
    shares = np.diff(ndtr((line.edges[0] - 0.02) / 0.01))
    for law in (narrow, narrow.density):
        np.testing.assert_allclose(cell_means(law, line) * line.volume, shares, atol=1e-4)
    halves = mfg.densities.UniformBoxes(np.ones(1), np.array([[0.9]]), np.array([[1.3]]))
    unit = mfg.CartesianGrid((0.0,), (4.0,), (4,))
    np.testing.assert_allclose(cell_means(halves, unit), [0.25, 0.75, 0, 0], atol=1e-15)
    np.testing.assert_allclose(
        averages(lambda x: np.where((x > 0.9) & (x < 1.3), 2.5, 0.0)[..., 0], unit), [0.25, 0.75, 0, 0], atol=1e-4
    )


@QUICK
@given(mean=st.floats(-30, 30), deviation=st.floats(1e-4, 40), side=st.floats(0.5, 10))
def test_laws_are_wrapped_around_periodic_axes(mean, deviation, side):
    """The wrapped normal: mass one, first Fourier coefficient e^{iμ − σ²/2} in units of the circle, up to the cells'."""
    circle = mfg.CartesianGrid((0.0,), (side,), (64,), (True,))
    means = cell_means(mfg.gaussian(mean, deviation**2, 1), circle)
    assert float(circle.integrate(means)) == pytest.approx(1.0, abs=1e-12)
    k = 2 * np.pi / side
    edges = circle.edges[0]
    images = np.arange(-400, 400) * side
    direct = [
        np.diff(ndtr((edges + shift - mean) / deviation))
        for shift in images[np.abs(images - mean) < 10 * deviation + 2 * side]
    ]
    if deviation < 2 * side:
        np.testing.assert_allclose(means * circle.volume, np.sum(direct, axis=0), atol=1e-12)
    found = np.sum(means * circle.volume * np.exp(1j * k * circle.axes[0]))
    wanted = np.exp(1j * k * mean - 0.5 * (k * deviation) ** 2)
    assert abs(found - wanted) <= (k * circle.volume) * abs(wanted) + 1e-9 + (k * circle.volume) * (
        deviation < 0.2 * side
    )


@pytest.mark.parametrize("name", ["correlated", "board", "blurred board", "on another grid"])
def test_every_law_is_wrapped(name):
    """On a torus smaller than the law the mass stays one; what is wrapped is what lies outside."""
    torus = mfg.CartesianGrid((0.2, -1.0), (3.2, 1.5), (12, 10), (True, True))
    assert float(torus.integrate(cell_means(LAWS[name], torus))) == pytest.approx(1.0, abs=2e-6)


@pytest.mark.parametrize("periodic", [(True, False), (False, True)])
def test_means_and_centres_are_inverse_and_of_fourth_order(periodic, rng):
    grid = mfg.CartesianGrid((0.0, 0.0), (1.0, 2.0), (20, 17), periodic)
    values = rng.random(grid.cells)
    np.testing.assert_allclose(means_of(centres_of(values, grid), grid), values, atol=1e-14)
    assert centres_of(values, grid).sum() == pytest.approx(values.sum())
    errors = []
    for n in (32, 64):
        line = mfg.CartesianGrid.cube(6.0, n, 1)
        law = mfg.gaussian(0.3, 0.5, 1)
        errors.append(np.abs(centres_of(cell_means(law, line), line) - law.density(line.points)).max())
    assert np.log2(errors[0] / errors[1]) > 3.7


def test_fields_of_means_compare_with_means_and_are_read_at_points():
    """Of the exact means: no distance to the law; ∫x²p without h²/12; values between centres to fourth order."""
    law, line = mfg.gaussian(0.3, 0.5, 1), mfg.CartesianGrid.cube(6.0, 48, 1)
    field = mfg.Field(mfg.FiniteVolume(line), cell_means(law, line), means=True)
    sampled = mfg.Field(mfg.FiniteVolume(line), law.density(line.points))
    assert mfg.l1_distance(field, law) == 0
    assert mfg.l1_distance(field, law.density) < 1e-6
    assert mfg.l1_distance(sampled, law) == 0
    assert mfg.l1_distance(field, sampled) < 2e-4 < 1e-3 < float(line.integrate(np.abs(field.values - sampled.values)))
    assert field.expectation(lambda x: x[..., 0] ** 2) == pytest.approx(0.59, abs=1e-6)
    x = np.linspace(-2, 2, 50)[:, None]
    assert np.abs(field(x) - law.density(x)).max() < 1e-3 * law.density(x).max()
    assert mfg.kl_divergence(field, law) == pytest.approx(0.0, abs=1e-12)


def test_functions_that_are_no_densities_are_named():
    with pytest.raises(ValueError, match="is nan at x"):
        averages(lambda x: np.where(np.abs(x[..., 0] - 0.4) < 0.2, np.nan, 1.0), mfg.CartesianGrid.cube(1.0, 4, 1))
    with pytest.raises(ValueError, match="shape"):
        averages(lambda x: x, mfg.CartesianGrid.cube(1.0, 4, 1))
    with pytest.raises(ValueError, match="dimension"):
        cell_means(mfg.densities.four_blobs(), mfg.CartesianGrid.cube(1.0, 4, 1))


def test_correlations_of_rounding_size_are_none_and_components_are_averaged_each_in_its_way():
    """Means by differences of Φ and by quadrature agree on a mixture of both; a rotation there and back costs nothing."""
    grid = mfg.CartesianGrid.cube(4.0, 24, 2)
    angle = 0.7
    R = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    straight, tilted = np.diag([0.3, 0.9]), R @ np.diag([0.3, 0.9]) @ R.T
    back = R.T @ tilted @ R
    assert back[0, 1] != 0, "this is the case"
    means = np.array([[0.4, -0.2], [-0.5, 0.3]])
    both = mfg.GaussianMixture(np.array([0.3, 0.7]), means, np.stack([back, tilted]))
    apart = [mfg.GaussianMixture(np.ones(1), m[None], C[None]) for m, C in zip(means, (straight, tilted), strict=True)]
    expected = 0.3 * apart[0].cell_means(grid) + 0.7 * apart[1].cell_means(grid)
    np.testing.assert_allclose(both.cell_means(grid), expected, atol=1e-12)


@pytest.mark.parametrize(
    ("share", "most", "dimension", "cells"),
    [
        (0.49, 2e-8, 2, 40),
        (0.25, 1e-10, 2, 40),
        (0.25, 1e-10, 3, 24),
        pytest.param(0.49, 2e-8, 3, 24, marks=pytest.mark.slow),
    ],
)
def test_the_series_of_smooth_components_against_twelve_gauss_points(dimension, cells, share, most, monkeypatch):
    """Correlated Gaussians, cells `share` of the sharpest deviation: h⁸∂⁸/9676800 is left out."""
    rng, grid = np.random.default_rng(dimension), mfg.CartesianGrid.cube(3.0, cells, dimension)
    A, h = rng.normal(size=(dimension, dimension)), grid.spacing[0]
    C = A @ A.T + 0.3 * np.eye(dimension)
    C *= (h / share) ** 2 * np.linalg.inv(C).diagonal().max()
    law = mfg.gaussian(0.3 * rng.normal(size=dimension), C)
    u, w = np.polynomial.legendre.leggauss(12)
    wanted = sum(
        np.prod(0.5 * w[list(k)]) * law.density(grid.points + 0.5 * h * u[list(k)])
        for k in np.ndindex(*(12,) * dimension)
    )
    monkeypatch.setattr("mfgpde.densities.gaussian_mixture.averages", None)  # no quadrature is asked for
    found = law.cell_means(grid)
    assert np.abs(found - wanted).max() < most * wanted.max()
    assert found.min() >= 0


def test_sharp_components_and_periodic_boxes_are_averaged_by_quadrature():
    C = np.array([[1.0, 0.6], [0.6, 1.0]])
    from mfgpde.densities.gaussian_cells import smooth

    fine, coarse = mfg.CartesianGrid.cube(4.0, 32, 2), mfg.CartesianGrid.cube(4.0, 8, 2)
    assert smooth(C[None], fine).all()
    assert not smooth(C[None], coarse).any()
    assert not smooth(C[None], mfg.CartesianGrid.cube(4.0, 32, 2, periodic=True)).any()
