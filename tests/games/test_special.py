"""Wright's ω without SciPy's function against it, and the limits of x log x."""

import numpy as np
import pytest
import xarray
from scipy.special import wrightomega

from mfgpde.games.special import wright_omega, x_log_x


def test_omega_by_array_operations():
    z = np.concatenate([np.linspace(-750, -690.5, 50), np.linspace(-689, 800, 4001), np.linspace(-3, 3, 1001), [1e8]])
    ours = np.asarray(wright_omega(xarray.DataArray(z)))
    np.testing.assert_allclose(ours, np.real(wrightomega(z)), rtol=3e-15, atol=1e-299)
    inside = z > -600
    np.testing.assert_allclose(ours[inside] + np.log(ours[inside]), z[inside], rtol=1e-14, atol=1e-13)
    assert wright_omega(1.0) == 1.0


def test_nothing_times_its_logarithm():
    assert x_log_x(np.array([0.0, 1.0, np.e])) == pytest.approx([0, 0, np.e])
