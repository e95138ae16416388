"""How far the coefficients of an equation are from polynomials on every cell: derivatives in intervals, from formulas.

The best polynomial of degree m on an interval of half width H misses f by at most max|f^(m+1)|/(m+1)!·H^(m+1)/2^m
(Bernstein); one that is chosen axis by axis, by at most the sum with Lebesgue's constants.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import factorial
from typing import Any

import numpy as np

from mfgpde.core.arrays import Array
from mfgpde.core.taylor import Jet, NotEnclosed, called
from mfgpde.densities import GaussianMixture
from mfgpde.equations import Continuity, FokkerPlanck
from mfgpde.equations.fokker_planck import ReverseDrift
from mfgpde.processes import IsotropicProcess, Linear
from mfgpde.processes.own_drift import linear_process_of
from mfgpde.solvers.enclosed_networks import reverse_by_network
from mfgpde.solvers.hermite import Span

IN_TIME = ((0, 1, 2, 4, 8), (12, 16), (24, 32), (48, 64))
"""degrees of coefficients in time that are tried, those together that one series shows"""
ENOUGH, OF_OWED = 1e-10, 1e-5
"""of a coefficient: what is left of it in time is looked for no further; and over what may be owed, relative: a residual
makes some hundred times as much of it, D times the mean curvature over the whole time"""
SLICES, WITH_PLACES = 128, 16
"""of a span of time, on which derivatives are enclosed one by one; and where coefficients depend on the place as well"""
CRAMER = 1.0865
"""Cramér's constant of Hermite's functions: Abramowitz and Stegun (1964), 22.14.17"""
SPANS, FAIR = (1, 4, 16), (12, 1e-6)
"""of time that are tried for coefficients that depend on the place; degree and rest at which one is good enough"""
HOPELESS = 1e3
"""times the least rest so far: degrees beyond are not tried"""
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


def affine(equation: FokkerPlanck | Continuity) -> bool:
    """Say whether the drift is affine in x, as that of a linear process is."""
    return linear_process_of(_field(equation)) is not None


def moves(equation: Any) -> bool:
    """Say whether coefficients change in time: not those of a linear process that is given by numbers."""
    process = linear_process_of(_field(equation))
    if isinstance(process, Linear) and (
        isinstance(equation, Continuity) or equation.diffusivity == process.diffusivity
    ):
        return not _still(process) or callable(process.scale)
    return equation.time_dependent


def _still(process: Linear) -> bool:
    return not callable(process.matrix) and not callable(process.offset)


def _field(equation: Any) -> Callable[..., Any]:
    return equation.velocity if isinstance(equation, Continuity) else equation.drift


def _reverse(equation: Any) -> ReverseDrift | None:
    owner = getattr(_field(equation), "__self__", None)
    return owner if isinstance(owner, ReverseDrift) and _field(equation) == owner.drift else None


def _slices(span: Span, order: int, count: int = SLICES) -> tuple[Jet, Any]:
    """Return s on slices of a span as Taylor coefficients, and the time there."""
    ends = np.linspace(0.0, 1.0, count + 1)
    s = Jet.variable(ends[:-1], ends[1:], order)
    return s, _time(span, s)


def _time(span: Span, s: Jet) -> Jet:
    """Return the time at s."""
    if span.power != 2:
        return span.begin + span.length * s
    ends = [np.zeros_like(one) for one in (s.lower, s.upper)]  # of s² where s is not negative, and the variable itself
    for found, one in zip(ends, (s.lower, s.upper), strict=True):
        found[0], found[1] = span.begin + span.length * one[0] ** 2, 2 * span.length * one[0]
        found[2:3] = span.length
    return Jet(ends[0], ends[1], top=2)


def formula(equation: Any) -> Callable[[Array, Any], list[Any]]:
    """Return the drift's components and their divergence as one formula; NotEnclosed where they are none."""
    found = reverse_by_network(_reverse(equation))
    if found is not None:
        return lambda x, t: list(called(found, x, t))
    if equation.divergence is None:
        raise NotEnclosed("the divergence of the drift is not known; give the equation one")
    return lambda x, t: [*called(_field(equation), x, t), called(equation.divergence, x, t)]


