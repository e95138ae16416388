"""Laws of scores: every derivative that a score offers is that of its values, its potential's gradient is the score.

Derivatives are compared with differences that bound their own error (`core.differences`). Nothing asks for a potential
that is normalised: a function of time alone may be added to it, and its rate of change to the time derivative. What a score
says that its derivatives are off by (`Uncertain`) is allowed. `scores.laws.LAWS` holds them all.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.random import Generator

from mfgpde.core.arrays import Array, dot
from mfgpde.core.differences import gradient, slope
from mfgpde.core.laws import Check, Kind, Law, agree, pointwise, small
from mfgpde.core.recent import Recent
from mfgpde.processes import ForwardProcess, MarkovGenerator
from mfgpde.scores.contract import (
    DifferentiableScore,
    DirectionalScore,
    DivergenceScore,
    FlowFormScore,
    FormScore,
    InDimension,
    PotentialScore,
    Score,
    Uncertain,
    offers,
)

SHARES = (0.1, 0.5, 0.9)
"""of the horizon: the times at which laws look"""

CANCELLED = 1024.0
"""roundings of what derivatives may differ by when sums are taken in another order: larger terms cancel in them"""


@runtime_checkable
class OfProcess(Protocol):
    """A score that knows the process whose laws it is of."""

    @property
    def process(self) -> ForwardProcess | MarkovGenerator:
        """The process."""
        ...


@runtime_checkable
class Rated(Score, Protocol):
    """A score whose derivative in time is known."""

    def time_derivative(self, x: Array, t: float) -> Array:
        """Return ∂_t s."""
        ...


def horizon(score: Score) -> float:
    """Return that of the score's process; one, if it names none: it is looked at over one unit of time."""
    return score.process.horizon if isinstance(score, OfProcess) else 1.0


def dimension(score: Score) -> int:
    """Return the dimension of the score, or one in which it lives, two if it can. Raises ValueError above eight."""
    if isinstance(score, InDimension):
        return score.dimension
    for d in (2, 1, 3, 4, 5, 6, 7, 8):
        try:
            if np.shape(score(np.zeros((3, d)), 0.5 * horizon(score))) == (3, d):
                return d
        except (ValueError, IndexError, TypeError):
            continue
    raise ValueError(f"{score!r} takes points (n, d) of no dimension d from 1 to 8")


_LOOKED_AT = Recent[tuple[Score, float]](1)
"""the score that laws look at and its length: with the score itself, so that no other has its identity meanwhile"""


def length(score: Score) -> float:
    """Return the score's own length at the middle time: the least, to a factor of two, with |s|·length above a third.

    That over which a log-density with this gradient changes by so much; if there is none, where |s|·length is largest. It
    is found once for all laws of a score: they ask some thirty times.
    """
    return _LOOKED_AT(id(score), lambda: (score, _length(score)))[1]


def _length(score: Score) -> float:
    rng, d = np.random.default_rng(7), dimension(score)
    x, lengths = rng.standard_normal((32, d)), 2.0 ** np.arange(-50, 51)
    with np.errstate(all="ignore"):
        values = score((lengths[:, None, None] * x).reshape(-1, d), 0.5 * horizon(score)).reshape(-1, x.size)
        changes = np.sqrt(np.mean(values**2, axis=1)) * lengths
    enough = lengths[changes > 1 / 3]
    return float(enough[0] if len(enough) else lengths[int(np.nanargmax(changes))])


def points(score: Score, rng: Generator, n: int = 12) -> Array:
    """Return points (n, d), normal with the score's own length."""
    return length(score) * rng.standard_normal((n, dimension(score)))


def times(score: Score) -> list[float]:
    """Return the times at which laws look."""
    return [share * horizon(score) for share in SHARES]


def potential_of(score: Score, x: Array) -> PotentialScore | None:
    """Return the score if it has a potential; one that refuses to say it with ValueError has none."""
    if not offers(score, PotentialScore):
        return None
    try:
        score.potential(x, 0.5 * horizon(score))
    except ValueError:
        return None
    return score


