"""Likelihood along the flow against grids, closed forms and quadrature; couplings and copies against what is known."""

import numpy as np
import pytest

import mfgpde as mfg
from mfgpde.diagnostics.data import Named, Sampled
from mfgpde.diagnostics.likelihood import levels, likelihood

OU, STOP = mfg.OrnsteinUhlenbeck(horizon=3.0), 0.4


class Wrong:
    """The score of a mixture, bent: it solves no equation, and the law of its flow has no closed form."""

    def __init__(self, dimension):
        self.exact, self.dimension = mfg.ExactScore(OU, mfg.densities.bimodal(dimension)), dimension

    def __call__(self, x, t):
        return self.exact(x, t) - 0.2 * np.tanh(np.roll(x, 1, axis=-1))

    def divergence(self, x, t):
        own = 0.2 / np.cosh(x) ** 2 if self.dimension == 1 else 0.0
        return self.exact.divergence(x, t) - np.sum(own + 0 * x, axis=-1)

    def directional_derivatives(self, x, t, v):
        slope = -0.2 / np.cosh(np.roll(x, 1, axis=-1)) ** 2
        pushed, pulled, _ = self.exact.directional_derivatives(x, t, v)
        return pushed + slope * np.roll(v, 1, axis=-1), pulled + np.roll(slope * v, -1, axis=-1), 0 * v

    def time_derivative(self, x, t):
        return self.exact.time_derivative(x, t)


@pytest.mark.parametrize(
    ("dimension", "cells", "width"),
    [(1, 192, 7.0), *(pytest.param(*one, marks=pytest.mark.slow) for one in ((2, 96, 6.0), (3, 48, 5.0)))],
)
def test_it_is_the_density_that_a_grid_finds(dimension, cells, width):
    """The continuity equation by Fourier series, of a score that is no gradient, against −log q along the flow: 1e-6."""
    score, prior = Wrong(dimension), mfg.solvers.prior_of(OU, dimension)

    def velocity(x, t):  # forward in generation's time
        return float(OU.diffusivity(3.0 - t)) * score(x, 3.0 - t) - OU.drift(x, 3.0 - t)

    def divergence(x, t):
        return float(OU.diffusivity(3.0 - t)) * score.divergence(x, 3.0 - t) - OU.divergence(x, 3.0 - t)

    grid = mfg.CartesianGrid.cube(width, cells, dimension)
    equation = mfg.Continuity(velocity, divergence)
    found = mfg.solve(equation, mfg.Spectral(grid), prior, (0.0, 3.0 - STOP), rtol=1e-9).fields[-1]
    inside = np.abs(grid.points).max(axis=-1) < 1.5
    some = np.random.default_rng(2).permutation(int(inside.sum()))[:40]
    x, q = grid.points[inside][some], found.values[inside][some]
    logs = mfg.diagnostics.flow_log_density(OU, score, x, STOP, rtol=1e-8)
    assert np.abs(np.exp(logs) / q - 1).max() < 1e-6
    exact = mfg.ExactScore(OU, mfg.densities.bimodal(dimension)).potential(x, STOP)
    assert np.abs(np.exp(logs - exact) - 1).max() > 0.1  # the bend is seen


