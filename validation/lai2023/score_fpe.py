"""The score of the noised data solves the score Fokker–Planck equation.

The vector equation is solved as such: on a staggered grid with far walls against the exact score, and by Fourier series
on a torus against the exact score of the wrapped mixture. On the line the mean square of the exact score's residual is
proved to vanish, in ball arithmetic (at level quick of VP and VE: with drift and without).
"""

from dataclasses import replace
from functools import cache
from importlib.util import find_spec
from itertools import product

import numpy as np

import mfgpde as mfg
from mfgpde.verify import Claim, Evidence, Level, Series, equal

claim = Claim(
    statement=r"\partial_t s = \nabla\left[\, D\,\nabla\cdot s + D\,|s|^2 - f\cdot s - \nabla\cdot f \,\right],\qquad s=\nabla\log p_t",
    source="arXiv:2210.04296, proposition 3.1",
    standing="theorem",
    assumes=("p_0 smooth and positive",),
    coefficients=("diffusivity", "square"),
)

PROCESSES = {
    "VP": (mfg.VariancePreserving(), 7.0),
    "OU": (mfg.OrnsteinUhlenbeck(), 6.0),
    "VE": (mfg.VarianceExploding(sigma_min=0.05, sigma_max=1.2), 8.0),
}
START, END = 0.1, 0.5
DELTA = {("VP", 1): 5e-5, ("OU", 1): 2.4e-4, ("VE", 1): 1.5e-3, ("VP", 2): 2e-4, ("OU", 2): 8e-4, ("VE", 2): 6e-4}
"""of scores of size two per length: what the cells of level quick leave, those of standard in the plane"""
FINER = {("OU", 1): 1.4e-4, ("VE", 1): 2.8e-4, ("OU", 2): 2.8e-4}
"""the same of what quick has too, from level standard on: cells of two thirds and four fifths the width"""
SMOOTH = 0.3  # on the torus a Fourier series must resolve the valley opposite the mass


def equation_of(process, diffusivity, square):
    true = mfg.ScoreFokkerPlanck.of(process)
    return replace(
        true,
        diffusivity=lambda t: diffusivity * true.diffusivity(t),
        quadratic_coefficient=lambda t: square * true.quadratic_coefficient(t),
    )


def tolerance(level, true):
    """Return that of steps: a false equation is told by far more than they leave; 3·rtol of it is in the bar."""
    return Level(level).pick(6e-6, 1e-6, 1e-6) if true else Level(level).pick(1e-4, 1e-4, 1e-6)


def wrapped(data, side):
    """Return the mixture summed over its nearest images on a torus: same score, farther images are below 1e-16."""
    shifts = side * np.array(list(product((-2, -1, 0, 1, 2), repeat=data.dimension)), dtype=float)
    means = (data.means[None] + shifts[:, None]).reshape(-1, data.dimension)
    copies = len(shifts)
    return mfg.GaussianMixture(np.tile(data.weights, copies), means, np.tile(data.covariances, (copies, 1, 1)))


@claim.measure
def score_equation(level, diffusivity=1.0, square=1.0, dimensions=(1, 2), end=END, solved=None):
    """`diffusivity` and `square` scale terms of the equation; `solved` names processes whose equation is solved, by dimension.

    A false equation is solved on fewer cells: they tell a coefficient that is 5 % off.
    """
    findings, series, zero, true = [], [], mfg.exact(0.0, "the claim"), diffusivity == square == 1
    solved = solved or {1: ("VP", "OU", "VE"), 2: Level(level).pick(("OU",), ("VP", "OU", "VE"), ("VP", "OU", "VE"))}

    def case(label, process, data, space, levels, resolution, start=START, rtol=None):
        rtol = rtol or tolerance(level, true)
        equation, score = equation_of(process, diffusivity, square), mfg.ExactScore(process, data)

        def error(space):
            law = score.at(end)
            solution = mfg.solve(equation, space, score.at(start), (start, end), rtol=rtol)
            return mfg.diagnostics.weighted_error(solution.at(end), law.score, law.density(space.grid.points))

        ladder = mfg.converge(error, space, floor=max(1e-5, 3 * rtol), levels=levels)
        findings.append(equal(f"{label}: E_p|s − ∇log p|", ladder.limit, zero, resolution=resolution))
        series.append(Series(label, "cells per axis", ladder.cells, "E_p|s − ∇log p|", ladder.values))

    for d in dimensions:
        for name in solved[d]:
            process, half_width = PROCESSES[name]
            n = (
                Level(level).pick({1: 64, 2: 24}, {1: 96, 2: 40}, {1: 128, 2: 64})[d]
                if true
                else {1: 48 if name == "VE" or square < 0 else 32, 2: Level(level).pick(16, 20, 20)}[d]
            )
            space = mfg.FiniteVolume(mfg.CartesianGrid.cube(half_width, n, d))
            small = DELTA[name, d] if Level(level) is Level.QUICK else FINER.get((name, d), DELTA[name, d])
            case(f"{name} {d}D", process, mfg.densities.bimodal(d), space, 3, small)
        if d == 1 and end == END and find_spec("dolfinx"):
            label, estimate = _of_a_potential(level, diffusivity, square)
            findings.append(equal(label, estimate, zero, resolution=Level(level).pick(2.5e-4, 1.1e-4, 1.1e-4)))
        torus = mfg.Spectral(mfg.CartesianGrid.cube(3.0, 48 if true else 32, d, periodic=True))
        if end > SMOOTH:
            case(
                f"Brownian {d}D torus",
                mfg.Brownian(),
                wrapped(mfg.densities.bimodal(d), 6.0),
                torus,
                2,
                {1: 3.5e-4, 2: 1e-3}[d],
                start=SMOOTH,
                rtol=Level(level).pick(3e-5, 1e-6, 1e-6),  # steps of order four leave less than 1e-7 at either
            )
    if mfg.proofs.available():
        names = Level(level).pick(("VP", "VE"), tuple(PROCESSES), tuple(PROCESSES))
        findings += [proved(name, diffusivity, square) for name in names]
    return Evidence(findings, series)


