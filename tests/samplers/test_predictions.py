"""What a perfect network says to schedulers of diffusers, without the library: means by Bayes' formula, at any level."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mfgpde as mfg
from mfgpde.samplers.adapters.diffusers import Prediction

DATA = mfg.GaussianMixture([0.3, 0.7], [[-0.6], [0.8]], [0.05, 0.11])
BARS = np.cumprod(1 - np.linspace(1e-4, 0.02, 1000))


def scheduler(**config):
    bars = config.pop("bars", None)
    return SimpleNamespace(config=config, **({} if bars is None else {"alphas_cumprod": bars}))


def clean(x, alpha, sigma):
    """E[x₀ | αx₀ + σε = x], by quadrature of each Gaussian of the data."""
    above, below = np.zeros_like(x), np.zeros_like(x)
    for weight, mean, cov in zip(DATA.weights, DATA.means[:, 0], DATA.covariances[:, 0, 0], strict=True):
        # the posterior within one component is Gaussian; its evidence too
        size = alpha**2 * cov + sigma**2
        evidence = weight * np.exp(-0.5 * (x - alpha * mean) ** 2 / size) / np.sqrt(size)
        y = mean + alpha * cov * (x - alpha * mean) / size
        above, below = above + evidence * y, below + evidence
    return above / below


@settings(max_examples=30)
@given(st.floats(1, 998), st.sampled_from(["epsilon", "sample", "v_prediction"]))
def test_predictions_are_means_given_the_input(t, kind):
    told = Prediction(scheduler(prediction_type=kind, bars=BARS), DATA)
    alpha, sigma = told.level(t)
    assert alpha**2 + sigma**2 == pytest.approx(1.0)
    x = np.linspace(-2, 2, 9)
    data = clean(x, alpha, sigma)
    noise = (x - alpha * data) / sigma
    right = {"epsilon": noise, "sample": data, "v_prediction": alpha * noise - sigma * data}[kind]
    assert told(x, t) == pytest.approx(right, abs=1e-7 / alpha)
    assert told.law(t).density(x[:, None]) == pytest.approx(
        sum(
            w * np.exp(-0.5 * (x - alpha * m) ** 2 / v) / np.sqrt(2 * np.pi * v)
            for w, m, v in zip(
                DATA.weights, DATA.means[:, 0], alpha**2 * DATA.covariances[:, 0, 0] + sigma**2, strict=True
            )
        )
    )


@given(st.integers(0, 998), st.floats(0, 1))
def test_levels_between_integers_are_linear_in_the_logarithm(k, share):
    told = Prediction(scheduler(bars=BARS), DATA)

    def logarithm(t):
        alpha, sigma = told.level(t)
        return np.log(sigma / alpha)

    assert told.level(k)[0] == pytest.approx(np.sqrt(BARS[k]))
    between = (1 - share) * logarithm(k) + share * logarithm(k + 1)
    assert logarithm(k + share) == pytest.approx(between, abs=1e-9)


@settings(max_examples=30)
@given(st.floats(1, 999), st.sampled_from([1000, 50]))
def test_flows_predict_noise_less_data(t, trained):
    told = Prediction(scheduler(num_train_timesteps=trained), DATA)
    level = t * trained / 1000
    alpha, sigma = told.level(level)
    assert (alpha, sigma) == pytest.approx((1 - t / 1000, t / 1000))
    x = np.linspace(-2, 2, 9)
    data = clean(x, alpha, sigma)
    assert told(x, level) == pytest.approx((x - alpha * data) / sigma - data, abs=1e-6 / (alpha * sigma))


def test_where_no_data_are_left_their_mean_is_predicted():
    told = Prediction(scheduler(num_train_timesteps=1000), DATA)
    x = np.linspace(-2, 2, 5)
    mean = float(DATA.weights @ DATA.means[:, 0])
    assert told(x, 1000.0) == pytest.approx(x - mean)


@settings(max_examples=30)
@given(st.floats(-1.0, 0.8), st.floats(0.1, 2.0))
def test_preconditioned_networks_give_the_data_back_through_their_skip(t, own):
    """x̂₀ = c_skip y + c_out F with y = x/c_in: Karras's table, whatever σ_data is said to be."""
    told = Prediction(scheduler(sigma_data=own), DATA)
    sigma = np.exp(4 * t)
    root = np.hypot(sigma, own)
    assert told.level(t) == pytest.approx((1 / root, sigma / root))
    y = np.linspace(-1, 1, 7) * max(1.0, sigma)
    skip, out = own**2 / root**2, sigma * own / root
    data = skip * y + out * told(y / root, t)
    assert data == pytest.approx(clean(y, 1.0, sigma), abs=1e-5 * max(1.0, sigma) ** 2)
