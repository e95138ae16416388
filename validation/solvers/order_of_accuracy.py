"""Every solver converges at its theoretical order, to closed-form solutions.

Space: errors over three doublings against Gaussian mixtures. Time: the same fixed-step error over three halvings on one
fixed grid, against a much finer step. Spectral schemes must reach a stated accuracy instead.
"""

from dataclasses import replace
from functools import cache

import numpy as np

import mfgpde as mfg
from mfgpde.verify import Claim, Evidence, Level, Series, at_most, equal

claim = Claim(
    statement=r"\|u_h-u\| = C h^p + o(h^p),\qquad p \text{ the theoretical order of each scheme}",
    source="mfgpde",
    standing="theorem",
    assumes=("smooth solutions", "asymptotic range of the grid"),
    coefficients=("error", "diffusivity"),
)

PROCESS = mfg.OrnsteinUhlenbeck()
START, END, WIDTH = 0.1, 0.4, 5.5
FP, FLOW = (
    mfg.FokkerPlanck.of(PROCESS),
    mfg.Continuity.probability_flow(PROCESS, mfg.ExactScore(PROCESS, mfg.densities.bimodal(1))),
)
SCHEMES = {
    "Fokker–Planck, finite volume": (FP, mfg.FiniteVolume),
    "Fokker–Planck, finite volume of order 4": (FP, lambda grid: mfg.FiniteVolume(grid, order=4)),
    "log-density, differences": (mfg.LogDensity.of(PROCESS), mfg.FiniteVolume),
    "score, staggered": (mfg.ScoreFokkerPlanck.of(PROCESS), mfg.FiniteVolume),
    "continuity, limited upwind": (FLOW, mfg.FiniteVolume),
    "Fokker–Planck, spectral": (FP, mfg.Spectral),
}


def misplaced(equation, by):
    """Return the equation with its drift, or velocity, read `by` to the right."""
    if isinstance(equation, mfg.Continuity):
        return replace(equation, velocity=lambda x, t: equation.velocity(x + by, t), divergence=None)
    return replace(
        equation,
        drift=lambda x, t: equation.drift(x + by, t),
        **({"potential": None} if isinstance(equation, mfg.FokkerPlanck) else {}),
    )


@cache
def solved(name, d, n, rtol, shift):
    """Return the grid, the equation and its field at the end; a factor of an error does not solve again."""
    equation, scheme = SCHEMES[name]
    before = mfg.ExactScore(PROCESS, mfg.densities.bimodal(d)).at(START)
    grid = mfg.CartesianGrid.cube(WIDTH, n, d)
    chosen = misplaced(equation, shift * grid.spacing[0]) if shift else equation
    start = before.density if isinstance(chosen, mfg.FokkerPlanck | mfg.Continuity) else before
    solution = mfg.solve(chosen, scheme(grid), start, (START, END), rtol=rtol)
    return grid, chosen, solution.at(END)


@cache
def spatial_error(name, d, n, rtol, shift, diffusivity=1.0):
    """Return the error at the end against the closed form, whose noise has `diffusivity` times that of the equation."""
    before = mfg.ExactScore(PROCESS, mfg.densities.bimodal(d)).at(START)
    after = mfg.marginal(mfg.OrnsteinUhlenbeck(scale=diffusivity**0.5), before, END - START)
    grid, chosen, field = solved(name, d, n, rtol, shift)
    if isinstance(chosen, mfg.LogDensity):
        return mfg.diagnostics.weighted_error(field, after.log_density, after.density(grid.points))
    if isinstance(chosen, mfg.ScoreFokkerPlanck):
        return mfg.diagnostics.weighted_error(field, after.score, after.density(grid.points))
    return mfg.l1_distance(field, after)


WHOLE = "orders are whole numbers, with one δ for all smooth ones: order four in the plane is 0.076 off"
ROUNDING = 1e-13
"""of values of size one after some hundred steps"""
LIMITED = 1e-9
"""of the limited scheme: a start that is one rounding off changes the error on 8192 cells by 2e-10, on half of them by 1e-16"""
ORDERS_IN_TIME = {"RungeKuttaChebyshev": 0.03, "TRBDF2": 0.1, "BackwardEuler": 5e-4, "SSPRK43": 0.12, "ETDRK4": 0.03}
"""δ: how far from whole numbers these steps are"""
REFERENCES = {}
"""by integrator: what differences in time are taken to; controls need the same ones"""


KEPT = {}
"""by integrator and whether coefficients stay"""


def time_errors(integrator, space, steps, still):
    """Return `differences`, computed once."""
    key = type(integrator).__name__, still
    if key not in KEPT:
        KEPT[key] = differences(integrator, space, steps, still)
    return KEPT[key]


def differences(integrator, space, steps, still):
    """Return max-norm differences to a method of higher order (or the same, for the highest) at 8 times the steps.

    If `still`, coefficients are those of the start, but for the reference.
    """
    system = space.semidiscretise(mfg.FokkerPlanck.of(PROCESS_VP))
    start = system.start(mfg.marginal(PROCESS_VP, mfg.densities.bimodal(1), 0.3).density)

    def end(count, method=integrator, still=still):
        u, dt = start, 0.3 / count
        for k in range(count):
            u, _ = method.step(system, u, 0.3 + (not still) * k * dt, dt)
        return system.values(u)

    name = type(integrator).__name__
    if name not in REFERENCES:
        finer = mfg.integrators.TRBDF2() if isinstance(space, mfg.FiniteVolume) and integrator.order < 3 else integrator
        REFERENCES[name] = end(8 * steps[-1], finer, still=False)
    return [float(np.abs(end(count) - REFERENCES[name]).max()) for count in steps]


