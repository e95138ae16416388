"""Levels at which a root of the noise scale goes down at equal distances."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mfgpde.core.arrays import Array
from mfgpde.processes import IsotropicProcess
from mfgpde.processes.contract import positive
from mfgpde.samplers.contract import Model, checked_request


@dataclass(frozen=True)
class Rho:
    """σ̃^{1/ρ} at equal distances, σ̃ = σ/α. — arXiv:2206.00364, eq. (5), ρ = `power` = 7.

    With `stop` = 0 the last level is zero, and those before end at `least` of the largest σ̃. Where nothing of the data is
    left at the horizon they go from the last time with a millionth of them to `least` of σ(T).
    Raises ValueError for a power or least level that is not positive.

    >>> mfg.samplers.Rho(power=1.0).times(mfg.Brownian(), 2, stop=0.25).round(4).tolist()  # √t: 1, ¾, ½
    [1.0, 0.5625, 0.25]
    """

    power: float = 7.0
    least: float = 2.5e-5

    def __post_init__(self) -> None:
        positive(power=self.power, least=self.least)

    def times(self, process: IsotropicProcess, steps: int, stop: float = 0.0) -> Array:
        """Return the times. Raises ValueError for fewer than one step or a stop outside [0, horizon)."""
        checked_request(process, steps, stop)
        model = Model(process, lambda x, t: x)
        first, top, low = model.widths(self.least, stop)
        inner = steps if stop > 0 else steps - 1
        roots = np.linspace(top ** (1 / self.power), low ** (1 / self.power), inner + 1)
        times = [model.time_at(-self.power * float(np.log(root))) for root in roots]
        found = np.array([*times, *([] if stop > 0 else [0.0])])
        found[0], found[-1] = first, stop
        return found
