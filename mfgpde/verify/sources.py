"""What a claim's process executed besides the package: any file of the user's, by whichever way it was loaded.

Imports, `load_module`, `importlib` and `runpy` all end in `exec` of a module's code, which Python reports with the file's
name; a source that is read to be executed is reported as it is opened. A claim's process is forked for it alone, so what is
found does not depend on other claims. Installed packages and Python's own files count by their versions, data by nothing.
"""

from __future__ import annotations

import hashlib
import os
import site
import sys
import sysconfig
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from types import CodeType

PACKAGE = Path(__file__).resolve().parents[1]
INSTALLED = ("site-packages", "dist-packages")
GONE = "gone"
"""in place of a hash: the file cannot be read"""

_executed: set[str] = set()


@cache
def watch() -> None:
    """Take note, from now on and for as long as the process lives, of every file whose code is executed."""
    sys.addaudithook(_heard)


def _heard(event: str, arguments: tuple[object, ...]) -> None:
    if event == "exec":
        if isinstance(arguments[0], CodeType):
            _executed.add(arguments[0].co_filename)
    elif event == "open" and isinstance(arguments[0], str) and arguments[0].endswith(".py"):
        _executed.add(os.path.abspath(arguments[0]))


def executed(known: Iterable[Path]) -> list[Path]:
    """Return the files that this process executed and nothing else stands for, `known` ones left out, by name.

    Modules that were there before it watched count too.
    """
    names = {*_executed, *(getattr(module, "__file__", None) or "" for module in list(sys.modules.values()))}
    files = {Path(os.path.realpath(name)) for name in names if os.path.isabs(name)}
    files -= {Path(os.path.realpath(path)) for path in known}
    return sorted(path for path in files if path.is_file() and not _elsewhere(path))


def hashes(files: Iterable[Path], place: Path) -> dict[str, str]:
    """Return the hashes of files by their names as seen from a folder."""
    return {Path(os.path.relpath(path, os.path.realpath(place))).as_posix(): _hash(path) for path in files}


def changed(before: Mapping[str, str], place: Path) -> list[str]:
    """Return which of those files, as seen from the same folder, are not what they were."""
    here = Path(os.path.realpath(place))
    return [name for name, value in before.items() if _hash(here / name) != value]


def _hash(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    except OSError:
        return GONE


def _elsewhere(path: Path) -> bool:
    """Say whether something else stands for a file: the hash of the package's sources, or versions."""
    return any(part in INSTALLED for part in path.parts) or any(path.is_relative_to(root) for root in _roots())


@cache
def _roots() -> tuple[Path, ...]:
    kinds = ("stdlib", "platstdlib", "purelib", "platlib")
    found = [sysconfig.get_path(kind) for kind in kinds] + [*site.getsitepackages(), site.getusersitepackages()]
    return (PACKAGE, *sorted({Path(os.path.realpath(one)) for one in found}))
