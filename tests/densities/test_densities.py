"""Laws for every density: normalised, score is the gradient, samples follow it, marginals are right."""

import numpy as np
import pytest
from scipy.special import ive
from scipy.stats import chi2

import mfgpde as mfg
from mfgpde.densities import OnGrid

NOISE = mfg.OrnsteinUhlenbeck().transition(0.0, 0.3)
GRID = mfg.CartesianGrid.cube(4.0, 60, 2)
DENSITIES = {
    "four blobs": mfg.densities.four_blobs(),
    "nine blobs": mfg.densities.nine_blobs(),
    "bimodal": mfg.densities.bimodal(2),
    "two rings": mfg.densities.two_rings(),
    "spiral": mfg.densities.spiral(),
    "two moons": mfg.densities.two_moons(),
    "checkerboard, noised": mfg.densities.checkerboard().after(NOISE),
    "on a grid": OnGrid(GRID, mfg.densities.bimodal(2).density(GRID.points)),
}
FALSE_ALARM = 1e-4  # for all goodness-of-fit tests of this file together


@pytest.mark.parametrize("density", DENSITIES.values(), ids=DENSITIES)
def test_densities_integrate_to_one(density):
    grid = mfg.CartesianGrid.cube(5.0, 250, 2)
    with np.errstate(divide="ignore"):  # a grid density vanishes outside its box
        total = grid.integrate(np.exp(density.log_density(grid.points)))
    # smooth ones to the trapezoid rule's accuracy; the interpolated one to second order in its own cells
    assert total == pytest.approx(1.0, abs=1e-3 if isinstance(density, OnGrid) else 1e-9)


@pytest.mark.parametrize(
    "density", [d for d in DENSITIES.values() if not isinstance(d, OnGrid)], ids=list(DENSITIES)[:-1]
)
def test_scores_are_gradients(density, rng):
    x, h = density.sample(50, rng), 1e-5
    slope = [(density.log_density(x + h * e) - density.log_density(x - h * e)) / (2 * h) for e in np.eye(2)]
    np.testing.assert_allclose(density.score(x), np.stack(slope, axis=-1), rtol=1e-5, atol=1e-5)  # h²·p‴ and eps/h


@pytest.mark.parametrize("density", DENSITIES.values(), ids=DENSITIES)
def test_samples_follow_the_density(density, rng):
    """χ² over 36 cells of a coarse grid, their probabilities by fine quadrature."""
    n, coarse = 20_000, 6
    lower, upper = density.box(0.9)
    fine = mfg.CartesianGrid(tuple(lower), tuple(upper), (240, 240))
    mass = np.exp(density.log_density(fine.points)) * fine.volume
    expected = mass.reshape(coarse, 40, coarse, 40).sum(axis=(1, 3)).ravel()
    x = density.sample(n, rng)
    counts, *_ = np.histogram2d(
        x[:, 0], x[:, 1], bins=[np.linspace(a, b, coarse + 1) for a, b in zip(lower, upper, strict=True)]
    )
    seen, should = np.append(counts.ravel(), n - counts.sum()), n * np.append(expected, max(1 - expected.sum(), 1e-12))
    keep = should > 5
    statistic = np.sum((seen - should)[keep] ** 2 / should[keep])
    slack = 1.05 if isinstance(density, OnGrid) else 1.0  # uniform in cells, not multilinear
    assert chi2.sf(statistic / slack, keep.sum() - 1) > FALSE_ALARM / len(DENSITIES)


@pytest.mark.parametrize("density", DENSITIES.values(), ids=DENSITIES)
def test_boxes_hold_their_mass(density, rng):
    lower, upper = density.box(0.99)
    x = density.sample(5000, rng)
    assert np.mean(np.all((x >= lower) & (x <= upper), axis=1)) > 0.98  # 0.99 less 7 standard errors


