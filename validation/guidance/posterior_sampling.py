"""Diffusion posterior sampling replaces p(y|x_t) by p(y|E[x₀|x_t]), and does not sample the posterior; exact twisting does.

Observation y = x₀ + N(0, σ²) under VP. Gaussian data: everything stays Gaussian, the guided law has a mean and a variance from two
scalar equations. Blobs: the twist h = E[N(y; X₀, σ²)|X_t] is integrated over X₀, and its score is that of the noised posterior.
"""

from pathlib import Path

import numpy as np
from scipy.integrate import solve_ivp

import mfgpde as mfg
from mfgpde.verify import Claim, Evidence, Level, at_least, at_most, equal, load_module

laws = load_module(Path(__file__).parent / "_laws.py")
once = load_module(Path(__file__).parents[1] / "networks" / "_once.py").once

claim = Claim(
    statement=(
        r"\nabla\log p_t(x|y)=\nabla\log p_t(x)+\nabla\log\mathbb E[\mathcal N(y;X_0,\sigma^2)|X_t=x],\qquad "
        r"q^{\mathrm{DPS}}\ne p(\cdot|y),\quad q^{\mathrm{DPS}}\ \text{driven by}\ \nabla\log\mathcal N(y;\mathbb E[X_0|X_t=x],\sigma^2)"
    ),
    source="arXiv:2209.14687",
    standing="derived",
    assumes=("exact scores", "a linear observation", "no step size by hand"),
    coefficients=("variance", "twisted"),
)

PROCESS = mfg.VariancePreserving()
NOISE, CARED = 0.3, 0.02
"""σ, and the W₂ that someone would care about"""


def transition(t):
    """Return a and V of X_t = aX₀ + √V Z."""
    factor, _, covariance = PROCESS.transition(0.0, t).in_dimension(1)
    return float(factor[0, 0]), float(covariance[0, 0])


class Twisted:
    """s + twisted·∇log N(y; x̂₀, σ² + spread·Var[X₀|x]): spread 0 is diffusion posterior sampling, for Gaussians 1 is exact."""

    def __init__(self, data, y, spread, twisted=1.0):
        self.score, self.y, self.spread, self.twisted = mfg.ExactScore(PROCESS, data), y, spread, twisted

    def __call__(self, x, t):
        a, V = transition(t)
        s, slope = self.score(x, t), self.score.divergence(x, t)[..., None]
        mean, rise = (x + V * s) / a, (1 + V * slope) / a  # Var[X₀|x] = (V/a)·∂x̂₀
        return s + self.twisted * (self.y - mean) * rise / (NOISE**2 + self.spread * V / a * rise)


def posterior(data, y):
    """Return p(·|y)."""
    v, m = data.covariances[:, 0, 0], data.means[:, 0]
    share = data.weights * np.exp(-0.5 * (y - m) ** 2 / (v + NOISE**2)) / np.sqrt(v + NOISE**2)
    narrow = v * NOISE**2 / (v + NOISE**2)
    return mfg.GaussianMixture(share, (narrow * (m / v + y / NOISE**2))[:, None], narrow)


def scalar(y, v0, spread, start, twisted=1.0):
    """Return mean and variance at t = 0 of the SDE driven by a Gaussian's twisted score, from two scalar equations."""

    def coefficients(t):
        a, V = transition(t)
        v = a * a * v0 + V
        gain = a * v0 / v  # x̂₀ = gain·x
        pull = twisted * gain / (NOISE**2 + spread * V * v0 / v)
        return -1 / v - gain * pull, y * pull  # score = A x + B

    def rate(tau, state):
        t = 1.0 - tau
        D = float(PROCESS.diffusivity(t))
        A, B = coefficients(t)
        return [(D + 2 * D * A) * state[0] + 2 * D * B, 2 * (D + 2 * D * A) * state[1] + 2 * D]

    return solve_ivp(rate, (0.0, 1.0), start, rtol=1e-11, atol=1e-12).y[:, -1]


def twist(data, y, x, t):
    """Return ∇log E[N(y; X₀, σ²)|X_t = x] by quadrature over X₀ and derivatives of the kernel, on the line."""
    a, V = transition(t)
    z = np.linspace(-6, 6, 6001)
    joint = np.exp(data.log_density(z[:, None]) - (x[:, None] - a * z) ** 2 / (2 * V))
    seen = joint * np.exp(-((y - z) ** 2) / (2 * NOISE**2))
    slope = -(x[:, None] - a * z) / V
    return (slope * seen).sum(axis=1) / seen.sum(axis=1) - (slope * joint).sum(axis=1) / joint.sum(axis=1)


