"""Identity of work: what decides a result as named fields, so that two settings can be compared and the difference named.

    identity(game=game, grid=grid, tolerance=1e-8)   a flat mapping from "game.initial.means" and the like to short texts
    difference(there, here)                          the fields that differ, as words; "" where nothing does
    digest(game=game, grid=grid, tolerance=1e-8)     one text of 32 hexadecimal digits for all of it; digest_of(fields) too

Fields are texts: they are kept as JSON beside what they identify, and are the same in every process and run. Numbers and
short strings are written out, 1 as 1.0 and NumPy's as Python's; the rest is a hash of
  arrays: type, shape and bytes;                       paths: the bytes of the file, or of all files of the folder;
  dataclasses: their fields;                           mappings and sequences: their members, whatever their type;
  other objects: what pickle would keep of them, without cached properties; or what their `identified()` returns;
  functions: bytecode, constants, defaults, what they close over, and the globals that they read, with the functions and
  modules that are neither installed nor ours; of those, code and names alone.
Not seen: what a function reads from disk, clocks and generators by itself. Bytecode changes with Python's version, which is
a field of its own where there are functions.
"""

from __future__ import annotations

import dataclasses
import dis
import enum
import functools
import hashlib
import inspect
import pickle
import sys
import sysconfig
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any, Protocol, runtime_checkable

import numpy as np

