"""What the Euler–Maruyama law owes to its prior, its score and its steps, each with the others switched off.

On the Ornstein–Uhlenbeck process the mismatch of the prior falls as e^{−2T}, and so the divergence that it leaves is below
KL(p_T‖π); an error ε of the score, constant in space, costs at most ε²∫D; steps of length h cost a divergence of order two in
h, since the law is of order one: bounds of path measures, which see order one, are not sharp here.
"""

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np

import mfgpde as mfg
from mfgpde.verify import Claim, Evidence, Level, at_most, equal, load_module

relative = load_module(Path(__file__).parents[1] / "inequalities" / "_relative.py")

claim = Claim(
    statement=r"\mathrm{KL}(p_0\|q_0)\lesssim e^{-2T}\,\mathrm{KL}(p_0\|\pi)+T\varepsilon^2+h^2",
    source="arXiv:2209.11215, theorem 2",
    standing="derived",
    assumes=("the Ornstein–Uhlenbeck process", "smooth data"),
    coefficients=("lost", "rate"),
)

DATA = mfg.densities.bimodal()


class Wrong:
    """An exact score with a constant added."""

    def __init__(self, exact, error):
        self.exact, self.error = exact, error

    def __call__(self, x, t):
        return self.exact(x, t) + self.error


@cache
def mismatch(horizon):
    """Return KL(p_T‖π), certified on a box; beyond it |log(p/π)| does not exceed a polynomial of degree two."""
    process = mfg.OrnsteinUhlenbeck(horizon=horizon)
    law, variance = mfg.ExactScore(process, DATA).at(horizon), process.prior_variance
    m, v = law.means[:, 0].tolist(), law.covariances[:, 0, 0].tolist()
    sizes = [float(w / np.sqrt(2 * np.pi * c)) for w, c in zip(law.weights, v, strict=True)]
    far, sharp, reach = max(a * a for a in m), 1 / min(v), 7.0
    # |log p| ≤ |log of the least size| + |log of their sum| + (x² + m²)/v, |log √(2πσ²)| ≤ 1 + |log σ²|
    logs = sum(abs(float(np.log(one))) for one in (min(sizes), sum(sizes), variance))
    c0 = logs + far * sharp + 1
    outside = mfg.solvers.tail(law, reach, [c0, 0.0, sharp + 1 / variance])
    inside = mfg.solvers.certified_integral(
        lambda x: relative.integrands(law, variance, x)[0], -reach, reach, tolerance=1e-12
    )
    return inside + mfg.Estimate(0.0, outside, mfg.Kind.BOUND, "tails")


@cache
def divergence(horizon, steps, error=0.0, prior=False):
    """Return KL(p₀‖q₀) of so many steps on so many cells; the bar holds what half of the cells would make of it."""
    process = mfg.OrnsteinUhlenbeck(horizon=horizon)
    exact = mfg.ExactScore(process, DATA)
    model = mfg.samplers.Model(process, Wrong(exact, error))
    start = mfg.samplers.prior(model) if prior else exact.at(horizon)
    times = mfg.samplers.Uniform(power=2.0).times(process, steps)
    found = mfg.samplers.generated_law(mfg.samplers.EulerMaruyama(), model, times, start).against(DATA).kl
    return replace(found, kind=mfg.Kind.BOUND, at=f"{steps} steps, {mfg.samplers.generated.CELLS_1D} cells")


def slope(a, b, factor, what=""):
    """Return log(a/b)/log(factor) between two parameters, with what the bars of both make of it."""
    bar = (a.half_width / a.value + b.half_width / b.value) / np.log(factor)
    at = " and ".join(one for one in (what, *dict.fromkeys((a.at, b.at))) if one)
    return mfg.Estimate(
        float(np.log(a.value / b.value) / np.log(factor)), bar, min(a.kind, b.kind), "log of errors", at
    )


@claim.measure
def parts(level, steps_order=2.0, error_order=2.0, share=1.0, power=2.0, lost=1.0, rate=1.0):
    """Compare slopes in h and ε, and the prior's share with the divergence of p_T from the prior.

    `share` scales the bounds, `power` is that of e^{−T} by which the prior's mismatch falls at least, and `rate` a factor of
    it: of a prior's share, where the mismatch is said to have fallen by e^{−power (rate − 1) T} more. `lost` is one of KL of
    the longer steps, of the larger error and of the prior.
    """
    n = Level(level).pick(60, 120, 240)
    coarse, fine = lost * divergence(2.0, n), divergence(2.0, 2 * n)
    in_steps = slope(coarse, fine, 2.0)
    large, small = lost * divergence(2.0, 8 * n, 0.4), divergence(2.0, 8 * n, 0.2)
    in_error = slope(large, small, 2.0, "errors 0.4 and 0.2 of the score")
    D = 0.5 * float(mfg.OrnsteinUhlenbeck(horizon=2.0).diffusion(0.0)) ** 2
    findings = [
        equal("order of KL in h", in_steps, mfg.exact(steps_order, "claimed"), resolution=0.11),
        equal("order of KL in ε", in_error, mfg.exact(error_order, "claimed"), resolution=5e-3),
        at_most("KL of an error 0.4", large, mfg.exact(share * 0.4**2 * D * 2.0, "ε²∫D"), resolution=0.0),
    ]
    before = []
    for horizon in (1.0, 2.0):
        before.append(mismatch(horizon))
        found = lost * divergence(horizon, 8 * n, prior=True)
        fallen = share * float(np.exp(-power * (rate - 1) * horizon))
        findings.append(at_most(f"T = {horizon:g}: KL of the prior", found, fallen * before[-1], resolution=0.0))
    decay = slope(before[0], before[1], np.e, "T from 1 to 2")
    findings.append(
        at_most("decay of KL(p_T‖π): −2 T at least", mfg.exact(power * rate, "rate"), decay, resolution=0.0)
    )
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
    return parts(level, power=3.0)
