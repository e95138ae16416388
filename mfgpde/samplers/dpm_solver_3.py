"""DPM-Solver of order three: noise predictions at a third and at two thirds of a step in log-signal-to-noise ratio."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

import numpy as np

from mfgpde.core.arrays import Array
from mfgpde.samplers.contract import Model, Move
from mfgpde.samplers.dpm_solver_2 import checked_ends, noise_held


@dataclass(frozen=True)
class DPMSolver3:
    """The exponential method with nodes at 0, h/3 and 2h/3. — arXiv:2206.00927, algorithm 2.

    >>> process, data = mfg.VariancePreserving(), mfg.gaussian(0.0, 1.0)  # p_t stays: û = 0
    >>> model = mfg.samplers.Model(process, mfg.ExactScore(process, data))
    >>> ((move,),) = mfg.samplers.DPMSolver3().run(model, np.array([0.3, 0.29]))
    >>> abs(move(np.array([[1.0]]))[0] - 1).item() < 1e-7
    True
    """

    order: ClassVar[int] = 3
    stochastic: ClassVar[bool] = False
    markov: ClassVar[bool] = True
    reference: ClassVar[str] = "arXiv:2206.00927, algorithm 2"

    def run(self, model: Model, times: Array) -> Iterator[list[Move]]:
        """Yield the moves. Raises ValueError for times that do not decrease within the horizon, or end where σ = 0."""
        for t, s in pairwise(map(float, checked_ends(model, times))):
            yield [lambda x, t=t, s=s: (self._step(model, x, t, s), 0.0)]

    @staticmethod
    def _step(model: Model, x: Array, t: float, s: float) -> Array:
        start, h = model.log_snr(t), model.log_snr(s) - model.log_snr(t)
        first, second = model.time_at(start + h / 3), model.time_at(start + 2 * h / 3)
        e0 = model.noise(x, t)
        u = noise_held(model, x, e0, t, first)
        change = model.noise(u, first) - e0
        u = noise_held(model, x, e0, t, second) - 2 * model.sigma(second) * _second(2 * h / 3) * change
        change = model.noise(u, second) - e0
        return noise_held(model, x, e0, t, s) - 1.5 * model.sigma(s) * _second(h) * change


def _second(h: float) -> float:
    """Return (e^h − 1)/h − 1."""
    return float(np.expm1(h) / h - 1)
