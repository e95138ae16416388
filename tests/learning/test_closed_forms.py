"""Losses, weights and penalties of a linear score s = −a x on Gaussian data, for every process and horizon, by hand.

With X = m X_0 + √v Z, X_0 ~ N(0, σ²I) and V = m²σ² + v: denoising ½λd(a²V − 2a + 1/v), implicit and sliced λd(½a²V − a).
For the drift −r x and φ = −½a|x|²: ε = 2a(r − Da) x and R = d(Da − r) + a(r − Da)|x|².
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import mfgpde as mfg
from mfgpde.learning.objectives import Coefficients, log_residual, loss_weight, matching_loss, score_residual

PROCESSES = {
    "VP to 5": mfg.VariancePreserving(0.3, 4.0, 5.0),
    "sub-VP to 0.4": mfg.SubVariancePreserving(horizon=0.4),
    "VE": mfg.VarianceExploding(),
    "VE to 3": mfg.VarianceExploding(0.05, 8.0, 3.0),
    "Brownian": mfg.Brownian(scale=2.0, horizon=0.7),
}
SHARES = (0.02, 0.3, 1.0)  # of the horizon
SPREAD, SLOPE, DIMENSION, COUNT = 0.3, 0.9, 2, 4000
every_process = pytest.mark.parametrize("process", PROCESSES.values(), ids=PROCESSES)


def linear(x, t):
    return -SLOPE * x


@every_process
def test_losses_are_those_of_hand(process):
    """Five standard errors of the mean of the samples, and the single precision of the sums, 1e-5."""
    known, rng = Coefficients.of(process), np.random.default_rng(0)
    x0 = jnp.asarray(np.sqrt(SPREAD) * rng.normal(size=(COUNT, DIMENSION)), jnp.float32)
    keys = jax.random.split(jax.random.key(1), COUNT)
    for matching, weighting in (("denoising", "variance"), ("implicit", "diffusion"), ("sliced", "none")):
        objective = mfg.Objective(matching, weighting)
        losses = jax.jit(jax.vmap(lambda x, k, t, o=objective: matching_loss(o, known, linear, x, t, k), (0, 0, None)))
        for t in np.array(SHARES) * process.horizon:
            m, v, D = (float(f(t)) for f in (process.mean_coefficient, process.variance, process.diffusivity))
            right = DIMENSION * (0.5 * SLOPE**2 * (m * m * SPREAD + v) - SLOPE)
            right += 0.5 * DIMENSION / v if matching == "denoising" else 0.0
            weight = {"variance": v, "diffusion": 2 * D, "none": 1.0}[weighting]
            assert float(loss_weight(objective, known, jnp.float32(t))) == pytest.approx(weight, rel=1e-5)
            found = np.asarray(losses(x0, keys, jnp.float32(t)), float)
            error = 5 * found.std() / np.sqrt(COUNT) + 1e-5 * np.abs(found).mean()
            assert found.mean() == pytest.approx(weight * right, abs=error), (matching, t)


@every_process
def test_penalties_are_those_of_hand(process):
    known, x = Coefficients.of(process), jnp.array([0.7, -1.1])
    for t in np.array(SHARES) * process.horizon:
        D, r = float(process.diffusivity(t)), float(process.relaxation(t))
        size = SLOPE * (D * SLOPE + r + 1)
        found = score_residual(known, linear, x, jnp.float32(t), jax.random.key(0), False)
        np.testing.assert_allclose(found, 2 * SLOPE * (r - D * SLOPE) * np.asarray(x), atol=1e-5 * size)
        R = log_residual(known, lambda y, u: -0.5 * SLOPE * jnp.sum(y**2), x, jnp.float32(t))
        square = float(np.sum(np.asarray(x, float) ** 2))
        right = DIMENSION * (D * SLOPE - r) + SLOPE * (r - D * SLOPE) * square
        assert float(R) == pytest.approx(right, abs=1e-5 * size * (1 + square))
