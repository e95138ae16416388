"""Laws of discretisations: the order that they state, mass, what may be negative, equilibria, fields between their points.

All on the discretisation's own box, in its own unit, and on the same box refined once, on equations with closed forms: see
`closed_forms`. Volumes are compared with the start that the scheme itself makes of the exact solution at the end, elements
with its values at their points: to its projection they are nearer than to it. Of boxes that are periodic along some axes
only, nothing is said. Time is cut into 400 steps of the default integrator, whose error, 1e-6 at most, is far below that in
space.
"""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.random import Generator

from mfgpde.core.arrays import Array
from mfgpde.core.differences import gradient
from mfgpde.core.laws import Check, Kind, Law, agree, pointwise, small
from mfgpde.discretisations.closed_forms import Exact, Problem, problem
from mfgpde.discretisations.contract import Discretisation, Distributed, Inviscid, Semidiscrete, order_of
from mfgpde.equations import Equation, HamiltonJacobiBellman, Unknown
from mfgpde.grids import CartesianGrid

END, STEPS, FEW = 0.5, 400, 100
"""time of the end; steps to it of densities, and of the rest, twice as many where the integrator's order is lower"""
BELOW, ABOVE = 0.35, 0.8
"""by how much an observed order may be below the stated one, and above: next terms of the error, or none of the first"""
RESOLVED = 1e-6
"""relative error at which time steps may show, and orders no longer do"""


@dataclass(frozen=True, eq=False)
class Run:
    """What a scheme made of a start: values and masses before and after, and the relative L1 error at the end."""

    values: Array
    masses: tuple[float, float]
    error: float


@lru_cache(maxsize=8)
def _run(space: Discretisation, still: bool) -> Run:
    posed = problem(space)
    assert posed is not None
    system = space.semidiscretise(posed.equation(known=still))
    u = system.start(posed.equilibrium if still else lambda x: posed.density(x, 0.0))
    wanted = system.values(u) if still else exactly(space, system, posed.density, END)
    before, method = system.mass(u), system.default_integrator
    for k in range(STEPS):
        u, _ = method.step(system, u, k * END / STEPS, END / STEPS)
    values = system.values(u)
    error = float(space.grid.integrate(np.abs(values - wanted)) / space.grid.integrate(np.abs(wanted)))
    return Run(values, (before, system.mass(u)), error)


def exactly(space: Discretisation, system: Semidiscrete, solution: Exact, t: float) -> Array:
    """Return what the values of an exact solution are: at the points of elements, as volumes and waves start from it."""
    known: Array = space.grid.points
    if isinstance(space.grid, Distributed):
        return solution(known, t)
    return system.values(system.start(lambda x: solution(x, t)))


def scheme(space: Discretisation, equation: Equation) -> Semidiscrete | None:
    """Return the scheme for an equation, if the discretisation has one, and, of no diffusion, one that can do without."""
    try:
        found = space.semidiscretise(equation)
    except (TypeError, ValueError):
        return None
    without = isinstance(equation, HamiltonJacobiBellman) and not float(equation.diffusivity(0.0))
    return None if without and not (isinstance(found, Inviscid) and found.inviscid) else found


def _order(coarse: float, fine: float, stated: float, *, faster: bool) -> Iterator[Check]:
    """Check an order both ways; an error below what is resolved shows none."""
    if fine <= RESOLVED:
        yield small("error on the finer grid", fine, RESOLVED)
        return
    seen = float(np.log2(coarse / fine))
    yield small(f"order {seen:.2f} seen, {stated:g} stated: missing", stated - seen, BELOW)
    yield small(f"order {seen:.2f} seen, {stated:g} stated: beyond", seen - stated if not faster else 0.0, ABOVE)


def _solves_densities(space: Discretisation) -> bool:
    posed = problem(space)
    return posed is not None and scheme(space, posed.equation()) is not None


def order_is_the_stated_one(space: Discretisation, rng: Generator) -> Iterator[Check]:
    """The L1 error falls by 2^order on twice the cells, neither less nor more; of infinite order it is below 1e-6."""
    if _solves_densities(space):
        yield from _order(_run(space, False).error, _run(space.refined(), False).error, space.order, faster=False)


