"""A stricter world than the user's: floating-point trouble raises, warnings are errors."""

import os

import numpy as np
import pytest

if "PYTEST_XDIST_WORKER" in os.environ:  # several processes share the cores: threads that wait must not spin
    os.environ["OMP_WAIT_POLICY"] = "passive"


@pytest.fixture(autouse=True)
def strict_floats():
    with np.errstate(divide="raise", over="raise", invalid="raise", under="ignore"):
        yield


@pytest.fixture
def rng():
    return np.random.default_rng(20261120)
