"""Files that are whole: what is written appears at once under its name, or not at all."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from mfgpde.core.errors import Elsewhere

HEADERS = 64 * 1024
"""bytes that a file of HDF5 holds beside its numbers, at most"""


@contextmanager
def written(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a fresh path beside `path` with its suffix; what the block writes there takes the name when it succeeds.

    Readers see the old file or the new one, never half; a failure leaves the old one and no rest. Missing folders are made.

    >>> import tempfile
    >>> target = Path(tempfile.mkdtemp()) / "note.txt"
    >>> with written(target) as part:
    ...     _ = part.write_text("whole")
    >>> target.read_text(), [file.name for file in target.parent.iterdir()]
    ('whole', ['note.txt'])
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}.", suffix=f".part{path.suffix}")
    except OSError as problem:
        raise OSError(problem.errno, problem.strerror, str(path)) from problem
    os.close(handle)
    part = Path(name)
    try:
        yield part
        mask = os.umask(0)
        os.umask(mask)
        part.chmod(0o666 & ~mask)
        part.replace(path)
    except OSError as problem:
        part.unlink(missing_ok=True)
        if problem.errno is None or problem.filename not in (None, name):
            raise
        reason = os.strerror(problem.errno)  # a library's own words may be a page
        raise OSError(problem.errno, reason, str(path)) from problem
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def write_text(path: str | os.PathLike[str], text: str) -> Path:
    """Write text in UTF-8 at once; return the path."""
    with written(path) as part:
        part.write_text(text, encoding="utf-8")
    return Path(path)


def room(path: str | os.PathLike[str], size: int) -> None:
    """Raise OSError if the disk of a file has not room for so many bytes and a little more.

    To be asked before HDF5 writes, which a full disk makes crash and take the process with it.
    """
    path = Path(path)
    if shutil.disk_usage(path.parent).free < size + HEADERS:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))


def kept(write: Callable[[Path], Path], path: Path) -> Path:
    """Return what `write` makes of a path; what cannot be written there goes to the folder for temporary files.

    Raises Elsewhere, which says where it is now: hours of work are not lost to a disk that has filled meanwhile.
    """
    try:
        return write(path)
    except OSError as problem:
        try:
            refuge = write(Path(tempfile.mkdtemp(prefix="mfgpde-")) / path.name)
        except OSError:
            raise problem from None
        raise Elsewhere(f"cannot write {path}: {problem.strerror}; what was computed is in {refuge}") from problem
