"""A penalty on the Hamilton–Jacobi–Bellman residual of the value −φ helps where samples are few, and hurts where it is heavy or they are many.

Networks for four numbers of samples and five weights, eight of each; those of one number and seed share samples and starting
weights. The law of the probability flow is solved for, its mass in cells: in 26², 40² or 48² of them by level; fewer see less of a divergence.
A penalty on an equation with half the noise helps less, or hurts.
"""

from functools import cache
from pathlib import Path

import numpy as np

import mfgpde as mfg
from mfgpde.verify import Claim, Evidence, Level, Series, at_least, at_most, load_module

claim = Claim(
    statement=(
        r"U=-\varphi:\quad g(n,\lambda)=\mathbb E\log\frac{\mathrm{KL}(p_0\|q_\lambda^{\mathrm{ODE}})}{\mathrm{KL}(p_0\|q_0^{\mathrm{ODE}})},"
        r"\ \lambda\,\|\partial_tU+\cdots\|^2\ \text{added to denoising}:\quad g<0\ (n\le200,\ \lambda\le0.1),\quad"
        r" g>0\ (n\ge200,\ \lambda=1),\quad g\uparrow\ \text{in}\ n"
    ),
    source="arXiv:2304.13534, section 5",
    standing="experiment",
    assumes=(
        "networks of three layers of 32 on four blobs, 3000 steps",
        "n of 50, 200, 1000, 5000, λ of 1e-3 to 1",
        "means of eight log ratios taken as normal",
        "no gain and no loss decided for n ≥ 1000 and λ ≤ 0.01",
    ),
    coefficients=("helped", "hurt"),
)

networks = load_module(Path(__file__).parents[1] / "networks" / "_small_samples.py")
ensemble = cache(networks.ensemble)
HELPS = ((50, 1e-3), (50, 1e-2), (50, 1e-1), (200, 1e-3), (200, 1e-2), (200, 1e-1))
HURTS = ((200, 1.0), (1000, 1.0), (5000, 1.0), (5000, 1e-1))
AT_QUICK = ((50, 1e-1), (200, 1e-1), (200, 1.0), (5000, 1e-1))


def logarithms(n, weight, level, wrong=False, bump=0.0, count=None):
    """Return log KL(p‖q^ODE) of all seeds, or the first `count`; `bump` is the height of one in the potentials."""
    own = count if wrong or bump else None  # all of the others are asked for elsewhere
    return solved(n, weight, level, wrong, bump, own)[:count]


@cache
def solved(n, weight, level, wrong, bump, count):
    """Return the same, each asked for by all its arguments in this order: a cache knows no defaults."""
    law = mfg.marginal(networks.PROCESS, networks.DATA, networks.STOP)
    grid = mfg.CartesianGrid.cube(4.5, Level(level).pick(26, 40, 48), 2)
    p, moved = mfg.densities.cell_means(law, grid), mfg.scores.Bump(bump, (1.0, 0.0), 0.8)

    def divergence(score):
        score = mfg.scores.Sum(score, moved) if bump else score
        q = mfg.induced_ode(networks.PROCESS, score, grid, stop=networks.STOP).density.values
        return float(grid.integrate(p * np.log(np.maximum(p, 1e-300) / np.maximum(q, 1e-12))))

    return np.log([divergence(score) for score in ensemble(n, weight, level, wrong)[:count]])


@claim.measure
def region(level, wrong=False, penalised=0.0, plain=0.0, count=None, helped=1.0, hurt=1.0):
    """`wrong` puts the penalty on another equation in its place; heights of bumps in the potentials of penalised and plain networks.

    `count` seeds are compared, if not all. `helped` and `hurt` multiply KL where the penalty is said to help, and to hurt.
    """
    findings, zero = [], mfg.exact(0.0, "neither helps nor hurts")

    def gains(n, weight):
        other = wrong and n in networks.WRONG and weight == networks.WRONG[n]
        without = logarithms(n, 0.0, level, False, plain, count)
        believed = np.log(helped if (n, weight) in HELPS else hurt)
        return logarithms(n, weight, level, other, penalised, count) + believed - without

    quick = Level(level) is Level.QUICK
    for cells, relation in ((HELPS, at_most), (HURTS, at_least)):
        for n, weight in (cell for cell in cells if not quick or cell in AT_QUICK):
            change = mfg.diagnostics.mean_interval(gains(n, weight), "paired log ratio", normal=True)
            # a twentieth on a logarithmic scale is what one would call a change
            findings.append(
                relation(f"n = {n}, λ = {weight:g}: log of the change of KL", change, zero, resolution=0.05)
            )
    few, many = (mfg.diagnostics.mean_interval(gains(n, 0.1), "paired log ratio", normal=True) for n in (50, 5000))
    findings.append(at_most("λ = 0.1: the change at n = 50 less that at 5000", few - many, zero, resolution=0.05))
    heavy, light = (gains(200, weight) for weight in (1.0, 0.1))
    findings.append(
        at_most(
            "n = 200: the change at λ = 0.1 less that at λ = 1",
            mfg.diagnostics.mean_interval(light - heavy, "paired log ratio", normal=True),
            zero,
            resolution=0.05,
        )
    )
    if wrong or penalised or plain:
        return Evidence(findings)
    series, judged = [], {n: [w for m, w in AT_QUICK if m == n] for n in (50, 200, 5000)}
    for n, chosen in judged.items() if quick else dict.fromkeys(networks.SIZES, networks.WEIGHTS[1:]).items():
        means = [float(np.exp(np.mean(logarithms(n, weight, level)))) for weight in (0.0, *chosen)]
        weights = [1e-4, *chosen]  # none at the left
        series.append(Series(f"{n} samples", "λ (none at 1e-4)", weights, "KL(p‖q^ODE), geometric mean", means, "xy"))
    return Evidence(findings, series)


@claim.control("a penalty on an equation with half the noise")
def wrong_equation(level):
    return region(level, wrong=True, count=4)


@claim.control("a bump of height 1.5 in the potentials of the penalised networks")
def disturbed(level):
    return region(level, penalised=1.5, count=4)


@claim.control("a bump of height 6 in the potentials of the networks without penalty")
def disturbed_plain(level):
    return region(level, plain=6.0)
