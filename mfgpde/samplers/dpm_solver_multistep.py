"""DPM-Solver++ with two steps: the prediction of the data, extrapolated from this step and the one before."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

import numpy as np

from mfgpde.core.arrays import Array
from mfgpde.samplers.contract import Model, Move, checked_times


@dataclass(frozen=True)
class DPMSolverMultistep:
    """x(s) = (σ_s/σ_t) x + α_s(1 − e^{−h}) [x̂ + (h/2h′)(x̂ − x̂′)], h and h′ this step and the last in λ. The first, and a
    last step to σ = 0, are of order one. — arXiv:2211.01095, algorithm 2.

    >>> process, data = mfg.VariancePreserving(), mfg.gaussian(2.0, 1e-12)
    >>> model = mfg.samplers.Model(process, mfg.ExactScore(process, data))
    >>> ((move,),) = mfg.samplers.DPMSolverMultistep().run(model, np.array([1.0, 0.0]))
    >>> float(move(np.array([[0.7]]))[0][0, 0].round(6))
    2.0
    """

    order: ClassVar[int] = 2
    stochastic: ClassVar[bool] = False
    markov: ClassVar[bool] = False
    reference: ClassVar[str] = "arXiv:2211.01095, algorithm 2"

    def run(self, model: Model, times: Array) -> Iterator[list[Move]]:
        """Yield the moves. Raises ValueError for times that do not decrease within the horizon."""
        before: list[tuple[float, Array]] = []  # λ and x̂₀ of the step before

        def step(x: Array, t: float, s: float) -> tuple[Array, float]:
            now, then, data = model.log_snr(t), model.log_snr(s), model.data(x, t)
            target = data
            if before and np.isfinite(then):
                last, other = before.pop()
                target = data + 0.5 * (then - now) / (now - last) * (data - other)
            before[:] = [(now, data)]
            kept = model.sigma(s) / model.sigma(t)
            return kept * x + (model.alpha(s) - kept * model.alpha(t)) * target, 0.0

        for t, s in pairwise(map(float, checked_times(times, model.process))):
            yield [lambda x, t=t, s=s: step(x, t, s)]
