"""What an interrupted solve leaves: its iterate, written at once or not at all, taken up by the same problem only."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from mfgpde.core.arrays import Array
from mfgpde.core.files import written
from mfgpde.core.identity import difference, identity
from mfgpde.core.lock import locked
from mfgpde.core.stored import read_arrays, said

PAUSE = 5.0  # seconds between two writings
SHARE = 0.05
"""of the time that goes into writing, at most"""


class Checkpoint:
    """Arrays by name under a path, with the identity of what they belong to; does nothing without a path.

    `parts` are all that decides the result: game, grid, method and its options.
    """

    def __init__(self, path: Path | None, parts: Mapping[str, Any]) -> None:
        self.path = None if path is None else Path(path)
        self.setting = {} if path is None else identity(**parts)
        self._written, self._pause = time.monotonic(), PAUSE

    @property
    def due(self) -> bool:
        """Whether it is time to write again."""
        return self.path is not None and time.monotonic() - self._written >= self._pause

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep other runs from the path for the block; Busy where one is at work."""
        if self.path is None:
            yield
            return
        with locked(self.path, "the checkpoint"):
            yield

    def load(self) -> dict[str, Array] | None:
        """Return what was stored, nothing if there is none.

        Raises ValueError, with the fields that differ, if it belongs to another problem, and for a file that is none.
        """
        if self.path is None or not self.path.exists():
            return None
        setting, arrays = self._read(self.path)
        apart = difference(setting, self.setting)
        if apart:
            raise ValueError(
                f"{self.path} belongs to another problem, by its {apart}; remove it, or ask for what made it"
            )
        return arrays

    def _read(self, path: Path) -> tuple[dict[str, str], dict[str, Array]]:
        try:
            arrays = read_arrays(path)
            return json.loads(str(arrays.pop("setting"))), arrays
        except (ValueError, LookupError) as trouble:
            raise ValueError(
                f"{path} is no whole checkpoint ({said(trouble)}); remove it, or name another"
            ) from trouble

    def save(self, *, now: bool = False, **arrays: Array) -> None:
        """Write the iterate; unless told `now`, every few seconds, and for at most a twentieth of the time."""
        if self.path is None or not (now or self.due):
            return
        named, begun = dict[str, Any](arrays), time.monotonic()
        with written(self.path) as part, part.open("wb") as file:
            np.savez(file, setting=np.array(json.dumps(self.setting)), **named)
        self._written = time.monotonic()
        self._pause = max(PAUSE, (self._written - begun) / SHARE)

    def done(self) -> None:
        """Remove what is no longer needed."""
        if self.path is not None:
            self.path.unlink(missing_ok=True)
