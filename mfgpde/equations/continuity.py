"""Continuity:  ∂_t p = −∇·(v p),  the law of the flow dx/dt = v(x,t).

Exact solutions: along a characteristic, d/dt log p = −∇·v; for the probability flow of the exact score, p_t itself.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from mfgpde.equations.fokker_planck import Array, VectorField
from mfgpde.processes import ForwardProcess
from mfgpde.scores import DivergenceScore


@dataclass(frozen=True, eq=False)
class Continuity:
    """∂_t p = −∇·(v p) with velocity v(x,t) and, where known, its divergence ∇·v."""

    velocity: VectorField
    divergence: VectorField | None = None
    time_dependent: bool = True
    horizon: float = math.inf
    linear: ClassVar[bool] = True
    conservative: ClassVar[bool] = True

    @classmethod
    def probability_flow(cls, process: ForwardProcess, score: DivergenceScore) -> Continuity:
        """Return the probability-flow equation in process time t: v = f − D s. — arXiv:2011.13456, eq. (13)."""

        def velocity(x: Array, t: float) -> Array:
            return process.drift(x, t) - float(process.diffusivity(t)) * score(x, t)

        def divergence(x: Array, t: float) -> Array:
            return process.divergence(x, t) - float(process.diffusivity(t)) * score.divergence(x, t)

        return cls(velocity, divergence, horizon=process.horizon)

    def reversed(self, horizon: float) -> Continuity:
        """Return the same flow run backwards, in generation time τ = horizon − t."""
        forward = self.divergence
        back = None if forward is None else (lambda x, tau: -forward(x, horizon - tau))
        return Continuity(lambda x, tau: -self.velocity(x, horizon - tau), back, self.time_dependent, horizon)
