"""Differences against closed forms, in units from nanometres to gigametres, at points far from the origin."""

import numpy as np
import pytest

from mfgpde.core.differences import gradient


def wave(x, unit):
    return np.sin(3 * x[..., 0] / unit) * np.exp(0.5 * x[..., 1] / unit)


@pytest.mark.parametrize("unit", [1e-9, 1.0, 1e9])
def test_twelve_digits_in_any_units(unit, rng):
    x = unit * rng.normal(size=(30, 2))
    u, v = x[..., 0] / unit, x[..., 1] / unit
    exact = np.stack((3 * np.cos(3 * u), 0.5 * np.sin(3 * u)), axis=-1) * np.exp(0.5 * v)[..., None] / unit
    np.testing.assert_allclose(gradient(lambda y: wave(y, unit), x, unit)[0], exact, atol=1e-10 * np.abs(exact).max())


def test_a_length_that_is_far_off_costs_digits_and_not_the_answer(rng):
    x = rng.normal(size=(30, 2))
    right = gradient(lambda y: wave(y, 1.0), x, 1.0)[0]
    for length in (1e-3, 1e3):
        np.testing.assert_allclose(gradient(lambda y: wave(y, 1.0), x, length, 24)[0], right, atol=1e-7)


def test_axes_come_behind_those_of_the_values(rng):
    x, A = rng.normal(size=(4, 5, 3)), rng.normal(size=(2, 3))
    found = gradient(lambda y: y @ A.T, x, 1.0)[0]
    np.testing.assert_allclose(found, np.broadcast_to(A, (4, 5, 2, 3)), atol=1e-11)


def test_shifts_cost_what_the_points_have_lost():
    x = 1e8 + np.linspace(-1, 1, 9)[:, None]
    np.testing.assert_allclose(
        gradient(lambda y: (y[..., 0] - 1e8) ** 3, x, 1.0)[0][:, 0], 3 * (x[:, 0] - 1e8) ** 2, atol=1e-5
    )
