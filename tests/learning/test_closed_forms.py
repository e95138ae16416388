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


@pytest.mark.slow
@every_process
def test_losses_are_those_of_hand(process):
    """Five standard errors of the mean of the samples, and the single precision of the sums, 1e-5."""
    known, rng = Coefficients.of(process), np.random.default_rng(0)
    x0 = jnp.asarray(np.sqrt(SPREAD) * rng.normal(size=(COUNT, DIMENSION)), jnp.float32)
    keys = jax.random.split(jax.random.key(1), COUNT)
    pairs = (("denoising", "variance"), ("implicit", "diffusion"), ("sliced", "none"), ("denoising", "balanced"))
    for matching, weighting in pairs:
        objective = mfg.Objective(matching, weighting)
        losses = jax.jit(
            jax.vmap(lambda x, k, t, o=objective: matching_loss(o, known, linear, x, t, k, SPREAD), (0, 0, None))
        )
        weighted = jax.jit(lambda t, o=objective: loss_weight(o, known, t, SPREAD))
        for t in np.array(SHARES) * process.horizon:
            m, v, D = (float(f(t)) for f in (process.mean_coefficient, process.variance, process.diffusivity))
            right = DIMENSION * (0.5 * SLOPE**2 * (m * m * SPREAD + v) - SLOPE)
            right += 0.5 * DIMENSION / v if matching == "denoising" else 0.0
            balanced = np.sqrt(v * (m * m * SPREAD + v))
            weight = {"variance": v, "diffusion": 2 * D, "none": 1.0, "balanced": balanced}[weighting]
            assert float(weighted(np.float32(t))) == pytest.approx(weight, rel=1e-5)
            found = np.asarray(losses(x0, keys, np.float32(t)), float)
            error = 5 * found.std() / np.sqrt(COUNT) + 1e-5 * np.abs(found).mean()
            assert found.mean() == pytest.approx(weight * right, abs=error), (matching, t)


@every_process
def test_penalties_are_those_of_hand(process):
    known, x = Coefficients.of(process), jnp.array([0.7, -1.1])
    residual = jax.jit(lambda t: score_residual(known, linear, x, t, jax.random.key(0), False))
    of_potential = jax.jit(lambda t: log_residual(known, lambda y, u: -0.5 * SLOPE * jnp.sum(y**2), x, t))
    for t in np.array(SHARES) * process.horizon:
        D, r = float(process.diffusivity(t)), float(process.relaxation(t))
        size = SLOPE * (D * SLOPE + r + 1)
        found = residual(np.float32(t))
        np.testing.assert_allclose(found, 2 * SLOPE * (r - D * SLOPE) * np.asarray(x), atol=1e-5 * size)
        R = of_potential(np.float32(t))
        square = float(np.sum(np.asarray(x, float) ** 2))
        right = DIMENSION * (D * SLOPE - r) + SLOPE * (r - D * SLOPE) * square
        assert float(R) == pytest.approx(right, abs=1e-5 * size * (1 + square))


@pytest.mark.parametrize(
    "process",
    [pytest.param(one, marks=[pytest.mark.slow] * name.startswith("VE")) for name, one in PROCESSES.items()],
    ids=PROCESSES,
)  # Brownian motion is one whose variance explodes
def test_noise_in_pairs_leaves_the_gradient_bounded_near_the_data(process):
    """By hand, in the slope a of s = −a x at v ≪ σ²: one noise leaves ∂_a ½|s + Z/√v|² = a|x|² − x·Z/√v a deviation of
    √(dσ²/v), a pair only Σ± → a|X_0|² − |Z|², of deviation √(2dσ⁴a² + 2d).
    """
    known, rng = Coefficients.of(process), np.random.default_rng(0)
    x0 = jnp.asarray(np.sqrt(SPREAD) * rng.normal(size=(COUNT, DIMENSION)), jnp.float32)
    keys, t = jax.random.split(jax.random.key(1), COUNT), jnp.float32(1e-4 * process.horizon)
    m, v = (float(f(1e-4 * process.horizon)) for f in (process.mean_coefficient, process.variance))

    def deviation(weighting):
        objective = mfg.Objective("denoising", weighting)

        def slope(x, k):
            return jax.grad(lambda a: matching_loss(objective, known, lambda y, u: -a * y, x, t, k, SPREAD))(SLOPE)

        found = np.asarray(jax.jit(jax.vmap(slope))(x0, keys), float)
        return found.std() / float(jax.jit(lambda: loss_weight(objective, known, t, SPREAD))())

    assert v < 1e-2 * SPREAD
    alone, paired = np.sqrt(DIMENSION * m * m * SPREAD / v), np.sqrt(2 * DIMENSION * (1 + (SLOPE * SPREAD) ** 2))
    assert deviation("variance") == pytest.approx(alone, rel=0.15)  # 4000 samples of a heavy product
    assert deviation("balanced") == pytest.approx(paired, rel=0.15)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("process", "allowed"),
    [
        (mfg.VarianceExploding(), 0.16),
        (mfg.VarianceExploding(0.01, 20.0, 3.0), 0.25),
        (mfg.VariancePreserving(), 0.12),
        (mfg.SubVariancePreserving(horizon=1.7), 0.25),
    ],
    ids=["VE", "VE to 3", "VP", "sub-VP to 1.7"],
)
def test_balanced_weights_find_the_score_at_all_times(process, allowed):
    """Two blobs in the plane: the relative error of the score in L²(p_t), half as much again as measured for two seeds."""
    law = mfg.GaussianMixture([0.5, 0.5], [[-1, 0], [1, 0]], [[0.1, 0.1]] * 2)
    samples, exact = law.sample(20_000, np.random.default_rng(0)), mfg.ExactScore(process, law)

    def worst(weighting):
        found = mfg.train(process, samples, mfg.Objective(weighting=weighting), steps=2000).score
        rng, errors = np.random.default_rng(1), []
        for t in process.horizon * np.array([0.001, 0.02, 0.1, 0.3, 0.6, 0.95]):
            x = exact.at(t).sample(4000, rng)
            errors.append(np.sqrt(np.sum((found(x, t) - exact(x, t)) ** 2) / np.sum(exact(x, t) ** 2)))
        return max(errors)

    assert worst("balanced") < allowed
    if isinstance(process, mfg.VarianceExploding):
        assert worst("variance") > 1.2 * allowed
