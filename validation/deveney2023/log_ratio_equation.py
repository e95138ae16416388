"""The log-ratio of a learned density to what its SDE generates solves a Hamilton–Jacobi equation forced by the residual.

e = φ − log q^SDE twice: from a finite-volume solve of the generating Fokker–Planck equation, and from its own equation. Three blobs
with bumps that move in time: blobs, bumps, horizons are drawn. On the line under all four processes, three draws of each; at level
quick one draw of OU and of exploding variance, whose errors are largest. In the plane under OU at level quick, under VP, where
errors are largest, at level standard, under all at level full.
"""

from functools import cache
from pathlib import Path

import numpy as np

import mfgpde as mfg
from mfgpde.integrators import RungeKuttaChebyshev
from mfgpde.verify import Claim, Evidence, Level, Series, equal, load_module

claim = Claim(
    statement=r"e=\varphi-\log q^{\mathrm{SDE}}:\qquad \partial_\tau e = f\cdot\nabla e + D\,\Delta e - D\,|\nabla e|^2 - R",
    source="after arXiv:2311.15996",
    standing="derived",
    assumes=("s_θ = ∇φ smooth", "τ = T − t"),
    coefficients=("residual", "square"),
)

family = load_module(Path(__file__).parents[1] / "networks" / "_family.py")
DELTA = {1: 3e-3, 2: 1.5e-2}
"""of logarithms, on cells of a tenth, a sixth in the plane; of most draws a tenth of it, more where blobs are narrow"""
SEEN = {
    1: "one δ for four processes: where variance explodes 1.4e-3 is reached",
    2: "one δ for all draws: at level standard one under VP reaches 6.9e-3",
}


@cache
def generated(seed, shapes, rtol):
    """Return of each case, on two widths of cells, the grid and q^SDE at the stop, from Fokker–Planck, and R over time.

    Shapes are dimension, width of cells, and which of the four processes are solved for; all are drawn.
    """
    rng, found = np.random.default_rng(seed), {}
    for k, (d, spacing, members) in enumerate(shapes):
        cases = list(family.draw(rng, d))
        for case in (cases[one] for one in members):
            rows, T = [], case.process.horizon
            R = mfg.scores.Tabulated(
                lambda x, t, case=case: mfg.log_density_residual(case.process, case.score, x, t),
                case.stop,
                T,
                rtol=1e-7,  # of logarithms that are judged to 3e-3
            )
            for h in (spacing, 1.5 * spacing):
                grid = mfg.CartesianGrid.cube(case.box, 2 * int(np.ceil(case.box / h)), d)
                equation, prior = (
                    mfg.FokkerPlanck.reverse(case.process, case.score),
                    mfg.solvers.prior_of(case.process, d),
                )
                space = mfg.FiniteVolume(grid, order=4)
                q = mfg.solve(equation, space, prior, (0.0, T - case.stop), rtol=rtol).fields[-1]
                rows.append((grid, np.maximum(q.at_points, family.TAIL * q.values.max())))
            found[f"{case.name} {d}D, draw {k}"] = case, R, rows
    return found


def by_its_equation(case, R, grid, residual, square):
    """Return e at the stop from its own equation, fifth order in space."""
    process, score, T = case.process, case.score, case.process.horizon
    prior = mfg.solvers.prior_of(process, grid.dimension)

    known = [None, None, ()]  # a step asks for several slopes at the same points and time

    def hamiltonian(x, p, tau):
        if known[0] is not x or known[1] is not tau:
            t = T - tau
            known[:] = x, tau, (square * process.diffusivity(t), process.drift(x, t), residual * R(x, t))
        D, drift, forcing = known[2]
        return forcing + sum(np.moveaxis(p * (D * p - drift), -1, 0))  # numpy's own sums over two numbers are slow

    def start(y):
        return score.potential(y, T) - prior.log_density(y)

    # bumps turn by at most 8 over the horizon, and of noise and blobs nothing is quicker: no need to look for pulses
    own = mfg.HamiltonJacobiBellman(hamiltonian, lambda tau: process.diffusivity(T - tau), horizon=T, time_scale=T / 20)
    # without kinks, and D rules the step: stages of Chebyshev; what steps leave is in `STEPS`
    space, by = mfg.FiniteVolume(grid, order=5), RungeKuttaChebyshev(damping=2.0)
    return mfg.solve(own, space, start, (0.0, T - case.stop), integrator=by, rtol=1e-4).fields[-1]


STEPS = 5e-4
"""what steps of e at 1e-4 leave of E_q|e − …|: against finer ones 4e-4 where variance explodes, 1.3e-4 under OU, at level standard"""
OU, VP, VE, ALL = (0,), (1,), (3,), (0, 1, 2, 3)
"""members of a draw"""


@claim.measure
def log_ratio(level, rng, residual=1.0, square=1.0, dimensions=(1, 2)):
    """`residual` and `square` scale R and |∇e|² in the equation of e."""
    shapes = Level(level).pick(
        ((1, 0.1, OU + VE), (2, 0.17, OU)),
        ((1, 0.07, ALL),) * 3 + ((2, 0.15, VP),),
        ((1, 0.07, ALL),) * 12 + ((2, 0.12, ALL),),
    )
    rtol = Level(level).pick(4e-6, 1e-6, 1e-6)  # of q: its steps move e by a thirtieth of what cells do
    findings, points = [], []
    for name, (case, R, rows) in generated(int(rng.integers(2**32)), shapes, rtol).items():
        d, errors = case.data.dimension, []
        if d not in dimensions:
            continue
        for grid, q in rows:
            e = by_its_equation(case, R, grid, residual, square)
            truth = case.score.potential(grid.points, case.stop) - np.log(q)
            errors.append(mfg.diagnostics.weighted_error(e, truth, q))
        # of order four, 1.5⁴ = 5: half of the change is twice what is left, where steps of q leave less: no more than 4e-6
        bar = 0.5 * abs(errors[0] - errors[1]) + STEPS
        found = mfg.Estimate(errors[0], bar, mfg.Kind.EXTRAPOLATED, "cells 1.5 as wide, and steps")
        label = f"{name}: E_q|e − (φ − log q^SDE)|"
        findings.append(equal(label, found, mfg.exact(0.0, "the claim"), resolution=DELTA[d], because=SEEN[d]))
        size = float(rows[0][0].integrate(rows[0][1] * np.abs(truth_spread(case, *rows[0]))))
        points.append((size, errors[0]))
    points.sort()
    series = Series("every draw", "E_q|e| less its mean", [a for a, _ in points], "error", [b for _, b in points], "xy")
    return Evidence(findings, [series])


def truth_spread(case, grid, q):
    """Return φ − log q less its mean under q."""
    e = case.score.potential(grid.points, case.stop) - np.log(q)
    return e - float(grid.integrate(q * e))


@claim.control("the sign of the residual flipped")
def flipped(level, rng):
    planes = Level(level).pick((2,), (1, 2), (1, 2))  # the line's are refuted by 5 % of the residual already
    return log_ratio(level, rng, residual=-1.0, dimensions=planes)


@claim.control("|∇e|² dropped")
def linearised(level, rng):  # of some draws 5 % of a term is too little: all of the line
    return log_ratio(level, rng, square=0.0, dimensions=(1,))
