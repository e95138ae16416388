"""How far the coefficients of an equation are from polynomials on every cell: derivatives in intervals, from formulas.

The best polynomial of degree m on an interval of half width H misses f by at most max|f^(m+1)|/(m+1)!·H^(m+1)/2^m
(Bernstein); one that is chosen axis by axis, by at most the sum with Lebesgue's constants.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mfgpde.core.arrays import Array
from mfgpde.core.taylor import Jet, NotEnclosed
from mfgpde.densities import GaussianMixture
from mfgpde.equations import Continuity, FokkerPlanck
from mfgpde.processes import IsotropicProcess, Linear, LinearProcess

IN_TIME = (0, 1, 3, 5)
"""degrees of coefficients in time that are tried"""
ENOUGH = 1e-10
"""of a coefficient: what is left of it in time is looked for no further"""
STEP = 1e-3
"""of a cell, over which drifts are differenced where their divergence is not known"""


@dataclass(frozen=True)
class Boxes:
    """Cells as products of intervals: lower and upper ends along each axis."""

    lower: tuple[Array, ...]
    upper: tuple[Array, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """The number of intervals along each axis."""
        return tuple(map(len, self.lower))

    def ends(self, axis: int) -> tuple[Array, Array]:
        """Return the ends along an axis, shaped to broadcast against the others."""
        shape = [-1 if k == axis else 1 for k in range(len(self.lower))]
        return self.lower[axis].reshape(shape), self.upper[axis].reshape(shape)

    def jets(self, along: int | None, order: int) -> Array:
        """Return the point as Taylor coefficients along one axis, an array (d,) of objects."""
        point = np.empty(len(self.lower), dtype=object)
        for axis in range(len(self.lower)):
            make = Jet.variable if axis == along else Jet.constant
            point[axis] = make(*self.ends(axis), order)
        return point


@dataclass(frozen=True)
class Rests:
    """What polynomials leave of the drift's components, of its divergence and of D: arrays over boxes, or zero."""

    drift: tuple[Array | float, ...]
    divergence: Array | float
    diffusivity: float

    @property
    def none(self) -> bool:
        """Whether all coefficients are polynomials."""
        return not any(np.any(one) for one in (*self.drift, self.divergence, self.diffusivity))


def lebesgue(degree: int) -> float:
    """Return Lebesgue's constant of Chebyshev's points, from above."""
    return 1.0 + 2 / np.pi * float(np.log(degree + 1))


def rest(jet: Any, degree: int, half: Array | float) -> Array | float:
    """Return how far a function is from polynomials of a degree; a plain number is one."""
    if not isinstance(jet, Jet):
        if isinstance(jet, int | float | np.floating | np.integer):
            return 0.0
        raise NotEnclosed(f"a formula returned {type(jet).__name__}")
    found = jet.largest(degree + 1) * np.asarray(half) ** (degree + 1) / 2.0**degree
    if not np.all(np.isfinite(found)):
        raise NotEnclosed("a derivative that is not finite")
    return found


