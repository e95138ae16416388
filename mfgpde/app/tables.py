"""From a table {name, arguments…} to a member of a room: registers say what there is, annotations what arguments are."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from mfgpde.core.register import Register, nearest
from mfgpde.densities import DENSITIES
from mfgpde.games import LANDSCAPES
from mfgpde.processes import PROCESSES

Table = Mapping[str, Any]
ROOMS: dict[str, Register[Any]] = {
    "ForwardProcess": PROCESSES,
    "LinearProcess": PROCESSES,
    "IsotropicProcess": PROCESSES,
    "Density": DENSITIES,
    "Propagated": DENSITIES,
    "GaussianMixture": DENSITIES,
    "Callable[[Array], Array]": LANDSCAPES,
    "Landscape": LANDSCAPES,
}
"""what an argument annotated so may be, when a table stands for it"""


def member(register: Register[Any], table: object) -> Any:
    """Return what a table stands for; arguments that are tables with a name are members of the rooms in their annotations.

    Raises ValueError that names what is unknown or does not fit, and what would do.
    """
    if not isinstance(table, Mapping) or "name" not in table:
        raise ValueError(f"a {register.what} reads {{name = …, …}}, got {table!r}; {nearest('', list(register))}")
    rest = {key: value for key, value in table.items() if key != "name"}
    return called(register.named(table["name"]), rest, f"{register.what} {table['name']!r}")


def called(make: Callable[..., Any], arguments: Table, what: str) -> Any:
    """Call with keywords; an unknown or missing one is named together with those expected.

    >>> from mfgpde.processes import Cosine
    >>> called(Cosine, {"horizn": 2.0}, "process 'cosine'")
    Traceback (most recent call last):
    ValueError: process 'cosine' does not take 'horizn'; did you mean 'horizon'? It takes offset, horizon
    """
    parameters = inspect.signature(make).parameters
    if all(one.kind is not one.VAR_KEYWORD for one in parameters.values()):
        only(arguments, parameters, what)
    try:
        inspect.signature(make).bind(**arguments)
    except TypeError as problem:
        raise ValueError(f"{what}: {problem}; it takes {', '.join(parameters)}") from problem
    read = {key: _argument(parameters[key].annotation, value) for key, value in arguments.items()}
    try:
        return make(**read)
    except TypeError as problem:
        raise ValueError(f"{what} cannot be made of {_shown(arguments)}: {problem}") from problem


def only(given: Iterable[str], known: Iterable[str], what: str) -> None:
    """Raise ValueError for the first name that is not known; it names the nearest one and all."""
    known = list(known)
    for key in given:
        if key not in known:
            near = difflib.get_close_matches(key, known, 1)
            hint = f"; did you mean {near[0]!r}? It takes" if near else "; it takes"
            raise ValueError(f"{what} does not take {key!r}{hint} {', '.join(known) or 'no arguments'}")


def _shown(arguments: Table) -> str:
    """Return arguments as they were given, formulas and members of rooms by their names alone."""
    plain = str | int | float | list | tuple
    return ", ".join(f"{key} = {value!r:.60}" if isinstance(value, plain) else key for key, value in arguments.items())


def _argument(annotation: object, value: Any) -> Any:
    if isinstance(value, Mapping) and "name" in value:
        for one in str(annotation).split(" | "):
            if one in ROOMS:
                return member(ROOMS[one], value)
    return value


def one_of(name: object, known: list[str], complaint: str) -> str:
    """Return the name if it is known; ValueError names the nearest one."""
    if name not in known:
        raise ValueError(f"{complaint} {name!r}; {nearest(str(name), known)}")
    return str(name)
