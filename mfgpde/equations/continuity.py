"""Continuity:  ∂_t p = −∇·(v p),  the law of the flow dx/dt = v(x,t).

Exact solutions: along a characteristic, d/dt log p = −∇·v; for the probability flow of the exact score, p_t itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from mfgpde.core.arrays import Array
from mfgpde.equations.contract import Equation, ScalarField, Unknown, VectorField
from mfgpde.processes import ForwardProcess
from mfgpde.processes.contract import known_time_scale
from mfgpde.scores import DivergenceScore, offers


@dataclass(frozen=True, eq=False)
class Continuity(Equation):
    """∂_t p = −∇·(v p) with velocity v(x,t) and, where known, its divergence ∇·v.

    v maps points (..., d) and a time to (..., d), length per time; ∇·v to (...), per time. Where v is dear to ask,
    and most of it smooth in time, `rates(x, t)` are what may jump: an array of any shape, of points (n, d) at one time.

    >>> space = mfg.FiniteVolume(mfg.CartesianGrid.cube(6.0, 256, 1))
    >>> law = mfg.solve(mfg.Continuity(lambda x, t: -x), space, mfg.gaussian(0.0, 1.0), (0.0, 0.5)).at(0.5)
    >>> print(f"{law.expectation(lambda x: x[..., 0] ** 2):.2f}")  # e⁻¹
    0.37
    """

    velocity: VectorField
    divergence: ScalarField | None = None
    time_dependent: bool = True
    horizon: float = math.inf
    rates: Callable[[Array, float], Array] | None = None
    time_scale: float = 0.0
    unknown: ClassVar[Unknown] = Unknown.DENSITY
    conservative: ClassVar[bool] = True

    @classmethod
    def probability_flow(cls, process: ForwardProcess, score: DivergenceScore) -> Continuity:
        """Return the probability-flow equation in process time t: v = f − D s. — arXiv:2011.13456, eq. (13)."""
        flow = _ProbabilityFlow(process, score)
        known = flow.divergence if offers(score, DivergenceScore) else None
        scale = known_time_scale(process)
        return cls(flow.velocity, known, horizon=process.horizon, rates=flow.rates, time_scale=scale)

    def reversed(self, horizon: float) -> Continuity:
        """Return the same flow run backwards, in generation time τ = horizon − t."""
        back = _Reversed(self.velocity, horizon)
        divergence = None if self.divergence is None else _Reversed(self.divergence, horizon)
        rates = None if self.rates is None else _Reversed(self.rates, horizon)
        return Continuity(back, divergence, self.time_dependent, horizon, rates, self.time_scale)


@dataclass(frozen=True, eq=False)
class _ProbabilityFlow:
    """v = f − D s."""

    process: ForwardProcess
    score: DivergenceScore

    def velocity(self, x: Array, t: float) -> Array:
        return self.process.drift(x, t) - float(self.process.diffusivity(t)) * self.score(x, t)

    def rates(self, x: Array, t: float) -> Array:
        """Return f and D: scores are smooth in time."""
        return np.append(self.process.drift(x, t), self.process.diffusivity(t))

    def divergence(self, x: Array, t: float) -> Array:
        return self.process.divergence(x, t) - float(self.process.diffusivity(t)) * self.score.divergence(x, t)


@dataclass(frozen=True, eq=False)
class _Reversed:
    """−g(x, horizon − τ)."""

    forward: VectorField | ScalarField
    horizon: float

    def __call__(self, x: Array, tau: float) -> Array:
        return -self.forward(x, self.horizon - tau)