def called(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a formula with Taylor coefficients; NotEnclosed where it is none."""
    try:
        found = function(*arguments)
    except NotEnclosed:
        raise
    except Exception as problem:
        raise NotEnclosed(f"no formula: {type(problem).__name__}: {str(problem)[:100]}") from problem
    return found.item() if isinstance(found, np.ndarray) and found.ndim == 0 else found


def affine(equation: FokkerPlanck | Continuity) -> bool:
    """Say whether the drift is affine in x, as that of a linear process is."""
    return isinstance(getattr(_field(equation), "__self__", None), LinearProcess)


def moves(equation: Any) -> bool:
    """Say whether coefficients change in time: not those of a linear process that is given by numbers."""
    process = getattr(_field(equation), "__self__", None)
    if isinstance(process, Linear):
        return any(callable(one) for one in (process.matrix, process.offset, process.scale))
    return equation.time_dependent


def _field(equation: Any) -> Callable[..., Any]:
    return equation.velocity if isinstance(equation, Continuity) else equation.drift


def degree_in_time(equation: Any, span: tuple[float, float], boxes: Boxes) -> int:
    """Return the least degree in time at which coefficients are polynomials to `ENOUGH`, or the last that is tried."""
    if not moves(equation):
        return 0
    process, order = getattr(_field(equation), "__self__", None), IN_TIME[-1] + 1
    t = Jet.variable(*span, order)
    found = [] if isinstance(equation, Continuity) else [called(equation.diffusivity, t)]
    if isinstance(process, IsotropicProcess):
        found.append(called(process.relaxation, t))
    elif not isinstance(process, LinearProcess):
        found += list(called(_field(equation), boxes.jets(None, order), t))
    moving, half = [one for one in found if isinstance(one, Jet)], 0.5 * (span[1] - span[0])
    for m in IN_TIME:
        if all(np.max(rest(one, m, half)) <= ENOUGH * float(np.max(one.largest(0))) for one in moving):
            return m
    return IN_TIME[-1]


def rests(equation: Any, span: tuple[float, float], boxes: Boxes, degree: int, in_time: int) -> Rests:
    """Return what polynomials of one degree in x and another in t leave of all coefficients, in boxes and a span of time.

    Raises NotEnclosed where a coefficient is known by its values alone.
    """
    d, process = len(boxes.lower), getattr(_field(equation), "__self__", None)
    half = 0.5 * (span[1] - span[0])
    moving = moves(equation)
    D = 0.0
    if moving and not isinstance(equation, Continuity):
        D = float(np.max(rest(called(equation.diffusivity, Jet.variable(*span, in_time + 1)), in_time, half)))
    if isinstance(process, LinearProcess):
        if not moving:
            return Rests((0.0,) * d, 0.0, D)
        if not isinstance(process, IsotropicProcess):
            raise NotEnclosed(f"the coefficients of {type(process).__name__} in time are known by their values alone")
        left = float(np.max(rest(called(process.relaxation, Jet.variable(*span, in_time + 1)), in_time, half)))
        far = [np.maximum(*(np.abs(end) for end in boxes.ends(k))) for k in range(d)]
        return Rests(tuple(left * x for x in far), d * left, D)
    drift: list[Array | float] = [0.0] * d
    divergence: Array | float = 0.0
    known, factor = equation.divergence, 1.0
    if known is None and d > 1:
        raise NotEnclosed("the divergence of the drift is not known; give the equation one")
    for axis in range(d):
        low, high = boxes.ends(axis)
        width, order = 0.5 * (high - low), degree + (3 if known is None else 1)
        point, t = boxes.jets(axis, order), Jet.constant(*span, order) if moving else span[0]
        found = called(_field(equation), point, t)
        for k in range(d):
            drift[k] = drift[k] + factor * rest(found[k], degree, width)
        if known is not None:
            divergence = divergence + factor * rest(called(known, point, t), degree, width)
        elif isinstance(found[0], Jet):  # (m + 2) c_{m+2} of ∂b; differences over a step add its third coefficient
            slope = (degree + 2) * found[0].largest(degree + 2) * width ** (degree + 1) / 2.0**degree
            divergence = slope + found[0].largest(3) * (STEP * 2 * width) ** 2 * 1.01
        factor *= lebesgue(degree)
    if moving:
        point, t = boxes.jets(None, in_time + 1), Jet.variable(*span, in_time + 1)
        found = called(_field(equation), point, t)
        for k in range(d):
            drift[k] = drift[k] + factor * rest(found[k], in_time, half)
        if known is None:
            raise NotEnclosed("the divergence of a drift that moves is not known; give the equation one")
        divergence = divergence + factor * rest(called(known, point, t), in_time, half)
    return Rests(tuple(drift), divergence, D)


def start_rest(initial: Any, boxes: Boxes, degrees: Sequence[int]) -> Array | float:
    """Return how far a start is from polynomials of these degrees by axis, in boxes."""
    function = (lambda x: _mixture(initial, x)) if isinstance(initial, GaussianMixture) else initial
    total: Array | float = 0.0
    factor = 1.0
    for axis, degree in enumerate(degrees):
        low, high = boxes.ends(axis)
        found = called(function, boxes.jets(axis, degree + 1))
        total = total + factor * rest(found, degree, 0.5 * (high - low))
        factor *= lebesgue(degree)
    return total


def _mixture(law: GaussianMixture, x: Array) -> Any:
    """Return the density as a formula."""
    total: Any = 0.0
    for w, mean, covariance in zip(law.weights, law.means, law.covariances, strict=True):
        precision = np.linalg.inv(covariance)
        y = [x[k] - float(m) for k, m in enumerate(mean)]
        form: Any = 0.0
        for i in range(len(y)):
            form = form + float(precision[i, i]) * y[i] ** 2
            for j in range(i):
                if precision[i, j]:
                    form = form + 2 * float(precision[i, j]) * (y[i] * y[j])
        size = float(w / np.sqrt(np.linalg.det(2 * np.pi * covariance)))
        total = total + size * (-0.5 * form).exp()
    return total
