"""Times at equal distances, or crowded towards the data by a power."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mfgpde.core.arrays import Array
from mfgpde.processes import IsotropicProcess
from mfgpde.processes.contract import positive
from mfgpde.samplers.contract import checked_request


@dataclass(frozen=True)
class Uniform:
    """t_k with t^{1/power} at equal distances from the horizon to the stop. Raises ValueError unless the power is positive.

    >>> mfg.samplers.Uniform().times(mfg.VariancePreserving(), 4).tolist()
    [1.0, 0.75, 0.5, 0.25, 0.0]
    """

    power: float = 1.0

    def __post_init__(self) -> None:
        positive(power=self.power)

    def times(self, process: IsotropicProcess, steps: int, stop: float = 0.0) -> Array:
        """Return the times. Raises ValueError for fewer than one step or a stop outside [0, horizon)."""
        checked_request(process, steps, stop)
        found = np.linspace(process.horizon ** (1 / self.power), stop ** (1 / self.power), steps + 1) ** self.power
        found[[0, -1]] = process.horizon, stop
        return found
