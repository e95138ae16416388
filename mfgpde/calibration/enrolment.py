"""Which public functions, methods, properties and fields give a number with a bar, a bracket or an interval.

They are read off what is annotated, as Python resolves it: quoted, under an alias, in a sequence, a mapping or a tuple, or
held by the fields and properties of what is returned. Where annotations say no more than numbers, the first paragraph of
the documentation tells a bound.
"""

from __future__ import annotations

import builtins
import collections.abc
import importlib
import inspect
import re
import typing
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any, TypeAliasType

import numpy as np

from mfgpde.core.arrays import Array
from mfgpde.core.estimate import Estimate
from mfgpde.core.rectangles import Rectangle
from mfgpde.core.taylor import Jet

APART = {"calibration", "app", "report"}
"""rooms that give no numbers of their own"""
DRAWN = {"contract", "laws"}
"""files that hold what others promise"""
BARS = {Estimate, Jet, Rectangle}
INTERVALS = {"Ball"}
"""aliases of what another library calls an interval"""
ENDS = {"lower", "upper"}, {"least", "most"}, {"value", "half_width"}, {"value", "error"}, {"value", "bar"}
"""names of two numbers that are a bracket"""
SIZES = {float, Array, np.ndarray}
SAID = re.compile(r"\b(bounds?|does not exceed|intervals?|brackets?|(may be|is) off)\b")


class Enrolment:
    """All public numbers with a bar of some modules, by the name under which their room has them.

    >>> from mfgpde.calibration.enrolment import Enrolment, everywhere
    >>> found = Enrolment(everywhere()).found
    >>> [name for name in ("solvers.error_bound", "diagnostics.Entry", "solvers.solve_with_error") if name in found]
    ['solvers.error_bound', 'solvers.solve_with_error']
    """

    def __init__(self, modules: Mapping[str, ModuleType]) -> None:
        self.modules = modules
        self._world: dict[str, Any] = {}
        for place in (builtins, collections.abc, typing):
            self._world |= {name: one for name, one in vars(place).items() if name[0] != "_"}
        for module in modules.values():
            self._world |= {name: one for name, one in vars(module).items() if _at_home(one, module) and name[0] != "_"}
        self.unsaid: list[str] = []
        """public functions without an annotation, or with one that Python does not resolve"""
        self.annotated = [one for module in modules.values() for one in self._numbers(module)]

    @cached_property
    def found(self) -> dict[str, str]:
        """Every number with a bar, and by what it is told: the type that holds it, a pair of numbers, or words."""
        holders = self._holders()
        reasons = {}
        for number in self.annotated:
            why = _bar(number.annotation, holders) or _pair(number.annotation) or number.words()
            if why:
                reasons[number.name] = why
        return reasons

    def _holders(self) -> set[Any]:
        """Return the classes whose fields or properties are bars, or those of what they hold, or whose methods give one."""
        held = set(BARS)
        members: dict[type, list[Number]] = {}
        for number in self.annotated:
            if number.owner is not None and (number.is_data or _bar(number.annotation, {Estimate})):
                members.setdefault(number.owner, []).append(number)
        held |= {owner for owner, own in members.items() if any(_ends(own, names) for names in ENDS)}
        while True:
            more = {owner for owner, own in members.items() if any(_bar(one.annotation, held) for one in own)} - held
            if not more:
                return held
            held |= more

    def _numbers(self, module: ModuleType) -> Iterator[Number]:
        room = module.__name__.split(".")[1]
        for name, one in vars(module).items():
            if name[0] == "_" or not _at_home(one, module):
                continue
            if inspect.isclass(one):
                yield from self._members(one, module, f"{room}.{name}")
            elif inspect.isfunction(inspect.unwrap(one)):
                yield from self._returned(inspect.unwrap(one), module, f"{room}.{name}", None)

    def _members(self, owner: type, module: ModuleType, before: str) -> Iterator[Number]:
        for name, one in vars(owner).items():
            if name[0] == "_":
                continue
            if isinstance(one, property | cached_property):
                function: Any = one.fget if isinstance(one, property) else one.func
                yield from self._returned(function, module, f"{before}.{name}", owner, True)
            elif isinstance(one, classmethod | staticmethod | FunctionType):
                function = one if isinstance(one, FunctionType) else one.__func__
                yield from self._returned(inspect.unwrap(function), module, f"{before}.{name}", owner)
        for name, annotation in self._resolved(owner, module, before).items():
            if name[0] != "_":
                yield Number(f"{before}.{name}", annotation, owner, True, "")

    def _returned(
        self, function: Any, module: ModuleType, name: str, owner: type | None, is_data: bool = False
    ) -> Iterator[Number]:
        said = self._resolved(function, module, name)
        if "return" in said:
            yield Number(name, said["return"], owner, is_data, inspect.getdoc(function) or "")
        elif name not in self.unsaid:
            self.unsaid.append(name)

    def _resolved(self, one: Any, module: ModuleType, name: str) -> dict[str, Any]:
        """Return annotations as types, also of names that a module imports for its checker alone."""
        given: Mapping[str, Any] = vars(one).get("__annotations__", {}) if inspect.isclass(one) else one.__annotations__
        within = {**self._world, **_absent(module), **vars(module), **self._kinds(one)}
        found = {}
        for label, annotation in given.items():
            if not inspect.isclass(one) and label != "return":
                continue
            try:
                while isinstance(annotation, str):
                    annotation = eval(annotation, within)  # what the package's own files say
                found[label] = annotation
            except (NameError, AttributeError, TypeError) as problem:
                self.unsaid.append(f"{name}: {problem}")
        return found

    def _kinds(self, one: Any) -> dict[str, Any]:
        """Return the parameters of a generic function, and of the class that it is in."""
        owner = self._world.get(one.__qualname__.partition(".")[0])
        both = (*getattr(owner, "__type_params__", ()), *getattr(one, "__type_params__", ()))
        return {kind.__name__: kind for kind in both}


