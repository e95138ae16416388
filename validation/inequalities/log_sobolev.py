"""Relative entropy, Fisher information and Wasserstein distance to N(0, I): three classical inequalities, equalities for shifts.

The laws are images of N(0, I) under known optimal maps in one to three dimensions, so that all three numbers are integrals.
For shifts and mixtures on the line both sides are proved.
"""

from functools import cache
from pathlib import Path

import numpy as np

import mfgpde as mfg
from mfgpde.verify import Claim, Evidence, Level, Series, at_most, equal, load_module

maps = load_module(Path(__file__).parent / "_maps.py")

claim = Claim(
    statement=(
        r"\mathrm{KL}\le\tfrac12I,\qquad W_2^2\le2\,\mathrm{KL},\qquad \mathrm{KL}\le W_2\sqrt I-\tfrac12W_2^2,"
        r"\qquad I=\mathbb E_p|\nabla\log(p/\gamma)|^2,\ \gamma=\mathcal N(0,\mathrm{Id})"
    ),
    source="classical (Gross; Talagrand; Otto and Villani)",
    standing="theorem",
    assumes=("p is the image of γ under a smooth optimal map",),
    coefficients=("entropy", "talagrand", "convexity"),
)

LATTICE = (60, 72, 80)
"""points along an axis in space"""
EXACT = 8
"""Gauss–Hermite points, more than polynomials of degree two need"""
SHIFTS = {1: (0.8,), 2: (0.8, -0.5), 3: (0.8, -0.5, 1.1)}


@claim.measure
def inequalities(level, rng, entropy=1.0, talagrand=1.0, convexity=1.0):
    """`entropy` scales the ½ of the first, `talagrand` the 2 of the second, `convexity` the ½ of the third."""

    def sides(w2, kl, fisher):  # of each inequality as left over right
        root = float(np.sqrt(w2.value * fisher.value))
        far = w2.half_width / w2.value + fisher.half_width / fisher.value
        spread = 0.5 * root * far * (1 + far)
        product = mfg.Estimate(root, spread, w2.kind, w2.method)
        return kl / (0.5 * entropy * fisher), w2 / (2 * talagrand * kl), (kl + 0.5 * convexity * w2) / product

    names = ("KL over ½ I", "W₂² over 2 KL", "KL + ½W₂² over W₂√I")
    one, findings, series = mfg.exact(1.0, "the claim"), [], []
    n = Level(level).pick(*LATTICE)
    for d, shift in SHIFTS.items():
        shifted = sides(*maps.estimated(maps.Map.shifted(shift), d, EXACT))
        # δ: rounding of integrals of polynomials
        small = {1: 2.8e-13, 2: 2.3e-13, 3: 1.5e-13}[d]
        findings += [equal(f"{d}D shift: {k}", v, one, resolution=small) for k, v in zip(names, shifted, strict=True)]
        draws = Level(level).pick(4, 8, 16)
        found = [sides(*maps.estimated(maps.Map.drawn(rng, d), d, n)) for _ in range(draws)]
        for k, name in enumerate(names):
            worst = max((one[k] for one in found), key=lambda e: e.value)
            findings.append(at_most(f"{d}D, worst of {draws} laws: {name}", worst, one, resolution=0.0))
            ratios = [one[k].value for one in found]
            series.append(Series(f"{d}D: {name}", "draw", list(range(draws)), "left over right", ratios, ""))
    if mfg.proofs.available():
        findings += proved(entropy, talagrand, convexity)
    return Evidence(findings, series)


LAWS = {
    "two near blobs": mfg.GaussianMixture([0.4, 0.6], [[0.5], [1.0]], [0.9, 1.0]),
    "three near blobs": mfg.GaussianMixture([0.2, 0.5, 0.3], [[-1.5], [-1.2], [-0.9]], [0.9, 1.1, 1.0]),
}
"""nearly shifts: half of the constant is too little for them"""


@cache
def sides_of(name):
    """Return KL and relative Fisher information to N(0, 1) of one of the laws, or of N(¾, 1), in balls."""
    unit = mfg.proofs.MovingMixture.of(mfg.gaussian(0.0, 1.0))
    law = mfg.proofs.MovingMixture.of(LAWS.get(name, mfg.gaussian(0.75, 1.0)))
    steep = law.log_density.slope - unit.log_density.slope
    return mfg.proofs.relative_entropy(law, unit), mfg.proofs.mean(law, steep**2)


def proved(entropy, talagrand, convexity):
    """Return what is left of the inequalities in ball arithmetic: mixtures for the first, a shift for all three."""

    def said(ball):
        return mfg.proofs.estimate(ball, "balls")

    findings = []
    for name in LAWS:
        kl, fisher = sides_of(name)
        ratio = said(kl / (0.5 * entropy * fisher))
        findings.append(at_most(f"{name}: KL over ½ I, proved", ratio, 1.0, resolution=0.0))
    kl, fisher = sides_of("a shift")
    w2 = mfg.proofs.ball(0.75) ** 2  # of a law and its shift: the square of the shift
    shifted = {
        "KL over ½ I": kl / (0.5 * entropy * fisher),
        "W₂² over 2 KL": w2 / (2 * talagrand * kl),
        "KL + ½W₂² over W₂√I": (kl + 0.5 * convexity * w2) / (w2 * fisher).sqrt(),
    }
    return findings + [
        equal(f"a shift: {name}, proved", said(ratio), 1.0, resolution=2e-15) for name, ratio in shifted.items()
    ]


@claim.control("a log-Sobolev constant of half its size")
def half_entropy(level, rng):
    return inequalities(level, rng, entropy=0.5)


@claim.control("W₂² ≤ KL, without the 2")
def half_talagrand(level, rng):
    return inequalities(level, rng, talagrand=0.5)


@claim.control("HWI with W₂² in place of ½W₂²")
def twice_convexity(level, rng):
    return inequalities(level, rng, convexity=2.0)
