"""Laws of discretisations: the order that they state, mass, what may be negative, equilibria, fields between their points.

All on the discretisation's own box, in its own unit, and on the same box refined once: the Ornstein–Uhlenbeck process about
the middle with a deviation of a fourteenth of the shortest side, or, where the box is periodic, a cosine that the heat flow
damps. Both have closed forms; what is compared with is the start that the scheme itself makes of the exact law at the end.
Of boxes that are periodic along some axes only, nothing is said. Time is cut into 400 steps of the default integrator,
whose error, 1e-6 at most, is far below that in space.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.random import Generator

from mfgpde.core.arrays import Array, dot
from mfgpde.core.differences import gradient
from mfgpde.core.laws import Check, Kind, Law, agree, pointwise, small
from mfgpde.densities import gaussian
from mfgpde.discretisations.contract import Discretisation, Distributed
from mfgpde.equations import FokkerPlanck

END, STEPS = 0.5, 400
BELOW, ABOVE = 0.35, 0.8
"""by how much an observed order may be below the stated one, and above: next terms of the error, or none of the first"""
RESOLVED = 1e-6
"""relative error at which time steps may show, and orders no longer do"""


@dataclass(frozen=True, eq=False)
class Problem:
    """Noise against a pull to the middle, or alone on a periodic box: an equation with its exact law."""

    middle: Array
    width: float
    sides: Array
    periodic: bool

    def drift(self, x: Array, t: float) -> Array:
        """Return −(x − middle), or zero."""
        return 0 * x if self.periodic else self.middle - x

    def diffusivity(self, t: float) -> float:
        """Return width², per unit of time."""
        return self.width**2

    def potential(self, x: Array, t: float) -> Array:
        """Return V with drift −D∇V."""
        y = (x - self.middle) / self.width
        return 0 * x[..., 0] if self.periodic else 0.5 * dot(y, y)

    def density(self, x: Array, t: float) -> Array:
        """Return the exact law at time t."""
        if self.periodic:
            wave = 2 * np.pi / self.sides[0]
            fading = np.exp(-self.diffusivity(t) * wave**2 * t)
            return (1 + 0.5 * fading * np.cos(wave * (x[..., 0] - self.middle[0]))) / float(np.prod(self.sides))
        left = float(np.exp(-t))
        mean = self.middle + 1.5 * self.width * left
        return gaussian(mean, self.width**2 * (1 - 0.4 * left**2) * np.eye(len(mean))).density(x)

    def equilibrium(self, x: Array) -> Array:
        """Return the law that stays."""
        if self.periodic:
            return np.full(x.shape[:-1], 1 / float(np.prod(self.sides)))
        return gaussian(self.middle, self.width**2 * np.eye(len(self.middle))).density(x)

    def equation(self, *, known: bool = False) -> FokkerPlanck:
        """Return the equation, its potential stated or not."""
        potential = self.potential if known else None
        return FokkerPlanck(self.drift, self.diffusivity, time_dependent=False, potential=potential)


def problem(space: Discretisation) -> Problem | None:
    """Return the problem on a discretisation's box; none if it is periodic along some axes only."""
    lower, upper = np.asarray(space.grid.lower, dtype=float), np.asarray(space.grid.upper, dtype=float)
    periodic = tuple(space.grid.periodic)
    if any(periodic) != all(periodic):
        return None
    return Problem(0.5 * (lower + upper), float((upper - lower).min()) / 14, upper - lower, any(periodic))


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
    wanted = system.values(u if still else system.start(lambda x: posed.density(x, END)))
    before, method = system.mass(u), system.default_integrator
    for k in range(STEPS):
        u, _ = method.step(system, u, k * END / STEPS, END / STEPS)
    values = system.values(u)
    error = float(space.grid.integrate(np.abs(values - wanted)) / space.grid.integrate(np.abs(wanted)))
    return Run(values, (before, system.mass(u)), error)


def _order(coarse: float, fine: float, stated: float, *, faster: bool) -> Iterator[Check]:
    """Check an order both ways; an error below what is resolved shows none."""
    if fine <= RESOLVED:
        yield small("error on the finer grid", fine, RESOLVED)
        return
    seen = float(np.log2(coarse / fine))
    yield small(f"order {seen:.2f} seen, {stated:g} stated: missing", stated - seen, BELOW)
    yield small(f"order {seen:.2f} seen, {stated:g} stated: beyond", seen - stated if not faster else 0.0, ABOVE)


def order_is_the_stated_one(space: Discretisation, rng: Generator) -> Iterator[Check]:
    """The L1 error falls by 2^order on twice the cells, neither less nor more; of infinite order it is below 1e-6."""
    if problem(space) is not None:
        yield from _order(_run(space, False).error, _run(space.refined(), False).error, space.order, faster=False)


def mass_is_kept(space: Discretisation, rng: Generator) -> Iterator[Check]:
    """The start has mass one to the 1e-6 that the box and quadrature leave, and keeps it to roundings of every step."""
    if problem(space) is not None:
        before, after = _run(space, False).masses
        yield small("of the start", abs(before - 1), RESOLVED)
        yield small("lost", abs(after - before), STEPS * 1e-13)


def what_is_negative_is_error(space: Discretisation, rng: Generator) -> Iterator[Check]:
    """Negative values of a density integrate to no more than its L1 error, and roundings."""
    if problem(space) is not None:
        found = _run(space, False)
        below = float(space.grid.integrate(np.maximum(-found.values, 0.0)))
        yield small("negative mass", below, found.error + 1e-12)


def equilibria_stay(space: Discretisation, rng: Generator) -> Iterator[Check]:
    """Started from e^{−V}, V stated, a density changes by no more than 1e-9, or by an error of at least the order."""
    if problem(space) is not None:
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
    mass_is_kept,
    what_is_negative_is_error,
    equilibria_stay,
    fields_are_known_between_points,
    comes_back_from_a_pickle,
)
"""all laws of a discretisation"""

KINDS = {"discretisation": Kind(Discretisation, LAWS)}
