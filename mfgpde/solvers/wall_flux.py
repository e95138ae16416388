"""What a reconstruction lets through real walls, squared and summed over each panel along them and a span of time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mfgpde.core.arrays import Array
from mfgpde.solvers.enclosed import Rests
from mfgpde.solvers.reconstruction import Panels, Reconstruction, outer, walls


class Face:
    """A real wall: the flux through it, squared and summed over time on each panel along it."""

    def __init__(self, axis: int, side: int, space: Any, panels: Sequence[Panels]) -> None:
        self.axis, self.side, self.space = axis, side, space
        along = [one for k, one in enumerate(panels) if k != axis]
        self.rule = [one.rule for one in along]
        self.starts = [np.cumsum(one.nodes) - one.nodes for one in along]
        self.volume = outer([one.lengths for one in along]) if along else np.ones(())
        places = [x for x, _ in self.rule]
        places.insert(axis, space.grid.edges[axis][[0, -1][side] : [1, None][side]])
        self.points = np.stack(np.meshgrid(*places, indexing="ij"), axis=-1).take(0, axis=axis)
        self.weights = outer([w for _, w in self.rule]) if along else np.ones(())
        value, slope, _ = walls(space, axis)
        self.normal = value[side], slope[side]
        self.tables = Reconstruction.on(space, panels).tables if along else ()
        self.begin()

    @classmethod
    def of(cls, space: Any, panels: Sequence[Panels]) -> Any:
        """Yield the real walls of a box."""
        for axis in range(space.grid.dimension):
            if not space.grid.periodic[axis]:
                yield from (cls(axis, side, space, panels) for side in (0, 1))

    def begin(self) -> None:
        """Forget the piece of time before."""
        self.sums, self.values, self.slopes = (np.zeros(self.volume.shape) for _ in range(3))

    def add(self, work: Any, weight: float, u: Array, t: float) -> None:
        """Add the squares at one time."""
        p, dp = (self._along(np.asarray(np.tensordot(row, u, axes=(0, self.axis)), float)) for row in self.normal)
        flux = work.drift_at(self.points, t)[..., self.axis] * p - work.diffusivity(t) * dp
        self.sums = self.sums + weight * self._squares(flux)
        self.values, self.slopes = self.values + weight * self._squares(p), self.slopes + weight * self._squares(dp)

    def total(self, span: float, left: Rests) -> float:
        """Return a bound of the integral of |F·n| over the wall and a piece of time."""
        off = float(np.max(left.drift[self.axis])) * np.sqrt(self.values) + left.diffusivity * np.sqrt(self.slopes)
        return float(np.sum(np.sqrt(span * self.volume) * (np.sqrt(self.sums) + 2 * off)))

    def _along(self, u: Array) -> Array:
        others = [table for k, table in enumerate(self.tables) if k != self.axis]
        for axis, table in enumerate(others):
            u = np.moveaxis(np.tensordot(table[0], u, axes=(1, axis)), 0, axis)
        return u

    def _squares(self, values: Array) -> Array:
        found = values**2 * self.weights
        for axis, starts in enumerate(self.starts):
            found = np.add.reduceat(found, starts.astype(int).tolist(), axis=axis)
        return found
