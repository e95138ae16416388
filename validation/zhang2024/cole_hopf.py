"""Cole–Hopf: the Hamilton–Jacobi–Bellman equation of a score-based model is an uncontrolled linear equation in disguise.

On a torus the nonlinear equation is solved by Fourier series and by differences, and compared with −2β log of the exactly
propagated heat flow. On the whole space, with drift, the value function of the score-based model is compared with −log of a
finite-volume density. From level standard on both are solved by finite elements on a disc; at level quick, where that took a third
of the time, `zhang2023/one-equilibrium` sets such an equation's elements against another method. Nonlinear and linear solve
differ by discretisation only. For heat that starts as a mixture on the line the residual of −2β log η is proved to vanish, in ball arithmetic.
"""

from dataclasses import replace
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np

import mfgpde as mfg
from mfgpde.verify import Claim, Evidence, Level, Series, equal, load_module

torus = load_module(Path(__file__).parent / "_torus.py")

claim = Claim(
    statement=r"U=-2\beta\log\eta:\qquad \partial_s U = \beta\Delta U - \tfrac12|\nabla U|^2 \iff \partial_s\eta = \beta\Delta\eta",
    source="after arXiv:2402.06162",
    standing="theorem",
    assumes=("η > 0 smooth",),
    coefficients=("exponent", "kinetic"),
)

BETA, TIME = 0.4, 0.8
HEAT = mfg.Brownian(scale=float(np.sqrt(2 * BETA)), horizon=TIME)
PROCESS = mfg.VariancePreserving()
DELTA = {(1, "Fourier"): 2.5e-6, (1, "differences"): 7.5e-5, (2, "Fourier"): 1.8e-4, (2, "differences"): 1e-4}
"""on the torus, of values of size two: what the points of level quick leave, and five times the bounds of series"""
SERIES = 48
"""points an axis of Fourier series, of true equations and of false ones: fewer leave no bound that tells them apart"""


def potential(x):
    """Return a smooth function on the torus [−π, π]^d, of size 2."""
    waves = np.cos(x[..., 0]) + 0.5 * np.sin(2 * x[..., 0])
    return waves if x.shape[-1] == 1 else waves + 0.7 * np.sin(x[..., 0] - x[..., 1]) + 0.4 * np.cos(2 * x[..., 1])


EXPONENTS = (1.0, 1.05, 0.5)
"""for which the same solves are compared: the claim's, the one that is 5 % off, the control's"""


def control(kinetic):
    """Return the equation of U."""
    return mfg.HamiltonJacobiBellman(lambda x, p, t: 0.5 * kinetic * np.einsum("...i,...i", p, p), HEAT.diffusivity)


def gaps(U, linear, exponents, weight):
    """Return the mean distance of U from the logarithm times each exponent."""
    return [mfg.diagnostics.weighted_error(U, exponent * linear, weight) for exponent in exponents]


@cache
def by_series(exponents, kinetic, d, n):
    """Return the mean of |U + 2β log η| over n^d points of a torus, U by Fourier series: the bar is what U may be off anywhere.

    η has three times the points an axis: of what multiplies its exponent less than e^{−36} is left.
    """
    grid, fine = (mfg.CartesianGrid.cube(np.pi, k, d, periodic=True) for k in (n, 3 * n))
    times = torus.chebyshev(21, TIME)
    values = torus.solved(control(kinetic), grid, potential, times, 1e-8)
    eta = mfg.discretisations.propagate(HEAT, fine, np.exp(-potential(fine.points) / (2 * BETA)), 0.0, TIME)
    linear = -2 * BETA * np.log(eta[(slice(1, None, 3),) * d])
    bar = torus.owed(values, times, BETA, kinetic, 1e-12)
    name = f"{n} points an axis, compared by the residual"
    means = (float(np.abs(values[-1] - exponent * linear).mean()) for exponent in exponents)
    return [mfg.Estimate(mean, bar, mfg.Kind.BOUND, name) for mean in means]