PROCESS_VP = mfg.VariancePreserving()


@claim.measure
def orders(level, shift=0.0, still=False, parts=("space", "time", "spectral"), error=1.0, diffusivity=1.0):
    """Measure orders; `shift` reads drifts beside where they belong, in cells, `still` leaves them as they start.

    `error` is a factor of the error at the finest step, beside which that of twice the step stays what it is; `diffusivity`
    one of the noise of the law that spectral solutions are compared with.
    """
    level, findings, series = Level(level), [], []
    for part in parts:
        if part == "space":
            more, curves = _space(level, shift, error)
        elif part == "time":
            more, curves = _time(still, error)
        else:
            more, curves = _spectral(shift, diffusivity)
        findings += more
        series += curves
    return Evidence(findings, series)


def _order(errors, factor, off=ROUNDING):
    """Return the order of errors, the last one times a factor."""
    return mfg.observed_order([*errors[:-1], factor * errors[-1]], off=off)


def _space(level, shift, error):
    table = [
        ("Fokker–Planck, finite volume", 1, (64, 128, 256), 2, 5e-9),
        ("Fokker–Planck, finite volume", 2, (48, 96, 192), 2, 1e-6),
        ("Fokker–Planck, finite volume", 3, (24, 48, 96), 2, 1e-5),
        ("Fokker–Planck, finite volume of order 4", 1, (48, 96, 192), 4, 1e-11),
        ("Fokker–Planck, finite volume of order 4", 2, (40, 80, 160), 4, 1e-8),
        ("log-density, differences", 1, (64, 128, 256), 2, 1e-7),
        ("log-density, differences", 2, (32, 64, 128), 2, 1e-6),
        ("score, staggered", 1, (64, 128, 256), 2, 1e-7),
        ("score, staggered", 2, (48, 96, 192), 2, 1e-6),
        ("continuity, limited upwind", 1, (2048, 4096, 8192), 2, 1e-7),
    ]
    if level is Level.QUICK:
        table = [row for row in table if row[1] == 1 or row[0].endswith(("volume", "order 4"))]
    findings, series = [], []
    for name, d, cells, p, rtol in table:
        errors = [spatial_error(name, d, n, rtol, shift) for n in cells]
        order = _order(errors, error, LIMITED if "limited" in name else ROUNDING)  # of grid and steps together
        order = replace(order, at=f"{order.at}, steps to {rtol:.0e}")
        # δ: the limited scheme, of order one at extrema, reaches 0.14
        small = 0.2 if "limited" in name else 0.1
        findings.append(equal(f"{name}, {d}D: order", order, mfg.exact(p, "theory"), resolution=small, because=WHOLE))
        series.append(Series(f"{name} {d}D", "cells per axis", cells, "error", errors))
    return findings, series


def _time(still, error):
    findings, series = [], []
    volumes = {n: mfg.FiniteVolume(mfg.CartesianGrid.cube(6.0, n, 1)) for n in (24, 64, 256)}
    for integrator, where, steps in (
        (
            mfg.integrators.RungeKuttaChebyshev(),
            volumes[256],
            (16, 32, 64),
        ),  # many stages in every step: its asymptotic range
        (mfg.integrators.TRBDF2(), volumes[64], (32, 64, 128)),
        (mfg.integrators.BackwardEuler(), volumes[64], (128, 256, 512)),
        (mfg.integrators.SSPRK43(), volumes[24], (32, 64, 128)),
        (mfg.integrators.ETDRK4(), mfg.Spectral(mfg.CartesianGrid.cube(6.0, 64, 1)), (32, 64, 128)),
    ):
        name = type(integrator).__name__
        errors = time_errors(integrator, where, steps, still)
        findings.append(
            equal(
                f"{name}: order in time",
                _order(errors, error),
                mfg.exact(integrator.order, integrator.reference),
                resolution=ORDERS_IN_TIME[name],
            )
        )
        series.append(Series(name, "time steps", steps, "error", errors))
    return findings, series


def _spectral(shift, diffusivity):
    findings, series, zero = [], [], mfg.exact(0.0, "the claim")
    for d in (1, 2):
        cells = (32, 40, 48, 56, 64)
        errors = [spatial_error("Fokker–Planck, spectral", d, n, 1e-9, shift) for n in cells]
        series.append(Series(f"Fokker–Planck, spectral {d}D", "cells per axis", cells, "error", errors))
        last = spatial_error("Fokker–Planck, spectral", d, cells[-1], 1e-9, shift, diffusivity)
        reached = mfg.Estimate(last, ROUNDING, mfg.Kind.BOUND, "against the closed form, 64 cells per axis")
        findings.append(
            at_most(f"Fokker–Planck, spectral, {d}D: L¹ error", reached, zero, resolution=(6e-11, 9e-11)[d - 1])
        )
    return findings, series


@claim.control("the drift read half a cell off the face")
def misplaced_drift(level):
    return orders(level, shift=0.5, parts=("space", "spectral"))


@claim.control("coefficients that stay as they start")
def stopped_clock(level):
    return orders(level, still=True, parts=("time",))
