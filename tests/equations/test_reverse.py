"""Diffusions with tensors run backwards: generation carries known laws back, whatever the noise."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import expm

import mfgpde as mfg
from mfgpde.core.differences import gradient, slope
from mfgpde.equations import ForwardKolmogorov
from mfgpde.processes import Diffusion

SEEDS = st.integers(0, 2**32 - 1)


@settings(max_examples=20)
@given(SEEDS, st.integers(1, 3), st.floats(0.2, 2.0))
def test_gaussian_laws_go_back_the_way_they_came(seed, d, t):
    """b(x, τ) = b₀ + Bx of the reverse, from N(m, Q) at t: ṁ_τ = B m + b₀ and BQ + QBᵀ + 2D = Q̇_τ are −ṁ_t and −Q̇_t."""
    rng = np.random.default_rng(seed)
    A, g, c, end = rng.normal(size=(d, d)), rng.normal(size=(d, d)), rng.normal(size=d), 2.5
    process = mfg.Linear(A, g, c, horizon=end)
    F = expm(t * A)
    Q = F @ F.T + process.transition(0.0, t).in_dimension(d)[2]  # of a start N(0, I)
    m = process.transition(0.0, t).in_dimension(d)[1]
    back = ForwardKolmogorov.reverse(process, lambda x, time: -np.linalg.solve(Q, (x - m).T).T)
    tau, D = end - t, 0.5 * g @ g.T
    b0 = back.drift(np.zeros((1, d)), tau)[0]
    B = (back.drift(np.eye(d), tau) - b0).T
    size = 1e-6 * (
        1 + np.abs(A @ Q).max() + np.abs(D).max() + np.abs(D @ np.linalg.inv(Q)).max() * (1 + np.abs(m).max())
    )
    np.testing.assert_allclose(back.diffusion.diffusion_tensor(np.zeros((1, d)), tau)[0], D, atol=size)
    np.testing.assert_allclose(B @ m + b0, -(A @ m + c), atol=size)
    np.testing.assert_allclose(B @ Q + Q @ B.T + 2 * D, -(A @ Q + Q @ A.T + 2 * D), atol=size)


@pytest.mark.parametrize("meaning", ["ito", "stratonovich"])
def test_a_lognormal_law_goes_back_where_noise_grows_with_the_place(meaning):
    """Of dX = μX dt + σ(t) X dW: −∂_t p = −∂(b p) + ∂²(D p), in logarithms, for b of the reverse and D at T − τ."""
    mu, end = 0.3, 2.0

    def noise(t):
        return 0.5 * (1 + 0.4 * t)  # σ

    def moments(t):
        spread = 0.25 * (t + 0.4 * t**2 + 0.16 * t**3 / 3)  # ∫σ²
        return 0.2 + mu * t - (0.5 * spread if meaning == "ito" else 0.0), 0.1 + spread

    def log_density(x, t):
        a, v = moments(t)
        return -np.log(x[..., 0]) - (np.log(x[..., 0]) - a) ** 2 / (2 * v) - 0.5 * np.log(v)

    def score(x, t):
        a, v = moments(t)
        return -(1 + (np.log(x) - a) / v) / x

    process = Diffusion(
        lambda x, t: mu * x, lambda x, t: 0.5 * (noise(t) * x) ** 2, meaning=meaning, time_dependent=True, horizon=end
    )
    back, x = ForwardKolmogorov.reverse(process, score), np.linspace(0.5, 3.0, 9)[:, None]
    for t in (0.4, 1.3):
        tau, s = end - t, score(x, t)
        rate, _ = slope(lambda h, t=t: log_density(x, t + h), 0.1)
        b, (bend, _) = back.drift(x, tau), gradient(lambda y, tau=tau: back.drift(y, tau), x, 0.1)
        curve, _ = gradient(lambda y, t=t: score(y, t), x, 0.1)
        D = 0.5 * noise(t) ** 2 * x**2
        np.testing.assert_allclose(back.diffusion.diffusion_tensor(x, tau)[:, 0], D, rtol=1e-12)
        spreading = noise(t) ** 2 + 2 * noise(t) ** 2 * x * s + D * (curve[:, 0] + s**2)  # (D p)″/p
        terms = -bend[:, 0] - b * s + spreading
        np.testing.assert_allclose(terms[:, 0], -rate, rtol=1e-5, atol=1e-5)
