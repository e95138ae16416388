"""Derivatives of scores and disturbances against central differences."""

import numpy as np
import pytest

import mfgpde as mfg

EXACT = mfg.ExactScore(mfg.VariancePreserving(), mfg.bimodal(2))
BUMP = mfg.Bump(0.3, (0.5, -0.2), 0.8, frequency=3.0)
SCORES = {"exact": EXACT, "bump": BUMP, "sum": mfg.Sum(EXACT, BUMP)}
H = 1e-5  # central differences: h² = 1e-10 of the third derivative, and rounding of 1e-16/h


def differences(f, x):
    """∂f/∂x_i at points x, last axis i."""
    return np.stack([(f(x + H * e) - f(x - H * e)) / (2 * H) for e in np.eye(x.shape[-1])], axis=-1)


@pytest.mark.parametrize("name", SCORES)
def test_derivatives(name, rng):
    score, x, t = SCORES[name], rng.normal(size=(40, 2)), 0.3
    np.testing.assert_allclose(score(x, t), differences(lambda y: score.potential(y, t), x), atol=1e-7)
    jacobian = differences(lambda y: score(y, t), x)
    np.testing.assert_allclose(score.divergence(x, t), np.trace(jacobian, axis1=-2, axis2=-1), atol=1e-7)
    rate = (score.potential(x, t + H) - score.potential(x, t - H)) / (2 * H)
    np.testing.assert_allclose(score.time_derivative(x, t), rate, atol=1e-6)


def test_a_swirl_is_no_gradient(rng):
    x = rng.normal(size=(40, 2))
    swirl = mfg.Swirl(lambda x, t: 0 * x, strength=0.3, width=2.0)
    jacobian = differences(lambda y: swirl(y, 0.0), x)
    r2 = np.sum(x * x, axis=-1)
    curl = 0.3 * np.exp(-r2 / 8) * (2 - r2 / 4)
    np.testing.assert_allclose(jacobian[:, 1, 0] - jacobian[:, 0, 1], curl, atol=1e-8)
    np.testing.assert_allclose(np.trace(jacobian, axis1=-2, axis2=-1), 0, atol=1e-8)
