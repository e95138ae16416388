"""Both sides of the W₂ bound for laws that shift: against scipy's integrator and its quadrature."""

from pathlib import Path

import numpy as np
import pytest
from scipy.integrate import quad, solve_ivp

import mfgpde as mfg
from mfgpde.verify import load_module

claim = load_module(Path(mfg.__file__).parents[1] / "validation" / "deveney2023" / "w2_bound.py")


@pytest.mark.parametrize("growth", [1.0, 0.0])
@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("name", claim.KINDS)
def test_the_bars_hold_what_an_integrator_and_a_quadrature_find(name, seed, growth):
    """The variance too is integrated, from v′ = 2D − 2bv: the claim's formula of it is on trial with the rest."""
    rng = np.random.default_rng(seed)
    rate, noise, variance, late, horizon = claim.linear(name, rng)
    spread, size = float(rng.uniform(1.0, 2.5)), float(rng.uniform(0.3, 1.2))
    precise = {"rtol": 1e-12, "atol": 1e-14, "method": "DOP853", "dense_output": True}
    carried = solve_ivp(lambda t, v: 2 * noise(t) - 2 * rate(t) * v, (0, horizon), [spread], **precise).sol
    for t in np.linspace(0, horizon, 7):
        assert variance(t, spread) == pytest.approx(float(carried(t)[0]), rel=1e-10)

    def means(k):
        """Return k = 1: the mean of the ODE's law over the offset, k = 2: of the SDE's, as functions of time."""

        def back(tau, m):
            t = horizon - tau
            return (rate(t) - k * noise(t) / variance(t, spread)) * m + k * noise(t) * late(t, spread)

        found = solve_ivp(back, (0, horizon), [0.0], **precise).sol
        return lambda t: float(found(horizon - t)[0])

    ode, sde = means(1), means(2)

    def gap(t):
        return abs(late(t, spread) - sde(t) / variance(t, spread))

    def exponent(t):  # ∫_0^t (b − D/v): d/dt log v = −2b + 2D/v
        return 0.5 * np.log(spread / variance(t, spread))

    truth, along, lipschitz = claim.of_shifts(name, seed, growth)
    wanted = [quad(lambda t, k=k: noise(t) * np.exp(k * exponent(t)) * gap(t), 0, horizon, epsabs=1e-11, limit=200)[0]
              for k in (1.0, growth)]  # fmt: skip
    for found, expected in zip((truth, along, lipschitz), (abs(ode(0.0) - sde(0.0)), *wanted), strict=True):
        assert found.kind is mfg.Kind.BOUND
        assert abs(found.value - size * expected) <= found.half_width + 2e-11  # what the integrator leaves