def diffusivity(equation: Any) -> Callable[..., Any]:
    """Return D as a formula of time."""
    owner = _reverse(equation)
    if owner is not None and equation.diffusivity == owner.diffusivity:
        return lambda tau: owner.process.diffusivity(owner.process.horizon - tau)
    return equation.diffusivity


def degree_in_time(equation: Any, spans: Sequence[Span], places: Sequence[float], owed: float = 0.0) -> int:
    """Return the least degree in s at which coefficients are polynomials to `ENOUGH`, or that which leaves least.

    To no more than what may be owed asks for.
    """
    if not moves(equation):
        return 0
    best, least, enough = 0, np.inf, max(ENOUGH, OF_OWED * owed if np.isfinite(owed) else 0.0)
    for degrees in IN_TIME:
        jets = [one for span in spans for one in _moving(equation, span, places, degrees[-1] + 1)]
        for m in degrees:
            left = max((_share(one, m) for one in jets), default=0.0)
            if left > HOPELESS * least:
                return best
            if left < least:
                best, least = m, left
            if left <= enough:
                return best
    return best


def upper_in_time(coefficient: Callable[..., Any], begin: float, end: float) -> float:
    """Return what a coefficient does not exceed between two times; infinite where it is no formula."""
    try:
        found = called(coefficient, _slices(Span(begin, end, 1), 1)[1])
    except NotEnclosed:
        return np.inf
    return float(np.max(found.upper[0])) if isinstance(found, Jet) else float(found)


def equal_spans(equation: Any, begin: float, end: float, places: Sequence[float]) -> int:
    """Return into how many spans a time is to be cut, so that coefficients are polynomials there; one where none are known.

    Those of processes with linear drift are so on any span.
    """
    if not moves(equation) or affine(equation):
        return 1
    try:
        for count in SPANS:
            last = Span(end - (end - begin) / count, end, 1)
            first = Span(begin, begin + (end - begin) / count, 1)
            found = [
                _share(one, FAIR[0]) for span in (first, last) for one in _moving(equation, span, places, FAIR[0] + 1)
            ]
            if max(found, default=0.0) <= FAIR[1]:
                return count
    except NotEnclosed:
        return 1
    return SPANS[-1]


def _moving(equation: Any, span: Span, places: Sequence[float], order: int) -> list[Jet]:
    """Return the coefficients that depend on time, at one place, as Taylor coefficients in s."""
    process = linear_process_of(_field(equation))
    found, both = [], None if process is not None else formula(equation)  # which there may be none of
    t = _slices(span, order, SLICES if both is None else 2 * WITH_PLACES)[1]
    if isinstance(process, IsotropicProcess):
        found.append(called(process.relaxation, t))
    if both is not None:
        point = np.empty(len(places), dtype=object)
        point[:] = [Jet.constant(x, x, order) for x in places]
        found += both(point, t)[:-1]
    if not isinstance(equation, Continuity):
        found.append(called(diffusivity(equation), t))
    return [one for one in found if isinstance(one, Jet)]


def _share(jet: Jet, degree: int) -> float:
    """Return what a polynomial in s leaves of a coefficient, relative."""
    return float(np.max(rest(jet, degree, 0.5))) / max(float(np.max(jet.largest(0))), np.finfo(float).tiny)