def other_equations_have_the_order_too(space: Discretisation, rng: Generator) -> Iterator[Check]:
    """So do the errors of flows, expectations, logarithms, value functions and scores, of those that it has schemes for.

    In L1 over the inner half of the box, where walls are not seen yet.
    """
    posed, fine = problem(space), space.refined()
    if posed is None:
        return
    for k, (equation, solution) in enumerate(posed.others(), start=1):
        if scheme(space, equation) is None:
            continue
        coarse, finer = (_inner_error(one, equation, solution, posed) for one in (space, fine))
        for check in _order(coarse, finer, order_of(space, equation), faster=False):
            yield replace(check, case=f"{k}, {type(equation).__name__}: {check.case}")


def _inner_error(space: Discretisation, equation: Equation, solution: Exact, posed: Problem) -> float:
    system = space.semidiscretise(equation)
    method = system.default_integrator
    u, steps = (
        system.start(lambda x: solution(x, 0.0)),
        FEW if space.order <= method.order or method.order > 2 else 2 * FEW,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # elements of degree one say that walls are worse: they are not looked at
        for k in range(steps):
            u, _ = method.step(system, u, k * END / steps, END / steps)
    wanted, x = exactly(space, system, solution, END), space.grid.points
    inner = np.all(np.abs(x - posed.middle) < 0.25 * posed.sides, axis=-1) | posed.periodic

    def size(values: Array) -> float:
        return float(space.grid.integrate(inner * np.abs(values).reshape(*inner.shape, -1).max(axis=-1)))

    return size(system.values(u) - wanted) / size(wanted)


def other_units_change_nothing(space: Discretisation, rng: Generator) -> Iterator[Check]:
    """On a box of 1e±9 of the size, some sides away, in 1e±9 of the time, errors of every equation are what they were.

    After twenty steps, to 1e-9 of the solution's size: digits of places are lost to the distance, of slopes to the cells.
    """
    for unit, length in ((1e-9, 1e9), (1e9, 1e-9)):
        there = elsewhere(space, length, 3.0)
        here, other = problem(space), problem(there, unit)
        if here is None or other is None:
            return
        scale = float(other.width / here.width)
        density = scale ** len(here.middle)
        first = [(here.equation(), here.density), *here.others()]
        for (equation, solution), (moved, moving) in zip(first, [(other.equation(), other.density), *other.others()]):
            if scheme(space, equation) is None:
                continue
            wanted, values = _twenty(space, equation, solution, 1.0)
            wanting, found = _twenty(there, moved, moving, unit)
            factor = {Unknown.DENSITY: density, Unknown.SCORE: scale}.get(equation.unknown, 1.0)
            size = float(np.abs(wanted).max())
            gap = float(np.abs(factor * (found - wanting) - (values - wanted)).max()) / size
            yield small(f"{type(equation).__name__}, lengths × {length:g}, times × {unit:g}", gap, 1e-9)


def _twenty(space: Discretisation, equation: Equation, solution: Exact, unit: float) -> tuple[Array, Array]:
    system = space.semidiscretise(equation)
    u, dt = system.start(lambda x: solution(x, 0.0)), END * unit / FEW
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for k in range(20):
            u, _ = system.default_integrator.step(system, u, k * dt, dt)
    return exactly(space, system, solution, 20 * dt), system.values(u)


def elsewhere(space: Discretisation, length: float, sides: float) -> Discretisation:
    """Return the same on a box `length` times as large, `sides` sides away from it."""
    known: Any = space
    if isinstance(space.grid, CartesianGrid):
        lower, upper = np.asarray(space.grid.lower), np.asarray(space.grid.upper)
        away = length * (lower + sides * (upper - lower))
        ends = {"lower": tuple(away.tolist()), "upper": tuple((away + length * (upper - lower)).tolist())}
        return replace(known, grid=replace(space.grid, **ends))
    lower, upper = np.asarray(space.grid.lower), np.asarray(space.grid.upper)
    return replace(known, mesh=replace(known.mesh, builder=Moved(known.mesh.builder, length, sides * (upper - lower))))


@dataclass(frozen=True, eq=False)
class Moved:
    """What builds a mesh, its points shifted and scaled."""

    builder: Callable[[int, int, Any], Any]
    length: float
    shift: Array

    def __call__(self, resolution: int, degree: int, comm: Any) -> Any:
        """Return the mesh."""
        domain = self.builder(resolution, degree, comm)
        domain.geometry.x[:, : len(self.shift)] += self.shift
        domain.geometry.x[:] *= self.length
        return domain


def starts_are_what_is_given(space: Discretisation, rng: Generator) -> Iterator[Check]:
    """What a start holds of the solution of any equation is that solution at points, to 5 %: it may be means over cells.

    In L1, relative; of a Gaussian, a seventh of the box wide on either side, means over its cells are 1 % off at worst.
    """
    posed = problem(space)
    if posed is None:
        return
    known = [(posed.equation(), posed.density), *posed.others()]
    for k, (equation, solution) in enumerate(known):
        system = scheme(space, equation)
        if system is None:
            continue
        wanted = solution(space.grid.points, 0.0)
        off = np.abs(system.values(system.start(lambda x, f=solution: f(x, 0.0))) - wanted)

        def size(values: Array, shape: tuple[int, ...] = space.grid.points.shape[:-1]) -> float:
            return float(space.grid.integrate(values.reshape(*shape, -1).max(axis=-1)))

        yield small(f"{k}, {type(equation).__name__}", size(off) / size(np.abs(wanted)), 0.05)


def mass_is_kept(space: Discretisation, rng: Generator) -> Iterator[Check]:
    """The start has mass one to the 1e-6 that the box and quadrature leave, and keeps it to roundings of every step."""
    if _solves_densities(space):
        before, after = _run(space, False).masses
        yield small("of the start", abs(before - 1), RESOLVED)
        yield small("lost", abs(after - before), STEPS * 1e-13)


def what_is_negative_is_error(space: Discretisation, rng: Generator) -> Iterator[Check]:
    """Negative values of a density integrate to no more than its L1 error, and roundings."""
    if _solves_densities(space):
        found = _run(space, False)
        below = float(space.grid.integrate(np.maximum(-found.values, 0.0)))
        yield small("negative mass", below, found.error + 1e-12)


def equilibria_stay(space: Discretisation, rng: Generator) -> Iterator[Check]:
    """Started from e^{−V}, V stated, a density changes by no more than 1e-9, or by an error of at least the order."""
    if _solves_densities(space):
        coarse, fine = _run(space, True).error, _run(space.refined(), True).error
        if fine > 1e-9:
            yield from _order(coarse, fine, space.order, faster=True)
        else:
            yield small("change on the finer grid", fine, 1e-9)


def fields_are_known_between_points(space: Discretisation, rng: Generator) -> Iterator[Check]:
    """Interpolants and gradients of the exact density come nearer by 2^1.6 and 2^0.8 on twice the cells, or are at 1e-6.

    They are known at points of any leading shape.

    Relative to the density's largest value, and that over its width; at random places of the inner half of the box.
    """
    posed = problem(space)
    if posed is None:
        return
    x = posed.middle + 0.25 * posed.sides * rng.uniform(-1, 1, (24, len(posed.sides)))
    between, sloping = [], []
    for one in (space, space.refined()):
        points = one.grid.points
        values = posed.density(points, END)
        top = float(values.max())
        yield from pointwise("interpolant", lambda y, one=one, values=values: one.interpolate(values, y), x[:12])
        between.append(float(np.abs(one.interpolate(values, x) - posed.density(x, END)).max()) / top)
        miss = np.abs(one.gradient(values) - gradient(lambda y: posed.density(y, END), points, 0.1 * posed.width)[0])
        inner = np.all(np.abs(points - posed.middle) < 0.25 * posed.sides, axis=-1)
        sloping.append(float(miss[inner].max()) * posed.width / top)
    for name, (coarse, fine), least in (("interpolant", between, 1.6), ("gradient", sloping, 0.8)):
        seen = float(np.log2(max(coarse, 1e-300) / max(fine, 1e-300)))
        yield small(f"{name}: order {seen:.2f} of {least}", least - seen if fine > RESOLVED else 0.0, 0.0)
        yield small(f"{name}: error on the finer grid", fine, 0.2)


def comes_back_from_a_pickle(space: Discretisation, rng: Generator) -> Iterator[Check]:
    """Pickled and unpickled it has the same points; of meshes, which processes share already, nothing is said."""
    if not isinstance(space.grid, Distributed):
        yield agree("points", pickle.loads(pickle.dumps(space)).grid.points, space.grid.points, roundings=0)


LAWS: tuple[Law[Discretisation], ...] = (
    order_is_the_stated_one,
    starts_are_what_is_given,
    other_equations_have_the_order_too,
    other_units_change_nothing,
    mass_is_kept,
    what_is_negative_is_error,
    equilibria_stay,
    fields_are_known_between_points,
    comes_back_from_a_pickle,
)
"""all laws of a discretisation"""

KINDS = {"discretisation": Kind(Discretisation, LAWS)}