@cache
def on_torus(exponents, kinetic, d, cells, rtol):
    """Return the ladders of mean |U + 2β log η| on a torus, by differences."""

    def both(space):
        grid = space.grid
        eta = mfg.discretisations.propagate(HEAT, grid, np.exp(-potential(grid.points) / (2 * BETA)), 0.0, TIME)
        U = mfg.solve(control(kinetic), space, potential, (0.0, TIME), rtol=rtol).at(TIME)
        return gaps(U, -2 * BETA * np.log(eta), exponents, np.ones(grid.cells))

    space = mfg.FiniteVolume(mfg.CartesianGrid.cube(np.pi, cells, d, periodic=True))
    return mfg.ladders(both, space, levels=3, floor=max(5e-6, 3 * rtol))


@cache
def on_a_disc(exponents, kinetic, cells, rtol):
    """Return the ladders of mean |U + 2β log η| on a disc with reflecting walls, by finite elements."""

    def bowl(x):
        return np.cos(np.pi * np.einsum("...i,...i", x, x))  # its normal derivative vanishes on the circle

    heat = mfg.BackwardKolmogorov(lambda x, t: 0 * x, lambda t: BETA, time_dependent=False)

    def both(space):
        eta = mfg.solve(heat, space, lambda x: np.exp(-bowl(x) / (2 * BETA)), (0.0, 0.2), rtol=rtol).at(0.2)
        U = mfg.solve(control(kinetic), space, bowl, (0.0, 0.2), rtol=rtol).at(0.2)
        return gaps(U, -2 * BETA * np.log(eta.values), exponents, np.ones(len(eta.values)))

    return mfg.ladders(
        both, mfg.FiniteElement(mfg.meshes.disc(1.0, cells), 2, walls="reflecting"), floor=max(1e-4, 3 * rtol)
    )


@cache
def on_the_line(exponents, divergence, cells, rtol):
    """Return the ladders of E_p|U + log p| of the score-based model on the line."""
    equation = mfg.HamiltonJacobiBellman.of(PROCESS)
    game = replace(
        equation,
        hamiltonian=lambda x, p, t: equation.hamiltonian(x, p, t) + (1 - divergence) * PROCESS.divergence(x, t),
    )

    def both(space):
        start = mfg.marginal(PROCESS, mfg.densities.bimodal(1), 0.1)
        linear = mfg.solve(mfg.FokkerPlanck.of(PROCESS), space, start, (0.1, 0.5), rtol=rtol).at(0.5)
        U = mfg.solve(game, space, lambda x: -start.log_density(x), (0.1, 0.5), rtol=rtol).at(0.5)
        density = np.maximum(linear.at_points, 1e-300)
        return gaps(U, -np.log(density), exponents, density)

    return mfg.ladders(both, mfg.FiniteVolume(mfg.CartesianGrid.cube(7.0, cells, 1)), floor=max(2e-5, 3 * rtol))


def of(exponent, case, *arguments):
    """Return a case's number for one exponent, its solves shared with the others that are known to be asked for."""
    shared = EXPONENTS if exponent in EXPONENTS else (exponent,)
    return case(shared, *arguments)[shared.index(exponent)]


