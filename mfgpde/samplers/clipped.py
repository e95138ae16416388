"""Clipping and thresholding of the predicted data, as what they are: maps, which make another score."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mfgpde.core.arrays import Array
from mfgpde.processes import IsotropicProcess
from mfgpde.processes.contract import positive
from mfgpde.samplers.contract import Model
from mfgpde.scores import Score


@dataclass(frozen=True, eq=False)
class Clipped:
    """The score whose prediction of the data is x̂₀ cut to [−limit, limit] in every coordinate: s = (α cut(x̂₀) − x)/σ².

    With a `quantile` the limit is, for each point, that quantile of |x̂₀| over its coordinates where it is larger than
    `limit`, and what is cut is scaled back to it (dynamic thresholding, arXiv:2205.11487, section 2.3).
    Raises ValueError for a limit that is not positive, and for a quantile outside (0, 1].

    >>> process = mfg.VariancePreserving()
    >>> score = mfg.samplers.Clipped(process, mfg.ExactScore(process, mfg.gaussian(2.0, 1e-12)), 1.0)
    >>> print(f"{mfg.samplers.Model(process, score).data(np.array([[0.3]]), 0.5)[0, 0]:.6f}")  # 2, cut
    1.000000
    """

    process: IsotropicProcess
    score: Score
    limit: float = 1.0
    quantile: float | None = None

    def __post_init__(self) -> None:
        positive(limit=self.limit)
        if self.quantile is not None and not 0 < self.quantile <= 1:
            raise ValueError(f"the quantile must lie in (0, 1], got {self.quantile!r}")

    def __call__(self, x: Array, t: float) -> Array:
        """Return the score."""
        model = Model(self.process, self.score)
        return (model.alpha(t) * self._cut(model.data(x, t)) - x) / float(self.process.variance(t))

    def _cut(self, data: Array) -> Array:
        if self.quantile is None:
            return np.clip(data, -self.limit, self.limit)
        most = np.maximum(np.quantile(np.abs(data), self.quantile, axis=-1, keepdims=True), self.limit)
        return np.clip(data, -most, most) / most * self.limit
