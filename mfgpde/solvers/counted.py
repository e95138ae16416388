"""Scores that count what is asked of them: points, and seconds; each keeps the abilities that its users need."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mfgpde.core.arrays import Array
from mfgpde.scores import DirectionalScore, FlowScore, PotentialScore, Score, offers


@dataclass(eq=False)
class Counted:
    """A score that counts its points and seconds."""

    score: Score
    points: int = 0
    seconds: float = 0.0

    def _timed[Values](self, evaluate: Callable[[], Values], x: Array) -> Values:
        clock = time.perf_counter()
        values = evaluate()
        self.seconds += time.perf_counter() - clock
        self.points += int(np.prod(x.shape[:-1]))
        return values

    def __call__(self, x: Array, t: float) -> Array:
        """Return s(x, t)."""
        return self._timed(lambda: self.score(x, t), x)


@dataclass(eq=False)
class CountedPotential(Counted):
    """The same of a score with a potential."""

    score: PotentialScore

    def divergence(self, x: Array, t: float) -> Array:
        """Return ∇·s."""
        return self._timed(lambda: self.score.divergence(x, t), x)

    def potential(self, x: Array, t: float) -> Array:
        """Return φ."""
        return self._timed(lambda: self.score.potential(x, t), x)

    def potential_time_derivative(self, x: Array, t: float) -> Array:
        """Return ∂_tφ."""
        return self._timed(lambda: self.score.potential_time_derivative(x, t), x)


@dataclass(eq=False)
class CountedFlow(Counted):
    """The same of a score with the velocity of its flow."""

    score: FlowScore

    def velocity(self, x: Array, t: float) -> Array:
        """Return dx/dt."""
        return self._timed(lambda: self.score.velocity(x, t), x)


@dataclass(eq=False)
class CountedDirections(Counted):
    """The same of a score with derivatives along directions."""

    score: DirectionalScore

    def directional_derivatives(self, x: Array, t: float, v: Array) -> tuple[Array, Array, Array]:
        """Return Jv, Jᵀv and ∇(vᵀJv)."""
        return self._timed(lambda: self.score.directional_derivatives(x, t, v), x)

    def time_derivative(self, x: Array, t: float) -> Array:
        """Return ∂_t s."""
        return self._timed(lambda: self.score.time_derivative(x, t), x)


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
