"""Euler's method for the probability flow dx/dt = û(x, t)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

from mfgpde.core.arrays import Array
from mfgpde.samplers.contract import Model, Move, checked_times


@dataclass(frozen=True)
class Euler:
    """x(s) = x(t) + (s − t) û(x, t), with û = f − D ∇log p_t. — arXiv:2011.13456, eq. (13).

    >>> model = mfg.samplers.Model(mfg.Brownian(), mfg.ExactScore(mfg.Brownian(), mfg.gaussian(0.0, 1.0)))
    >>> ((move,),) = mfg.samplers.Euler().run(model, np.array([1.0, 0.0]))
    >>> move(np.array([[1.0]]))[0].tolist()  # 1 − ½·½, where √½ is exact
    [[0.75]]
    """

    order: ClassVar[int] = 1
    stochastic: ClassVar[bool] = False
    markov: ClassVar[bool] = True
    reference: ClassVar[str] = "arXiv:2011.13456, eq. (13)"

    def run(self, model: Model, times: Array) -> Iterator[list[Move]]:
        """Yield the moves. Raises ValueError for times that do not decrease within the horizon."""
        for t, s in pairwise(map(float, checked_times(times, model.process))):
            yield [lambda x, t=t, s=s: (x + (s - t) * model.velocity(x, t), 0.0)]