def generated(data, y, spread, twisted, start, cells):
    """Return quantiles, and their bar, of what the approximate likelihood's score drives; `spread` None: the exact one's."""
    model = mfg.ExactScore(PROCESS, posterior(data, y)) if spread is None else Twisted(data, y, spread, twisted)
    return laws.refined(lambda n: laws.by_sde(PROCESS, model, start.density, 4.0, n), cells)


@claim.measure
def sampled(level, rng, variance=1.0, spread=None, twisted=1.0):
    """`variance` scales what the scalar equations say, `twisted` what the likelihood adds to the score, exact and approximate.

    `spread` is used in both twists, 0 and 1.
    """
    cells = Level(level).pick(200, 400, 800)
    zero, cared, findings = mfg.exact(0.0, "claim"), mfg.exact(CARED, "what one would care about"), []
    y, v0 = 0.8, 0.7
    data = mfg.gaussian(0.0, v0)
    start = mfg.marginal(PROCESS, posterior(data, y), 1.0)
    moments = [start.means[0, 0], start.covariances[0, 0, 0]]
    found, wanted, at = {}, posterior(data, y), f"{cells // 2} and {cells} cells"
    small = 1.3e-3 * (200 / cells) ** 2  # δ: cells, of order two
    for kind, used in (("exact", 1.0), ("DPS", 0.0)):
        found[kind], _ = once(generated, data, y, used if spread is None else spread, twisted, start, cells)
        mean, v = scalar(y, v0, used, moments)
        off = laws.off(found[kind], laws.known(mfg.gaussian(mean, variance * v).density), at)
        findings.append(equal(f"Gaussian data, {kind}: W₂ to its closed form", off, zero, resolution=small))
    off = laws.off(found["exact"], laws.known(wanted.density), at)
    findings.append(at_most("Gaussian data, exact: W₂ to the posterior", off, zero, resolution=small))
    driven = scalar(y, v0, 0.0 if spread is None else spread, moments, twisted)
    bias = np.hypot(driven[0] - wanted.means[0, 0], np.sqrt(driven[1]) - np.sqrt(wanted.covariances[0, 0, 0]))
    bias = mfg.Estimate(float(bias), 1e-9, mfg.Kind.BOUND, "both Gaussian, by the scalar equations")
    findings.append(at_least("Gaussian data, DPS: W₂ to the posterior", bias, cared, resolution=4e-3))
    gaps, biases = [], []
    for _ in range(Level(level).pick(2, 5, 10)):
        blobs = laws.drawn(rng, 3)
        y = float(rng.uniform(-0.8, 0.8))
        after = posterior(blobs, y)
        law = mfg.marginal(PROCESS, after, 1.0)
        driven = once(generated, blobs, y, 0.0 if spread is None else None, twisted, law, cells)
        biases.append(laws.apart(driven, (laws.known(after.density), 0.0), at))
        for t in (0.1, 0.4):
            noised, x = mfg.marginal(PROCESS, after, t), np.linspace(-2, 2, 41)
            exact = mfg.marginal(PROCESS, blobs, t).score(x[:, None])[:, 0] + twisted * twist(blobs, y, x, t)
            gaps.append(float(np.abs(exact - noised.score(x[:, None])[:, 0]).max()))
    largest = mfg.Estimate(max(gaps), 1e-11, mfg.Kind.BOUND, "trapezoidal rule: e^{−2π²V/h²}, and tails")
    findings.append(
        equal("blobs: prior's score + twist − score of the noised posterior", largest, zero, resolution=5e-11)
    )
    findings.append(
        at_least(
            "blobs, DPS: mean W₂ to the posterior", sum(biases[1:], biases[0]) / len(biases), cared, resolution=4e-3
        )
    )
    return Evidence(findings)


@claim.control("the exact likelihood's score in place of the approximate one: then there is no bias")
def exact(level, rng):
    return sampled(level, rng, spread=1.0)


@claim.control("the approximate one taken for the exact one")
def approximate(level, rng):
    return sampled(level, rng, spread=0.0)


@claim.control("half of the twist")
def half(level, rng):
    return sampled(level, rng, twisted=0.5)
