"""Cole–Hopf: the Hamilton–Jacobi–Bellman equation of a score-based model is an uncontrolled linear equation in disguise.

On a torus the nonlinear equation is solved by Fourier series and by differences, and compared with −2β log of the exactly
propagated heat flow. On the whole space, with drift, the value function of the score-based model is compared with −log of a
finite-volume density. On a disc both are solved by finite elements. Nonlinear and linear solve differ by discretisation only.
For heat that starts as a mixture on the line the residual of −2β log η is proved to vanish, in ball arithmetic.
"""

from dataclasses import replace
from importlib.util import find_spec

import numpy as np

import mfgpde as mfg
from mfgpde.verify import Claim, Evidence, Level, Series, equal

claim = Claim(
    statement=r"U=-2\beta\log\eta:\qquad \partial_s U = \beta\Delta U - \tfrac12|\nabla U|^2 \iff \partial_s\eta = \beta\Delta\eta",
    source="after arXiv:2402.06162",
    standing="theorem",
    assumes=("η > 0 smooth",),
    coefficients=("exponent", "kinetic"),
)

BETA, TIME = 0.4, 0.8


def potential(x):
    """Return a smooth function on the torus [−π, π]^d, of size 2."""
    waves = np.cos(x[..., 0]) + 0.5 * np.sin(2 * x[..., 0])
    return waves if x.shape[-1] == 1 else waves + 0.7 * np.sin(x[..., 0] - x[..., 1]) + 0.4 * np.cos(2 * x[..., 1])


@claim.measure
def cole_hopf(level, exponent=1.0, kinetic=1.0, divergence=1.0, dimensions=(1, 2)):
    findings, series, zero = [], [], mfg.exact(0.0, "the claim")
    heat = mfg.Brownian(scale=float(np.sqrt(2 * BETA)), horizon=TIME)
    control = mfg.HamiltonJacobiBellman(lambda x, p, t: 0.5 * kinetic * np.einsum("...i,...i", p, p), heat.diffusivity)

    def on_torus(space):
        grid = space.grid
        eta = mfg.discretisations.propagate(heat, grid, np.exp(-potential(grid.points) / (2 * BETA)), 0.0, TIME)
        linear = -2 * BETA * exponent * np.log(eta)
        nonlinear = mfg.solve(control, space, potential, (0.0, TIME), rtol=1e-6).at(TIME)
        return mfg.diagnostics.weighted_error(nonlinear, linear, np.ones(grid.cells))

    for d in dimensions:
        n = Level(level).pick(16, 24, 32)
        torus = mfg.CartesianGrid.cube(np.pi, n, d, periodic=True)
        for name, space, rungs in (
            ("Fourier", mfg.Spectral(torus), 2),
            ("differences", mfg.FiniteVolume(torus.refined()), 3),
        ):
            ladder = mfg.converge(on_torus, space, levels=rungs, floor=5e-6)
            findings.append(equal(f"torus {d}D, {name}: mean |U + 2β log η|", ladder.limit, zero, resolution=1e-3))
            series.append(
                Series(f"torus {d}D {name}", "cells per axis", ladder.cells, "mean |U + 2β log η|", ladder.values)
            )

    if 2 in dimensions and find_spec("dolfinx"):
        findings.append(equal(*_on_a_disc(level, control, exponent), zero, resolution=1e-3))

    process, data = mfg.VariancePreserving(), mfg.densities.bimodal(1)
    true = mfg.HamiltonJacobiBellman.of(process)
    game = replace(
        true,
        hamiltonian=lambda x, p, t: true.hamiltonian(x, p, t) + (1 - divergence) * process.divergence(x, t),
    )

    def on_the_line(space):
        start = mfg.marginal(process, data, 0.1)
        linear = mfg.solve(mfg.FokkerPlanck.of(process), space, start, (0.1, 0.5), rtol=1e-6).at(0.5)
        U = mfg.solve(game, space, lambda x: -start.log_density(x), (0.1, 0.5), rtol=1e-6).at(0.5)
        density = np.maximum(linear.at_points, 1e-300)
        return mfg.diagnostics.weighted_error(U, -exponent * np.log(density), density)

    n = Level(level).pick(64, 96, 128)
    ladder = mfg.converge(on_the_line, mfg.FiniteVolume(mfg.CartesianGrid.cube(7.0, n, 1)), floor=2e-5)
    findings.append(equal("score-based model (VP) 1D: E_p|U + log p|", ladder.limit, zero, resolution=1e-3))
    series.append(Series("VP 1D, value function", "cells per axis", ladder.cells, "E_p|U + log p|", ladder.values))
    if mfg.proofs.available():
        findings += proved(heat, process, exponent, kinetic, divergence)
    return Evidence(findings, series)


