"""Generated laws that are had once, and taken up by the same work begun again."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from mfgpde.core.arrays import Array
from mfgpde.core.kept import Kept
from mfgpde.discretisations import Field, FiniteVolume
from mfgpde.grids import CartesianGrid
from mfgpde.solvers.induced import Induced


def kept_law(kept: Kept, name: str, grid: CartesianGrid, make: Callable[[], Induced]) -> Induced:
    """Return the law of that name: what was kept, or what `make` returns for `grid`, by volumes of order two."""
    return _read(kept.part(name, lambda: _parts(make()), now=True), grid)


def _read(part: Mapping[str, Array], grid: CartesianGrid) -> Induced:
    leak, stop, evaluations, score_seconds, seconds = map(float, part["numbers"])
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
    )


def _parts(law: Induced) -> dict[str, Array]:
    return {
        "density": law.density.values,
        "times": np.array(law.times),
        "stages": np.array(law.stages),
        "ends": np.empty(0) if law.ends is None else law.ends,
        "numbers": np.array([law.leak, law.stop, law.evaluations, law.score_seconds, law.seconds]),
    }
