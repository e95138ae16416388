"""The Fokker–Planck residual controls the score gap: an energy identity along the generating SDE.

Both sides come from one finite-volume solve of q^SDE; their difference is what is extrapolated. The ladder
sees the error of the time integrals.
"""

import numpy as np

import mfgpde as mfg
from mfgpde.verify import Claim, Evidence, Level, Series, equal

claim = Claim(
    statement=(
        r"\int_0^T D\,\mathbb{E}_{q}\left|\nabla e\right|^2 dt = \mathbb{E}_{q}[e]_{t=0}-\mathbb{E}_{q}[e]_{t=T}+\int_0^T \mathbb{E}_{q}[R]\,dt,"
        r"\qquad e=\varphi-\log q^{\mathrm{SDE}}"
    ),
    source="after arXiv:2311.15996",
    standing="derived",
    assumes=("s_θ = ∇φ smooth", "q = q^SDE decays at infinity"),
    coefficients=("diffusivity", "residual"),
)

PROCESS = mfg.OrnsteinUhlenbeck(horizon=1.0)
STOP, NODES = 0.2, 17
TAIL = 1e-13  # of the largest density: below it the mass is nothing to the resolution, and a logarithm may not exist


@claim.measure
def energy(level, diffusivity=1.0, residual=1.0, dimensions=(1, 2)):
    findings, series = [], []
    T = PROCESS.horizon
    for d in dimensions:
        phi = mfg.scores.Sum(
            mfg.ExactScore(PROCESS, mfg.densities.bimodal(d)), mfg.scores.Bump(0.8, (0.3,) * d, 0.8, frequency=8.0)
        )
        prior = mfg.ExactScore(PROCESS, mfg.densities.bimodal(d)).at(T)
        equation = mfg.LogDensity.of(PROCESS)

        def sides(space, phi=phi, prior=prior, equation=equation):
            grid, (times, weights) = space.grid, mfg.solvers.time_rule(0.0, T - STOP, NODES)
            solution = mfg.solve(
                mfg.FokkerPlanck.reverse(PROCESS, mfg.scores.Tabulated(phi, STOP, T)), space, prior, times, rtol=1e-5
            )
            gap, forced, mean = [], [], []
            for tau, q in zip(times, solution.fields, strict=True):
                t, log_q = T - tau, np.log(np.maximum(q.at_points, TAIL * q.values.max()))
                gradient = np.stack(
                    np.gradient(log_q, *grid.spacing) if grid.dimension > 1 else [np.gradient(log_q, *grid.spacing)],
                    axis=-1,
                )
                gap.append(
                    float(PROCESS.diffusivity(t))
                    * q.expectation(np.linalg.norm(phi(grid.points, t) - gradient, axis=-1) ** 2)
                )
                forced.append(q.expectation(equation.residual(phi, grid.points, t)))
                mean.append(q.expectation(phi.potential(grid.points, t) - log_q))
            return diffusivity * (weights @ gap), mean[-1] - mean[0] + residual * (weights @ forced)

        n = Level(level).pick({1: 64, 2: 32}, {1: 96, 2: 48}, {1: 128, 2: 48})[d]
        left, right = None, None

        def defect(space, sides=sides):
            nonlocal left, right
            left, right = sides(space)
            return left - right

        ladder = mfg.converge(defect, mfg.FiniteVolume(mfg.CartesianGrid.cube(6.0, n, d)), floor=2e-5)
        label = f"{d}D: left − right (each side {left:.3f})"
        findings.append(
            equal(f"{d}D: left side − right side", ladder.limit, mfg.exact(0.0, "the claim"), resolution=5e-4)
        )
        series.append(Series(label, "cells per axis", ladder.cells, "|left − right|", [abs(v) for v in ladder.values]))
    return Evidence(findings, series)


@claim.control("D replaced by g² = 2D")
def twice_the_diffusivity(level):
    return energy(level, diffusivity=2.0, dimensions=(1,))


@claim.control("the residual left out")
def without_residual(level):
    return energy(level, residual=0.0, dimensions=(1,))
