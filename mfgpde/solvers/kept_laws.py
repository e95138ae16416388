"""Generated laws that are had once, and taken up by the same work begun again."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from mfgpde.core.arrays import Array
from mfgpde.core.kept import Kept
from mfgpde.discretisations import Field, FiniteVolume
from mfgpde.grids import CartesianGrid
from mfgpde.solvers.in_time import Around
from mfgpde.solvers.induced import Induced, Room


def kept_law(kept: Kept, name: str, grid: CartesianGrid, make: Callable[[], Induced]) -> Induced:
    """Return the law of that name: what was kept, or what `make` returns for `grid`, by volumes of order two."""
    return _read(kept.part(name, lambda: _parts(make()), now=True), grid)


def kept_room(kept: Kept, name: str, make: Callable[[], Room]) -> Room:
    """Return the room of that name: what was kept, or what `make` returns."""
    part = kept.part(name, lambda: _furniture(make()), now=True)
    lower, upper, cells, periodic = part["box"]
    grid = CartesianGrid(
        tuple(lower.tolist()), tuple(upper.tolist()), tuple(map(int, cells)), tuple(map(bool, periodic))
    )
    growth, evaluations, score_seconds = map(float, part["numbers"])
    return Room(growth, Around(grid, part["times"].tolist(), list(part["values"])), int(evaluations), score_seconds)


def _furniture(room: Room) -> dict[str, Array]:
    around = room.around
    box = around.grid
    return {
        "box": np.array([box.lower, box.upper, box.cells, box.periodic], dtype=float),
        "times": np.array(around.times),
        "values": np.array(around.values),
        "numbers": np.array([room.growth, room.evaluations, room.score_seconds]),
    }


def _read(part: Mapping[str, Array], grid: CartesianGrid) -> Induced:
    leak, stop, evaluations, score_seconds, seconds, between, apart = map(float, part["numbers"])
    return Induced(
        Field(FiniteVolume(grid), part["density"], means=True),
        leak,
        stop,
        tuple(map(float, part["times"])),
        tuple(part["stages"]),
        int(evaluations),
        score_seconds,
        seconds,
        part["ends"] if part["ends"].size else None,
        between,
        apart,
    )


def _parts(law: Induced) -> dict[str, Array]:
    return {
        "density": law.density.values,
        "times": np.array(law.times),
        "stages": np.array(law.stages),
        "ends": np.empty(0) if law.ends is None else law.ends,
        "numbers": np.array(
            [law.leak, law.stop, law.evaluations, law.score_seconds, law.seconds, law.between, law.apart]
        ),
    }