@pytest.mark.parametrize("predicts", ["noise", "data", "v", "flow", "edm", "score"])
def test_every_prediction_has_the_same_likelihood_in_three_dimensions(predicts):
    """Of a Gaussian under its exact flow q is the law itself, less what the prior is off; each from its own velocity."""
    process, c = mfg.processes.Trigonometric(), 0.3
    exact = mfg.ExactScore(process, mfg.gaussian(0.0, c, dimension=3))

    def network(x, t):
        from mfgpde.processes import schedule_of
        from mfgpde.scores import converted
        from mfgpde.scores.predictions import preconditioning

        now = schedule_of(process, t)
        y = x / preconditioning(now, 0.5)[2] * now.alpha if predicts == "edm" else x
        return converted(exact(y, t), y, now, "score", predicts)

    score = mfg.scores.Predicted(process, mfg.scores.Differenced(network, 3, end=0.999), predicts)
    x = np.random.default_rng(0).normal(size=(20, 3))
    stop = 0.05
    found = mfg.diagnostics.flow_log_density(process, exact, x, stop, rtol=1e-8)
    velocity, form = score.velocity_with_form(x, 0.4, x)
    assert np.abs(velocity - score.velocity(x, 0.4)).max() < 1e-10
    np.testing.assert_allclose(form, np.sum(x * velocity, axis=-1), rtol=1e-6)  # linear velocities: xᵀ(∇u)x = x·u
    law = mfg.densities.marginal(process, exact.data, stop)
    np.testing.assert_allclose(found, law.log_density(x), atol=1e-6)


def test_a_law_of_levels_is_no_likelier_than_its_bits_say():
    """In one dimension both sides by quadrature: −log P of each level from below, the encoded bound within its bar."""
    process, stop, n = mfg.VariancePreserving(horizon=1.0), 5e-3, 4000
    raw = np.random.default_rng(3).choice([-1.0, -0.5, 0.0, 0.5, 1.0], p=[0.1, 0.2, 0.4, 0.2, 0.1], size=(n, 1))
    model = mfg.gaussian(0.1, 0.4)
    score, data = mfg.ExactScore(process, model), Sampled.stopped(process, raw, stop)
    assert levels(raw) == (5, -1.0, 0.5)
    found = likelihood(process, score, data, n, stop, np.random.default_rng(0))
    bits = found["bits a dimension of 5 levels, at most"]
    alpha, sigma = float(process.mean_coefficient(stop)), float(np.sqrt(process.variance(stop)))
    law = mfg.densities.marginal(process, model, stop)  # of the flow, to what the prior is off by at the horizon
    y = np.linspace(-2.5, 2.5, 40_001)[:, None]
    q = np.exp(law.log_density(y))
    weights = np.exp(-0.5 * ((y - alpha * np.linspace(-1, 1, 5)) / sigma) ** 2)
    decoder = weights / np.maximum(weights.sum(axis=1, keepdims=True), 1e-300)
    chance = np.trapezoid(q[:, None] * decoder, y[:, 0], axis=0)
    which = np.rint(2 * raw[:, 0] + 2).astype(int)
    least = -np.log2(chance)[which].mean()
    noise = weights / (sigma * np.sqrt(2 * np.pi))
    gain = np.log2(np.maximum(noise, 1e-300)) - np.log2(q)[:, None] - np.log2(np.maximum(decoder, 1e-300))
    want = np.trapezoid(noise * gain, y[:, 0], axis=0)[which].mean()
    off = bits.value - want
    assert abs(off) <= bits.half_width
    assert bits.half_width < 0.1
    assert want > least
    assert set(bits.parts) == {"samples", "solver tolerance", "dequantisation"}
    assert sum(bits.parts.values()) == pytest.approx(bits.half_width)


def test_in_many_dimensions_directions_drawn_give_the_same_within_their_bar():
    """Twenty dimensions, correlated: of a wrong Gaussian score KL(p‖q) in closed form, and which part is chance."""
    d, process, stop = 20, mfg.VariancePreserving(horizon=1.0), 1e-2
    rng = np.random.default_rng(5)
    axes = np.linalg.qr(rng.normal(size=(d, d)))[0]
    p = mfg.gaussian(np.zeros(d), (axes * np.linspace(0.3, 1.5, d)) @ axes.T)
    q = mfg.gaussian(np.full(d, 0.2), (axes * np.linspace(0.5, 1.0, d)) @ axes.T)
    data, score = Named.stopped(process, p, stop), mfg.ExactScore(process, q)
    found = likelihood(process, score, data, 800, stop, np.random.default_rng(1))
    kl, bits = found["KL(p‖q^ODE)"], found["bits a dimension"]
    a, b = (mfg.densities.marginal(process, law, stop) for law in (p, q))
    S, C, m = a.covariances[0], b.covariances[0], b.means[0] - a.means[0]
    exact = 0.5 * (np.trace(np.linalg.solve(C, S)) - d + m @ np.linalg.solve(C, m))
    exact += 0.5 * (np.linalg.slogdet(C)[1] - np.linalg.slogdet(S)[1])
    assert abs(kl.value - exact) <= kl.half_width
    assert kl.half_width < 0.5 * exact
    assert kl.parts["trace estimator"] > 0
    entropy = 0.5 * np.linalg.slogdet(2 * np.pi * np.e * S)[1]
    assert abs(bits.value - (exact + entropy) / (d * np.log(2))) <= bits.half_width


