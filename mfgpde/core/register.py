"""A room's register is its folder: the members are what its files define that keeps the room's contract.

A member is a public class that keeps the contract and can be made, or a public function annotated to return one. Names on
the command line and in problem files are those of the class or function in lower case with hyphens. Adding a member is
adding a file; nothing else lists it.
"""

from __future__ import annotations

import difflib
import importlib
import inspect
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any

from mfgpde.core.ability import members
from mfgpde.core.optional import is_own, told

NO_MEMBERS = {"contract", "laws"}
"""files of a room that hold no members"""


class Register[Member](Mapping[str, Callable[..., Member]]):
    """What makes the members of the room `package`, by name; a file is imported when a member of it is asked for.

    `contract` is the class or Protocol that members keep, `what` the singular noun for messages, `former` present
    names by those of one release ago.

    >>> from mfgpde.processes import PROCESSES
    >>> PROCESSES.named("brownian")(scale=2.0)
    Brownian(scale=2.0, horizon=1.0)
    >>> PROCESSES.named("brownean")
    Traceback (most recent call last):
    ValueError: unknown process 'brownean'; did you mean 'brownian'?
    """

    def __init__(
        self, package: str, contract: type[Member], what: str, former: Mapping[str, str] | None = None
    ) -> None:
        self.package, self.contract, self.what, self.former = package, contract, what, former or {}

    @cached_property
    def _places(self) -> dict[str, list[str]]:
        """Return for every name on the top level of a file, as it is spoken, the modules that define it."""
        found: dict[str, list[str]] = {}
        for module, path in files(self.package):
            if module.rpartition(".")[2] not in NO_MEMBERS:
                for match in DEFINITION.finditer(path.read_text(encoding="utf-8")):
                    found.setdefault(spoken(match[1]), []).append(module)
        return found

    def _make(self, name: str) -> Callable[..., Member] | None:
        """Return what makes the member of this name. Raises ImportError where its file needs what is not installed."""
        for place in self._places.get(name, []):
            with told():
                module = importlib.import_module(place)
            for label, one in vars(module).items():
                if spoken(label) == name and getattr(one, "__module__", None) == place and self._keeps(one, module):
                    return one
        return None

    def _keeps(self, member: Any, module: ModuleType) -> bool:
        if inspect.isclass(member):
            return not _is_protocol(member) and not inspect.isabstract(member) and self._is(member)
        if not inspect.isfunction(member):
            return False
        made = vars(module).get(str(member.__annotations__.get("return")))  # annotations are strings
        return (
            inspect.isclass(made) and not _is_protocol(made) and self._is(made)
        )  # what may return any reads or adapts

    def _is(self, made: type) -> bool:
        asked = members(self.contract)
        if asked is None:
            return issubclass(made, self.contract)
        has = {*dir(made), *getattr(made, "__dataclass_fields__", ())}  # fields without a default are no attributes
        return asked <= has

    def __getitem__(self, name: str) -> Callable[..., Member]:
        found = self._make(name)
        if found is None:
            raise KeyError(name)
        return found

    def __iter__(self) -> Iterator[str]:
        return (name for name in self._places if self._available(name))

    def _available(self, name: str) -> bool:
        try:
            return self._make(name) is not None
        except ImportError as problem:  # an optional library is not here
            if is_own(problem):
                raise
            return False

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def absent(self) -> dict[str, str]:
        """Return the files whose members need what is not installed, by name, with the words that say so."""
        found = {}
        for module, _ in files(self.package):
            try:
                with told():
                    importlib.import_module(module)
            except ImportError as problem:
                if is_own(problem):
                    raise
                found[module.rpartition(".")[2]] = str(problem)
        return found

    def named(self, name: Any) -> Callable[..., Member]:
        """Return what makes the member of this name. Raises ValueError that says the nearest names, or what is missing."""
        if not isinstance(name, str):
            raise ValueError(f"the {self.what} is named by a text, got {name!r}; {nearest(str(name), list(self))}")
        try:
            found = self._make(name)
        except ImportError as problem:
            raise ValueError(f"{self.what} {name!r}: {problem}") from problem
        if found is not None:
            return found
        if name in self.former:
            raise ValueError(f"the {self.what} {name!r} is now called {self.former[name]!r}")
        raise ValueError(f"unknown {self.what} {name!r}; {nearest(name, list(self))}")


DEFINITION = re.compile(r"^(?:class|def) ([A-Za-z]\w*)", re.MULTILINE)


def nearest(name: str, known: list[str]) -> str:
    """Return the second half of a complaint: the known name that is nearest, or all of them."""
    near = difflib.get_close_matches(name, known, 1, 0.4)
    return f"did you mean {near[0]!r}?" if near else f"there are {', '.join(sorted(known))}"


def files(package: str) -> Iterator[tuple[str, Path]]:
    """Yield module names and paths of the public files of a package and of the packages in it; nothing is imported."""
    root = Path(str(importlib.import_module(package).__path__[0]))
    for path in sorted(root.rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        parts = parts[:-1] if parts[-1] == "__init__" else parts
        if parts and not any(part[0] == "_" for part in parts):
            yield ".".join((package, *parts)), path


def opened(package: str, **formerly: str) -> Callable[[str], Any]:
    """Return the `__getattr__` of a room: whatever its files define or are called, imported when it is asked for.

    What a file defines under its own name is what the room calls so: the file itself is reached by importing it.
    `formerly` says present names by former ones, for which an AttributeError does.
    """
    sys.modules[package].__class__ = Room

    def find(name: str) -> Any:
        if name in formerly:
            raise AttributeError(f"{package}.{name} is now called {formerly[name]!r}")
        if name[0] != "_":
            for module, path in files(package):
                if module == f"{package}.{name}" or defines(path, name):
                    with told():
                        found = importlib.import_module(module)
                    return getattr(found, name) if defines(path, name) else found
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    return find


class Room(ModuleType):
    """A package whose files may be called like what they define: the name is that of the latter."""

    def __setattr__(self, name: str, value: object) -> None:
        """Bind what an imported file defines under its own name in the place of the file."""
        own = isinstance(value, ModuleType) and value.__name__ == f"{self.__name__}.{name}"
        ModuleType.__setattr__(self, name, vars(value).get(name, value) if own else value)


def defines(path: Path, name: str) -> bool:
    """Say whether the top level of a file defines a class or function of this name."""
    return any(match[1] == name for match in DEFINITION.finditer(path.read_text(encoding="utf-8")))


def spoken(name: str) -> str:
    """Return a Python name as it is written on the command line.

    >>> spoken("VariancePreserving"), spoken("four_blobs"), spoken("SSPRK43"), spoken("McKeanVlasov")
    ('variance-preserving', 'four-blobs', 'ssprk43', 'mckean-vlasov')
    """
    return re.sub(r"(?<=[a-z0-9])(?<!\AMc)(?=[A-Z][a-z])", "-", name).replace("_", "-").lower()


def _is_protocol(kind: type) -> bool:
    return bool(vars(kind).get("_is_protocol", False))
