"""The log-ratio of a learned density to what its SDE generates solves a Hamilton–Jacobi equation forced by the residual.

e = φ − log q^SDE twice: from a finite-volume solve of the generating Fokker–Planck equation, and from its own equation.
"""

import numpy as np

import mfgpde as mfg
from mfgpde.verify import Claim, Evidence, Level, Series, equal

claim = Claim(
    statement=r"e=\varphi-\log q^{\mathrm{SDE}}:\qquad \partial_\tau e = f\cdot\nabla e + D\,\Delta e - D\,|\nabla e|^2 - R",
    source="after arXiv:2311.15996",
    standing="derived",
    assumes=("s_θ = ∇φ smooth", "τ = T − t"),
    coefficients=("residual", "square"),
)

PROCESS = mfg.OrnsteinUhlenbeck(horizon=1.0)
STOP = 0.2
TAIL = 1e-13  # of the largest density: below it the mass is nothing to the resolution, and a logarithm may not exist


@claim.measure
def log_ratio(level, residual=1.0, square=1.0, dimensions=(1, 2)):
    findings, series = [], []
    T, run = PROCESS.horizon, PROCESS.horizon - STOP
    log_density = mfg.LogDensity.of(PROCESS)
    for d in dimensions:
        phi = mfg.scores.Sum(
            mfg.ExactScore(PROCESS, mfg.densities.bimodal(d)), mfg.scores.Bump(0.8, (0.3,) * d, 0.8, frequency=8.0)
        )
        prior = mfg.ExactScore(PROCESS, mfg.densities.bimodal(d)).at(T)
        R = mfg.scores.Tabulated(lambda x, t, phi=phi: log_density.residual(phi, x, t), STOP, T)

        def hamiltonian(x, p, tau, R=R):
            t = T - tau
            transport = np.sum(PROCESS.drift(x, t) * p, axis=-1)
            return square * PROCESS.diffusivity(t) * np.sum(p**2, axis=-1) - transport + residual * R(x, t)

        own = mfg.HamiltonJacobiBellman(hamiltonian, lambda tau: PROCESS.diffusivity(T - tau), horizon=T)

        def error(space, phi=phi, prior=prior, own=own):
            x = space.grid.points
            q = mfg.solve(
                mfg.FokkerPlanck.reverse(PROCESS, mfg.scores.Tabulated(phi, STOP, T)),
                space,
                prior,
                (0.0, run),
                rtol=3e-5,
            ).at(run)

            def start(y, phi=phi, prior=prior, T=T):
                return phi.potential(y, T) - prior.log_density(y)

            e = mfg.solve(own, space, start, (0.0, run), rtol=3e-5).at(run)
            positive = np.maximum(q.at_points, TAIL * q.values.max())
            return mfg.diagnostics.weighted_error(e, phi.potential(x, STOP) - np.log(positive), positive)

        n = Level(level).pick({1: 64, 2: 24}, {1: 96, 2: 32}, {1: 128, 2: 48})[d]
        ladder = mfg.converge(error, mfg.FiniteVolume(mfg.CartesianGrid.cube(6.0, n, d)), floor=1e-4)
        label = f"{d}D: E_q|e − (φ − log q^SDE)|"
        findings.append(equal(label, ladder.limit, mfg.exact(0.0, "the claim"), resolution=1e-3))
        series.append(Series(f"{d}D", "cells per axis", ladder.cells, "E_q|e − (φ − log q)|", ladder.values))
    return Evidence(findings, series)


@claim.control("the sign of the residual flipped")
def flipped(level):
    return log_ratio(level, residual=-1.0, dimensions=(1,))


@claim.control("|∇e|² dropped")
def linearised(level):
    return log_ratio(level, square=0.0, dimensions=(1,))