def rests(equation: Any, span: Span, boxes: Boxes, degree: int, in_time: int, slices: int = WITH_PLACES) -> Rests:
    """Return what polynomials of one degree in x and another in s leave of all coefficients, in boxes and a span of time.

    Raises NotEnclosed where a coefficient is known by its values alone.
    """
    d, process = len(boxes.lower), linear_process_of(_field(equation))
    moving = moves(equation)
    t = _slices(span, in_time + 1)[1]
    D = 0.0
    if moving and not isinstance(equation, Continuity):
        D = float(np.max(rest(called(diffusivity(equation), t), in_time, 0.5)))
    if process is not None:
        if not moving or (isinstance(process, Linear) and _still(process)):
            return Rests((0.0,) * d, 0.0, D)
        if not isinstance(process, IsotropicProcess):
            raise NotEnclosed(f"the coefficients of {type(process).__name__} in time are known by their values alone")
        left = float(np.max(rest(called(process.relaxation, t), in_time, 0.5)))
        far = [np.maximum(*(np.abs(end) for end in boxes.ends(k))) for k in range(d)]
        return Rests(tuple(left * x for x in far), d * left, D)
    if moving:
        both = formula(equation)
    elif equation.divergence is None and d > 1:
        raise NotEnclosed("the divergence of the drift is not known; give the equation one")
    else:
        both = None
    if both is None:
        return Rests(*_in_space(equation, boxes, degree, span.begin), D)
    ends = np.linspace(0.0, 1.0, slices + 1)
    worst: list[Any] = [0.0] * (d + 1)
    for a, b in zip(ends[:-1], ends[1:], strict=True):
        order = degree + 1
        drift, divergence = _moving_in_space(both, boxes, degree, Jet.constant(span.time(a), span.time(b), order))
        s = Jet.variable(a, b, in_time + 1)
        point = boxes.jets(None, in_time + 1)
        t = _time(span, s)
        factor = float(np.prod([lebesgue(degree)] * d))
        found = both(point, t)
        more = [factor * rest(one, in_time, 0.5) for one in found]
        worst = [np.maximum(old, x + y) for old, x, y in zip(worst, [*drift, divergence], more, strict=True)]
    return Rests(tuple(worst[:-1]), worst[-1], D)


def _moving_in_space(
    both: Callable[[Array, Any], list[Any]], boxes: Boxes, degree: int, t: Jet
) -> tuple[list[Array | float], Array | float]:
    """Return what polynomials of a degree in x leave of the drift's components and its divergence, t in an interval."""
    d, factor = len(boxes.lower), 1.0
    found: list[Array | float] = [0.0] * (d + 1)
    for axis in range(d):
        low, high = boxes.ends(axis)
        parts = both(boxes.jets(axis, degree + 1), t)
        found = [old + factor * rest(one, degree, 0.5 * (high - low)) for old, one in zip(found, parts, strict=True)]
        factor *= lebesgue(degree)
    return found[:-1], found[-1]


def _in_space(equation: Any, boxes: Boxes, degree: int, t: Any) -> tuple[tuple[Array | float, ...], Array | float]:
    """Return what polynomials of a degree in x leave of the drift's components and of its divergence."""
    d = len(boxes.lower)
    known: Any = equation.divergence
    drift: list[Array | float] = [0.0] * d
    divergence: Array | float = 0.0
    factor = 1.0
    for axis in range(d):
        low, high = boxes.ends(axis)
        width, order = 0.5 * (high - low), degree + (3 if known is None else 1)
        point = boxes.jets(axis, order)
        found = called(_field(equation), point, t)
        for k in range(d):
            drift[k] = drift[k] + factor * rest(found[k], degree, width)
        if known is not None:
            divergence = divergence + factor * rest(called(equation.divergence, point, t), degree, width)
        elif isinstance(found[0], Jet):  # (m + 2) c_{m+2} of ∂b; differences over a step add its third coefficient
            slope = (degree + 2) * found[0].largest(degree + 2) * width ** (degree + 1) / 2.0**degree
            divergence = slope + found[0].largest(3) * (STEP * 2 * width) ** 2 * 1.01
        factor *= lebesgue(degree)
    return tuple(drift), divergence


def start_rest(initial: Any, boxes: Boxes, degrees: Sequence[int]) -> Array | float:
    """Return how far a start is from polynomials of these degrees by axis, in boxes."""
    total: Array | float = 0.0
    factor = 1.0
    for axis, degree in enumerate(degrees):
        low, high = boxes.ends(axis)
        half = 0.5 * (high - low)
        if isinstance(initial, GaussianMixture):
            largest = _derivative(initial, boxes, axis, degree + 1)
            total = total + factor * largest * half ** (degree + 1) / 2.0**degree
        else:
            total = total + factor * rest(called(initial, boxes.jets(axis, degree + 1)), degree, half)
        factor *= lebesgue(degree)
    return total