def test_couplings_of_batches_bound_a_distance_from_above(rng):
    a, b = rng.normal(size=(2048, 6)), rng.normal(size=(2048, 6)) + 1.0
    found = mfg.diagnostics.coupled(a, b)
    assert found.value - found.half_width > 6.0  # W₂² of a shift by one in six dimensions
    assert mfg.diagnostics.coupled(a, a + 3.0).value >= 54.0 - 1e-9
    with pytest.raises(ValueError, match="two samples"):
        mfg.diagnostics.coupled(a[:10], b)


def test_copies_are_told_from_data_and_from_what_is_alike(rng):
    """A model that repeats a third of the time, which no median shows; one that draws afresh; noise at the stop."""
    training, fresh, others = (rng.normal(size=(1500, 8)) for _ in range(3))
    repeats = np.where(rng.random((1500, 1)) < 1 / 3, training + 1e-3 * rng.normal(size=training.shape), others)
    share, _ = mfg.diagnostics.share_of_copies(repeats, training, fresh)
    assert abs(share.value - (1 / 3 + 2 / 3 * 0.05)) < share.half_width < 0.08
    share, _ = mfg.diagnostics.share_of_copies(others, training, fresh)
    assert abs(share.value - 0.05) <= share.half_width
    noisy = training + 1e-3 * rng.normal(size=training.shape)  # each beside the others: no copies of themselves
    for x in (noisy, training):
        share, near = mfg.diagnostics.share_of_copies(others, training, x, own=True)
        assert near > 0.5
        assert abs(share.value - 0.05) <= share.half_width
    with pytest.raises(ValueError, match="so many fresh"):
        mfg.diagnostics.share_of_copies(others, training, fresh[:-1], own=True)


@pytest.mark.parametrize(
    "process",
    [mfg.processes.linear_betas(), mfg.processes.scaled_linear_betas(zero_terminal_snr=True)],
    ids=["linear", "no signal at the end"],
)
def test_a_list_of_a_thousand_steps_has_the_likelihood_in_closed_form(process):
    """The flow of a Gaussian is affine between its marginals; in log ᾱ it needs a twentieth of a step an instant.

    In t every instant ends a step, which asks twelve times at least; unseen jumps would be wrong by 2e-3.
    """
    law, stop, calls = mfg.gaussian(0.4, 0.3), 0.1, 0

    class Counted(mfg.ExactScore):
        def __call__(self, x, t):
            nonlocal calls
            calls += 1
            return super().__call__(x, t)

    x = np.linspace(-1.0, 1.5, 5)[:, None]
    found = mfg.diagnostics.flow_log_density(process, Counted(process, law), x, stop, rtol=1e-8)
    first, last = (mfg.marginal(process, law, t) for t in (stop, process.horizon))
    (m, s), (n, r) = ((one.means[0, 0], np.sqrt(one.covariances[0, 0, 0])) for one in (first, last))
    ends = n + r / s * (x - m)
    want = mfg.gaussian(0.0, process.prior_variance).log_density(ends) + np.log(r / s)
    np.testing.assert_allclose(found, want, atol=2e-6)
    assert calls < 12 * 1000