def stated(score: Score) -> float:
    """Return what the score says its derivatives were off by so far."""
    return max(score.uncertainty.values(), default=0.0) if isinstance(score, Uncertain) else 0.0


def _at(t: float) -> str:
    return f"t = {t:.3g}"


def takes_points_of_any_leading_shape(score: Score, rng: Generator) -> Iterator[Check]:
    """Points (..., d), one point (d,) too, give what they give one by one, and finite numbers; derivatives likewise."""
    x = points(score, rng)
    for t in times(score):
        yield small(f"finite, {_at(t)}", float(not np.isfinite(score(x, t)).all()), 0.0)
        yield from pointwise(f"s, {_at(t)},", lambda y, t=t: score(y, t), x)
    t = times(score)[1]
    if offers(score, DivergenceScore):
        yield from pointwise("∇·s", lambda y: score.divergence(y, t), x)
    if offers(score, DifferentiableScore):
        yield from pointwise("∇s", lambda y: score.jacobian(y, t), x, CANCELLED)
        yield from pointwise("∂_t s", lambda y: score.time_derivative(y, t), x, CANCELLED)
        yield from pointwise("∇(∇·s)", lambda y: score.divergence_gradient(y, t), x, CANCELLED)
    if offers(score, PotentialScore):
        yield from pointwise("φ", lambda y: score.potential(y, t), x)
        yield from pointwise("∂_tφ", lambda y: score.potential_time_derivative(y, t), x, CANCELLED)


def divergence_is_the_trace_of_the_jacobian(score: Score, rng: Generator) -> Iterator[Check]:
    """∇·s, and the Jacobian where there is one, by differences of s."""
    if not offers(score, DivergenceScore):
        return
    x = points(score, rng)
    for t in times(score):
        found, error = gradient(lambda y, t=t: score(y, t), x, 0.3 * length(score))
        size, divergence = float(np.abs(found).max()), score.divergence(x, t)
        error = error + stated(score)
        trace = np.trace(found, axis1=-2, axis2=-1)
        yield agree(f"∇·s, {_at(t)}", divergence, trace, x.shape[-1] * error, size=size)
        if offers(score, DifferentiableScore):
            yield agree(f"∂_j s_i, {_at(t)}", score.jacobian(x, t), found, error)


def rate_is_the_derivative_in_time(score: Score, rng: Generator) -> Iterator[Check]:
    """∂_t s by differences of s in time; a score that hardly changes over the horizon is held to what it could change."""
    if not isinstance(score, Rated):
        return
    x = points(score, rng)
    for t in times(score):
        found, error = slope(lambda h, t=t: score(x, t + h), 0.5 * min(t, horizon(score) - t))
        rate = score.time_derivative(x, t)
        size = float(np.abs(score(x, t)).max()) / horizon(score)
        yield agree(_at(t), rate, found, error + stated(score), size=1e-3 * size)


def divergence_gradient_is_its_gradient(score: Score, rng: Generator) -> Iterator[Check]:
    """∇(∇·s) by differences of ∇·s."""
    if not offers(score, DifferentiableScore):
        return
    x = points(score, rng)
    for t in times(score):
        found, error = gradient(lambda y, t=t: score.divergence(y, t), x, 0.3 * length(score))
        given = score.divergence_gradient(x, t)
        size = float(np.abs(score.divergence(x, t)).max()) / length(score)
        yield agree(_at(t), given, found, error + stated(score), size=0.1 * size)