class Number:
    """What one function, method, property or field of a class is annotated to give."""

    def __init__(self, name: str, annotation: Any, owner: type | None, is_data: bool, documentation: str) -> None:
        self.name, self.annotation, self.owner, self.is_data = name, annotation, owner, is_data
        self.documentation = documentation

    def words(self) -> str:
        """Return the word by which a plain number is said to be a bound, if one is."""
        plain = any(part in SIZES or part == Array for part in parts(self.annotation, through_calls=False))
        told = SAID.search(self.documentation.split("\n\n")[0].split(";")[0]) if plain else None
        return f"says {told[0]!r}" if told else ""


def everywhere() -> dict[str, ModuleType]:
    """Return the modules of the package that give numbers, those left out whose libraries are not here."""
    root = Path(importlib.import_module("mfgpde").__path__[0])
    found = {}
    for path in sorted(root.rglob("*.py")):
        steps = path.relative_to(root).with_suffix("").parts
        if len(steps) < 2 or steps[0] in APART or steps[-1] in {*DRAWN, "__init__"}:
            continue
        name = ".".join(("mfgpde", *steps))
        try:
            found[name] = importlib.import_module(name)
        except ImportError:  # an optional library is not here
            continue
    return found


def parts(annotation: Any, through_calls: bool = True) -> Iterator[Any]:
    """Yield a type and all that it is made of: members of unions and containers, meanings of aliases, what calls return.

    >>> from mfgpde.calibration.enrolment import parts
    >>> len(list(parts(dict[str, list[bool] | None])))  # the whole, a text, the union, a list, true or false, nothing
    6
    """
    yield annotation
    if isinstance(annotation, TypeAliasType):
        if annotation.__name__ not in RECURSIVE:
            yield from parts(annotation.__value__, through_calls)
        return
    inner = typing.get_args(annotation)
    if typing.get_origin(annotation) is collections.abc.Callable:
        inner = inner[-1:] if through_calls else ()
    for one in inner:
        if not isinstance(one, str | int | float | list):
            yield from parts(one, through_calls)


RECURSIVE = {"Plain"}


def _absent(module: ModuleType) -> dict[str, Any]:
    """Return libraries that a module imports for its checker alone, under the name it gives them."""
    found: dict[str, Any] = {}
    text = Path(str(module.__file__)).read_text(encoding="utf-8")
    for name in re.findall(r"^    import (\w+)", text, re.MULTILINE):
        try:
            found[name] = importlib.import_module(name)
        except ImportError:
            found[name] = _Nothing()
    return found


class _Nothing:
    """A library that is not here: whatever is asked of it holds no bar."""

    def __getattr__(self, name: str) -> Any:
        return Any


def _at_home(one: Any, module: ModuleType) -> bool:
    return getattr(one, "__module__", None) == module.__name__


def _bar(annotation: Any, holders: set[Any]) -> str:
    for part in parts(annotation):
        named = part.__name__ if isinstance(part, TypeAliasType) else ""
        kept = typing.get_origin(part) or part
        if named in INTERVALS or (isinstance(kept, type) and kept in holders):
            return named or kept.__name__
    return ""


def _pair(annotation: Any) -> str:
    """Return two numbers, or two arrays, as text."""
    for part in parts(annotation):
        inner = typing.get_args(part)
        if typing.get_origin(part) is tuple and sum(one in (float, Array) for one in inner) > 1:
            return "a pair of numbers"
    return ""


def _ends(own: list[Number], names: set[str]) -> bool:
    found = {one.name.rpartition(".")[2]: set(parts(one.annotation)) for one in own}
    return names <= found.keys() and all(float in found[name] for name in names)
