"""Scores that count what is asked of them: points, and seconds; each keeps the abilities that its users need."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np

from mfgpde.core.arrays import Array
from mfgpde.scores import DirectionalScore, FlowFormScore, FlowScore, PotentialScore, Score, offers, with_form


@dataclass(eq=False)
class Counted:
    """A score that counts its points and seconds."""

    score: Score
    points: int = 0
    seconds: float = 0.0

    def timed[Values](self, evaluate: Callable[[], Values], x: Array) -> Values:
        """Evaluate at points x, and count them."""
        clock = time.perf_counter()
        values = evaluate()
        self.seconds += time.perf_counter() - clock
        self.points += int(np.prod(x.shape[:-1]))
        return values

    def __call__(self, x: Array, t: float) -> Array:
        """Return s(x, t)."""
        return self.timed(lambda: self.score(x, t), x)


@dataclass(eq=False)
class CountedPotential(Counted):
    """The same of a score with a potential."""

    score: PotentialScore

    def divergence(self, x: Array, t: float) -> Array:
        """Return ∇·s."""
        return self.timed(lambda: self.score.divergence(x, t), x)

    def potential(self, x: Array, t: float) -> Array:
        """Return φ."""
        return self.timed(lambda: self.score.potential(x, t), x)

    def potential_time_derivative(self, x: Array, t: float) -> Array:
        """Return ∂_tφ."""
        return self.timed(lambda: self.score.potential_time_derivative(x, t), x)


@dataclass(eq=False)
class CountedFlow(Counted):
    """The same of a score with the velocity of its flow."""

    score: FlowScore

    def velocity(self, x: Array, t: float) -> Array:
        """Return dx/dt."""
        return self.timed(lambda: self.score.velocity(x, t), x)


@dataclass(eq=False)
class CountedDirections(Counted):
    """The same of a score with derivatives along directions."""

    score: DirectionalScore

    def directional_derivatives(self, x: Array, t: float, v: Array) -> tuple[Array, Array, Array]:
        """Return Jv, Jᵀv and ∇(vᵀJv)."""
        return self.timed(lambda: self.score.directional_derivatives(x, t, v), x)

    def time_derivative(self, x: Array, t: float) -> Array:
        """Return ∂_t s."""
        return self.timed(lambda: self.score.time_derivative(x, t), x)

    def with_form(self, x: Array, t: float, v: Array) -> tuple[Array, Array]:
        """Return s and vᵀJv."""
        return self.timed(lambda: with_form(self.score, x, t, v), x)


@runtime_checkable
class Directed(DirectionalScore, FlowFormScore, Protocol):
    """A score with both."""


@dataclass(eq=False)
class CountedFlowDirections(CountedDirections):
    """The same of a score that also knows the Jacobian of its flow along directions."""

    score: Directed

    def velocity(self, x: Array, t: float) -> Array:
        """Return dx/dt."""
        return self.timed(lambda: self.score.velocity(x, t), x)

    def velocity_with_form(self, x: Array, t: float, v: Array) -> tuple[Array, Array]:
        """Return u and vᵀ(∇u)v."""
        return self.timed(lambda: self.score.velocity_with_form(x, t, v), x)


def counted_directions(score: DirectionalScore) -> CountedDirections:
    """Return a score with derivatives along directions that counts, and knows those of its flow where this one does.

    >>> watched = mfg.solvers.counted_directions(mfg.ExactScore(mfg.Brownian(), mfg.gaussian(0.0, 1.0)))
    >>> _ = watched.with_form(np.zeros((5, 1)), 0.5, np.ones((5, 1)))
    >>> watched.points
    5
    """
    return CountedFlowDirections(score) if isinstance(score, Directed) else CountedDirections(score)


def counted(score: Score) -> Counted:
    """Return a score that counts, and that has a potential, or the velocity of its flow, where this one has.

    >>> watched = mfg.solvers.counted(mfg.ExactScore(mfg.Brownian(), mfg.gaussian(0.0, 1.0)))
    >>> _ = watched(np.zeros((5, 1)), 0.5), watched(np.zeros((3, 1)), 0.5)
    >>> watched.points
    8
    """
    if offers(score, PotentialScore):
        return CountedPotential(score)
    return CountedFlow(score) if offers(score, FlowScore) else Counted(score)
