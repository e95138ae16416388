"""Parts of long work that are had once: written as they come, and taken up by the same work begun again."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from mfgpde.core.arrays import Array
from mfgpde.core.checkpoint import Checkpoint


class Kept:
    """Parts by name, each arrays by name, in a checkpoint; without a path, they are made and that is all.

    A part must follow from the work and its name alone: what chance it needs, it seeds by itself. Parts may be made side by
    side.

    >>> kept = Kept(Checkpoint(None, {}))
    >>> float(kept.part("a", lambda: {"sum": np.arange(4.0).sum()})["sum"])
    6.0
    """

    def __init__(self, checkpoint: Checkpoint) -> None:
        self.checkpoint = checkpoint
        self._arrays: dict[str, Array] = {}
        self._writing = threading.Lock()

    @contextmanager
    def working(self) -> Iterator[None]:
        """Take up what was kept, and keep other runs away for the block; then nothing is needed any more.

        The same where the work failed by itself; what was interrupted, or found no room, can go on. Raises ValueError where
        the checkpoint belongs to other work, with the field that differs, and Busy where another run is at it.
        """
        with self.checkpoint.held():
            self._arrays = self.checkpoint.load() or {}
            try:
                yield
            except (OSError, MemoryError):
                raise
            except Exception:
                self.checkpoint.done()
                raise
            self.checkpoint.done()

    def part(self, name: str, make: Callable[[], Mapping[str, Array]], *, now: bool = False) -> dict[str, Array]:
        """Return what was kept under the name, or what `make` returns; it is written `now`, or when it is time."""
        whole, first = f"{name}|", len(name) + 1
        with self._writing:
            found = {key[first:]: values for key, values in self._arrays.items() if key.startswith(whole)}
        if found:
            return found
        made = dict(make())
        if self.checkpoint.path is not None:
            with self._writing:
                self._arrays |= {f"{name}|{key}": values for key, values in made.items()}
                self.checkpoint.save(now=now, **self._arrays)
        return made
