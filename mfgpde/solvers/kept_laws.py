"""Generated laws that are had once: written as they come, and taken up by the same work begun again."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mfgpde.core.arrays import Array
from mfgpde.core.checkpoint import Checkpoint
from mfgpde.discretisations import Field, FiniteVolume
from mfgpde.grids import CartesianGrid
from mfgpde.solvers.induced import Induced


class KeptLaws:
    """Laws by name in a checkpoint, which is removed when the work is done; without a path, laws alone.

    Raises ValueError where the checkpoint belongs to other work, with the field that differs.
    """

    def __init__(self, checkpoint: Checkpoint) -> None:
        self.checkpoint = checkpoint
        self.arrays = checkpoint.load() or {}

    def law(self, name: str, grid: CartesianGrid, make: Callable[[], Induced]) -> Induced:
        """Return the law of that name: what was kept, or what `make` returns for `grid`, by volumes of order two."""
        if f"{name}.density" in self.arrays:
            return self._read(name, grid)
        found = make()
        if self.checkpoint.path is not None:
            self.arrays |= {f"{name}.{part}": values for part, values in _parts(found).items()}
            self.checkpoint.save(now=True, **self.arrays)
        return found

    def _read(self, name: str, grid: CartesianGrid) -> Induced:
        part = {key: self.arrays[f"{name}.{key}"] for key in ("density", "times", "stages", "ends", "numbers")}
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
