"""Drifts of generating SDEs by networks, as Taylor coefficients in intervals: network and derivatives, unit by unit.

Of h ↦ a(W h + b) the derivatives along an axis are a′ ∂z and a″ (∂z)² + a′ ∂∂z, z = W h + b. Units that are analytic can be
enclosed: tanh, silu, softplus and sin. Those with kinks have no derivatives that a polynomial follows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any

import numpy as np

from mfgpde.core.arrays import Array
from mfgpde.core.taylor import Jet, NotEnclosed, layer
from mfgpde.equations.fokker_planck import ReverseDrift
from mfgpde.processes import IsotropicProcess
from mfgpde.processes.own_drift import linear_process_of


def reverse_by_network(owner: Any) -> Callable[[Array, Any], list[Any]] | None:
    """Return the components of −f + 2D s and their divergence as a formula of place and time; None for other drifts.

    Raises NotEnclosed for scores that are no network of saved weights, units with kinks and more than one dimension.
    """
    if not isinstance(owner, ReverseDrift):
        return None
    described: Any = getattr(getattr(owner.score, "function", None), "network", None)
    if described is None:
        raise NotEnclosed(
            f"the score, {type(owner.score).__name__}, is known by its values alone: kinks between points go unseen"
        )
    if described.activation not in UNITS:
        raise NotEnclosed(f"units of {described.activation} have no derivatives in intervals; {', '.join(UNITS)} do")
    if owner.score.dimension > 1:  # pyright: ignore[reportAttributeAccessIssue]
        raise NotEnclosed("networks are enclosed in intervals on a line; in more dimensions they are sampled")
    process = linear_process_of(owner.process.drift)
    if not isinstance(process, IsotropicProcess):
        raise NotEnclosed(f"the coefficients of {type(owner.process).__name__} in time are known by their values alone")
    layers = [tuple(map(np.asarray, pair)) for pair in owner.score.parameters]  # pyright: ignore
    unit = UNITS[described.activation](float(described.sharpness))

    def formula(x: Array, tau: Any) -> list[Any]:
        t = process.horizon - tau
        score, divergence = _network(layers, unit, described.inputs == "xt", described.output == "potential", x, t)
        twice, pull = 2.0 * process.diffusivity(t), process.relaxation(t)
        parts = [twice * s + pull * one for s, one in zip(score, x, strict=True)]
        return [*parts, twice * divergence + len(x) * pull]

    return formula


type Unit = Callable[[Jet], tuple[Jet, Jet, Jet]]
"""a(z), a′(z), a″(z)"""


def _tanh(_sharpness: float) -> Unit:
    def found(z: Jet) -> tuple[Jet, Jet, Jet]:
        a = z.tanh()
        slope = 1.0 - a * a
        return a, slope, -2.0 * (a * slope)

    return found


def _logistic(z: Jet) -> Jet:
    return 0.5 + 0.5 * (0.5 * z).tanh()


def _silu(_sharpness: float) -> Unit:
    def found(z: Jet) -> tuple[Jet, Jet, Jet]:
        s = _logistic(z)
        bent = s * (1.0 - s)
        return z * s, s + z * bent, bent * (2.0 + z * (1.0 - 2.0 * s))

    return found


def _softplus(sharpness: float) -> Unit:
    def found(z: Jet) -> tuple[Jet, Jet, Jet]:
        y = sharpness * z
        s = _logistic(y)
        return (1.0 + y.exp()).log() * (1 / sharpness), s, sharpness * (s * (1.0 - s))

    return found


def _sin(_sharpness: float) -> Unit:
    return lambda z: (z.sin(), z.cos(), -z.sin())


UNITS: dict[str, Callable[[float], Unit]] = {"tanh": _tanh, "silu": _silu, "softplus": _softplus, "sin": _sin}


def _network(
    layers: Sequence[Any], unit: Unit, point_first: bool, potential: bool, x: Array, t: Any
) -> tuple[list[Jet], Any]:
    """Return the score's components and its divergence: of a potential φ, ∂_i φ and Δφ."""
    d, order = len(x), next(one.order for one in [*x, t] if isinstance(one, Jet))
    inputs = [one if isinstance(one, Jet) else Jet.constant(float(one), float(one), order) for one in [*x, t]]
    shape = np.broadcast_shapes(*(one.lower.shape[1:] for one in inputs))
    places = list(range(d)) if point_first else list(range(1, d + 1))
    h = _stacked(inputs if point_first else [inputs[-1], *inputs[:-1]], shape)
    width = h.lower.shape[1]
    slopes, bends = [], []
    for place in places:
        one = np.zeros_like(h.lower)
        one[0, place] = 1.0
        slopes.append(Jet(one, one, top=0))
        bends.append(Jet(np.zeros_like(one), np.zeros_like(one), top=0))
    for k, (W, b) in enumerate(layers):
        W = np.asarray(W, dtype=float)
        h = layer(W, h, np.asarray(b, dtype=float))
        slopes, bends = [layer(W, one) for one in slopes], [layer(W, one) for one in bends]
        if k < len(layers) - 1:
            h, first, second = unit(h)
            bends = [second * (a * a) + first * c for a, c in zip(slopes, bends, strict=True)]
            slopes = [first * a for a in slopes]
    assert width == d + 1
    if potential:
        return [_one(a, 0, shape) for a in slopes], reduce(lambda a, c: a + c, [_one(c, 0, shape) for c in bends])
    divergence = reduce(lambda a, c: a + c, [_one(slopes[i], i, shape) for i in range(d)])
    return [_one(h, i, shape) for i in range(d)], divergence


def _stacked(inputs: Sequence[Jet], shape: tuple[int, ...]) -> Jet:
    """Return Taylor coefficients (n + 1, inputs, places) of inputs that broadcast."""

    def ends(name: str) -> Array:
        found = []
        for one in inputs:
            array = getattr(one, name)
            array = array.reshape(len(array), *[1] * (len(shape) + 1 - array.ndim), *array.shape[1:])
            found.append(np.broadcast_to(array, (len(array), *shape)).reshape(len(array), -1))
        return np.stack(found, axis=1)

    return Jet(ends("lower"), ends("upper"), top=max(one.top for one in inputs))


def _one(h: Jet, k: int, shape: tuple[int, ...]) -> Jet:
    return Jet(h.lower[:, k].reshape(-1, *shape), h.upper[:, k].reshape(-1, *shape))
