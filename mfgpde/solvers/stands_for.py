"""A solution that stands for another: the same march, told as one of another unknown or in another space."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mfgpde.core.arrays import Array
from mfgpde.solvers.solved import Solved
from mfgpde.solvers.taken import Taken


@dataclass(frozen=True, eq=False)
class StandsFor:
    """What does not change: the stored times, the way of the march, and how it is done again."""

    solution: Solved

    @property
    def times(self) -> Array:
        """The stored times."""
        return self.solution.times

    @property
    def again(self) -> Any:
        """The same solve at other times."""
        return self.solution.again

    @property
    def taken(self) -> Taken | None:
        """What its march left of its way."""
        return self.solution.taken

    def index(self, t: float) -> int:
        """Return the position of a stored time."""
        return self.solution.index(t)