def product_density(law: GaussianMixture, places: Sequence[Array]) -> Array:
    """Return the density on a product of places along each axis."""
    d, total, products = len(places), 0.0, list[list[Array]]()
    axes = [x.reshape([-1 if k == axis else 1 for k in range(d)]) for axis, x in enumerate(places)]
    for w, mean, covariance in zip(law.weights, law.means, law.covariances, strict=True):
        precision, y = np.linalg.inv(covariance), [x - m for x, m in zip(axes, mean, strict=True)]
        size = float(w / np.sqrt(np.linalg.det(2 * np.pi * covariance)))
        if np.count_nonzero(covariance) == d:  # a product of functions of one variable
            each = [np.exp(-0.5 * precision[k, k] * y[k].ravel() ** 2) for k in range(d)]
            products.append([size * each[0], *each[1:]])
        else:
            total = total + size * np.exp(-0.5 * _form(precision, y))
    if products:  # Σ_j Π_k f_jk(x_k), as one product of matrices
        first, *more = (np.stack(one) for one in zip(*products, strict=True))
        for one in more[:-1]:
            first = (first[:, :, None] * one[:, None, :]).reshape(len(first), -1)
        total = total + ((first.T @ more[-1]) if more else first.sum(axis=0)).reshape([len(x) for x in places])
    return np.asarray(total)


def _derivative(law: GaussianMixture, boxes: Boxes, axis: int, order: int) -> Array:
    """Return what |∂ᵏp|/k! does not exceed in boxes, k the order along an axis.

    Along an axis a Gaussian is a normal density with the precision P = (Σ⁻¹)_ii. By Cramér |He_k(z)| e^{−z²/4} ≤ K √k!, so
    that |∂ᵏp|/k! ≤ w K P^{k/2} (k!)^{−½} |2πΣ|^{−½} e^{−Q/4}, Q the form in the exponent, least where its root is:
    √Q ≥ √Q(centre) − √(hᵀ|Σ⁻¹|h) in a box of half widths h.
    """
    if len(boxes.lower) == 1:
        return _along_a_line(law, boxes, order)
    ends = [boxes.ends(k) for k in range(len(boxes.lower))]
    total: Array | float = 0.0
    for w, mean, covariance in zip(law.weights, law.means, law.covariances, strict=True):
        precision = np.linalg.inv(covariance)
        y = [0.5 * (low + high) - m for (low, high), m in zip(ends, mean, strict=True)]
        h = [0.5 * (high - low) for low, high in ends]
        form, reach = (_form(matrix, x) for matrix, x in ((precision, y), (np.abs(precision), h)))
        least = np.maximum(np.sqrt(np.maximum(form, 0.0)) - np.sqrt(reach), 0.0)
        size = w * CRAMER * precision[axis, axis] ** (0.5 * order) / np.sqrt(np.linalg.det(2 * np.pi * covariance))
        total = total + float(size) / np.sqrt(float(factorial(order))) * np.exp(-0.25 * least**2)
    return np.asarray(total)


def _along_a_line(law: GaussianMixture, boxes: Boxes, order: int) -> Array:
    """Return the same on a line, of all components at once."""
    (low,), (high,), variance = boxes.lower, boxes.upper, law.covariances[:, 0, 0]
    away = np.abs(0.5 * (low + high) - law.means) - 0.5 * (high - low)
    least = np.maximum(away, 0.0) ** 2 / variance[:, None]
    size = law.weights * CRAMER * variance ** (-0.5 * order) / np.sqrt(2 * np.pi * variance * float(factorial(order)))
    return np.asarray(size @ np.exp(-0.25 * least))


def _form(matrix: Array, x: Sequence[Array]) -> Array:
    """Return xᵀAx of components that broadcast."""
    found: Any = 0.0
    for i, one in enumerate(x):
        for j, other in enumerate(x):
            if matrix[i, j]:
                found = found + matrix[i, j] * (one * other)
    return np.asarray(found)
