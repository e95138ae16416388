"""Tangent spaces and dimensions of known covariances; intervals of the held-out likelihood."""

import numpy as np
import pytest

import mfgpde as mfg


def ellipses(k, d, m, rng, wide=1.0, narrow=0.01):
    """K covariances with m wide directions, and those directions."""
    frames = np.stack([np.linalg.qr(rng.normal(size=(d, d)))[0] for _ in range(k)])
    widths = np.where(np.arange(d) < m, wide, narrow)
    law = mfg.GaussianMixture(np.ones(k), rng.normal(size=(k, d)), (frames * widths) @ np.swapaxes(frames, 1, 2))
    return law, frames[:, :, :m]


def test_alignment_of_known_ellipses(rng):
    law, tangents = ellipses(300, 5, 2, rng)
    found = mfg.diagnostics.tangent_alignment(law, tangents)
    assert found.value == pytest.approx(1.0, abs=1e-12)
    at_random = np.stack([np.linalg.qr(rng.normal(size=(5, 2)))[0] for _ in range(300)])
    assert 0.4 in mfg.diagnostics.tangent_alignment(law, at_random)
    tilt = np.cos(0.3) * tangents[:, :, :1] + np.sin(0.3) * np.linalg.qr(law.covariances)[0][:, :, -1:]
    with pytest.raises(ValueError, match="must have shape"):
        mfg.diagnostics.tangent_alignment(law, tilt[:10])
    with pytest.raises(ValueError, match="orthonormal"):
        mfg.diagnostics.tangent_alignment(law, 2 * tangents)


def test_effective_dimensions_count_what_is_wider_than_the_noise(rng):
    law, _ = ellipses(20, 5, 2, rng, wide=1.0, narrow=1e-6)
    process = mfg.Brownian(horizon=1e4)
    times = np.array([1e-9, 1e-3, 1.0, 1e4])
    v = times[:, None]
    widths = np.array([1.0, 1.0, 1e-6, 1e-6, 1e-6])
    np.testing.assert_allclose(
        mfg.diagnostics.effective_dimension(law, process, times), (widths / (widths + v)).sum(axis=1), rtol=1e-9
    )
    low = mfg.GaussianMixture(
        [1.0], np.zeros((1, 4)), mfg.densities.LowRank.of(np.full((1, 4), 1e-6), np.eye(4)[None, :, :1])
    )
    assert mfg.diagnostics.effective_dimension(low, process, np.array([1e-3]))[0] == pytest.approx(1.001, abs=3e-3)
    turned = mfg.Linear(np.array([[-1.0, 2.0], [-1.5, -0.5]]))
    flat, _ = ellipses(3, 2, 1, rng)
    A, _, Q = turned.transition(0.0, 0.4).in_dimension(2)
    moved = A @ flat.covariances @ A.T
    want = np.mean([np.trace(C @ np.linalg.inv(C + Q)) for C in moved])
    assert mfg.diagnostics.effective_dimension(flat, turned, np.array([0.4]))[0] == pytest.approx(want, rel=1e-9)


def test_held_out_likelihood(rng):
    law = mfg.gaussian(0.0, 1.0, 3)
    found = mfg.diagnostics.held_out_log_likelihood(law, law.sample(5000, rng))
    assert -1.5 * np.log(2 * np.pi * np.e) in found
