"""All samplers between flow and diffusion share their marginals with the exact score; with a wrong one λ = 1 has the best bound.

For dY = (−f + (1 + λ²) D s_θ)dτ + λ g dW: KL(p₀‖q₀^λ) ≤ KL(p_T‖q_T) + (1 + λ²)²/(4λ²) ∫ D E|s_θ − s|² dt.
Equality on Brownian motion for Gaussian data and the error a(t) = 2λ²/(1 + λ²) · e(t)/v(t), constant in x, with v the variance
and e = e₀ (v₀/v)^{(λ² − 1)/2} the distance of the means: then KL = e²/(2v) at all times.
"""

import numpy as np

import mfgpde as mfg
from mfgpde.verify import Claim, Evidence, Level, at_most, equal

claim = Claim(
    statement=(
        r"\mathrm{KL}(p_0\|q_0^\lambda)\le\mathrm{KL}(p_T\|q_T)"
        r"+\frac{(1+\lambda^2)^2}{4\lambda^2}\int_0^T D\,\mathbb{E}_{p_t}|s_\theta-s|^2dt"
    ),
    source="after arXiv:2101.09258; the family is that of arXiv:2206.00364, eq. (6)",
    standing="derived",
    assumes=("λ > 0", "p, q decay at infinity"),
)

PROCESS = mfg.Brownian(scale=1.0, horizon=2.0)
START, GAP = 0.25, 0.3
FAMILY = (0.5, 1.0, 2.0)


class Shifted:
    """The exact score of N(0, START) under Brownian motion plus a function of time."""

    def __init__(self, error):
        self.exact, self.error = mfg.ExactScore(PROCESS, mfg.gaussian(0.0, START)), error

    def __call__(self, x, t):
        return self.exact(x, t) + self.error(t)


def generated_kl(score, noise, start, data, counts):
    """Return KL(p₀‖q₀) for steps without end: by Richardson's rule from the last two numbers of steps, order one."""
    model, values, bars = mfg.samplers.Model(PROCESS, score), [], []
    for n in counts:
        times = mfg.samplers.Uniform().times(PROCESS, n)
        law = mfg.samplers.generated_law(mfg.samplers.EulerMaruyama(noise), model, times, start)
        found = law.against(data).kl
        values.append(found.value)
        bars.append(found.half_width)
    a, b, c = values
    limit, before = 2 * c - b, 2 * b - a
    return mfg.Estimate(
        limit, abs(limit - before) + 3 * bars[-1], mfg.Kind.EXTRAPOLATED, "Euler–Maruyama, extrapolated"
    )


def equality(noise, factor):
    """Return the extremal score, the law to start from, and the bound with the prefactor `factor(λ)`, in closed form."""
    top = START + PROCESS.horizon

    def distance(v):
        return GAP * (START / v) ** ((noise**2 - 1) / 2)

    def error(t):
        v = START + t
        return 2 * noise**2 / (1 + noise**2) * distance(v) / v

    nodes, weights = np.polynomial.legendre.leggauss(40)
    t = 0.5 * PROCESS.horizon * (nodes + 1)
    integral = 0.5 * PROCESS.horizon * float(weights @ [0.5 * error(u) ** 2 for u in t])
    prefactor = factor(noise)
    bound = mfg.exact(distance(top) ** 2 / (2 * top) + prefactor * integral, "closed form")
    return Shifted(error), mfg.gaussian(distance(top), top), bound


def proved(noise):
    """Return (1 + λ²)²/(4λ²)."""
    return (1 + noise**2) ** 2 / (4 * noise**2)


@claim.measure
def family(level, factor=proved, noises=FAMILY):
    """Compare both sides where they are equal, and on a mixture with a disturbed score."""
    findings, zero = [], mfg.exact(0.0, "the claim")
    first = Level(level).pick(120, 160, 240)
    counts = [first * 2**k for k in range(3)]
    for noise in noises:
        score, start, bound = equality(noise, factor)
        found = generated_kl(score, noise, start, mfg.gaussian(0.0, START), counts)
        findings.append(at_most(f"λ = {noise:g}: KL, extremal", found, bound, resolution=3e-3))
        if factor is proved:
            findings.append(equal(f"λ = {noise:g}: KL − bound, extremal", found - bound, zero, resolution=3e-3))
            exact = mfg.ExactScore(PROCESS, mfg.densities.bimodal())
            same = generated_kl(exact, noise, exact.at(PROCESS.horizon), exact.at(0.0), counts)
            findings.append(equal(f"λ = {noise:g}: KL, exact score", same, zero, resolution=3e-3))
    return Evidence(findings)


@claim.control("the prefactor (1 + λ²)/2, which is that of λ = 1")
def linear_prefactor(level):
    return family(level, factor=lambda noise: (1 + noise**2) / 2, noises=(0.5,))
