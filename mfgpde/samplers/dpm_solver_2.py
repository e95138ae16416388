"""DPM-Solver of order two: the noise prediction at the middle of a step in log-signal-to-noise ratio."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

import numpy as np

from mfgpde.core.arrays import Array
from mfgpde.samplers.contract import Model, Move, checked_times


def noise_held(model: Model, x: Array, noise: Array, t: float, s: float) -> Array:
    """Return x(s) = (α_s/α_t) x − σ_s(e^h − 1) ε̂, h = λ_s − λ_t: the exact flow for a noise prediction that stays."""
    a, b = model.alpha(s) / model.alpha(t), model.sigma(s) / model.sigma(t)
    return a * x - model.sigma(t) * (a - b) * noise  # σ_s e^h = σ_t α_s/α_t: finite at σ_s = 0, too


def checked_ends(model: Model, times: Array) -> Array:
    """Return times. Raises ValueError where the last has no finite log-signal-to-noise ratio."""
    times = checked_times(times, model.process)
    if not np.isfinite(model.log_snr(float(times[-1]))):
        raise ValueError(
            f"σ vanishes at the last time, {times[-1]:g}: steps in log(α/σ) need an end before it; give a stop > 0, as "
            "--stop 1e-3"
        )
    return times


@dataclass(frozen=True)
class DPMSolver2:
    """The midpoint method in λ = log(α/σ), linear part exact. — arXiv:2206.00927, algorithm 1.

    >>> process, data = mfg.VariancePreserving(), mfg.gaussian(0.0, 1.0)  # p_t stays: û = 0
    >>> model = mfg.samplers.Model(process, mfg.ExactScore(process, data))
    >>> ((move,),) = mfg.samplers.DPMSolver2().run(model, np.array([0.3, 0.29]))
    >>> abs(move(np.array([[1.0]]))[0] - 1).item() < 1e-4
    True
    """

    order: ClassVar[int] = 2
    stochastic: ClassVar[bool] = False
    markov: ClassVar[bool] = True
    reference: ClassVar[str] = "arXiv:2206.00927, algorithm 1"

    def run(self, model: Model, times: Array) -> Iterator[list[Move]]:
        """Yield the moves. Raises ValueError for times that do not decrease within the horizon, or end where σ = 0."""
        for t, s in pairwise(map(float, checked_ends(model, times))):
            yield [lambda x, t=t, s=s: (self._step(model, x, t, s), 0.0)]

    @staticmethod
    def _step(model: Model, x: Array, t: float, s: float) -> Array:
        middle = model.time_at(0.5 * (model.log_snr(t) + model.log_snr(s)))
        halfway = noise_held(model, x, model.noise(x, t), t, middle)
        return noise_held(model, x, model.noise(halfway, middle), t, s)
