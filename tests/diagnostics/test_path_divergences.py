"""Divergences of laws of paths: closed forms, tilted couplings, Pythagoras, refinement in time, and what is refused."""

import numpy as np
import pytest

import mfgpde as mfg
from mfgpde.diagnostics import mixture_divergence, path_divergence, projection_divergence
from mfgpde.processes import BridgeMixture


def test_what_independent_gaussians_lose_in_closed_form():
    """N(0, 1) joined to N(0, 1) by unit noise: X_u has the variance 1 − u + u², drifts are linear; by midpoints."""
    u = (np.arange(200_000) + 0.5) / 200_000  # midpoints
    beta = (2 * u - 1 - u) / (1 - u + u**2)  # (−(1 − u) + u − u)/S: S = (1 − u)² + u² + u(1 − u)
    gain = (u**2 + u * (1 - u)) ** -1 * u  # of X₁ − mean on X_u, given X_0
    along_start, along_rest = -1.0, (gain - 1) / (1 - u)
    rest = u**2 + u * (1 - u)
    lost = (along_start - beta * (1 - u)) ** 2 + (along_rest - beta) ** 2 * rest
    found = projection_divergence(BridgeMixture(mfg.gaussian([0.0, 0.0], np.eye(2))))
    assert 0.5 * float(lost.mean()) == pytest.approx(found.value, abs=1e-8 + found.half_width)


@pytest.mark.parametrize("d", [1, 2])
def test_a_tilted_bridge_in_closed_form(d):
    """Potentials g e^{a·y}: KL = log E e^{a·Y} − a·E Y of a mixture; bridges keep their divergence on paths."""
    rng = np.random.default_rng(d)
    law = mfg.GaussianMixture([0.4, 0.6], 0.5 * rng.normal(size=(2, d)), np.array([0.3 * np.eye(d), 0.5 * np.eye(d)]))
    pairs, a = mfg.densities.schroedinger_coupling(law, law, 0.8), np.zeros(2 * d)
    a[d:] = 0.4
    shifts = pairs.covariances @ a
    sizes = np.exp(pairs.means @ a + 0.5 * shifts @ a)
    tilted = mfg.GaussianMixture(pairs.weights * sizes, pairs.means + shifts, pairs.covariances)
    truth = float(np.log(pairs.weights @ sizes) - pairs.weights @ pairs.means @ a)
    first, second = (BridgeMixture(one, 0.8**0.5) for one in (pairs, tilted))
    found = path_divergence(first, second)
    assert found.value == pytest.approx(truth, abs=found.half_width)
    assert found.half_width < 1e-4 * truth
    assert mixture_divergence(pairs, tilted).value == pytest.approx(truth, rel=1e-6)


def test_noise_alone_is_a_second_process():
    """Against Brownian motion from the same start: ½∫E|b|² of b = −x/(2 − t) and x Gaussian, by a fine rule."""
    pairs = mfg.densities.schroedinger_coupling(mfg.gaussian(0.0, 1.0), mfg.gaussian(0.0, 1.0), 1.0)
    process = BridgeMixture(pairs)
    t = (np.arange(400) + 0.5) / 400
    spread = np.array([process.moments(float(s))[2][0, 0, 0] for s in t])
    wanted = 0.5 * np.mean(spread / (2 - t) ** 2)
    assert path_divergence(process, mfg.Brownian(), same_start=True).value == pytest.approx(wanted, rel=1e-4)


def test_steps_in_time_lose_less_and_tend_to_girsanovs_integral():
    """On a grid in N steps a projection drops less (data processing), by first order in 1/N, extrapolated to 2 %."""
    p, q = mfg.gaussian(-0.3, 0.3), mfg.gaussian(0.3, 0.4)
    game, grid = mfg.games.schroedinger_bridge(p, q, viscosity=0.5), mfg.CartesianGrid.cube(4.0, 96, 1)
    lost = [mfg.equilibria.markovian_fitting(game, grid, steps=n, rounds=1).rounds[0].dropped for n in (8, 16, 32)]
    limit = projection_divergence(BridgeMixture(mfg.gaussian([-0.3, 0.3], np.diag([0.3, 0.4])))).value
    assert lost[0] < lost[1] < lost[2] < limit
    assert 2 * lost[2] - lost[1] == pytest.approx(limit, rel=0.02)
    assert 1.7 < (limit - lost[1]) / (limit - lost[2]) < 2.3


def test_what_has_no_divergence_is_refused():
    process = BridgeMixture(mfg.gaussian([0.0, 0.0], np.eye(2)))
    with pytest.raises(ValueError, match="different noise are singular"):
        path_divergence(process, BridgeMixture(process.coupling, 1.1))
    with pytest.raises(ValueError, match="one horizon"):
        path_divergence(process, BridgeMixture(process.coupling, 1.0, 2.0))
    with pytest.raises(TypeError, match="same_start"):
        path_divergence(process, mfg.Brownian())
    with pytest.raises(ValueError, match="no spread"):
        projection_divergence(BridgeMixture(mfg.processes.Pairs(np.zeros((1, 1)), np.ones((1, 1)))))
    with pytest.raises(ValueError, match="dimensions 1 and 2"):
        mixture_divergence(mfg.gaussian(0.0, 1.0), mfg.gaussian(0.0, 1.0, 2))


class Kinked:
    """A drift with noise of one, to be told by its formula."""

    horizon = 1.0

    def __init__(self, drift):
        self.drift = drift

    def diffusion(self, t):
        return np.ones_like(np.asarray(t, dtype=float))


def test_drifts_with_kinks_jumps_and_waves_lie_within_their_bars():
    """Girsanov's integral by 400 Gauss times and 4001 places; a drawn jump in place or time, a kink, a wave, a pulse."""
    bridge = BridgeMixture(mfg.densities.schroedinger_coupling(mfg.gaussian(0.0, 1.0), mfg.gaussian(0.0, 1.0), 1.0))
    rng, z = np.random.default_rng(0), np.linspace(-9, 9, 4001)
    (u, w), panels = np.polynomial.legendre.leggauss(20), 20
    for _ in range(4):
        c, h, A = rng.uniform(-1, 1), rng.uniform(0.05, 0.95), rng.uniform(0.2, 3)
        for drift in (
            lambda x, t, c=c, A=A: A * np.abs(x - c),
            lambda x, t, c=c, A=A: A * np.sign(x - c),
            lambda x, t, h=h, A=A: A * (t > h) + 0 * x,
            lambda x, t, A=A: A * np.sin(15 * x),
            lambda x, t, h=h, A=A: A * np.sin(8 * x) * np.exp(-(((t - h) / 0.02) ** 2)),
        ):
            found, true = path_divergence(bridge, Kinked(drift), same_start=True), 0.0
            for k in range(panels):
                for share, t in zip(w, (k + 0.5 + 0.5 * u) / panels, strict=True):
                    _, means, covariances = bridge.moments(float(t))
                    x = (means[0, 0] + np.sqrt(covariances[0, 0, 0]) * z)[:, None]
                    bell = np.exp(-0.5 * z**2) / np.sqrt(2 * np.pi) * (z[1] - z[0])
                    true += 0.25 / panels * share * float(bell @ (bridge.drift(x, t) - drift(x, t))[:, 0] ** 2)
            assert abs(found.value - true) <= found.half_width + 2e-3 * true  # a jump is off by a place's share
