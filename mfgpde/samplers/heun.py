"""Heun's method for the probability flow: two slopes a step, their mean taken."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

from mfgpde.core.arrays import Array
from mfgpde.samplers.contract import Model, Move, checked_times


@dataclass(frozen=True)
class Heun:
    """x(s) = x + ½(s − t)(û(x, t) + û(x + (s − t)û(x, t), s)). — arXiv:2206.00364, algorithm 1.

    >>> model = mfg.samplers.Model(mfg.Brownian(), mfg.ExactScore(mfg.Brownian(), mfg.gaussian(0.0, 1.0)))
    >>> ((move,),) = mfg.samplers.Heun().run(model, np.array([1.0, 0.0]))
    >>> move(np.array([[1.0]]))[0].tolist()  # 1 − ½(¼ + ⅜), where √½ is exact
    [[0.6875]]
    """

    order: ClassVar[int] = 2
    stochastic: ClassVar[bool] = False
    markov: ClassVar[bool] = True
    reference: ClassVar[str] = "arXiv:2206.00364, algorithm 1"

    def run(self, model: Model, times: Array) -> Iterator[list[Move]]:
        """Yield the moves. Raises ValueError for times that do not decrease within the horizon."""
        for t, s in pairwise(map(float, checked_times(times, model.process))):
            yield [lambda x, t=t, s=s: (self._step(model, x, t, s), 0.0)]

    @staticmethod
    def _step(model: Model, x: Array, t: float, s: float) -> Array:
        first = model.velocity(x, t)
        return x + 0.5 * (s - t) * (first + model.velocity(x + (s - t) * first, s))
