"""Predictor and corrector: an ancestral move, then Langevin moves that hold the law where it should be."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

import numpy as np

from mfgpde.core.arrays import Array
from mfgpde.samplers.contract import Model, Move, checked_times
from mfgpde.samplers.exponential import denoised


@dataclass(frozen=True)
class PredictorCorrector:
    """After each ancestral move, `corrections` times x + δ ∇log p_s(x) + √(2δ) z. — arXiv:2011.13456, algorithms 1–3.

    δ = `share` · σ_s² · min(1, 1 − w_s/w_t): shorter where levels are closer, so that the correctors' own error, too,
    falls with the number of levels; with a δ that does not, the law tends to the corrector's stationary one, a wrong one.
    No correction is made at σ_s = 0. Raises ValueError for fewer than one correction or a share outside (0, 1].

    >>> model = mfg.samplers.Model(mfg.Brownian(), mfg.ExactScore(mfg.Brownian(), mfg.gaussian(0.0, 1.0)))
    >>> (moves,) = mfg.samplers.PredictorCorrector(share=0.5).run(model, np.array([1.0, 0.5]))
    >>> mean, deviation = moves[1](np.array([[1.5]]))
    >>> float(mean[0, 0].round(12)), round(deviation, 12)  # δ = 1/8, score −1
    (1.375, 0.5)
    """

    corrections: int = 1
    share: float = 0.2
    order: ClassVar[int] = 1
    stochastic: ClassVar[bool] = True
    markov: ClassVar[bool] = True
    reference: ClassVar[str] = "arXiv:2011.13456, algorithms 1–3"

    def __post_init__(self) -> None:
        if self.corrections < 1 or not 0 < self.share <= 1:
            raise ValueError(
                f"there must be at least one correction with a share in (0, 1], got {self.corrections!r}, {self.share!r}"
            )

    def run(self, model: Model, times: Array) -> Iterator[list[Move]]:
        """Yield the moves. Raises ValueError for times that do not decrease within the horizon."""
        for t, s in pairwise(map(float, checked_times(times, model.process))):
            delta = self.share * model.sigma(s) ** 2 * (1 - model.spread(s) / model.spread(t))
            moves: list[Move] = [lambda x, t=t, s=s: denoised(model, x, t, s, 1.0)]
            if delta > 0:
                moves += self.corrections * [
                    lambda x, s=s, delta=delta: (x + delta * model.score(x, s), float(np.sqrt(2 * delta)))
                ]
            yield moves
