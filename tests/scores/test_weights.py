"""Weights that no network has, and options that mean nothing, are refused in one sentence before anything is computed."""

import json
import struct
import tracemalloc

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


W0 = {"dtype": "F32", "shape": [4, 4], "data_offsets": [0, 64]}


@pytest.mark.parametrize(
    ("header", "length"),
    [
        ({"W0": W0 | {"shape": [10**6, 10**6], "data_offsets": [0, 4 * 10**12]}}, None),
        ({"W0": W0 | {"shape": [10**6, 10**6]}}, None),
        ({"W0": W0 | {"shape": [2**33, 2**33]}}, None),
        ({"W0": W0 | {"shape": [-4, 4]}}, None),
        ({"W0": W0, "b0": W0}, None),
        ({"W0": W0 | {"dtype": "X9"}}, None),
        ({"W0": W0}, 2**63),
        ({"W0": W0}, 80_000_000),
    ],
)
def test_a_header_that_lies_about_sizes_is_refused_in_one_sentence_before_memory_is_asked_for(header, length, tmp_path):
    """Terabytes claimed of 64 bytes, two arrays in one place, a header longer than its file."""
    written = json.dumps(header).encode()
    path = tmp_path / "lies.safetensors"
    path.write_bytes(struct.pack("<Q", length or len(written)) + written + bytes(64))
    tracemalloc.start()
    with pytest.raises(ValueError, match=r"cannot read weights from .*lies.safetensors"):
        mfg.load_score(str(path), 2)
    assert tracemalloc.get_traced_memory()[1] < 1e8
    tracemalloc.stop()