THREE = mfg.GaussianMixture([0.5, 0.3, 0.2], [[-1.5], [0.5], [2.0]], [0.2, 0.1, 0.3])
INSTANT = 0.25
DIGITS = 20
"""halvings of integrals that are not zero: the first digits tell them from it, and measure what is"""


@cache
def instant(name):
    """Return a process at an instant, the law of three blobs there, and E_p|∂_t s|²."""
    now = mfg.proofs.Instant.of(PROCESSES[name][0], INSTANT)
    law = mfg.proofs.MovingMixture.noised(THREE, now)
    return now, law, mfg.proofs.mean(law, law.log_density.turning**2, tolerance=DIGITS)


def proved(name, diffusivity, square):
    """Return E_p|residual|² over E_p|∂_t s|² of three blobs at an instant."""
    now, law, size = instant(name)
    log_p, x = law.log_density, mfg.proofs.affine(0.0, 1.0)
    spread = log_p.third * (diffusivity * now.diffusivity)
    product = log_p.slope * log_p.curvature * (2 * square * now.diffusivity)
    residual = log_p.turning - spread - product - (log_p.slope + x * log_p.curvature) * now.relaxation
    halvings = 80 if diffusivity == square == 1 else DIGITS
    share = mfg.proofs.mean(law, residual**2, tolerance=halvings) / size
    # δ: identically zero, to the bits of the balls
    return equal(
        f"{name} 1D: E_p|residual|² over E_p|∂_t s|², proved",
        mfg.proofs.estimate(share, "balls"),
        0.0,
        resolution={"VE": 2.5e-22}.get(name, 2.9e-23),
    )


def _of_a_potential(level, diffusivity, square):
    """Return the error of s = ∇φ with φ from quadratic finite elements: the same equation, once integrated."""
    process, half_width = PROCESSES["OU"]
    true, score = mfg.LogDensity.of(process), mfg.ExactScore(process, mfg.densities.bimodal(1))
    equation = replace(
        true,
        diffusivity=lambda t: diffusivity * true.diffusivity(t),
        quadratic_coefficient=lambda t: square * true.quadratic_coefficient(t),
    )

    rtol = tolerance(level, diffusivity == square == 1)

    def error(space):
        law = score.at(END)
        phi = mfg.solve(equation, space, score.at(START), (START, END), rtol=rtol).at(END)
        return mfg.diagnostics.weighted_error(phi.gradient(), law.score, law.density(space.grid.points))

    n = Level(level).pick(32, 48, 64) if diffusivity == square == 1 else 12
    space = mfg.FiniteElement(mfg.meshes.interval(-half_width, half_width, n), 2)
    return "OU 1D, finite elements: E_p|∇φ − ∇log p|", mfg.converge(
        error, space, order=2, floor=max(1e-5, 3 * rtol)
    ).limit


@claim.control("the sign of |s|² flipped")
def flipped(level):
    # later the false equation blows up
    return score_equation(level, square=-1.0, dimensions=(1,), end=0.15, solved={1: ("VP", "VE")})


@claim.control("half the diffusivity")
def half_diffusivity(level):
    return score_equation(level, diffusivity=0.5, dimensions=(1,), solved={1: ("OU",)})