Fields = dict[str, str]
INLINE, LISTED = 8, 64  # members of a sequence that are written in one line, and that get fields of their own
INSTALLED = (*(sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")), "<frozen")
OURS = __name__.partition(".")[0]


@runtime_checkable
class Identified(Protocol):
    """What says itself by which parts its results are decided."""

    def identified(self) -> Mapping[str, Any]:
        """Return the parts by name."""
        ...


@runtime_checkable
class _Tensor(Protocol):
    """PyTorch's, which does not become an array while its slope is wanted."""

    def detach(self) -> Any: ...
    def cpu(self) -> Any: ...


def identity(**parts: Any) -> Fields:
    """Return the fields of all parts, by name; ValueError names a part that cannot be identified, as an open file.

    >>> identity(cells=(64, 64), horizon=1, law={"mean": 0.5})
    {'cells': '(64.0, 64.0)', 'horizon': '1.0', 'law.mean': '0.5'}
    """
    walk = _Walk()
    found: Fields = {}
    for name, value in parts.items():
        found.update(walk(name, value))
    if walk.code:
        found["python"] = f"{sys.version_info.major}.{sys.version_info.minor}"
    return found


def digest(**parts: Any) -> str:
    """Return one text for all parts, whatever their order; ValueError names a part that cannot be identified.

    >>> digest(cells=64, horizon=1) == digest(horizon=1.0, cells=64) != digest(cells=65, horizon=1)
    True
    """
    return digest_of(identity(**parts))


def digest_of(fields: Mapping[str, str]) -> str:
    """Return one text for fields found before."""
    return _hash(*(text for item in sorted(fields.items()) for text in item), size=16)


def difference(there: Mapping[str, str], here: Mapping[str, str], most: int = 3) -> str:
    """Return in words which fields differ, at most so many by name; an empty text if none does.

    >>> difference(identity(horizon=1.0, cells=64), identity(horizon=2.0, cells=64))
    'horizon (1.0 there, 2.0 here)'
    """
    names = [name for name in {**here, **there} if here.get(name) != there.get(name)]
    words = [f"{name}{_apart(there.get(name), here.get(name))}" for name in names[:most]]
    return ", ".join(words) + (f" and {len(names) - most} more" if len(names) > most else "")


def _apart(there: str | None, here: str | None) -> str:
    if there is None or here is None:
        return " (missing there)" if there is None else " (missing here)"
    return "" if "#" in there + here else f" ({there} there, {here} here)"


def _hash(*texts: str | bytes, size: int = 8) -> str:
    found = hashlib.blake2b(digest_size=size)
    for text in texts:
        data = text.encode() if isinstance(text, str) else text
        found.update(len(data).to_bytes(8, "little") + data)
    return found.hexdigest()


def _installed(file: str, module: str) -> bool:
    return file.startswith(INSTALLED) or module.partition(".")[0] == OURS


class _Walk:
    """Goes through parts; knows where it is, so that what contains itself ends, and whether it has met code."""

    def __init__(self) -> None:
        self.above: list[int] = []
        self.known: dict[int, tuple[Any, str]] = {}
        self.code = False

    def __call__(self, name: str, value: Any) -> Iterator[tuple[str, str]]:
        text = _scalar(value)
        if text is not None:
            yield name, text
            return
        if id(value) in self.above:
            yield name, f"#above {len(self.above) - self.above.index(id(value))}"
            return
        self.above.append(id(value))
        yield from self._compound(name, value)
        self.above.pop()

    def whole(self, value: Any) -> str:
        """Return one text for a part and all below it."""
        return "#" + _hash(*(text for item in sorted(self("", value)) for text in item))

    def _compound(self, name: str, value: Any) -> Iterator[tuple[str, str]]:
        if isinstance(value, Mapping):
            yield from self._members(name, value)
        elif isinstance(value, list | tuple):
            yield from self._sequence(name, value)
        elif isinstance(value, set | frozenset):
            yield name, "#" + _hash(*sorted(self.whole(member) for member in value))
        elif isinstance(value, Path):
            yield name, _contents(value)
        elif isinstance(value, type):
            yield name, self._class(value)
        elif isinstance(value, ModuleType):
            yield name, value.__name__
        elif isinstance(value, MethodType):
            yield from self(name, value.__func__)
            yield from self(f"{name}.self", value.__self__)
        elif isinstance(value, FunctionType):
            yield from self._function(name, value)
        elif isinstance(value, BuiltinFunctionType | np.ufunc):
            yield from self._built_in(name, value)
        else:
            yield from self._object(name, value)

    def _members(self, name: str, parts: Mapping[Any, Any]) -> Iterator[tuple[str, str]]:
        if not parts:
            yield name, "{}"
        for key, value in parts.items():
            named = isinstance(key, str)
            yield from self(f"{name}.{key}" if named else f"{name}[{_scalar(key) or self.whole(key)}]", value)

    def _sequence(self, name: str, values: list[Any] | tuple[Any, ...]) -> Iterator[tuple[str, str]]:
        texts = [_scalar(value) for value in values] if len(values) <= INLINE else [None]
        if None not in texts:
            yield name, f"({', '.join(map(str, texts))})"
        elif len(values) > LISTED:
            yield name, f"{len(values)} #" + _hash(*(self.whole(value) for value in values))
        else:
            for k, value in enumerate(values):
                yield from self(f"{name}[{k}]", value)

    def _function(self, name: str, value: FunctionType) -> Iterator[tuple[str, str]]:
        self.code = True
        yield name, f"{value.__qualname__} {self._code(value.__code__, value.__doc__)}"
        bound = [*(value.__defaults__ or ()), *(value.__kwdefaults__ or {}).items()]
        if bound:
            yield from self(f"{name}.defaults", tuple(bound))
        for free, cell in zip(value.__code__.co_freevars, value.__closure__ or (), strict=True):
            yield from self(f"{name}.{free}", _held(cell))
        if not _installed(value.__code__.co_filename, value.__module__ or ""):
            yield from self._globals(name, value)

    def _globals(self, name: str, value: FunctionType) -> Iterator[tuple[str, str]]:
        """Yield what a function reads from its module, members of modules that are the user's own included."""
        for names in sorted(set(_read(value.__code__))):
            if names[0] not in value.__globals__:
                continue
            found, path = value.__globals__[names[0]], names[:1]
            while isinstance(found, ModuleType) and not _installed(
                found.__dict__.get("__file__") or "", found.__name__
            ):
                rest = names[len(path) :]
                if not rest or rest[0] not in vars(found):
                    break
                found, path = vars(found)[rest[0]], (*path, rest[0])
            if isinstance(found, FunctionType):
                yield f"{name}.{'.'.join(path)}", self._once(found, found.__qualname__, lambda f=found: self.whole(f))
            else:
                yield from self(f"{name}.{'.'.join(path)}", found)

    def _once(self, value: Any, name: str, make: Callable[[], str]) -> str:
        """Return what `make` does, made once; by name alone where it is needed to make itself."""
        if id(value) not in self.known:
            self.known[id(value)] = value, name
            self.known[id(value)] = value, make()
        return self.known[id(value)][1]

    def _code(self, code: CodeType, doc: str | None = None) -> str:
        constants = code.co_consts[1:] if doc is not None and code.co_consts[:1] == (doc,) else code.co_consts
        parts = [self._code(c) if isinstance(c, CodeType) else self.whole(c) for c in constants]
        names = " ".join((*code.co_names, "|", *code.co_freevars))
        counts = f"{code.co_argcount} {code.co_posonlyargcount} {code.co_kwonlyargcount} {code.co_flags & 0xFF}"
        return "#" + _hash(code.co_code, code.co_exceptiontable, counts, names, *parts)

    def _class(self, kind: type) -> str:
        """Return a class by name, and by its code where it is the user's own."""
        name = f"{kind.__module__}.{kind.__qualname__}"
        module = sys.modules.get(kind.__module__)
        file = "" if module is None else module.__dict__.get("__file__") or ""
        if kind.__module__ == "builtins" or _installed(file, kind.__module__):
            return name
        own = {k: _accessors(v) for k, v in vars(kind).items() if k not in ("__dict__", "__weakref__", "__doc__")}
        own = {k: v for k, v in own.items() if isinstance(v, FunctionType | list) or _scalar(v) is not None}
        bases = [self._class(base) for base in kind.__bases__]
        return self._once(kind, name, lambda: f"{name} {self.whole({'own': own, 'bases': bases})}")

    def _built_in(self, name: str, value: Any) -> Iterator[tuple[str, str]]:
        owner = value.__self__ if isinstance(value, BuiltinFunctionType) else None
        module = value.__module__ if isinstance(value, BuiltinFunctionType) else "numpy"
        yield name, f"{module or ''}.{value.__name__}"
        if owner is not None and not isinstance(owner, ModuleType):
            yield from self(f"{name}.self", owner)

    def _object(self, name: str, value: Any) -> Iterator[tuple[str, str]]:
        inner = inspect.unwrap(value) if callable(value) and "__wrapped__" in dir(value) else value
        array = _array(value)
        if inner is not value:
            yield from self(name, inner)
        elif array is not None:
            yield from self(name, array)
        elif isinstance(value, Identified):
            yield name, f"{type(value).__module__}.{type(value).__qualname__}"
            yield from self._members(name, value.identified())
        elif dataclasses.is_dataclass(value):
            yield name, self._class(type(value))
            known = {
                f.name: value.__dict__[f.name] for f in dataclasses.fields(value) if f.init and f.name in vars(value)
            }
            yield from self._members(name, known) if known else ()
        else:
            yield from self._pickled(name, value)

    def _pickled(self, name: str, value: Any) -> Iterator[tuple[str, str]]:
        try:
            kept = value.__reduce_ex__(4)
        except (TypeError, AttributeError, NotImplementedError, pickle.PicklingError) as trouble:
            raise ValueError(
                f"{name} is a {type(value).__name__}, which has no identity ({trouble}): give what holds it a method "
                "identified() that returns the parts by which its results are decided, or do without a checkpoint"
            ) from trouble
        yield name, self._class(type(value))
        if isinstance(kept, str):
            yield f"{name}.name", kept
            return
        _, arguments, state, *items = (*kept, None, None, None)[:5]
        arguments = tuple(a for a in arguments or () if a is not type(value))
        if arguments:
            yield from self(f"{name}.arguments", arguments)
        if isinstance(state, dict):
            lazy = {k for kind in type(value).__mro__ for k, v in vars(kind).items() if _cached(v)}
            state = {k: v for k, v in state.items() if k not in lazy}
            yield from self._members(name, state) if state else ()
        elif state is not None:
            yield from self(f"{name}.state", state)
        for label, members in zip(("items", "entries"), items, strict=True):
            if members is not None:
                yield from self(f"{name}.{label}", list(members))


def _scalar(value: Any) -> str | None:
    """Return a number, text or array as a field, nothing for what has parts."""
    if isinstance(value, np.ndarray):
        return _values(value)
    if isinstance(value, enum.Enum):
        return f"{type(value).__qualname__}.{value.name}"
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, bool | None) or value is Ellipsis or isinstance(value, complex | range | slice):
        return repr(value)
    if isinstance(value, int | float):
        exact = isinstance(value, int) and abs(value) > 2**53
        return repr(value) if exact else repr(float(value))
    if isinstance(value, str):
        return repr(value) if len(value) <= 60 and "#" not in value else f"text #{_hash(value)}"
    return f"bytes #{_hash(bytes(value))}" if isinstance(value, bytes | bytearray) else None


def _values(array: np.ndarray) -> str:
    if array.dtype.hasobject:
        return f"{array.shape} #{_hash(*(_Walk().whole(value) for value in array.flat))}"
    return f"{array.dtype.str} {array.shape} #{_hash(np.ascontiguousarray(array).tobytes())}"


def _array(value: Any) -> np.ndarray | None:
    """Return what lies in an array of another library."""
    if isinstance(value, _Tensor):
        value = value.detach().cpu()
    return np.asarray(value) if "__array__" in dir(type(value)) else None


def _contents(path: Path) -> str:
    if path.is_file():
        with path.open("rb") as file:
            return f"{path.name} #{hashlib.file_digest(file, 'blake2b').hexdigest()[:16]}"
    if not path.is_dir():
        return f"{path.name}, absent"
    files = sorted(file for file in path.rglob("*") if file.is_file())
    return f"{path.name} #" + _hash(*(str(f.relative_to(path)) + _contents(f) for f in files))


def _held(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:
        return "nothing yet"


def _accessors(value: Any) -> Any:
    if isinstance(value, property | functools.cached_property):
        return [value.func if isinstance(value, functools.cached_property) else value.fget]
    return value.__func__ if isinstance(value, staticmethod | classmethod) else value


def _cached(value: Any) -> bool:
    return isinstance(value, functools.cached_property)


def _read(code: CodeType) -> Iterable[tuple[str, ...]]:
    """Yield the globals that code reads, each with the attributes taken of it at once: ("np", "linalg", "norm")."""
    names: tuple[str, ...] = ()
    for step in dis.get_instructions(code):
        if step.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
            if names:
                yield names
            names = (str(step.argval),)
        elif step.opname in ("LOAD_ATTR", "LOAD_METHOD") and names:
            names = (*names, str(step.argval))
        elif names:
            yield names
            names = ()
    if names:
        yield names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _read(constant)