@claim.measure
def cole_hopf(level, exponent=1.0, kinetic=1.0, divergence=1.0, dimensions=(1, 2), disc=True, line=True):
    """The first three scale terms; `dimensions` are those of the torus, `disc` and `line` ask for the other two cases.

    A false equation is solved on fewer cells and, at level quick, by longer steps: they tell a coefficient that is 5 % off.
    What steps leave, 3·rtol, is in the bar. A false exponent asks for no solve.
    """
    findings, series, zero, level = [], [], mfg.exact(0.0, "the claim"), Level(level)
    for d in dimensions:
        rtol, n = level.pick(3e-6 if kinetic == 1 else 1e-4, 2e-6, 1e-6), level.pick(32, 40, 64) if kinetic == 1 else 12
        found = of(exponent, by_series, kinetic, d, SERIES)
        ladder, what = of(exponent, on_torus, kinetic, d, n, rtol), "mean |U + 2β log η|"
        for name, limit in (("Fourier", found), ("differences", ladder.limit)):
            findings.append(equal(f"torus {d}D, {name}: {what}", limit, zero, resolution=DELTA[d, name]))
        series.append(Series(f"torus {d}D differences", "cells per axis", ladder.cells, what, ladder.values))
    if disc and level is not Level.QUICK and find_spec("dolfinx"):
        ladder = of(exponent, on_a_disc, kinetic, level.pick(4, 4, 8) if kinetic == 1 else 2, 1e-5)
        findings.append(equal("disc, finite elements: mean |U + 2β log η|", ladder.limit, zero, resolution=7.5e-4))
    if line:
        rtol = level.pick(3e-6 if divergence == 1 else 1e-4, 2e-6, 1e-6)
        ladder = of(exponent, on_the_line, divergence, level.pick(64, 80, 128) if divergence == 1 else 48, rtol)
        # δ: of values of size ten, what the cells of level quick leave
        findings.append(equal("score-based model (VP) 1D: E_p|U + log p|", ladder.limit, zero, resolution=2.2e-4))
        series.append(Series("VP 1D, value function", "cells per axis", ladder.cells, "E_p|U + log p|", ladder.values))
    if mfg.proofs.available():
        findings += [of_heat(exponent, kinetic), of_the_model(exponent, divergence)]
    return Evidence(findings, series)


DIGITS = 20
"""halvings of integrals that are not zero: the first digits tell them from it, and measure what is"""
THREE = mfg.GaussianMixture([0.5, 0.3, 0.2], [[-1.5], [0.5], [2.0]], [0.2, 0.1, 0.3])


@cache
def instant(name):
    """Return a process at an instant, the law of three blobs there, and E|∂_t log p|²."""
    now = mfg.proofs.Instant.of(HEAT, 0.5 * TIME) if name == "heat" else mfg.proofs.Instant.of(PROCESS, 0.25)
    law = mfg.proofs.MovingMixture.noised(THREE, now)
    return now, law, mfg.proofs.mean(law, law.log_density.speed**2, tolerance=DIGITS)


@cache
def of_heat(exponent, kinetic):
    """Return E|residual|² over E|∂_s U|² at an instant, of −2β log η without drift."""
    now, law, _ = instant("heat")
    U, D, factor = law.log_density, now.diffusivity, -2 * BETA * exponent
    residual = (U.speed - U.curvature * D) * factor + (U.slope * factor) ** 2 * (0.5 * kinetic)
    # δ: β = ½g² is rounded once in the exponent, and residuals enter by their squares
    return proved("heat", residual, factor, exponent == kinetic == 1, 2e-22)


@cache
def of_the_model(exponent, divergence):
    """Return the same of −log p with the drift of VP, which is no game's with another kinetic cost."""
    now, law, _ = instant("VP")
    U, D, a, x = law.log_density, now.diffusivity, now.relaxation, mfg.proofs.affine(0.0, 1.0)
    running = x * U.slope * -exponent * a - divergence * a  # −f·∇U + ∇·f
    residual = (U.speed - U.curvature * D) * -exponent + (U.slope * -exponent) ** 2 * D - running
    return proved("VP", residual, -exponent, exponent == divergence == 1, 1.5e-23)


def proved(name, residual, factor, true, delta):
    _, law, size = instant(name)
    halvings = 80 if true else DIGITS
    share = mfg.proofs.mean(law, residual**2, tolerance=halvings) / (size * factor**2)
    estimate = mfg.proofs.estimate(share, "balls")
    return equal(f"{name} 1D: E|residual|² over E|∂_s U|², proved", estimate, 0.0, resolution=delta)


@claim.control("the exponent −β log η instead of −2β log η")
def half_exponent(level):
    return cole_hopf(level, exponent=0.5)


@claim.control("the sign of ∇·f flipped in the running cost")
def flipped_divergence(level):
    return cole_hopf(level, divergence=-1.0, dimensions=(), disc=False)
