"""All samplers between flow and diffusion share their marginals with the exact score; with a wrong one λ = 1 has the best bound.

For dY = (−f + (1 + λ²) D s_θ)dτ + λ g dW: KL(p₀‖q₀^λ) ≤ KL(p_T‖q_T) + (1 + λ²)²/(4λ²) ∫ D E|s_θ − s|² dt.
Equality on Brownian motion for Gaussian data and the error a(t) = 2λ²/(1 + λ²) · e(t)/v(t), constant in x, with v the variance
and e = e₀ (v₀/v)^{(λ² − 1)/2} the distance of the means: then KL = e²/(2v) at all times.
"""

from functools import cache

import numpy as np

import mfgpde as mfg
from mfgpde.verify import Claim, Evidence, Level, at_most, equal

claim = Claim(
    statement=(
        r"\mathrm{KL}(p_0\|q_0^\lambda)\le\mathrm{KL}(p_T\|q_T)"
        r"+\frac{(1+\lambda^2)^2}{4\lambda^2}\int_0^T D\,\mathbb{E}_{p_t}|s_\theta-s|^2dt"
    ),
    source="arXiv:2101.09258; the family is that of arXiv:2206.00364, eq. (6)",
    standing="derived",
    assumes=("λ > 0", "p, q decay at infinity"),
)

PROCESS = mfg.Brownian(scale=1.0, horizon=2.0)
START, GAP = 0.25, 0.3
FAMILY = (0.5, 1.0, 2.0)


class Shifted:
    """An exact score under Brownian motion plus a function of time."""

    def __init__(self, law, error):
        self.exact, self.error = mfg.ExactScore(PROCESS, law), error

    def __call__(self, x, t):
        return self.exact(x, t) + self.error(t)


@cache
def of_extremal(noise, first):
    """Return KL(p₀‖q₀) of the extremal score; it does not know the bound."""
    score, start, _ = equality(noise, proved)
    return generated_kl(score, noise, start, mfg.gaussian(0.0, START), [first * 2**k for k in range(3)])


@cache
def on_a_mixture(noise, error, first):
    """Return KL(p₀‖q₀) of a mixture's exact score plus a constant, started from the exact law."""
    score = Shifted(mfg.densities.bimodal(), lambda t: error)
    start, data, counts = score.exact.at(PROCESS.horizon), score.exact.at(0.0), [first * 2**k for k in range(3)]
    return generated_kl(score, noise, start, data, counts)


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
    return Shifted(mfg.gaussian(0.0, START), error), mfg.gaussian(distance(top), top), bound


def proved(noise):
    """Return (1 + λ²)²/(4λ²)."""
    return (1 + noise**2) ** 2 / (4 * noise**2)


@claim.measure
def family(level, factor=proved, noises=FAMILY, error=0.0):
    """Compare both sides where they are equal, and on a mixture whose score is exact but for a constant `error`."""
    findings, zero = [], mfg.exact(0.0, "the claim")
    first = Level(level).pick(120, 160, 240)
    for noise in noises:
        bound, found = equality(noise, factor)[2], of_extremal(noise, first)
        findings.append(at_most(f"λ = {noise:g}: KL, extremal", found, bound, resolution=3e-3))
        findings.append(equal(f"λ = {noise:g}: KL − bound, extremal", found - bound, zero, resolution=3e-3))
        same = on_a_mixture(noise, error, first)
        findings.append(equal(f"λ = {noise:g}: KL, exact score", same, zero, resolution=3e-3))
    return Evidence(findings)


@claim.control("the prefactor (1 + λ²)/2, which is that of λ = 1")
def linear_prefactor(level):
    return family(level, factor=lambda noise: (1 + noise**2) / 2, noises=(0.5,))


@claim.control("half of the prefactor")
def half_the_prefactor(level):
    return family(level, factor=lambda noise: 0.5 * proved(noise))


@claim.control("the mixture's score off by 0.2, which the claim for exact scores does not know")
def off(level):
    return family(level, error=0.2)
