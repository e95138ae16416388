"""Denoising diffusion implicit models: the noise prediction is kept, with a share η of it drawn anew."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

import numpy as np

from mfgpde.core.arrays import Array
from mfgpde.samplers.contract import Model, Move, checked_times


@dataclass(frozen=True)
class DDIM:
    """x(s) = α_s x̂₀ + √(σ_s² − ζ²) ε̂ + ζ z, ζ = η σ_s √(1 − w_s/w_t). — arXiv:2010.02502, eqs. (12), (16).

    `eta` η in [0, 1]: zero is deterministic, one has the variance of ancestral sampling. Raises ValueError outside.

    >>> model = mfg.samplers.Model(mfg.Brownian(), mfg.ExactScore(mfg.Brownian(), mfg.gaussian(0.0, 1.0)))
    >>> ((move,),) = mfg.samplers.DDIM().run(model, np.array([1.0, 0.25]))
    >>> float(move(np.array([[1.0]]))[0][0, 0].round(12))  # x̂₀ + ½ε̂, both are ½
    0.75
    """

    eta: float = 0.0
    order: ClassVar[int] = 1
    markov: ClassVar[bool] = True
    reference: ClassVar[str] = "arXiv:2010.02502, eqs. (12), (16)"

    def __post_init__(self) -> None:
        if not 0 <= self.eta <= 1:
            raise ValueError(f"eta must lie in [0, 1], got {self.eta!r}")

    @property
    def stochastic(self) -> bool:
        """Whether η > 0."""
        return self.eta > 0

    def run(self, model: Model, times: Array) -> Iterator[list[Move]]:
        """Yield the moves. Raises ValueError for times that do not decrease within the horizon."""
        for t, s in pairwise(map(float, checked_times(times, model.process))):
            yield [lambda x, t=t, s=s: self._step(model, x, t, s)]

    def _step(self, model: Model, x: Array, t: float, s: float) -> tuple[Array, float]:
        noise, a, sigma = model.noise(x, t), model.alpha(s), model.sigma(s)
        data = (x - model.sigma(t) * noise) / model.alpha(t)
        drawn = self.eta * sigma * float(np.sqrt(1 - model.spread(s) / model.spread(t)))
        return a * data + float(np.sqrt(sigma**2 - drawn**2)) * noise, drawn


def examples() -> Iterator[DDIM]:
    """Yield members to hold the laws to: without noise, with half, with all."""
    yield from map(DDIM, (0.0, 0.5, 1.0))
