"""Coefficients of an equation at points of a grid: computed on the device where they can be, else on the host."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from mfgpde.core.arrays import Array
from mfgpde.discretisations.checks import checked, trouble
from mfgpde.grids import CartesianGrid

KEY = "coefficients on the device"


@dataclass(eq=False)
class Coefficients:
    """Calls functions (x, t) of points; `work` says, after the first call, whether they compute on the device: 1 or 0."""

    grid: CartesianGrid
    xp: Any = np
    work: dict[str, float] = field(default_factory=dict)
    _points: Any = None

    def __call__(
        self, function: Callable[[Array, float], Any], x: Array, t: float, shape: tuple[int, ...], what: str
    ) -> Any:
        """Return function(x, t) as `xp` holds it; ValueError and TypeError, naming `what`, unless finite of that shape."""
        if self.xp is np:
            return checked(function(x, t), shape, what)
        if not self.work:
            few = self.xp.asarray(np.ascontiguousarray(x.reshape(-1, self.grid.dimension)[:2]))
            self.work[KEY] = float(not trouble(lambda: function(few, t)))
        if self.work[KEY]:
            return checked(function(self._sent(x), t), shape, what)
        return self.xp.asarray(np.ascontiguousarray(checked(function(x, t), shape, what)))

    def _sent(self, x: Array) -> Any:
        """Return points on the device; those of all cells stay there."""
        if x is not self.grid.points:
            return self.xp.asarray(x)
        if self._points is None:
            self._points = self.xp.asarray(x)
        return self._points


class Evaluating:
    """A scheme on a `grid`, its arrays in the namespace `xp`, that evaluates coefficients of its equation."""

    grid: CartesianGrid
    xp: Any

    @cached_property
    def coefficients(self) -> Coefficients:
        """What evaluates them."""
        return Coefficients(self.grid, self.xp)

    @property
    def work(self) -> dict[str, float]:
        """Where they were evaluated."""
        return self.coefficients.work