THREE = mfg.GaussianMixture([0.5, 0.3, 0.2], [[-1.5], [0.5], [2.0]], [0.2, 0.1, 0.3])


def proved(heat, process, exponent, kinetic, divergence):
    """Return E|residual|² over E|∂_s U|² at an instant: of −2β log η without drift, of −log p with VP's."""
    findings, x = [], mfg.proofs.affine(0.0, 1.0)
    for name, one, factor in (("heat", heat, -2 * BETA * exponent), ("VP", process, -exponent)):
        now = mfg.proofs.Instant.of(one, 0.5 * TIME if one is heat else 0.25)
        law = mfg.proofs.MovingMixture.noised(THREE, now)
        U, D, a = law.log_density, now.diffusivity, now.relaxation
        half = 0.5 * kinetic if one is heat else D  # D = β of the heat, whose exponent is 2β
        value = {"slope": U.slope * factor, "curvature": U.curvature * factor, "speed": U.speed * factor}
        running = x * value["slope"] * a - divergence * a  # −f·∇U + ∇·f
        residual = (
            value["speed"] - value["curvature"] * D + value["slope"] ** 2 * half - running * float(one is process)
        )
        share = mfg.proofs.mean(law, residual**2) / mfg.proofs.mean(law, value["speed"] ** 2)
        estimate = mfg.proofs.estimate(share, "balls")
        # δ: β = ½g² is rounded once in the exponent, and residuals enter by their squares
        findings.append(equal(f"{name} 1D: E|residual|² over E|∂_s U|², proved", estimate, 0.0, resolution=2e-22))
    return findings


def _on_a_disc(level, control, exponent):
    """Return label and estimate of mean |U + 2β log η| on a disc with reflecting walls, by finite elements."""

    def bowl(x):
        return np.cos(np.pi * np.einsum("...i,...i", x, x))  # its normal derivative vanishes on the circle

    heat = mfg.BackwardKolmogorov(lambda x, t: 0 * x, lambda t: BETA, time_dependent=False)

    def gap(space):
        eta = mfg.solve(heat, space, lambda x: np.exp(-bowl(x) / (2 * BETA)), (0.0, 0.2), rtol=1e-5).at(0.2)
        U = mfg.solve(control, space, bowl, (0.0, 0.2), rtol=1e-5).at(0.2)
        return mfg.diagnostics.weighted_error(U, -2 * BETA * exponent * np.log(eta.values), np.ones(len(eta.values)))

    disc = mfg.meshes.disc(1.0, Level(level).pick(3, 5, 8))
    ladder = mfg.converge(gap, mfg.FiniteElement(disc, 2, walls="reflecting"), floor=1e-4)
    return "disc, finite elements: mean |U + 2β log η|", ladder.limit


@claim.control("the exponent −β log η instead of −2β log η")
def half_exponent(level):
    return cole_hopf(level, exponent=0.5, dimensions=(1,))


@claim.control("the sign of ∇·f flipped in the running cost")
def flipped_divergence(level):
    return cole_hopf(level, divergence=-1.0, dimensions=(1,))
