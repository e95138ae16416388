"""Coefficients read off transition laws by differences in time: where they oscillate, jump, and what reading them costs."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mfgpde as mfg
from mfgpde.scores.exact import motion


def ripples(horizon, waves=400.0):
    """Return the path of rate β = 1 + ½cos(400 t/T), and β: the first differences are 1.2 radians of it wide."""
    w = waves / horizon

    def kept(t):
        return np.exp(-0.5 * (t + 0.5 * np.sin(w * t) / w))

    process = mfg.processes.GaussianPath(kept, lambda t: np.sqrt(1 - kept(t) ** 2 + 0.01), horizon=horizon)
    return process, lambda t: 1 + 0.5 * np.cos(w * t)


@settings(max_examples=20)
@given(st.floats(0.0, 1.0), st.sampled_from([0.7, 1.0, 2.7]))
def test_where_they_oscillate_times_are_taken_closer(share, horizon):
    """A = −½β, 2D = d(σ²)/dt + βσ² = β(α² + σ²) = 1.01 β: an order above what the first, wide differences know."""
    process, beta = ripples(horizon)
    t = share * horizon
    A, c, D = motion(process, t, 2)
    assert pytest.approx(-0.5 * beta(t) * np.eye(2), abs=1e-7) == A
    assert c == pytest.approx(0.0, abs=1e-12)
    assert pytest.approx(0.5 * 1.01 * beta(t) * np.eye(2), abs=1e-7) == D


@settings(max_examples=30)
@given(st.integers(0, 10**6), st.sampled_from([200, 4000]), st.floats(0.0, 1.0), st.floats(0.0, 1.0))
def test_where_they_jump_times_are_taken_on_one_side(seed, count, place, within):
    """A β is in force for 1/n of the horizon, less than nine wide or nine close times: there A = ½ log(1 − β)/h."""
    betas = np.random.default_rng(seed).uniform(0.2, 10, count) / count
    process = mfg.processes.DiscreteSchedule(betas, 2.7)
    k = min(int(count * place), count - 1)
    h = 2.7 / count
    t = (k + 0.01 + 0.98 * within) * h
    A, _, D = motion(process, t, 1)
    rate = np.log1p(-betas[k]) / h
    assert A[0, 0] == pytest.approx(0.5 * rate, rel=1e-8)
    assert D[0, 0] == pytest.approx(-0.5 * rate, rel=1e-7)


@pytest.mark.parametrize(
    ("process", "laws"),
    [
        (mfg.Brownian(), 9),
        (mfg.OrnsteinUhlenbeck(), 9),
        (mfg.VariancePreserving(horizon=2.7), 9),
        (ripples(1.0, 60.0)[0], 18),
        (ripples(1.0)[0], 27),
    ],
    ids=["none", "constant", "slow", "waves", "ripples"],
)
def test_smooth_ones_are_read_off_nine_laws(process, laws, monkeypatch):
    """And the law at t; where differences disagree, off nine more, an eighth as far apart."""
    asked = []
    law = type(process).transition

    def transition(self, s, t):
        asked.append(t)
        return law(self, s, t)

    monkeypatch.setattr(type(process), "transition", transition)
    motion(process, 0.4 * process.horizon, 1)
    assert len(asked) == laws + 1
