"""The Euler–Maruyama scheme for the family of dynamics between probability flow and reverse diffusion."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

import numpy as np

from mfgpde.core.arrays import Array
from mfgpde.samplers.contract import Model, Move, checked_times


@dataclass(frozen=True)
class EulerMaruyama:
    """x(s) = x + (t − s)(−f + (1 + λ²)D ∇log p_t) + λ g √(t − s) z. — arXiv:2011.13456, eq. (6), for λ = `noise` = 1.

    Raises ValueError for a noise that is not positive and finite: without it, it is `Euler`.

    >>> model = mfg.samplers.Model(mfg.Brownian(), mfg.ExactScore(mfg.Brownian(), mfg.gaussian(0.0, 1.0)))
    >>> ((move,),) = mfg.samplers.EulerMaruyama().run(model, np.array([1.0, 0.75]))
    >>> mean, deviation = move(np.array([[1.0]]))
    >>> float(mean[0, 0]), deviation  # 1 − ¼·½, √¼
    (0.875, 0.5)
    """

    noise: float = 1.0
    order: ClassVar[int] = 1
    stochastic: ClassVar[bool] = True
    markov: ClassVar[bool] = True
    reference: ClassVar[str] = "arXiv:2011.13456, eq. (6)"

    def __post_init__(self) -> None:
        if not (np.isfinite(self.noise) and self.noise > 0):
            raise ValueError(f"noise must be a positive finite number, got {self.noise!r}; without noise, use Euler")

    def run(self, model: Model, times: Array) -> Iterator[list[Move]]:
        """Yield the moves. Raises ValueError for times that do not decrease within the horizon."""
        for t, s in pairwise(map(float, checked_times(times, model.process))):
            yield [lambda x, t=t, s=s: self._step(model, x, t, s)]

    def _step(self, model: Model, x: Array, t: float, s: float) -> tuple[Array, float]:
        process, dt = model.process, t - s
        D = float(process.diffusivity(t))
        drift = -process.drift(x, t) + (1 + self.noise**2) * D * model.score(x, t)
        return x + dt * drift, self.noise * float(np.sqrt(2 * D * dt))
