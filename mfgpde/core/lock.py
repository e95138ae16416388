"""One run at a time: a lock beside what several would write, released by the system however a run ends."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mfgpde.core.errors import Busy


@contextmanager
def locked(path: str | os.PathLike[str], what: str) -> Iterator[None]:
    """Hold the lock of `path`, a file or folder that need not exist, for the block; `what` names it in the message.

    The lock is an empty file `.NAME.lock` beside it, which goes with the block. Raises Busy, at once, where
    another run holds it.
    """
    path = Path(path)
    place = path.parent / f".{path.name}.lock"
    place.parent.mkdir(parents=True, exist_ok=True)
    handle = _taken(place)
    if handle is None:
        raise Busy(f"another run is at work on {what} {path}; wait for it to end, or name another")
    try:
        yield
    finally:
        place.unlink(missing_ok=True)  # before it is let go: whoever waits looks whether the file is still this one
        os.close(handle)


def _taken(place: Path) -> int | None:
    """Return an open handle on a lock that is held, nothing where somebody else holds it."""
    while True:
        handle = os.open(place, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            return None
        if place.exists() and os.fstat(handle).st_ino == place.stat().st_ino:
            return handle
        os.close(handle)
