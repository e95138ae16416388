"""What a bound asks of a solution."""

from __future__ import annotations

from typing import Any, Protocol

from mfgpde.core.arrays import Array
from mfgpde.discretisations import Field
from mfgpde.solvers.taken import Taken


class Solved(Protocol):
    """What a bound asks of a solution: the problem, the start, fields, and how to solve again at other times."""

    @property
    def equation(self) -> Any:
        """The equation that was solved."""
        ...

    @property
    def discretisation(self) -> Any:
        """The space it was solved on."""
        ...

    @property
    def times(self) -> Array:
        """The stored times."""
        ...

    @property
    def fields(self) -> tuple[Field, ...]:
        """The solution at each of them."""
        ...

    @property
    def start(self) -> Any:
        """What the solve began with."""
        ...

    @property
    def again(self) -> Any:
        """The same solve at other times."""
        ...

    @property
    def taken(self) -> Taken | None:
        """What its march left of its way, where there was one."""
        ...

    def index(self, t: float) -> int:
        """Return the position of a stored time."""
        ...
