"""Anderson's acceleration: least squares by small normal equations, and what it does to a linear iteration."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mfgpde.equilibria.anderson import Mixer, shares


def products(columns, right):
    return columns.T @ columns, columns.T @ right


@given(st.integers(0, 2**32 - 1), st.integers(1, 7), st.floats(-9, 9))
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_the_residual_is_that_of_least_squares(seed, count, power):
    rng = np.random.default_rng(seed)
    columns = rng.normal(size=(200, count)) * 10.0 ** rng.uniform(-6, 6, count) * 10.0**power
    right = rng.normal(size=200) * 10.0**power
    best = np.linalg.lstsq(columns / np.linalg.norm(columns, axis=0), right, rcond=1e-10)[0]
    want = right - columns / np.linalg.norm(columns, axis=0) @ best
    found = right - columns @ shares(*products(columns, right))
    assert np.linalg.norm(found) == pytest.approx(np.linalg.norm(want), rel=1e-9)


def test_columns_that_depend_on_newer_ones_are_left_out(rng):
    newest = rng.normal(size=(300, 2))
    columns = np.stack((newest @ (1.0, -2.0), 0 * newest[:, 0], newest[:, 0] + 1e-7 * newest[:, 1], *newest.T), axis=1)
    right = rng.normal(size=300)
    found = shares(*products(columns, right))
    assert list(found[:3]) == [0.0, 0.0, 0.0]
    np.testing.assert_allclose(found[3:], np.linalg.lstsq(newest, right)[0], rtol=1e-9)


def test_a_linear_iteration_in_few_dimensions_ends_after_as_many_steps(rng):
    """In exact arithmetic k columns solve k dimensions; without mixing 0.99⁸ of the slowest would be left."""
    A, b = np.diag([0.99, 0.95, -0.9, 0.8]), rng.normal(size=4)
    truth, x, mixer = np.linalg.solve(np.eye(4) - A, b), np.zeros(4), Mixer()
    for _ in range(8):
        x = mixer.mixed(x, A @ x + b, np.ones(4))
    np.testing.assert_allclose(x, truth, rtol=1e-7)
