"""The control variate keeps the mean of the gradient's noise and takes most of its variance, for any process that stays."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import mfgpde as mfg

LAW = mfg.GaussianMixture([0.5, 0.5], [[0.8, 0.0], [-0.6, 0.5]], [0.1, 0.15])
CASES = {
    "variance preserving, κ = 1": (mfg.VariancePreserving(), 1.0, "none"),
    "Ornstein–Uhlenbeck, κ = 1/2": (mfg.OrnsteinUhlenbeck(horizon=2.0), 0.5, "none"),
}


@pytest.mark.slow
@pytest.mark.parametrize(("process", "variance", "weighting"), CASES.values(), ids=CASES)
def test_it_keeps_means_and_takes_noise_away(process, variance, weighting):
    """With J a wave in space and time, E λJ·n and its scatter over batches, with Z/√v and with what replaces it."""
    objective = mfg.Objective(weighting=weighting, start=5e-3, control=3)
    steadied = jax.jit(mfg.learning.steadied_noise(objective, process, mfg.scores.HermiteBasis(2, 3, variance)))
    rng, batch, found = np.random.default_rng(0), 256, []
    for _ in range(400):
        x0 = LAW.sample(batch, rng)
        t = rng.uniform(0.005**0.5, process.horizon**0.5, size=batch) ** 2
        z, sd = rng.normal(size=(batch, 2)), np.sqrt(process.variance(t))[:, None]
        x, noise = (np.asarray(a, float) for a in steadied(*(jnp.asarray(a, jnp.float32) for a in (x0, t, z))))
        np.testing.assert_allclose(x, process.mean_coefficient(t)[:, None] * x0 + sd * z, atol=2e-5)
        weight = 2 * process.diffusivity(t) if weighting == "diffusion" else 1.0
        J = np.stack((np.cos(x[:, 0] + 0.3 * x[:, 1]), np.sin(x[:, 1]) * np.exp(-t)), axis=1)
        along = -np.sin(x[:, 0] + 0.3 * x[:, 1]) + np.cos(x[:, 1]) * np.exp(-t)
        found.append([*(np.mean(weight * np.sum(J * n, axis=1)) for n in (z / sd, noise)), np.mean(weight * along)])
    plain, controlled, divergence = np.array(found).T
    off = controlled - divergence  # E J·Z/√v = E ∇·J, by integration by parts
    assert abs(off.mean()) < 4 * off.std() / 20
    shift = controlled - plain
    assert abs(shift.mean()) < 4 * shift.std() / 20, "unbiased"
    assert abs(controlled.mean()) > 4 * shift.std() / 20, "of a mean that is seen"
    assert controlled.var() < 0.3 * plain.var()


def test_training_with_it_needs_a_process_that_stays_and_two_halves():
    x = LAW.sample(200, np.random.default_rng(0))
    with pytest.raises(ValueError, match="two halves, got 33"):
        mfg.train(mfg.VariancePreserving(), x, mfg.Objective(control=2), batch_size=33, steps=10)
    with pytest.raises(ValueError, match="have a law that stays"):
        mfg.train(mfg.VarianceExploding(), x, mfg.Objective(control=2), steps=10)
    with pytest.raises(ValueError, match="for denoising only"):
        mfg.Objective("implicit", control=2)
    with pytest.raises(ValueError, match="degree ≥ 0"):
        mfg.Objective(control=-1)


@pytest.mark.slow
def test_it_is_used_in_training():
    """Another path from the same seed, and a loss that stays finite."""
    x = LAW.sample(500, np.random.default_rng(1))
    runs = [
        mfg.train(mfg.VariancePreserving(), x, mfg.Objective(control=c), widths=(8,), batch_size=64, steps=250, seed=3)
        for c in (0, 2)
    ]
    assert all(np.isfinite(run.losses).all() for run in runs)
    assert np.abs(runs[0].layers[0][0] - runs[1].layers[0][0]).max() > 1e-4
