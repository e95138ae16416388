"""A stricter world than the user's: floating-point trouble raises, warnings are errors."""

import numpy as np
import pytest


@pytest.fixture(autouse=True)
def strict_floats():
    with np.errstate(divide="raise", over="raise", invalid="raise", under="ignore"):
        yield


@pytest.fixture
def rng():
    return np.random.default_rng(20261120)
