"""What happens at each wall of a box: closed, open, far away, held at a value, or with a given flux."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from mfgpde.core.arrays import Array
from mfgpde.grids import CartesianGrid

NAMES = ("far", "reflecting", "absorbing", "periodic")
Given = float | Callable[[Array, float], Array]


@dataclass(frozen=True)
class Held:
    """The unknown has this value at the wall: a number, or a function of points on it and time; 0 is absorbing.

    >>> mfg.discretisations.Held(1.0)
    Held(value=1.0)
    """

    value: Given


@dataclass(frozen=True)
class Inflow:
    """So much of the unknown enters through the wall, per area and time: a number, or a function (x, t).

    >>> mfg.discretisations.Inflow(0.5)
    Inflow(flux=0.5)
    """

    flux: Given


Wall = str | Held | Inflow
Walls = str | tuple[tuple[Wall, Wall], ...]


@dataclass(frozen=True)
class Sides:
    """The walls of a grid, side by side: `pairs[axis][0 or 1]`."""

    pairs: tuple[tuple[Wall, Wall], ...]

    @classmethod
    def of(cls, walls: Any, grid: CartesianGrid) -> Sides:
        """Read one name for all, a pair for an interval, or a pair per axis.

        Raises ValueError for what is no wall, and where walls contradict each other or the grid's periodic axes.
        """
        if isinstance(walls, str | Held | Inflow):
            return cls(tuple(("periodic", "periodic") if p else (walls, walls) for p in grid.periodic)).checked(grid)
        if isinstance(walls, Mapping):
            raise ValueError(f"walls are a name, or a pair (lower, upper) per axis, got the mapping {walls!r}")
        pairs = tuple(walls)
        if len(pairs) == 2 and grid.dimension == 1 and all(isinstance(w, str | Held | Inflow) for w in pairs):
            pairs = (pairs,)
        pairs = tuple((one, one) if isinstance(one, str | Held | Inflow) else tuple(one) for one in pairs)
        if len(pairs) != grid.dimension or any(len(pair) != 2 for pair in pairs):
            raise ValueError(
                f"walls need a pair (lower, upper) for each of {grid.dimension} axes, as in "
                f"{(('reflecting', 'absorbing'),) * grid.dimension}, got {walls!r}"
            )
        return cls(pairs).checked(grid)  # pyright: ignore[reportArgumentType]

    def checked(self, grid: CartesianGrid) -> Sides:
        """Return itself. Raises ValueError for walls that are none or contradict each other or the grid."""
        for axis, (pair, periodic) in enumerate(zip(self.pairs, grid.periodic, strict=True)):
            for wall in pair:
                if not isinstance(wall, Held | Inflow) and wall not in NAMES:
                    raise ValueError(
                        f"a wall is {', '.join(map(repr, NAMES))}, Held(value) or Inflow(flux), got {wall!r} on axis {axis}"
                    )
            if periodic != (pair[0] == "periodic") or periodic != (pair[1] == "periodic"):
                raise ValueError(
                    f"the walls {pair!r} of axis {axis} contradict the grid, which is "
                    f"{'periodic' if periodic else 'not periodic'} there; say periodic=… on the grid, and 'periodic' "
                    "on both sides of that axis or on none"
                )
        return self

    @property
    def plain(self) -> Literal["far", "reflecting"] | None:
        """The one name that all walls have, if they are all closed."""
        names = {wall for pair in self.pairs for wall in pair} - {"periodic"}
        if names <= {"far"} or names == {"reflecting"}:
            return "far" if names <= {"far"} else "reflecting"
        return None

    def each(self) -> list[tuple[int, int, Wall]]:
        """Return (axis, side, wall) of all that are no seams."""
        return [(a, s, w) for a, pair in enumerate(self.pairs) for s, w in enumerate(pair) if w != "periodic"]

    @property
    def far(self) -> list[tuple[int, int]]:
        """Which walls (axis, side) stand for infinity."""
        return [(axis, side) for axis, side, wall in self.each() if wall == "far"]

    def far_share(self, values: Array) -> float:
        """Return the share of Σ|values| in the outermost cells of far walls."""
        inner = [slice(None)] * len(self.pairs)
        for axis, side in self.far:
            inner[axis] = slice(1 if side == 0 else inner[axis].start, -1 if side == 1 else inner[axis].stop)
        total = float(np.abs(values).sum())
        return (total - float(np.abs(values[tuple(inner)]).sum())) / total if total > 0 else 0.0

    @property
    def lets_out(self) -> bool:
        """Whether mass may pass a wall."""
        return any(wall == "absorbing" or isinstance(wall, Held | Inflow) for _, _, wall in self.each())


def on_wall(grid: CartesianGrid, axis: int, side: int) -> Array:
    """Return the points of a wall beside its cells, shape (*cells without the axis, d)."""
    faces = np.take(grid.faces(axis), -1 if side else 0, axis)
    return faces


def given(what: Given, x: Array, t: float) -> Array:
    """Return a number, or a function's values, at points of a wall. Raises ValueError for another shape."""
    values = np.asarray(what(x, t) if callable(what) else what, dtype=float)
    if values.shape not in ((), x.shape[:-1]) or not np.isfinite(values).all():
        raise ValueError(f"what is given at a wall must be finite, of shape {x.shape[:-1]}, got shape {values.shape}")
    return np.broadcast_to(values, x.shape[:-1])
