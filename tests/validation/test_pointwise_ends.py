"""The integral of denoising errors over all noise, of a Gaussian: rule and ends against the closed form."""

from pathlib import Path

import numpy as np
import pytest
from scipy.integrate import quad

import mfgpde as mfg
from mfgpde.verify import load_module

likelihood = load_module(Path(__file__).parents[2] / "validation" / "denoising" / "pointwise_likelihood.py")


@pytest.mark.parametrize(("mean", "variance", "x"), [(0.0, 0.3, 1.4), (0.7, 0.6, -0.2), (-1.0, 2.0, 0.5)])
@pytest.mark.parametrize("d", [1, 2, 3])
def test_what_is_beyond_both_ends_and_what_roundings_leave(mean, variance, x, d):
    """The integrand is rational, of x − x̂ = (x − μ − s√γ ε)/(1 + sγ), and its tails are known by quadrature."""
    law, places = mfg.gaussian(mean, variance, d), np.full((1, d), x)

    def off(gamma):  # an axis
        away = (x - mean) ** 2
        return (away - 1 + (away + variance**2 - 2 * variance) * gamma) / ((1 + gamma * variance) ** 2 * (1 + gamma))

    last = np.exp(-2 * likelihood.REACH)
    below, above = last * off(0.0), quad(lambda u: off(1 / u) / u**2, 0.0, last, points=[0.5 * last])[0]
    ends = likelihood.ends(law, places)
    assert abs(below) + abs(above) <= ends * 2 / d * (1 + 1e-6)
    found = float(likelihood.pointwise(law, places, 40, 900, 1.0)[0])
    assert abs(found + float(law.log_density(places)[0])) <= ends + likelihood.ROUNDING
