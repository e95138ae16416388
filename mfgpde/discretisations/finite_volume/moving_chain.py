"""Chains whose rates move: their mean over a step, and what of them a step that is recorded on a device has to be given."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from mfgpde.core.arrays import Array, elsewhere
from mfgpde.discretisations.finite_volume.fitted_chain import FittedChain
from mfgpde.discretisations.finite_volume.markov_chain import MarkovChain
from mfgpde.discretisations.finite_volume.pulled import Pulled
from mfgpde.integrators.contract import Moving

Chain = MarkovChain | FittedChain


def _means(a: tuple[Any, ...], b: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(0.5 * (x + y) for x, y in zip(a, b, strict=True))


def mean_chain(a: Chain, b: Chain) -> Chain:
    """Return the chain with the mean of both rates."""
    if a is b:
        return a
    if isinstance(a, FittedChain) and isinstance(b, FittedChain):
        fastest = _means(a.fastest, b.fastest)  # a bound: departures are convex in w
        rates = 0.5 * (a.rates + b.rates) if elsewhere(a.rates) else _means(a.rates, b.rates)
        return FittedChain(a.grid, _means(a.peclet, b.peclet), rates, fastest, a.corrected)
    a, b = a.stored, b.stored
    peclet = None if a.peclet is None or b.peclet is None else _means(a.peclet, b.peclet)
    return MarkovChain(a.grid, _means(a.up, b.up), _means(a.down, b.down), peclet, a.transposed)


def _over(first: Chain, last: Chain) -> tuple[Chain, Chain, Chain]:
    return first, mean_chain(first, last), last


def pulled_over(pulled: Pulled, t0: float, t1: float) -> Moving | None:
    """Return the numbers of a drift −a(t) x, where both ends have some."""
    first, last = pulled.at(t0), pulled.at(t1)
    if first is None or last is None:
        return None
    numbers, fits = np.array([*pulled.numbers(first), *pulled.numbers(last)]), (first.fits, last.fits)

    def made(numbers: Any, _: tuple[Any, ...]) -> tuple[Any, Any, Any]:
        half = len(numbers) // 2
        return _over(pulled.made(numbers[:half], fits[0]), pulled.made(numbers[half:], fits[1]))

    return Moving(numbers, (), made, ("pulled", fits))


def fitted_over(a: FittedChain, b: FittedChain, asked: Any, told: Callable[[Array], bool]) -> Moving:
    """Return the Péclet numbers and rates of both ends, those of the second perhaps not looked at yet."""
    grid, corrected, d = a.grid, a.corrected, a.grid.dimension

    def made(numbers: Any, peclet: tuple[Any, ...]) -> tuple[Any, Any, Any]:
        first = FittedChain(grid, peclet[:d], numbers[:d], (), corrected)
        return _over(first, FittedChain(grid, peclet[d:], numbers[d:], (), corrected))

    return Moving(np.array([*a.rates, *b.rates]), (*a.peclet, *b.peclet), made, "fitted", asked, told)


def stored_over(a: MarkovChain, b: MarkovChain) -> Moving | None:
    """Return the rates of both ends, where both have the same arrays."""
    grid, transposed, d = a.grid, a.transposed, a.grid.dimension
    first, last = ((*c.up, *c.down, *(c.peclet or ())) for c in (a, b))
    if len(first) != len(last):
        return None

    def chain(faces: tuple[Any, ...]) -> MarkovChain:
        return MarkovChain(grid, faces[:d], faces[d : 2 * d], faces[2 * d :] or None, transposed)

    def made(_: Any, faces: tuple[Any, ...]) -> tuple[Any, Any, Any]:
        half = len(faces) // 2
        return _over(chain(faces[:half]), chain(faces[half:]))

    return Moving(np.empty(0), (*first, *last), made, "stored")
