"""A room's register is its folder: the members are what its files define that keeps the room's contract.

A member is a public class that keeps the contract and can be made, or a public function annotated to return one. Names on
the command line and in problem files are those of the class or function in lower case with hyphens. Adding a member is
adding a file; nothing else lists it.
"""

from __future__ import annotations

import difflib
import importlib
import inspect
import pkgutil
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any

NO_MEMBERS = {"contract", "laws"}
"""files of a room that hold no members"""


class Register[Member](Mapping[str, Callable[..., Member]]):
    """What makes the members of the room `package`, by name; files are imported when the register is first read.

    `contract` is the class or Protocol that members keep, `what` the singular noun for messages.
    """

    def __init__(self, package: str, contract: type[Member], what: str) -> None:
        self.package, self.contract, self.what = package, contract, what

    @cached_property
    def _members(self) -> dict[str, Callable[..., Member]]:
        found = (member for module in modules(self.package) for member in self._in(module))
        return {spoken(member.__name__): member for member in found}

    def _in(self, module: ModuleType) -> Iterator[Any]:
        for name, member in vars(module).items():
            if (
                name[0] != "_"
                and getattr(member, "__module__", None) == module.__name__
                and self._keeps(member, module)
            ):
                yield member

    def _keeps(self, member: Any, module: ModuleType) -> bool:
        if inspect.isclass(member):
            return not getattr(member, "_is_protocol", False) and not inspect.isabstract(member) and self._is(member)
        if not inspect.isfunction(member):
            return False
        made = vars(module).get(str(member.__annotations__.get("return")))  # annotations are strings
        return inspect.isclass(made) and self._is(made)

    def _is(self, made: type) -> bool:
        return issubclass(made, self.contract)

    def __getitem__(self, name: str) -> Callable[..., Member]:
        if name in self._members:
            return self._members[name]
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._members)

    def __len__(self) -> int:
        return len(self._members)

    def named(self, name: Any) -> Callable[..., Member]:
        """Return what makes the member of this name. Raises ValueError that says the nearest names."""
        if name in self._members:
            return self._members[name]
        near = difflib.get_close_matches(str(name), self._members, 1, 0.4)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(sorted(self._members))}"
        raise ValueError(f"unknown {self.what} {name!r}; {hint}")

    @property
    def public(self) -> list[str]:
        """The Python names of the members, sorted."""
        return sorted(member.__name__ for member in self._members.values())


def modules(package: str) -> Iterator[ModuleType]:
    """Import and yield the files of a room that may hold members, in order of their names."""
    folder = importlib.import_module(package).__path__
    for entry in pkgutil.iter_modules(folder):
        if entry.name[0] != "_" and entry.name not in NO_MEMBERS:
            yield importlib.import_module(f"{package}.{entry.name}")


def opened(package: str) -> Callable[[str], Any]:
    """Return the `__getattr__` of a room: whatever its files define or are called, imported when it is asked for."""

    def find(name: str) -> Any:
        folder = Path(str(importlib.import_module(package).__path__[0]))
        if name[0] != "_":
            if (folder / name).is_dir() or (folder / f"{name}.py").is_file():
                return importlib.import_module(f"{package}.{name}")
            for path in defining(folder, name):
                inner = ".".join(path.relative_to(folder).with_suffix("").parts).removesuffix(".__init__")
                return getattr(importlib.import_module(f"{package}.{inner}"), name)
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    return find


def defining(folder: Path, name: str) -> Iterator[Path]:
    """Yield the files below a folder whose top level defines a class or function of this name; nothing is imported."""
    line = re.compile(rf"^(?:class|def) {re.escape(name)}\b", re.MULTILINE)
    for path in sorted(folder.rglob("*.py")):
        private = any(part[0] == "_" for part in path.relative_to(folder).parts if part != "__init__.py")
        if not private and line.search(path.read_text(encoding="utf-8")):
            yield path


def spoken(name: str) -> str:
    """Return a Python name as it is written on the command line.

    >>> spoken("VariancePreserving"), spoken("four_blobs"), spoken("SSPRK43"), spoken("TRBDF2")
    ('variance-preserving', 'four-blobs', 'ssprk43', 'trbdf2')
    """
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z][a-z])", "-", name).replace("_", "-").lower()
