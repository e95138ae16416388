"""What an interrupted solve leaves: its iterate, written at once or not at all, taken up by the same problem only."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mfgpde.core.arrays import Array
from mfgpde.core.files import written

PAUSE = 5.0  # seconds between two writings


class Checkpoint:
    """Arrays by name under a path, with the setting that they belong to; does nothing without a path."""

    def __init__(self, path: Path | None, setting: Mapping[str, Any]) -> None:
        self.path, self.setting = path, json.loads(json.dumps(setting))
        self._written = time.monotonic()

    def load(self) -> dict[str, Array] | None:
        """Return what was stored, nothing if there is none; ValueError if it belongs to another problem."""
        if self.path is None or not self.path.is_file():
            return None
        with np.load(self.path, allow_pickle=False) as stored:
            setting = json.loads(str(stored["setting"]))
            if setting != self.setting:
                names = [key for key in self.setting if setting.get(key) != self.setting[key]]
                raise ValueError(
                    f"{self.path} belongs to another {', '.join(names)}; remove it, or ask for what made it"
                )
            return {name: stored[name] for name in stored.files if name != "setting"}

    def save(self, *, now: bool = False, **arrays: Array) -> None:
        """Write the iterate, at most every few seconds unless told `now`."""
        if self.path is None or (not now and time.monotonic() - self._written < PAUSE):
            return
        named: dict[str, Any] = dict(arrays)
        with written(self.path) as part, part.open("wb") as file:
            np.savez(file, setting=np.array(json.dumps(self.setting)), **named)
        self._written = time.monotonic()

    def done(self) -> None:
        """Remove what is no longer needed."""
        if self.path is not None:
            self.path.unlink(missing_ok=True)
