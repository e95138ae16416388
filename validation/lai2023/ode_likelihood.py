"""What the probability-flow ODE loses in likelihood: an identity, and how far its loss is from the score-matching loss.

log q^ODE is carried along characteristics, without numerical diffusion; its slope is by central differences, extrapolated.
What the identity says of an instant is proved for mixtures on the line, in ball arithmetic.
"""

from functools import cache

import numpy as np

import mfgpde as mfg
from mfgpde.verify import Claim, Evidence, Level, Series, at_most, equal

claim = Claim(
    statement=(
        r"\mathrm{KL}(p_0\|q_0)=\mathrm{KL}(p_T\|q_T)+\int_0^T D\,\mathbb{E}_p\left[(s_\theta-\nabla\log p)\cdot(\nabla\log q-\nabla\log p)\right]dt,"
        r"\qquad q=q^{\mathrm{ODE}}"
    ),
    source="after arXiv:2210.04296, arXiv:2206.08265",
    standing="derived",
    assumes=("s_θ smooth", "p, q decay at infinity"),
    coefficients=("diffusivity",),
)

PROCESS = mfg.OrnsteinUhlenbeck(horizon=1.0)
STOP, NODES = 0.2, 9


@cache
def measured(grid):
    """Return KL(p‖q) at the stop less that at T, and ∫D E_p of the mixed product, of the loss and of the mismatch."""
    d, T, x = grid.dimension, PROCESS.horizon, grid.points
    exact = mfg.ExactScore(PROCESS, mfg.densities.bimodal(d))
    learned = mfg.scores.Sum(exact, mfg.scores.Bump(0.8, (0.3,) * d, 0.8, frequency=8.0))
    prior = mfg.gaussian(0.0, 0.6, d)
    flow = mfg.Continuity.probability_flow(PROCESS, learned)
    times, weights = mfg.solvers.time_rule(STOP, T, NODES)

    def log_q(t):
        if t == T:
            return prior.log_density(x)
        return mfg.solvers.log_density(flow, prior.log_density, x, T, t, rtol=1e-7)

    def divergence(t):
        return float(grid.integrate(exact.at(t).density(x) * (exact.potential(x, t) - log_q(t))))

    integrals = []
    for t in map(float, times):
        p, s, true = exact.at(t).density(x), learned(x, t), exact(x, t)
        slope = mfg.Field(mfg.FiniteVolume(grid), log_q(t)).gradient().values
        products = ((s - true) * (slope - true), (s - true) ** 2, (slope - s) ** 2)
        means = [float(grid.integrate(p * np.sum(product, axis=-1))) for product in products]
        integrals.append(float(PROCESS.diffusivity(t)) * np.array(means))
    return divergence(STOP) - divergence(T), weights @ np.array(integrals)


@claim.measure
def likelihood(level, diffusivity=1.0, cross=1.0, reach=1.0):
    """Compare both sides; `cross` scales the integral. Then the bound on its distance from the loss, after lai2023.

    `reach` scales that bound.
    """
    findings, series, zero = [], [], mfg.exact(0.0, "the claim")
    for d in (1, 2):

        def parts(space):
            fall, integrals = measured(space.grid)
            mixed, loss, mismatch = diffusivity * integrals
            return fall - cross * mixed, abs(mixed - loss) - reach * np.sqrt(loss * mismatch), mixed, loss

        n = Level(level).pick({1: 48, 2: 16}, {1: 64, 2: 24}, {1: 128, 2: 32})[d]
        space = mfg.FiniteVolume(mfg.CartesianGrid.cube(5.0, n, d))
        defect, excess, mixed, loss = mfg.ladders(parts, space, floor=1e-5)
        findings.append(equal(f"{d}D: left − right", defect.limit, zero, resolution=1e-4))
        findings.append(at_most(f"{d}D: |gap − loss| − √(loss·mismatch)", excess.limit, zero, resolution=1e-3))
        label = f"{d}D: left − right (gap {mixed.limit.value:.4f}, loss {loss.limit.value:.4f})"
        series.append(Series(label, "cells per axis", defect.cells, "|left − right|", [abs(v) for v in defect.values]))
    if mfg.proofs.available():
        findings.append(proved(diffusivity, cross))
    return Evidence(findings, series)


BLOBS = {
    "p": mfg.GaussianMixture([0.5, 0.3, 0.2], [[-1.5], [0.5], [2.0]], [0.2, 0.1, 0.3]),
    "q": mfg.GaussianMixture([0.6, 0.4], [[-0.8], [1.0]], [0.5, 0.3]),
    "learned": mfg.GaussianMixture([0.3, 0.7], [[-1.0], [0.7]], [0.4, 0.6]),
}
"""data, a law that the ODE carries, and one whose score is the learned one"""


def proved(diffusivity, cross):
    """Return ∂_t KL(p‖q) over −D E_p[(s_θ − ∇log p)·(∇log q − ∇log p)] at an instant, both mixtures."""
    now = mfg.proofs.Instant.of(PROCESS, STOP)
    law = mfg.proofs.MovingMixture.noised(BLOBS["p"], now)
    carried, learned = (mfg.proofs.MovingMixture.of(BLOBS[name]).log_density for name in ("q", "learned"))
    log_p, drift = law.log_density, mfg.proofs.affine(0.0, 1.0) * -now.relaxation
    velocity = drift - learned.slope * now.diffusivity
    widening = -learned.curvature * now.diffusivity - now.relaxation
    speed = -widening - velocity * carried.slope  # ∂_t log q of the continuity equation
    change = mfg.proofs.mean(law, log_p.speed * (log_p.value - carried.value) - speed)
    mixed = mfg.proofs.mean(law, (learned.slope - log_p.slope) * (carried.slope - log_p.slope))
    ratio = mfg.proofs.estimate(change / (-cross * diffusivity * now.diffusivity * mixed), "balls")
    # δ: no quadrature is left; seven roundings of a double
    return equal("1D, an instant: left over right, proved", ratio, 1.0, resolution=1.5e-15)


@claim.control("D replaced by g² = 2D")
def twice_the_diffusivity(level):
    return likelihood(level, diffusivity=2.0)


@claim.control("the sign of the integral flipped")
def other_sign(level):
    return likelihood(level, cross=-1.0)


@claim.control("a tenth of √(loss·mismatch)")
def tenth(level):
    return likelihood(level, reach=0.1)
