"""Levels at equal distances in the log-signal-to-noise ratio."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mfgpde.core.arrays import Array
from mfgpde.processes import IsotropicProcess
from mfgpde.processes.contract import positive
from mfgpde.samplers.contract import Model, checked_request


@dataclass(frozen=True)
class LogSNR:
    """λ = log(α/σ) at equal distances. — arXiv:2206.00927, section 3.4.

    With `stop` = 0, where λ is infinite, the last level is zero, and those before end at `least` of the largest σ/α. Where
    nothing of the data is left at the horizon they go from the last time with a millionth of them to `least` of σ(T).
    Raises ValueError for a least level that is not positive.

    >>> mfg.samplers.LogSNR().times(mfg.Brownian(), 2, stop=0.25).round(4).tolist()  # t goes down by halves
    [1.0, 0.5, 0.25]
    """

    least: float = 1e-4

    def __post_init__(self) -> None:
        positive(least=self.least)

    def times(self, process: IsotropicProcess, steps: int, stop: float = 0.0) -> Array:
        """Return the times. Raises ValueError for fewer than one step or a stop outside [0, horizon)."""
        checked_request(process, steps, stop)
        model = Model(process, lambda x, t: x)
        first, top, low = model.widths(self.least, stop)
        inner = steps if stop > 0 else steps - 1
        logarithms = np.linspace(-float(np.log(top)), -float(np.log(low)), inner + 1)
        times = [model.time_at(float(value)) for value in logarithms]
        found = np.array([*times, *([] if stop > 0 else [0.0])])
        found[0], found[-1] = first, stop
        return found
