"""Both sides of the W₂ bound for laws that shift: against scipy's integrator and its quadrature."""

from pathlib import Path

import numpy as np
import pytest
from scipy.integrate import quad, solve_ivp

import mfgpde as mfg
from mfgpde.verify import load_module

claim = load_module(Path(mfg.__file__).parents[1] / "validation" / "deveney2023" / "w2_bound.py")


@pytest.mark.parametrize(("spread", "size", "horizon"), [(2.0, 0.67, 5.0), (1.0, 1.2, 2.0), (2.5, 0.3, 4.0)])
@pytest.mark.parametrize("growth", [1.0, 0.0])
def test_the_bars_hold_what_an_integrator_and_a_quadrature_find(growth, spread, size, horizon):
    def variance(t):
        return 0.5 + (spread - 0.5) * np.exp(-2 * t)

    def means(k):
        """Return k = 1: the mean of the ODE's law over the offset, k = 2: of the SDE's, as functions of time."""

        def rate(tau, m):
            t = horizon - tau
            return (1 - 0.5 * k / variance(t)) * m + 0.5 * k * np.exp(-2 * t)

        found = solve_ivp(rate, (0, horizon), [0.0], rtol=1e-12, atol=1e-14, method="DOP853", dense_output=True).sol
        return lambda t: float(found(horizon - t)[0])

    ode, sde = means(1), means(2)

    def gap(t):
        return abs(np.exp(-2 * t) - sde(t) / variance(t))

    def exponent(t):  # ∫_0^t (1 − 1/2v): d/dt log v = −2 + 1/v
        return 0.5 * np.log(variance(0.0) / variance(t))

    truth, along, lipschitz = claim.of_shifts(spread, size, horizon, growth)
    wanted = [quad(lambda t, k=k: 0.5 * np.exp(k * exponent(t)) * gap(t), 0, horizon, epsabs=1e-11, limit=200)[0]
              for k in (1.0, growth)]  # fmt: skip
    for found, expected in zip((truth, along, lipschitz), (abs(ode(0.0) - sde(0.0)), *wanted), strict=True):
        assert found.kind is mfg.Kind.BOUND
        assert abs(found.value - size * expected) <= found.half_width + 2e-11  # what the integrator leaves
