"""Spectral derivatives are exact for what they resolve; Mehler's propagation is exact for linear processes."""

import numpy as np
import pytest

import mfgpde as mfg
from mfgpde.discretisations.spectral import Cosine, Fourier


@pytest.mark.parametrize("n", [15, 16])
def test_fourier_derivatives(n):
    grid = mfg.CartesianGrid.cube(np.pi, n, 2, periodic=True)
    x, y = np.moveaxis(grid.points, -1, 0)
    basis, u = Fourier(grid), np.sin(2 * x) * np.cos(3 * y)
    du = basis.gradient(basis.analyse(u))
    np.testing.assert_allclose(du[0], 2 * np.cos(2 * x) * np.cos(3 * y), atol=1e-12)
    np.testing.assert_allclose(du[1], -3 * np.sin(2 * x) * np.sin(3 * y), atol=1e-12)
    np.testing.assert_allclose(basis.synthesise(basis.laplacian * basis.analyse(u)), -13 * u, atol=1e-11)
    np.testing.assert_allclose(basis.synthesise(basis.divergence(du)), -13 * u, atol=1e-11)


@pytest.mark.parametrize("n", [15, 16])
def test_cosine_derivatives(n):
    grid = mfg.CartesianGrid((0.0, 1.0), (2.0, 4.0), (n, n + 3))
    x, y = np.moveaxis(grid.points, -1, 0)
    a, b = np.pi / 2 * 3, np.pi / 3 * 4
    basis, u = Cosine(grid), np.cos(a * x) * np.cos(b * (y - 1))
    du = basis.gradient(basis.analyse(u))
    np.testing.assert_allclose(du[0], -a * np.sin(a * x) * np.cos(b * (y - 1)), atol=1e-12)
    np.testing.assert_allclose(du[1], -b * np.cos(a * x) * np.sin(b * (y - 1)), atol=1e-12)
    np.testing.assert_allclose(basis.synthesise(basis.divergence(du)), -(a**2 + b**2) * u, atol=1e-10)
    assert basis.divergence(du)[0, 0] == 0, "the mean of a divergence is zero: mass is kept exactly"


@pytest.mark.parametrize("periodic", [False, True])
@pytest.mark.parametrize("d", [1, 2, 3])
def test_expansions_interpolate(d, periodic, rng):
    grid = mfg.CartesianGrid.cube(1.0, 10, d, periodic=periodic)
    space, values = mfg.Spectral(grid), rng.normal(size=(10,) * d)
    np.testing.assert_allclose(space.interpolate(values, grid.points), values, atol=1e-11)


@pytest.mark.parametrize(
    "process", [mfg.OrnsteinUhlenbeck(), mfg.VariancePreserving(), mfg.Brownian(0.5)], ids=lambda p: type(p).__name__
)
@pytest.mark.parametrize("d", [1, 2])
def test_propagation_is_exact(process, d):
    grid, data = mfg.CartesianGrid.cube(9.0, 160, d), mfg.densities.bimodal(d)
    for t in (1e-4, 0.05, 0.7):  # a kernel narrower than the cells is no trouble
        p = mfg.discretisations.propagate(process, grid, data.density(grid.points), 0.0, t)
        np.testing.assert_allclose(p, mfg.marginal(process, data, t).density(grid.points), atol=1e-12)


def test_propagation_needs_an_isotropic_process():
    grid = mfg.CartesianGrid.cube(3.0, 8, 1)
    with pytest.raises(ValueError, match="no separable kernel"):
        mfg.discretisations.propagate(mfg.processes.double_well(), grid, np.ones(8), 0.0, 0.1)


def test_mixed_walls_are_refused():
    with pytest.raises(ValueError, match="along all axes or along none"):
        mfg.Spectral(mfg.CartesianGrid((0, 0), (1, 1), (8, 8), (True, False)))
    with pytest.raises(ValueError, match="periodic along all axes"):
        mfg.Spectral(mfg.CartesianGrid.cube(1.0, 8, 1)).semidiscretise(mfg.ScoreFokkerPlanck.of(mfg.Brownian()))


def test_a_gradient_with_curl_noise_stays_bounded(rng):
    """The explicit part undoes the implicit damping of curl modes: they neither grow nor decay."""
    grid = mfg.CartesianGrid.cube(np.pi, 16, 2, periodic=True)
    system = mfg.Spectral(grid).semidiscretise(mfg.ScoreFokkerPlanck.of(mfg.Brownian(scale=1.0, horizon=10.0)))
    u = system.start(lambda x: 1e-6 * np.stack((np.sin(3 * x[..., 1]), 0 * x[..., 0]), axis=-1))
    start = np.abs(u).max()
    for _ in range(200):
        u, _ = system.default_integrator.step(system, u, 0.0, 0.01)
    assert np.abs(u).max() == pytest.approx(start, rel=1e-3)
