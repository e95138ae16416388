"""Fixed points of rectification by gradients on supports that nearly touch: how much a round removes of a coupling that is not optimal.

Two round Gaussians of width s pass each other at a distance 2g, as in the closed case of two discs, where a round removes nothing.
On the line through both centres, ξ, the velocity is tanh(ρξ/s²) times one constant; across it that of the gradients that come nearest
is f(ξ)η, so that what they leave is min_f E[s²f'² + (tanh − f)²], between a trial f and a trial of the dual.
Found: the share that a round removes falls like e^{−g²/2s²}, so that the number of rounds that it takes grows like its inverse;
what a constraint to gradients removes is an order above what straightening removes. A conjecture from these numbers, not a theorem.
"""

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np

import mfgpde as mfg
from mfgpde.transport import gradient_part
from mfgpde.verify import Claim, Evidence, Level, Series, at_least, equal, load_module

discs = load_module(Path(__file__).parents[1] / "flows" / "gradient_rectification.py")

claim = Claim(
    statement=(
        r"\frac{\int_0^1\mathbb E|X_1-X_0-\nabla\varphi_t(X_t)|^2dt}{\mathbb E|X_1-X_0|^2}=e^{-\frac{g^2}{2s^2}(1+o(1))}\qquad(g/s\to\infty)"
    ),
    source="arXiv:2505.19712, open there",
    standing="conjecture",
    assumes=("two round Gaussians of width s that pass each other at the distance 2g",),
    coefficients=("exponent", "straightening"),
)

WIDTH = 0.2


END = 1.0
"""of ξ: beyond it what is left out is less than 1e-9 of what is kept"""


@cache
def bounded(gap):
    """Return the shares of the cost that one round removes, by straightening and by the constraint to gradients, each with a bound.

    At half the distance ρ² = τ² + g², τ = 1 − 2t, with p of ½N(±ρ, s²) and T = tanh(ρξ/s²): the first is 4E[r(1 − r)], r a blob's share; the
    second (g/ρ)² min_f E[s²f'² + (T − f)²], at least E[2aT' − (a/s)² − (a' + a(log p)')²] for every a. Trials are f = tanh βξ and
    a = c/cosh κξ with constants that do well at all gaps. By symmetry ξ and τ are positive; e^{−g²/2s²} is taken out.
    """
    w, x0 = WIDTH**2, gap / WIDTH**2
    beta, kappa, size, scale = 0.57 * x0, 0.97 * x0, 0.6 * gap, 2 / float(np.sqrt(2 * np.pi * w))

    def parts(tau, x):  # ρ, e^z with z = ρx/s², and the Gaussian in τ and x
        rho = (tau**2 + gap**2) ** 0.5
        return rho, np.exp(rho * x / w), scale * np.exp(-0.5 / w * (tau**2 + x**2))

    def straightening(tau, x):
        _, grown, here = parts(tau, x)
        return 2 * here / (grown + 1 / grown)  # 4 r (1 − r) p

    def above(tau, x):
        rho, grown, here = parts(tau, x)
        rest = 2 / (1 + np.exp(2 * beta * x))  # 1 − f
        off, steep = 2 / (1 + grown**2) - rest, beta * rest * (2 - rest)
        return 0.5 * (gap / rho) ** 2 * here * (grown + 1 / grown) * (w * steep**2 + off**2)

    def below(tau, x):
        rho, grown, here = parts(tau, x)
        own, square = np.exp(kappa * x), grown**2
        a = 2 * size * own / (1 + own**2)
        bent = kappa * (2 / (1 + own**2) - 1) + (rho * (1 - 2 / (1 + square)) - x) / w  # over a
        both = a * (1 / w + bent**2) * (grown + 1 / grown) * 0.5
        return (gap / rho) ** 2 * here * a * (4 * rho / w * grown / (1 + square) - both)

    straight, most, least = (  # of numbers of size 0.06 and 0.6
        mfg.solvers.certified_integral(f, (0.0, 0.0), (1.0, END), tolerance=rest, cells=cells)
        for f, rest, cells in ((straightening, 2e-3, 16), (above, 4e-2, 16), (below, 4e-2, 32))
    )
    lower, upper = least.lower - 1e-9, most.upper + 1e-9
    between = mfg.Estimate(0.5 * (lower + upper), 0.5 * (upper - lower), mfg.Kind.BOUND, "a trial from either side")
    return [float(np.exp(-0.5 * gap**2 / w)) * one for one in (straight, between)]


