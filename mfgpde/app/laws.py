"""Somebody's own member of a room, held to the room's laws: `mfgpde laws file.py:name`."""

from __future__ import annotations

import difflib
import importlib
import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from mfgpde.core.laws import Kind, Outcome, examine, examples
from mfgpde.core.modules import load_module


@dataclass(frozen=True)
class Trial:
    """What the laws of a kind said of members, each with its description."""

    kind: str
    outcomes: Sequence[tuple[str, Sequence[Outcome]]]

    @property
    def kept(self) -> bool:
        """Whether every member keeps every law."""
        return all(outcome.kept for _, outcomes in self.outcomes for outcome in outcomes)


def examined(source: str, kind: str | None = None) -> Trial:
    """Return what the laws say of `file.py:name` or `module:name`: a class, a function that makes members, or a member.

    A class or a function is tried with its defaults and others, or with what `examples()` in its file yields.
    Raises ValueError for a name that there is not, an unknown kind, or a member that keeps no contract; TypeError for one
    that needs arguments and has no examples.
    """
    known = kinds()
    if kind is not None and kind not in known:
        raise ValueError(f"unknown kind {kind!r}; {_near(kind, known)}")
    found = named(source)
    members = [found] if _is_member(found, kind) else made(found, source)
    if not members:
        raise ValueError(f"examples() in the file of {source} yields none")
    chosen = kind or _kind(members[0], source, known)
    wrong = next((one for one in members if not isinstance(one, known[chosen].contract)), None)
    if wrong is not None:
        raise ValueError(f"{wrong!r} is no {chosen}: {_lacks(wrong, known[chosen].contract)}")
    return Trial(chosen, [(described(one), examine(one, known[chosen].laws)) for one in members])


def kinds() -> dict[str, Kind[object]]:
    """Return the kinds that rooms have laws for, by name; where several speak of one kind, all their laws."""
    found: dict[str, Kind[object]] = {}
    for path in sorted(Path(__file__).parents[1].glob("*/laws.py")):
        if path.parent.name not in ("app", "core"):
            for name, kind in importlib.import_module(f"mfgpde.{path.parent.name}.laws").KINDS.items():
                others = found[name].laws if name in found else ()
                found[name] = Kind(kind.contract, (*others, *kind.laws))
    return found


def named(source: str) -> object:
    """Return what `file.py:name` or `module:name` names. Raises ValueError with the nearest names."""
    place, _, name = source.rpartition(":")
    if not place:
        raise ValueError(f"give file.py:name or module:name, got {source!r}")
    public = {key: value for key, value in vars(_module(place)).items() if key[0] != "_"}
    if name not in public:
        raise ValueError(f"{place} has no {name!r}; {_near(name, public)}")
    return public[name]


def made(make: object, source: str) -> list[object]:
    """Return the members that a class or function makes. Raises ValueError if its own code fails."""
    if not callable(make):
        raise ValueError(f"{source} is {make!r}, which makes no members")
    try:
        return list(examples(make))
    except TypeError:
        raise
    except Exception as problem:  # whatever somebody's code does
        raise ValueError(f"{source} cannot be made: {type(problem).__name__}: {problem}") from problem


def described(member: object) -> str:
    """Return a member's description on one line."""
    words = " ".join(repr(member).split())
    return words if len(words) <= 120 else words[:117] + "…"


def _module(place: str) -> ModuleType:
    try:
        if not place.endswith(".py"):
            return importlib.import_module(place)
        if not Path(place).is_file():
            raise ValueError(f"there is no file {place}")
        return load_module(Path(place))
    except ValueError:
        raise
    except Exception as problem:  # whatever somebody's code does
        raise ValueError(f"cannot import {place}: {type(problem).__name__}: {problem}") from problem


def _is_member(found: object, kind: str | None) -> bool:
    """Say whether what was named is a member itself: an instance, or a score that is a function of x and t."""
    if inspect.isclass(found):
        return False
    if not inspect.isfunction(found) or kind == "score":
        return True
    needed = [p for p in inspect.signature(found).parameters.values() if p.default is p.empty]
    return kind is None and [p.name for p in needed] == ["x", "t"]


def _kind(member: object, source: str, known: dict[str, Kind[object]]) -> str:
    """Return the kind whose contract the member keeps; of several the one that asks for most."""
    kept = [name for name, kind in known.items() if isinstance(member, kind.contract)]
    if kept:
        return max(kept, key=lambda name: len(_asked(known[name].contract)))
    share = {
        name: len(_missing(member, kind.contract)) / len(_asked(kind.contract))
        for name, kind in known.items()
        if _asked(kind.contract)
    }
    name = min(share, key=lambda name: share[name])
    raise ValueError(
        f"{source} keeps no contract; say --kind ({', '.join(known)}). Nearest is {name}: "
        f"{_lacks(member, known[name].contract)}"
    )


def _asked(contract: type) -> list[str]:
    return [name for name in dir(contract) if name[0] != "_"]


def _missing(member: object, contract: type) -> list[str]:
    return [name for name in _asked(contract) if name not in dir(member)]


def _lacks(member: object, contract: type) -> str:
    missing = _missing(member, contract)
    if missing:
        return f"it has no {', '.join(missing)}"
    return f"it must be a subclass of {contract.__module__.removesuffix('.contract')}.{contract.__name__}"


def _near(name: str, names: dict[str, object] | dict[str, Kind[object]]) -> str:
    near = difflib.get_close_matches(name, names, 1, 0.4)
    return f"did you mean {near[0]!r}?" if near else f"there are {', '.join(sorted(names)) or 'none'}"