def products_are_those_of_the_jacobian(score: Score, rng: Generator) -> Iterator[Check]:
    """Jv, Jᵀv and ∇(vᵀJv) for one direction v a point, by differences of s and of vᵀJv."""
    if not offers(score, DirectionalScore):
        return
    x = points(score, rng)
    v = rng.standard_normal(x.shape)
    d, longest = x.shape[-1], float(np.abs(v).max())
    for t in times(score):
        J, error = gradient(lambda y, t=t: score(y, t), x, 0.3 * length(score))
        pushed, pulled, turned = score.directional_derivatives(x, t, v)
        size, error = float(np.abs(J).max()), d * longest * (error + stated(score))
        yield agree(f"Jv, {_at(t)}", pushed, np.einsum("...ij,...j->...i", J, v), error, size=size)
        yield agree(f"Jᵀv, {_at(t)}", pulled, np.einsum("...ij,...i->...j", J, v), error, size=size)
        found, error = gradient(
            lambda y, t=t: dot(v, score.directional_derivatives(y, t, v)[0]), x, 0.3 * length(score)
        )
        size = float(np.abs(dot(v, pushed)).max()) / length(score)
        yield agree(f"∇(vᵀJv), {_at(t)}", turned, found, error + longest**2 * stated(score), size=0.1 * size)


def forms_are_those_of_the_jacobian(score: Score, rng: Generator) -> Iterator[Check]:
    """In one pass s and vᵀJv are those of s and v·(Jv); u and vᵀ(∇u)v of the flow likewise, by differences of u."""
    x = points(score, rng)
    v = rng.standard_normal(x.shape)
    for t in times(score):
        if offers(score, FormScore) and offers(score, DirectionalScore):
            value, form = score.with_form(x, t, v)
            want = dot(v, score.directional_derivatives(x, t, v)[0])
            yield agree(f"s, {_at(t)}", value, score(x, t), roundings=CANCELLED)
            yield agree(f"vᵀJv, {_at(t)}", form, want, roundings=CANCELLED, error=stated(score))
        if offers(score, FlowFormScore):
            value, form = score.velocity_with_form(x, t, v)
            found, error = gradient(lambda y, t=t: score.velocity(y, t), x, 0.3 * length(score))
            yield agree(f"u, {_at(t)}", value, score.velocity(x, t), roundings=CANCELLED)
            longest = float(np.abs(v).max())
            error = x.shape[-1] ** 2 * longest**2 * (error + stated(score))
            yield agree(f"vᵀ(∇u)v, {_at(t)}", form, np.einsum("...i,...ij,...j->...", v, found, v), error)


def the_score_is_the_gradient_of_its_potential(score: Score, rng: Generator) -> Iterator[Check]:
    """∇φ = s, and ∂_tφ is the derivative of φ in time, by differences of φ."""
    x = points(score, rng)
    known = potential_of(score, x)
    if known is None:
        return
    for t in times(score):
        found, error = gradient(lambda y, t=t: known.potential(y, t), x, 0.3 * length(score))
        yield agree(f"∇φ, {_at(t)}", known(x, t), found, error)
        found, error = slope(lambda h, t=t: known.potential(x, t + h), 0.5 * min(t, horizon(score) - t))
        size = float(np.ptp(known.potential(x, t))) / horizon(score)
        yield agree(f"∂_tφ, {_at(t)}", known.potential_time_derivative(x, t), found, error, size=1e-3 * size)


def comes_back_from_a_pickle(score: Score, rng: Generator) -> Iterator[Check]:
    """Pickled and unpickled, as on its way to another process, it is the same."""
    again, x = pickle.loads(pickle.dumps(score)), points(score, rng)
    for t in times(score):
        yield agree(_at(t), again(x, t), score(x, t), roundings=0)


LAWS: tuple[Law[Score], ...] = (
    takes_points_of_any_leading_shape,
    divergence_is_the_trace_of_the_jacobian,
    rate_is_the_derivative_in_time,
    divergence_gradient_is_its_gradient,
    products_are_those_of_the_jacobian,
    forms_are_those_of_the_jacobian,
    the_score_is_the_gradient_of_its_potential,
    comes_back_from_a_pickle,
)
"""all laws of a score; those of what a score does not offer say nothing of it"""

KINDS = {"score": Kind(Score, LAWS)}