@cache
def removed(gap, cells, nodes=16, shape=None):
    """Return the shares of the cost that one round removes: by straightening, and by the constraint to gradients."""
    grid, parts = mfg.CartesianGrid((-1.9, -1.9), (1.9, 1.9), (cells, cells)), np.zeros(2)
    # the integrand lives while the blobs pass, |t − ½| < 1.5 s: nodes there
    u, w = np.polynomial.legendre.leggauss(nodes)
    for t, weight in zip(0.5 + 0.3 * u, 0.3 * w, strict=True):
        centres = np.array([[-1 + 2 * t, gap], [1 - 2 * t, -gap]])
        if shape is not None:
            shares = shape(grid.points, t, gap)
        else:
            squares = np.stack([np.sum((grid.points - c) ** 2, axis=-1) for c in centres], axis=-1)
            shares = np.exp(-0.5 * squares / WIDTH**2)
        p = shares.sum(axis=-1)
        mass = grid.integrate(p)
        v = np.einsum("...k,kd->...d", shares, discs.VELOCITY) / np.maximum(p, 1e-300)[..., None]
        # E|X₁ − X₀ − v|² = 16 r(1 − r), without cancellation
        bent = 16 * grid.integrate(np.prod(shares, axis=-1) / np.maximum(p, 1e-300)) / mass
        parts += weight / 4 * np.array([bent, gradient_part(p / mass, v, grid).remainder])
    return parts


@claim.measure
def falls(level, exponent=1.0, gaps=(0.6, 0.8, 0.9, 1.0), shape=None, straightening=1.0):
    """`exponent` scales g²/2s²; the last two gaps give the slope, those before its trend; `straightening` scales that part."""
    cells = Level(level).pick(72, 108, 160)
    x = np.array(gaps) ** 2 / (2 * WIDTH**2)
    if shape is None:
        shares = [bounded(g) for g in gaps[-2:]]
    else:
        shares = [
            [
                mfg.Estimate(a, abs(a - b), mfg.Kind.EXTRAPOLATED, "two grids")
                for a, b in zip(*(removed(g, n, shape=shape) for n in (cells, 3 * cells // 4)), strict=True)
            ]
            for g in gaps[-2:]
        ]
    known = [removed(g, cells, 8, shape) for g in gaps[:-2]] + [[e.value for e in parts] for parts in shares]
    before, last = (sum(parts[1:], parts[0]) for parts in shares)
    logs = [np.log(np.maximum([e.lower, e.upper], 1e-14)) for e in (before, last)]
    least, most = (logs[1][0] - logs[0][1]) / (x[-1] - x[-2]), (logs[1][1] - logs[0][0]) / (x[-1] - x[-2])
    found = mfg.Estimate(0.5 * (least + most), 0.5 * (most - least), min(before.kind, last.kind), last.method)
    found = replace(found, at=f"g²/2s² from {x[-2]:.3g} to {x[-1]:.3g}")
    straight, gradients = shares[-1]
    times = mfg.Estimate(1e300, 0.0, straight.kind, "nothing is straightened")
    if straight.lower > 0:
        times = gradients / straight
    # δ: a prefactor (g/s)^2 alone would change the slope by 0.12 here
    return Evidence(
        [
            equal("slope of log share in g²/2s²", found, mfg.exact(-exponent, "conjectured"), resolution=0.2),
            at_least(
                "gradients' part over straightening's",
                times,
                mfg.exact(3.0 * straightening, "more"),
                resolution=0.0,
            ),
        ],
        [
            Series("removed by straightening", "g²/2s²", list(x), "share of the cost", [one for one, _ in known], "y"),
            Series("removed by gradients", "g²/2s²", list(x), "share of the cost", [one for _, one in known], "y"),
        ],
    )


@claim.control("e^{−g²/s²}")
def twice(level):
    return falls(level, exponent=2.0, gaps=(0.8, 0.9, 1.0))


@claim.control("discs, of which a round removes nothing once they pass")
def closed(level):
    return falls(level, gaps=(0.8, 0.9, 1.0), shape=discs.discs)


@claim.control("straightening's part ten times as large")
def straight(level):
    return falls(level, gaps=(0.9, 1.0), straightening=10.0)
