"""Code from files that somebody named, and the folders that come with the package: nothing else is executed."""

from __future__ import annotations

import hashlib
import importlib.util
import sys
import tomllib
from pathlib import Path
from types import ModuleType


def load_module(path: Path) -> ModuleType:
    """Import one file by its path, under a name of its own: numpy.py is nobody's numpy.

    Raises whatever the file raises.

    >>> from pathlib import Path
    >>> from mfgpde.core.modules import load_module
    >>> load_module(Path(mfg.__file__).parent / "core" / "digits.py").digits(0.25)
    '0.25'
    """
    name = "mfgpde_file_" + hashlib.sha1(str(path.resolve()).encode()).hexdigest()[:12]
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None, path
    assert spec.loader is not None, path
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses defined in the file look themselves up there
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def checkout(package: Path) -> Path | None:
    """Return the folder of the project that the package runs from, or nothing where it is installed elsewhere."""
    try:
        project = tomllib.loads((package.parent / "pyproject.toml").read_text(encoding="utf-8")).get("project")
    except (OSError, ValueError):
        return None
    return package.parent if isinstance(project, dict) and project.get("name") == package.name else None


def shipped(package: Path, name: str) -> Path:
    """Return where what comes with the package lies: in its own checkout, else inside it; never beside it elsewhere."""
    return (checkout(package) or package / "shipped") / name
