"""Weights that no network has, and options that mean nothing, are refused in one sentence before anything is computed."""

import numpy as np
import pytest

import mfgpde as mfg
from mfgpde.scores.files import network_score


def weights(**changed):
    rng = np.random.default_rng(0)
    return {
        "W0": rng.normal(size=(5, 3)), "b0": np.zeros(5), "W1": rng.normal(size=(2, 5)), "b1": np.zeros(2), **changed,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"W0": np.ones((5, 3), complex)}, "real floating-point numbers, got complex128"),
        ({"W0": np.ones((5, 3), int)}, "real floating-point numbers, got int64"),
        ({"b1": np.array(["a", "b"])}, "real floating-point numbers"),
        ({"W0": np.full((5, 3), 1e30)}, "reaches 1.0e.30: no trained network"),
        ({"W0": np.full((5, 3), np.nan)}, "not finite"),
        ({"W0": np.ones((3, 5))}, r"W0 \(3, 5\) must be a matrix.*transpose"),
        ({"W1": np.ones((2, 4))}, "takes 4 inputs, the layer before it has width 5"),
    ],
)
def test_strange_weights_are_refused(changed, words):
    with pytest.raises(ValueError, match=words):
        network_score(weights(**changed), mfg.scores.Network())
    network_score(weights(), mfg.scores.Network())


@pytest.mark.parametrize("sharpness", [-1.0, 0.0, np.inf, np.nan, 1j])
def test_sharpness_is_a_positive_number(sharpness):
    with pytest.raises(ValueError, match="sharpness must be a positive number"):
        mfg.scores.Network(sharpness=sharpness)