def test_hessian_and_laplacian_by_differences(rng):
    density, x, h = mfg.densities.bimodal(3), rng.normal(size=(20, 3)), 1e-5
    slopes = np.stack([(density.score(x + h * e) - density.score(x - h * e)) / (2 * h) for e in np.eye(3)], axis=-1)
    np.testing.assert_allclose(density.hessian(x), slopes, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(density.laplacian(x), np.trace(slopes, axis1=1, axis2=2), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    "process",
    [
        mfg.VariancePreserving(),
        mfg.SubVariancePreserving(),
        mfg.VarianceExploding(),
        mfg.Brownian(),
        mfg.OrnsteinUhlenbeck(),
        mfg.Linear(np.array([[-1.0, 2.0], [-1.5, -0.5]]), offset=np.array([0.3, -0.2])),
    ],
    ids=lambda p: type(p).__name__,
)
def test_time_derivatives_of_marginals_by_differences(process, rng):
    score, x, t, h = mfg.ExactScore(process, mfg.densities.bimodal(2)), rng.normal(size=(30, 2)), 0.4, 1e-5
    slope = (score.potential(x, t + h) - score.potential(x, t - h)) / (2 * h)
    np.testing.assert_allclose(score.time_derivative(x, t), slope, rtol=1e-5, atol=1e-5)


def test_marginals_are_the_law_of_simulated_points(rng):
    """Exact simulation of the transition against the moments of the marginal, 5 standard errors."""
    process, n = mfg.Linear(np.array([[-1.0, 2.0], [-1.5, -0.5]]), scale=0.8), 40_000
    law = mfg.marginal(process, mfg.densities.bimodal(2), 0.7)
    A, b, C = process.transition(0.0, 0.7).in_dimension(2)
    x = mfg.densities.bimodal(2).sample(n, rng) @ A.T + b + rng.multivariate_normal(np.zeros(2), C, n)
    grid = mfg.CartesianGrid.cube(7.0, 300, 2)
    for h in (lambda x: x[..., 0], lambda x: x[..., 0] * x[..., 1], lambda x: np.cos(2 * x[..., 1])):
        truth = grid.integrate(h(grid.points) * law.density(grid.points))
        assert h(x).mean() == pytest.approx(truth, abs=5 * h(x).std() / np.sqrt(n))


def test_rings_equal_the_bessel_formula():
    """A circle blurred by a Gaussian has density e^{−(r²+R²)/2σ²} I₀(rR/σ²)/(2πσ²)."""
    rings, sigma = mfg.densities.two_rings((1.0, 2.0), 0.1), 0.1
    r = np.linspace(0.7, 2.3, 50)
    x = np.stack((r * np.cos(0.3), r * np.sin(0.3)), axis=-1)
    formula = sum(0.5 * np.exp(-((r - R) ** 2) / (2 * sigma**2)) * ive(0, r * R / sigma**2) for R in (1.0, 2.0))
    np.testing.assert_allclose(rings.density(x), formula / (2 * np.pi * sigma**2), rtol=0, atol=1e-12)


def test_the_noised_checkerboard_is_the_convolution():
    board = mfg.densities.checkerboard()
    noised, grid = board.after(mfg.Brownian(scale=0.3).transition(0.0, 1.0)), mfg.CartesianGrid.cube(2.0, 400, 2)
    p = np.exp(np.where(np.isfinite(board.log_density(grid.points)), board.log_density(grid.points), -700))
    for x in ([0.3, 0.1], [-1.2, 1.9], [2.4, 0.0]):
        kernel = np.exp(-np.sum((grid.points - x) ** 2, axis=-1) / (2 * 0.09)) / (2 * np.pi * 0.09)
        np.testing.assert_allclose(
            noised.density(np.array([x])), grid.integrate(p * kernel), rtol=2e-4
        )  # h²(z² − 1)/(24 σ²), z up to 4


def test_swiss_roll_has_three_dimensions(rng):
    assert mfg.densities.swiss_roll().sample(10, rng).shape == (10, 3)


def test_an_embedded_law_is_the_law_in_its_plane_and_noise_across(rng):
    flat, frame, noise = mfg.densities.two_moons(), mfg.densities.isometry(2, 20, seed=3), 0.05
    law = mfg.densities.embedded(flat, 20, deviation=noise, seed=3)
    np.testing.assert_allclose(frame.T @ frame, np.eye(2), atol=1e-14)
    x = law.sample(5000, rng)
    along = x @ frame
    across = x - along @ frame.T
    assert np.var(across) * 20 / 18 == pytest.approx(noise**2, rel=0.03)
    thick = mfg.GaussianMixture(flat.weights, flat.means, flat.covariances + noise**2 * np.eye(2))
    expected = thick.log_density(along) - 0.5 * np.sum(across**2, axis=1) / noise**2 - 9 * np.log(2 * np.pi * noise**2)
    np.testing.assert_allclose(law.log_density(x), expected, rtol=1e-10)
    with pytest.raises(ValueError, match="above 2"):
        mfg.densities.embedded(flat, 2)


def test_digits_are_images_of_ten_kinds():
    images, which = mfg.densities.digits()
    assert images.shape == (1797, 64)
    assert images.min() == 0.0
    assert images.max() == 1.0
    assert set(which) == set(range(10))


@pytest.mark.parametrize(
    ("weights", "means", "covariances", "message"),
    [
        ([1.0], [[0.0, 0.0]], [[[1.0, 2.0], [2.0, 1.0]]], "not positive definite"),
        ([-1.0], [[0.0]], [1.0], "weights"),
        ([1.0, 1.0], [[0.0]], [1.0], "shapes"),
    ],
)
def test_bad_mixtures(weights, means, covariances, message):
    with pytest.raises(ValueError, match=message):
        mfg.GaussianMixture(np.array(weights), np.array(means), np.array(covariances))


def test_bad_grid_densities():
    grid = mfg.CartesianGrid.cube(1.0, 8, 2)
    bad = np.ones(grid.cells)
    bad[2, 5] = -0.5
    with pytest.raises(ValueError, match=r"negative \(-0\.5\) at cell \(2, 5\), x = \(-0\.375, 0\.375\)"):
        OnGrid(grid, bad)
    with pytest.raises(ValueError, match="zero everywhere"):
        OnGrid(grid, np.zeros(grid.cells))
    with pytest.raises(ValueError, match="nan at cell"):
        OnGrid(grid, np.full(grid.cells, np.nan))
    with pytest.raises(TypeError, match="solve FokkerPlanck"):
        mfg.marginal(mfg.processes.double_well(), mfg.densities.bimodal(2), 0.1)
