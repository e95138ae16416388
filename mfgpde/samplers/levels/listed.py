"""Parts of a list of training times, as libraries take them: leading, trailing, or spread from end to end."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from mfgpde.core.arrays import Array
from mfgpde.processes import IsotropicProcess
from mfgpde.samplers.contract import checked_request


@dataclass(frozen=True)
class Listed(ABC):
    """`steps` of the times T/N, 2T/N, …, T on which a model was trained, then the stop; N = `trained`.

    Raises ValueError for fewer than two times, and when more steps are asked for than there are.
    """

    trained: int = 1000

    def __post_init__(self) -> None:
        if self.trained < 2:
            raise ValueError(f"a model is trained at two times or more, got {self.trained!r}")

    @abstractmethod
    def entries(self, steps: int) -> Array:
        """Return which entries are taken, from 1 to N, increasing."""

    def times(self, process: IsotropicProcess, steps: int, stop: float = 0.0) -> Array:
        """Return the times. Raises ValueError for steps outside 1 … N, a stop outside [0, horizon) or above the last."""
        checked_request(process, steps, stop)
        if steps > self.trained:
            raise ValueError(f"{steps} steps need as many training times, there are {self.trained}")
        found = process.horizon * self.entries(steps)[::-1] / self.trained
        if stop >= found[-1]:
            raise ValueError(f"the stop, {stop:g}, must be below the last of these times, {found[-1]:g}")
        return np.append(found, stop)


class Leading(Listed):
    """Every (N // n)-th time from the first on: the largest is below T. — arXiv:2305.08891, table 2.

    >>> (5 * mfg.samplers.Leading(5).times(mfg.Brownian(), 2)).round(12).tolist()
    [3.0, 1.0, 0.0]
    """

    def entries(self, steps: int) -> Array:
        """Return 1, 1 + N // n, …"""
        return 1.0 + np.arange(steps, dtype=float) * (self.trained // steps)


class Trailing(Listed):
    """Every (N/n)-th time from the last down, rounded. — arXiv:2305.08891, table 2.

    >>> (5 * mfg.samplers.Trailing(5).times(mfg.Brownian(), 2)).round(12).tolist()
    [5.0, 2.0, 0.0]
    """

    def entries(self, steps: int) -> Array:
        """Return the rounded N − k N/n."""
        return np.rint(self.trained - np.arange(steps, dtype=float) * (self.trained / steps))[::-1]


class Linspace(Listed):
    """From the first to the last at equal distances, rounded. — arXiv:2305.08891, table 2.

    >>> (5 * mfg.samplers.Linspace(5).times(mfg.Brownian(), 3)).round(12).tolist()
    [5.0, 3.0, 1.0, 0.0]
    """

    def entries(self, steps: int) -> Array:
        """Return the rounded 1 + k(N − 1)/(n − 1); the last alone for one step."""
        return np.round(np.linspace(1, self.trained, steps)) if steps > 1 else np.array([float(self.trained)])
