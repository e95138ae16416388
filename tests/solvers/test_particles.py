"""Feynman–Kac by particles: unbiased for every number and every twist, variance 1/N, closed forms, what is refused."""

import numpy as np
import pytest

import mfgpde as mfg
from mfgpde.equations import FeynmanKac, Resetting
from mfgpde.processes import Diffusion
from mfgpde.solvers import Twist, particle_constants, particle_expectation

WALK = Diffusion(lambda x, t: 0 * x, lambda x, t: 0.5)
KILLED = FeynmanKac(WALK, killing=lambda x, t: 0.5 * x[..., 0] ** 2)
START = mfg.gaussian(1.5, 0.2)


def one(x):
    return 1 + 0 * x[..., 0]


def of_the_chain(steps, end=1.0):
    """Return Z of the chain: u = c e^{−½ax²} goes back by A = a + h/2, a ← h/2 + A/(1 + hA), c ← c/√(1 + hA)."""
    h, a, c = end / steps, 0.0, 1.0
    for _ in range(steps):
        A = a + h / 2
        a, c = h / 2 + A / (1 + h * A), c / np.sqrt(1 + h * A)
    return c * np.exp(-0.5 * a * 1.5**2 / (1 + 0.2 * a)) / np.sqrt(1 + 0.2 * a)


def in_continuous_time(end=1.0):
    """Cameron and Martin: u = (cosh τ)^{−½} e^{−½x² tanh τ}, averaged over the start."""
    a = np.tanh(end)
    return np.exp(-0.5 * a * 1.5**2 / (1 + 0.2 * a)) / np.sqrt((1 + 0.2 * a) * np.cosh(end))


EXACT = Twist(
    lambda x, tau: -0.5 * np.log(np.cosh(tau)) - 0.5 * x[..., 0] ** 2 * np.tanh(tau), lambda x, tau: -x * np.tanh(tau)
)
WRONG = Twist(lambda x, tau: 0.4 * x[..., 0] - 0.1 * x[..., 0] ** 2, lambda x, tau: 0.4 - 0.2 * x)


@pytest.mark.parametrize("twist", [None, EXACT, WRONG], ids=["none", "exact", "wrong"])
@pytest.mark.parametrize("particles", [2, 16])
def test_the_chains_constant_is_met_in_the_mean_by_any_number_and_any_twist(particles, twist):
    found = particle_constants(
        KILLED, one, START, 1.0, steps=12, particles=particles, copies=6000, twist=twist, seed=particles
    )
    error = found.std(ddof=1) / np.sqrt(len(found))
    assert abs(found.mean() - of_the_chain(12)) < 4 * error
    assert error < 0.01 * found.mean()
    off = abs(in_continuous_time() - of_the_chain(12))
    assert off < 2e-3  # another number, which the steps owe


def test_the_variance_falls_like_one_over_the_number_and_a_good_twist_takes_most_of_it():
    spreads = [
        particle_constants(KILLED, one, START, 1.0, steps=16, particles=n, copies=3000, seed=n).var() for n in (16, 64)
    ]
    assert spreads[0] / spreads[1] == pytest.approx(4.0, rel=0.25)
    twisted = particle_constants(KILLED, one, START, 1.0, steps=16, particles=16, copies=3000, twist=EXACT, seed=5)
    # what is left is the start's, drawn without the twist, and the steps'
    assert twisted.var() < 0.8 * spreads[0]
    point = mfg.gaussian(1.5, 1e-12)
    plain, led, finer = (
        particle_constants(KILLED, one, point, 1.0, steps=n, particles=16, copies=2000, twist=t, seed=3).var()
        for t, n in ((None, 16), (EXACT, 16), (EXACT, 64))
    )
    assert led < 0.05 * plain
    assert finer < 0.4 * led  # of the continuous u alone nothing would be left


def test_steps_have_order_two_without_drift():
    errors = np.array([of_the_chain(n) for n in (4, 8, 16)]) - in_continuous_time()
    assert np.log2(np.abs(errors[:-1] / errors[1:])) == pytest.approx([2.0, 2.0], abs=0.15)
    found = [
        particle_constants(KILLED, one, mfg.gaussian(1.5, 0.2), 1.0, steps=n, particles=64, copies=4000, twist=EXACT)
        for n in (2, 4)
    ]
    for values, n in zip(found, (2, 4), strict=True):
        assert abs(values.mean() - of_the_chain(n)) < 4 * values.std() / np.sqrt(len(values))


def test_bars_hold_closed_forms_and_the_grid_agrees():
    truth = in_continuous_time()
    for twist in (None, EXACT):
        found = particle_expectation(KILLED, one, START, 1.0, steps=32, particles=128, copies=40, twist=twist, seed=2)
        assert truth in found
        assert found.half_width < 0.03
    turning = FeynmanKac(
        Diffusion(
            lambda x, t: np.stack((x[..., 1], -x[..., 0]), axis=-1),
            lambda x, t: np.array([[0.0, 0.0], [0.0, 0.4]]) + 0 * x[..., None],
        ),
        killing=lambda x, t: 0.3 + 0 * x[..., 0],
    )  # noise on one axis alone, killing at one rate: e^{−0.3T} times a Gaussian's moments
    law = mfg.Linear(np.array([[0.0, 1.0], [-1.0, 0.0]]), np.array([0.0, np.sqrt(0.8)])).transition(0.0, 1.0)
    data = mfg.gaussian(np.array([0.5, -0.2]), 0.1 * np.eye(2))
    mean = law.factor @ np.array([0.5, -0.2])
    second = (law.factor @ (0.1 * np.eye(2)) @ law.factor.T + law.covariance)[0, 0] + mean[0] ** 2
    found = particle_expectation(turning, lambda x: x[..., 0] ** 2, data, 1.0, steps=64, particles=512, copies=32)
    assert np.exp(-0.3) * second in found
    assert found.half_width < 0.2 * found.value


def test_what_particles_cannot_is_said():
    with pytest.raises(ValueError, match="killing alone"):
        particle_constants(FeynmanKac(WALK, source=lambda x, t: 1.0), one, START, 1.0, steps=4, particles=4, copies=2)
    reset = FeynmanKac(WALK, resetting=Resetting(lambda x, t: 1.0, START))
    with pytest.raises(ValueError, match="killing alone"):
        particle_constants(reset, one, START, 1.0, steps=4, particles=4, copies=2)
    with pytest.raises(ValueError, match="payoff must be ≥ 0"):
        particle_constants(KILLED, lambda x: x[..., 0] - 9, START, 1.0, steps=4, particles=4, copies=2)
    with pytest.raises(ValueError, match="particles must be at least one"):
        particle_constants(KILLED, one, START, 1.0, steps=4, particles=0, copies=2)
    with pytest.raises(ValueError, match="an even number"):
        particle_expectation(KILLED, one, START, 1.0, steps=7)
    with pytest.raises(ValueError, match="the end must lie in"):
        particle_constants(KILLED, one, START, -1.0, steps=4, particles=4, copies=2)
