"""Ancestral sampling: the law of the state before, given the state and the predicted data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

import numpy as np

from mfgpde.core.arrays import Array
from mfgpde.samplers.contract import Model, Move, checked_times


@dataclass(frozen=True)
class Ancestral:
    """x(s) ~ N(μ, ζ²I), the law of X_s given X_t = x and X₀ = x̂₀(x, t). — arXiv:2006.11239, eqs. (6), (7).

    With X_t given X_s = factor·X_s + N(0, v): μ = (v α_s x̂₀ + factor σ_s² x)/σ_t², ζ² = v σ_s²/σ_t².

    >>> model = mfg.samplers.Model(mfg.Brownian(), mfg.ExactScore(mfg.Brownian(), mfg.gaussian(0.0, 1.0)))
    >>> ((move,),) = mfg.samplers.Ancestral().run(model, np.array([1.0, 0.5]))
    >>> mean, deviation = move(np.array([[1.0]]))
    >>> float(mean[0, 0].round(12)), round(deviation, 12)
    (0.75, 0.5)
    """

    order: ClassVar[int] = 1
    stochastic: ClassVar[bool] = True
    markov: ClassVar[bool] = True
    reference: ClassVar[str] = "arXiv:2006.11239, eqs. (6), (7)"

    def run(self, model: Model, times: Array) -> Iterator[list[Move]]:
        """Yield the moves. Raises ValueError for times that do not decrease within the horizon."""
        for t, s in pairwise(map(float, checked_times(times, model.process))):
            yield [lambda x, t=t, s=s: self._step(model, x, t, s)]

    @staticmethod
    def _step(model: Model, x: Array, t: float, s: float) -> tuple[Array, float]:
        step = model.process.transition(s, t)
        factor, added = float(step.factor), float(step.covariance)
        before, now = float(model.process.variance(s)), float(model.process.variance(t))
        mean = (added * model.alpha(s) * model.data(x, t) + factor * before * x) / now
        return mean, float(np.sqrt(added * before / now))
