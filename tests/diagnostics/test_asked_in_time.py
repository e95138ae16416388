"""Scores that kink and pulse in time: bars of the SDE's law hold the truth, or the certificate says what is too short."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp

import mfgpde as mfg
from mfgpde.densities import gaussian
from mfgpde.diagnostics.certificate import certify
from mfgpde.diagnostics.data import Named

OU = mfg.OrnsteinUhlenbeck(horizon=5.0)
STOP, DATA = 0.02, 0.5
SEEN, UNSEEN = 0.03, 3e-3
"""widths of pulses: steps of the march, and those between times asked where nothing else moves"""


def slope(t, xp, kind, width):
    """Return A(t) of the score −A(t)x: of N(0, ½) at all times, and what comes on top."""
    more = 1.2 * xp.abs(t - 1.3) if kind == "kink" else 0.6 / width**0.5 * xp.exp(-0.5 * ((t - 0.7) / width) ** 2)
    return 2.0 + more


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "width"),
    [
        ("kink", 0.0),
        *(
            pytest.param("pulse", w, marks=[pytest.mark.slow] * (w in (0.1, 0.01)))
            for w in (0.3, 0.1, 0.03, 0.01, 3e-3, 1e-3)
        ),
    ],
)
def test_bars_hold_what_kinks_and_pulses_or_the_certificate_says_how_short_is_too_short(kind, width):
    """dv/du = 2(1 − A)v + 1 of the SDE's variance in generation time u, whatever A does."""
    score = mfg.JaxScore(lambda x, t: -0.5 * slope(t, jnp, kind, width) * jnp.sum(x**2), dimension=1)
    run = solve_ivp(
        lambda u, v: 2 * (1 - slope(OU.horizon - u, np, kind, width)) * v + 1,
        (0, OU.horizon - STOP),
        [0.5],
        rtol=1e-10,
        atol=1e-12,
        max_step=0.2 * width if kind == "pulse" and width > 0.02 else 0.002,
    )
    x = np.linspace(-8, 8, 20_001)[:, None]
    known = gaussian(np.zeros(1), np.array([[DATA]]))
    law = known.after(OU.transition(0.0, STOP))
    truth = gaussian(np.zeros(1), run.y[:, -1:])
    apart = np.trapezoid(np.abs(np.exp(truth.log_density(x)) - np.exp(law.log_density(x))), x[:, 0])
    ledger = certify(OU, score, mfg.CartesianGrid.cube(4.0, 96, 1), data=Named.stopped(OU, known, STOP), stop=STOP)
    entry, between = ledger.measured["distances"]["sde–data"]["L1"], ledger.facts["between times"]
    held = abs(entry.value - apart) <= entry.half_width
    if kind == "kink" or width >= SEEN:
        assert held
    if kind == "pulse" and width <= UNSEEN:
        assert not held, "it is seen now: the words about pulses can go"
        assert width < between["apart"], "what is missed is what the certificate says it can miss"
    assert 0 < between["L1"] < 1e-2
    assert between["apart"] < 1.0
