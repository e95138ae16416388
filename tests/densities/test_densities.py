"""Densities against closed forms and convolutions, and what they refuse; the laws of all are in test_laws.py."""

import numpy as np
import pytest
from scipy.special import ive

import mfgpde as mfg
from mfgpde.densities import OnGrid


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
