"""A sum of noised scores is not the score of the noised product, nor does it generate the product; Feynman–Kac weights repair it.

For r_t ∝ Π p_{i,t}^{a_i} the SDE with s̃ = Σ a_i s_i misses the rate D(|s̃|² − Σ a_i|s_i|²) + (Σ a_i − 1)∇·f: weighted so it
keeps r_t and ends at Π p_i^{a_i}. Products (1, 1), guidance (γ, 1 − γ) and annealing (β) are one formula.
"""

from functools import partial
from pathlib import Path

import numpy as np

import mfgpde as mfg
from mfgpde.verify import Claim, Evidence, Level, at_least, at_most, equal, load_module

laws = load_module(Path(__file__).parent / "_laws.py")
once = load_module(Path(__file__).parents[1] / "networks" / "_once.py").once

claim = Claim(
    statement=(
        r"r_t\propto\prod_ip_{i,t}^{a_i},\ \tilde s=\sum_ia_i\nabla\log p_{i,t}:\quad "
        r"\partial_\tau r=-\nabla\cdot((-f+2D\tilde s)r)+D\Delta r+\big[D(|\tilde s|^2-\textstyle\sum_ia_i|s_i|^2)+c(\tau)\big]r"
    ),
    source="arXiv:2302.11552 and arXiv:2503.02819",
    standing="derived",
    assumes=("linear f, so that ∇·f is no function of x", "the start is r_T"),
    coefficients=("weight", "score"),
)

EXPONENTS = {"product": (1.0, 1.0), "guidance": (2.5, -1.5), "annealing": (2.0, 0.0)}
CARED = 0.02
"""W₂ that someone would care about; the laws have a spread of about one"""


class Composed:
    """Σ a_i s_i, times `score`, the unnormalised density of which it is the score, and the rate of its weights."""

    def __init__(self, process, members, exponents, weight=1.0, score=1.0):
        self.process, self.exponents, self.weight, self.score = process, exponents, weight, score
        self.scores = [mfg.ExactScore(process, one) for one in members]

    def __call__(self, x, t):
        return self.score * sum(a * s(x, t) for a, s in zip(self.exponents, self.scores, strict=True))

    def density(self, x, t):
        log = sum(a * s.potential(x, t) for a, s in zip(self.exponents, self.scores, strict=True))
        return np.exp(log - log.max())

    def rate(self, x, t):
        parts = sum(a * s(x, t)[..., 0] ** 2 for a, s in zip(self.exponents, self.scores, strict=True))
        return self.weight * float(self.process.diffusivity(t)) * (self(x, t)[..., 0] ** 2 - parts)


def pair(rng, kind):
    """Return two laws; of guidance the first is one blob's neighbourhood of the second, so that the tilt is a density."""
    first, second = laws.drawn(rng), laws.drawn(rng)
    if kind != "guidance":
        return first, second
    both = mfg.GaussianMixture(
        np.append(0.5 * first.weights, 0.5 * second.weights),
        np.vstack((first.means, second.means)),
        np.append(first.covariances.ravel(), second.covariances.ravel()),
    )
    return first, both


def generated(process, members, exponents, weight, score, box, cells):
    """Return quantiles, and their bar, of the SDE's law by the sum of scores; `weight` None: without weights."""
    model = Composed(process, members, exponents, weight or 0.0, score)
    start, rate = partial(model.density, t=process.horizon), None if weight is None else model.rate
    return laws.refined(lambda n: laws.by_sde(process, model, start, box, n, rate=rate), cells)


@claim.measure
def composed(level, rng, weight=1.0, score=1.0, exponents=None):
    """`weight` scales the rate, `score` the sum that drives; `exponents` other than (1, 1), … may be asked for."""
    findings = []
    cases = [("OU", kind) for kind in EXPONENTS] + [("VP", "product")]
    for name, kind in cases:
        process, box = {
            "OU": (mfg.OrnsteinUhlenbeck(horizon=1.5), 5.0),
            "VP": (mfg.VariancePreserving(), 5.0),
        }[name]
        cells = Level(level).pick(200, 400, 800)
        members, powers = pair(rng, kind), exponents or EXPONENTS[kind]
        model = Composed(process, members, powers)
        target = laws.known(lambda x, m=model: m.density(x, 0.0), box), 0.0

        at = f"{cells // 2} and {cells} cells"
        plain = laws.apart(once(generated, process, members, powers, None, score, box, cells), target, at)
        weighted, _ = once(generated, process, members, powers, weight, score, box, cells)
        repaired = laws.off(weighted, target[0], at)
        cared = mfg.exact(CARED, "what one would care about")
        findings.append(at_least(f"{name} {kind}: W₂ without weights", plain, cared, resolution=6e-3))
        # δ: grids of 100 and 200 cells, extrapolated, or of more; a twentieth of what is repaired
        small = Level(level).pick(2e-3, 4e-4, 4e-4)
        findings.append(at_most(f"{name} {kind}: W₂ with weights", repaired, mfg.exact(0.0, "claim"), resolution=small))
    return Evidence([*findings, gaussian(weight, score)])


def gaussian(weight, score):
    """Compare the noised product of N(m_i, v) with the product of the noised: variances v/2 + t and (v + t)/2."""
    process, v, gaps = mfg.Brownian(scale=1.0, horizon=1.0), 0.6, []
    members = [mfg.gaussian(m, v) for m in (-0.7, 0.9)]
    x = np.linspace(-1, 1, 5)[:, None]
    model = Composed(process, members, (1.0, 1.0), score=score)
    product = mfg.ExactScore(process, mfg.gaussian(0.1, v / 2))
    for t in (0.0, 0.3, 0.8):
        slope = -2 / (v + t) + weight / (v / 2 + t)  # zero at t = 0 alone
        gaps.append(float(np.abs((model(x, t) - product(x, t))[:, 0] - slope * (x[:, 0] - 0.1)).max()))
    gap = mfg.Estimate(max(gaps), 1e-13, mfg.Kind.BOUND, "closed form")
    label = "Gaussians: sum of scores − score of the product, less its closed form"
    return equal(label, gap, mfg.exact(0.0, "claim"), resolution=5e-13)


@claim.control("half of the weights' rate")
def half(level, rng):
    return composed(level, rng, weight=0.5)


@claim.control("one factor alone, whose score is right")
def alone(level, rng):
    return composed(level, rng, exponents=(1.0, 0.0))
