"""A potential score without Fokker–Planck residual, its potential matched to the prior, has no gap between ODE and SDE.

q^SDE is solved by finite volumes, q^ODE pointwise along characteristics; e^φ is a mixture that solves Fokker–Planck.
"""

import numpy as np

import mfgpde as mfg
from mfgpde.verify import Claim, Evidence, Level, Series, equal

claim = Claim(
    statement=r"\nabla R=0,\; e^{\varphi_T}\propto \text{prior}\;\Longrightarrow\; q^{\mathrm{ODE}}_t = q^{\mathrm{SDE}}_t = e^{\varphi_t}/\textstyle\int e^{\varphi_t}",
    source="after arXiv:2311.15996",
    standing="theorem",
    assumes=(
        "s_θ = ∇φ",
        "R = ∂_tφ − [DΔφ + D|∇φ|² − f·∇φ − ∇·f] depends on t alone",
        "e^{φ_T} ∝ prior, which a Gaussian prior allows Gaussian data only",
    ),
    coefficients=("score_factor",),
)

PROCESS = mfg.OrnsteinUhlenbeck(horizon=1.5)
STOP = 0.1  # process time at which both generators stop


class Scaled:
    """A score times a constant: not a gradient flow of e^φ any more."""

    def __init__(self, score, factor):
        self.score, self.factor = score, factor

    def __call__(self, x, t):
        return self.factor * self.score(x, t)

    def divergence(self, x, t):
        return self.factor * self.score.divergence(x, t)


DELTA = {(1, True): 1.5e-4, (2, True): 3e-4, (1, False): 1.3e-10, (2, False): 3.5e-10}
"""by dimension, and whether the SDE's law is meant: steps in time to 1e-5 and, in the plane, 96² cells, which are of order two; characteristics"""


@claim.measure
def gap(level, disturbance=0.0, score_factor=1.0, dimensions=(1, 2)):
    findings, series, zero = [], [], mfg.exact(0.0, "the claim")
    for d in dimensions:
        exact = mfg.ExactScore(PROCESS, mfg.densities.bimodal(d))
        phi = mfg.scores.Sum(exact, mfg.scores.Bump(disturbance, (0.5,) * d, 0.8, frequency=2.0))
        score = Scaled(phi, score_factor)
        generator = mfg.FokkerPlanck.reverse(PROCESS, mfg.scores.Tabulated(score, STOP, PROCESS.horizon))
        ode = mfg.Continuity.probability_flow(PROCESS, score)
        T, run = PROCESS.horizon, PROCESS.horizon - STOP

        def distances(space, phi=phi, generator=generator, ode=ode, T=T, run=run):
            x, total = space.grid.points, space.grid.integrate
            log_prior = phi.potential(x, T) - np.log(total(np.exp(phi.potential(x, T))))
            shift = float(log_prior.flat[0] - phi.potential(x, T).flat[0])
            start = mfg.Field(space, np.exp(log_prior))
            sde = mfg.solve(generator, space, start, (0.0, run), rtol=1e-5).at(run)
            mass = np.exp(phi.potential(x, STOP))
            model = mass / total(mass)
            inside = model > 1e-10 * model.max()  # characteristics only where there is mass to speak of
            q_ode = np.zeros(space.grid.cells)
            q_ode[inside] = np.exp(
                mfg.solvers.log_density(ode, lambda y: phi.potential(y, T) + shift, x[inside], T, STOP, rtol=1e-8)
            )
            by_flow, by_model = (
                mfg.Field(space, q_ode),
                mfg.Field(space, model),
            )  # values at centres, the SDE's are means
            return [mfg.l1_distance(sde, by_flow), mfg.l1_distance(sde, by_model), mfg.l1_distance(by_flow, by_model)]

        n = Level(level).pick({1: 96, 2: 48}, {1: 128, 2: 64}, {1: 192, 2: 96})[d]
        cells = (n // 2, n, 2 * n)
        table = [distances(mfg.FiniteVolume(mfg.CartesianGrid.cube(5.5, k, d), order=4)) for k in cells]
        names = ("‖q^SDE − q^ODE‖₁", "‖q^SDE − e^φ‖₁", "‖q^ODE − e^φ‖₁")
        for name, column in zip(names, zip(*table, strict=True), strict=True):
            apart = mfg.Estimate(column[-1], 1e-12, mfg.Kind.BOUND, "sums over cells", f"{cells[-1]} cells a side")
            order = 2 if d == 2 and "SDE" in name else 0
            small = DELTA[d, "SDE" in name] * (96 / cells[-1]) ** order
            findings.append(equal(f"{d}D: {name}", apart, zero, resolution=small))
            if "ODE − e" not in name:
                series.append(Series(f"{d}D {name}", "cells per axis", cells, "L¹ distance", column))
    return Evidence(findings, series)


@claim.control("a potential with a residual (a bump of height 0.2)")
def with_residual(level):
    return gap(level, disturbance=0.2, dimensions=(1,))


@claim.control("the score times 1.1")
def scaled_score(level):
    return gap(level, score_factor=1.1, dimensions=(1,))
