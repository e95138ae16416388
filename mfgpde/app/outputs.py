"""Where results go: looked at before the work, and inside the folder of the problem file unless the command line says."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Collection
from pathlib import Path


def stated(file: Path, table: dict[str, object]) -> Path:
    """Return where a problem file wants its result: its `output`, below its own folder, or its own name as .nc.

    Raises ValueError for what is no name of a file, and for one that leads out of the folder.
    """
    name = table.get("output", file.stem + ".nc")
    if not isinstance(name, str) or not name.strip():
        raise ValueError(f'{file}: output must be the name of a file, as in output = "{file.stem}.nc", got {name!r}')
    folder = file.parent.resolve()
    if not (folder / name).resolve().is_relative_to(folder):
        raise ValueError(f"{file}: output = {name!r} leads out of {file.parent}; name such a place with --out")
    return file.parent / name


def ready(path: Path, suffixes: Collection[str] = ()) -> Path:
    """Return the path of a result, of one of these suffixes if any are named, if it can be written there.

    Raises ValueError for its suffix, and where it is a folder or would lie in a file; OSError for its folder.
    """
    if suffixes and path.suffix not in suffixes:
        raise ValueError(f"{path} must end in {' or '.join(suffixes)}, and its ending says what is written")
    if path.is_dir():
        raise ValueError(f"{path} is a folder; name a file in it")
    if path.parent.is_file():
        raise ValueError(f"{path.parent} is a file, so there is no place {path}; name another with --out")
    folder(path.parent)
    return path


def folder(path: Path) -> Path:
    """Return a folder in which results can be written, made if it is missing.

    Raises ValueError where it or what it should lie in is a file, OSError with its name where it cannot be written.
    """
    if path.exists() and not path.is_dir():
        raise ValueError(f"{path} is a file; --out names a folder")
    for above in path.parents:
        if above.exists() and not above.is_dir():
            raise ValueError(f"{above} is a file, so there is no folder {path}; name another place with --out")
    try:
        path.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path, prefix=".mfgpde.")
    except OSError as trouble:
        raise OSError(trouble.errno, trouble.strerror, str(trouble.filename or path)) from trouble
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(b"0" * 4096)  # a full disk makes files and writes nothing into them
    except OSError as trouble:
        raise OSError(trouble.errno, trouble.strerror, str(path)) from trouble
    finally:
        Path(name).unlink()
    return path
