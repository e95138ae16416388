"""What the Euler–Maruyama law owes to its prior, its score and its steps, each with the others switched off.

On the Ornstein–Uhlenbeck process the mismatch of the prior falls as e^{−2T}, and so the divergence that it leaves is below
KL(p_T‖π); an error ε of the score, constant in space, costs at most ε²∫D; steps of length h cost a divergence of order two in
h, since the law is of order one: bounds of path measures, which see order one, are not sharp here.
"""

from functools import cache

import numpy as np

import mfgpde as mfg
from mfgpde.verify import Claim, Evidence, Level, at_most, equal

claim = Claim(
    statement=r"\mathrm{KL}(p_0\|q_0)\lesssim e^{-2T}\,\mathrm{KL}(p_0\|\pi)+T\varepsilon^2+h^2",
    source="arXiv:2209.11215, theorem 2",
    standing="derived",
    assumes=("the Ornstein–Uhlenbeck process", "smooth data"),
)

DATA = mfg.densities.bimodal()


class Wrong:
    """An exact score with a constant added."""

    def __init__(self, exact, error):
        self.exact, self.error = exact, error

    def __call__(self, x, t):
        return self.exact(x, t) + self.error


@cache
def divergence(horizon, steps, error=0.0, prior=False):
    """Return KL(p₀‖q₀) as an estimate."""
    process = mfg.OrnsteinUhlenbeck(horizon=horizon)
    exact = mfg.ExactScore(process, DATA)
    model = mfg.samplers.Model(process, Wrong(exact, error))
    start = mfg.samplers.prior(model) if prior else exact.at(horizon)
    times = mfg.samplers.Uniform(power=2.0).times(process, steps)
    return mfg.samplers.generated_law(mfg.samplers.EulerMaruyama(), model, times, start).against(DATA).kl


def slope(a, b, factor, at):
    """Return log(a/b)/log(factor) between two parameters, with what the bars of both make of it."""
    bar = (a.half_width / a.value + b.half_width / b.value) / np.log(factor)
    return mfg.Estimate(
        float(np.log(a.value / b.value) / np.log(factor)), bar, min(a.kind, b.kind), "log of errors", at
    )


@claim.measure
def parts(level, steps_order=2.0, error_order=2.0, share=1.0, rate=2.0):
    """Compare slopes in h and ε, and the prior's share with the divergence of p_T from the prior.

    `share` scales the bounds, `rate` is the power of e^{−T} by which the prior's mismatch falls at least.
    """
    n = Level(level).pick(60, 120, 240)
    coarse, fine = divergence(2.0, n), divergence(2.0, 2 * n)
    in_steps = slope(coarse, fine, 2.0, f"{n} and {2 * n} steps")
    large, small = divergence(2.0, 8 * n, 0.4), divergence(2.0, 8 * n, 0.2)
    in_error = slope(large, small, 2.0, "errors 0.4 and 0.2 of the score")
    D = 0.5 * float(mfg.OrnsteinUhlenbeck(horizon=2.0).diffusion(0.0)) ** 2
    findings = [
        equal("order of KL in h", in_steps, mfg.exact(steps_order, "claimed"), resolution=0.2),
        equal("order of KL in ε", in_error, mfg.exact(error_order, "claimed"), resolution=6e-3),
        at_most("KL of an error 0.4", large, mfg.exact(share * 0.4**2 * D * 2.0, "ε²∫D"), resolution=0.0),
    ]
    before = []
    for horizon in (1.0, 2.0):
        law, x = mfg.ExactScore(mfg.OrnsteinUhlenbeck(horizon=horizon), DATA).at(horizon), np.linspace(-8, 8, 32001)
        variance = mfg.OrnsteinUhlenbeck(horizon=horizon).prior_variance
        log_p, log_q = (m.log_density(x[:, None]) for m in (law, mfg.gaussian(0.0, variance)))
        bound = float(np.sum(np.exp(log_p) * (log_p - log_q)) * (x[1] - x[0]))
        before.append(mfg.exact(bound, "quadrature"))
        found, limit = divergence(horizon, 8 * n, prior=True), mfg.exact(share * bound, "quadrature")
        findings.append(at_most(f"T = {horizon:g}: KL of the prior", found, limit, resolution=0.0))
    decay = slope(before[0], before[1], np.e, "T from 1 to 2")
    findings.append(at_most("decay of KL(p_T‖π): −2 T at least", mfg.exact(rate, "rate"), decay, resolution=0.0))
    return Evidence(findings)


@claim.control("KL of order one in h, as the bound of path measures")
def first_order(level):
    return parts(level, steps_order=1.0)


@claim.control("KL of order one in ε")
def linear(level):
    return parts(level, error_order=1.0)


@claim.control("a fiftieth of the bounds: of ε²∫D, and of KL(p_T‖π)")
def sharper(level):
    return parts(level, share=0.02)


@claim.control("the prior's mismatch falling as e^{−3T}")
def faster(level):
    return parts(level, rate=3.0)
