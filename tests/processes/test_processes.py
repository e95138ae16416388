"""Processes in closed form against each other, and what they refuse; the laws of all are in test_laws.py."""

import numpy as np
import pytest

import mfgpde as mfg


def test_a_constant_matrix_agrees_with_the_isotropic_closed_form():
    ou = mfg.OrnsteinUhlenbeck(rate=0.7, scale=1.3)
    same = mfg.Linear(-0.7 * np.eye(2), scale=1.3)
    for a, b in zip(ou.transition(0.1, 0.9).in_dimension(2), same.transition(0.1, 0.9).in_dimension(2), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-12)


@pytest.mark.parametrize("cls", [mfg.OrnsteinUhlenbeck, mfg.Brownian])
@pytest.mark.parametrize("scale", [0.0, -1.0, float("nan"), float("inf")])
def test_a_diffusion_must_be_positive(cls, scale):
    with pytest.raises(ValueError, match="scale must be a positive finite number"):
        cls(scale=scale)


def test_other_bad_parameters():
    with pytest.raises(ValueError, match="sigma_max must exceed"):
        mfg.VarianceExploding(sigma_min=2.0, sigma_max=1.0)
    with pytest.raises(ValueError, match="square"):
        mfg.Linear(np.ones((2, 3)))
    with pytest.raises(ValueError, match="scale has entries that are not finite"):
        mfg.Linear(-np.eye(2), scale=np.inf)
    with pytest.raises(ValueError, match="horizon"):
        mfg.VariancePreserving().transition(0.5, 2.0)
    with pytest.raises(ValueError, match="0 ≤ s ≤ t"):
        mfg.VariancePreserving().transition(0.5, 0.2)


def test_a_matrix_process_is_right_in_any_unit():
    """∫g² by hand for g = ℓ(3/2 + sin 40t) and no drift: the solver's absolute tolerance must follow the unit."""
    t = 0.7
    exact = 2.25 * t - 3 * (np.cos(40 * t) - 1) / 40 + 0.5 * t - np.sin(80 * t) / 160
    for unit in (1e-9, 1.0, 1e9):
        process = mfg.Linear(np.zeros((1, 1)), lambda u, unit=unit: unit * (1.5 + np.sin(40 * u)))
        assert float(process.transition(0.0, t).covariance[0, 0]) == pytest.approx(unit**2 * exact, rel=1e-9)


def test_coefficients_that_are_infinite_at_the_end_are_named():
    """Of x = (1 − t)x₀ + tε as a linear process laws before its end are right, the one at the end is a limit."""
    straight = mfg.Linear(lambda t: np.array([[-1 / (1 - t)]]), lambda t: np.sqrt(2 * t / (1 - t)))
    assert straight.transition(0.0, 0.5).factor[0, 0] == pytest.approx(0.5, rel=1e-12)
    assert straight.transition(0.0, 0.5).covariance[0, 0] == pytest.approx(0.25, rel=1e-11)
    with pytest.raises(ValueError, match=r"not finite at t = 1 .*GaussianPath"):
        straight.prior()
