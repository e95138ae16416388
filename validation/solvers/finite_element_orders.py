"""Finite elements of degree p converge at order p + 1 to closed forms; the fitted scheme at order 2.

Mass is conserved to rounding by the weak form, whatever the degree.
"""

from dataclasses import replace
from functools import cache

import mfgpde as mfg
from mfgpde.verify import Claim, Evidence, Level, Series, at_most, equal

claim = Claim(
    statement=r"\|p_h-p\|_{L^1} = C h^{p+1}+o(h^{p+1}),\qquad \int p_h = 1",
    source="mfgpde",
    standing="theorem",
    assumes=("smooth solutions", "asymptotic range of the mesh"),
    coefficients=("error", "mass"),
)

PROCESS = mfg.OrnsteinUhlenbeck()
START, END = 0.3, 0.6
ROUNDING = 1e-13
"""of L¹ distances of densities"""
WHOLE = "orders are whole numbers, with one δ for all of them: P1 in space is 0.06 off"
"""at level standard; P3 on the line 0.045"""


@cache
def solved(scheme, degree, d, n, rtol, shift, walls, w):
    """Return the error, the masses of start and end, and how many steps were taken, on n cells a side of [−w, w]ᵈ."""
    data = mfg.densities.bimodal(d)
    before, after = mfg.marginal(PROCESS, data, START), mfg.marginal(PROCESS, data, END)
    mesh = mfg.meshes.interval(-w, w, n) if d == 1 else mfg.meshes.box((-w,) * d, (w,) * d, n)
    by = shift * 2 * w / n
    equation = mfg.FokkerPlanck(lambda x, t: PROCESS.drift(x + by, t), PROCESS.diffusivity, time_dependent=False)
    space = mfg.FiniteElement(mesh, degree, scheme, walls)
    solution = mfg.solve(equation, space, before, (START, END), rtol=rtol, largest_wall_mass=1e-2 if d == 3 else 1e-4)
    mass = solution.conserved["mass"]
    return mfg.l1_distance(solution.at(END), after), mass[0], mass[-1], solution.cost["steps"] + 1


@claim.measure
def orders(level, shift=0.0, walls="far", reach=6.0, finest=3, least=0.0, error=1.0, mass=1.0):
    """Measure orders of accuracy; `shift` reads the drift beside where it belongs, in cells.

    `error` is a factor of the error on the finest mesh, beside which that of twice the step stays what it is; `mass` one of
    the mass at the end.
    """
    level = Level(level)
    findings, series, zero = [], [], mfg.exact(0.0, "the claim")
    cases = [
        ("galerkin", 1, 1, (32, 64, 128), 1e-7),
        ("galerkin", 2, 1, (24, 48, 96), 1e-9),
        ("galerkin", 3, 1, (16, 32, 64), 1e-10),
        ("fitted", 1, 1, (64, 128, 256), 1e-7),
        ("galerkin", 1, 2, (32, 64, 128), 1e-6),
        ("galerkin", 2, 2, (16, 32, 64), 5e-8),
        ("fitted", 1, 2, (32, 64, 128), 1e-6),
    ]
    if level is not Level.QUICK:
        cases += [("galerkin", 3, 2, (12, 24, 48), 1e-7), ("galerkin", 1, 3, (14, 28, 56), 3e-4)]
    for scheme, degree, d, cells, rtol in cases:
        label, errors, drift = f"P{degree} {scheme}, {d}D", [], 0.0
        w = reach if d < 3 else 4.5  # where the mass is: cells are dear in space
        for n in cells[:finest]:
            off, first, last, steps = solved(scheme, degree, d, n, max(rtol, least), shift, walls, w)
            errors.append(off)
            drift = max(drift, abs(mass * last - first) / steps)
        theory = mfg.exact(degree + 1, "theory")
        order = mfg.observed_order([*errors[:-1], error * errors[-1]], off=ROUNDING)  # of mesh and steps together
        order = replace(order, at=f"{order.at}, steps to {max(rtol, least):.0e}")
        findings.append(equal(f"{label}: order", order, theory, resolution=0.2, because=WHOLE))
        series.append(Series(label, "cells per side", cells[:finest], "L¹ error", tuple(errors)))
        lost = mfg.Estimate(drift, 2e-15, mfg.Kind.BOUND, "per step, ± what rounding changes from machine to machine")
        findings.append(at_most(f"{label}: mass lost a step", lost, zero, resolution=1e-14))  # solves to ~50 roundings
    return Evidence(findings, series)


@claim.control("the drift read half a cell aside")
def aside(level):
    return orders(level, shift=0.5)


@claim.control("walls that let out what arrives, and are nearer by a quarter")
def open_walls(level):
    return orders(level, walls="absorbing", reach=4.5, finest=2, least=1e-6)
