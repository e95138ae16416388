"""Members in other units: which power of a unit each of a member's numbers carries, found by trying."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

TRIED = 1.7
"""the factor by which a unit is changed to see who belongs to it"""
FOUND = 1e-6
"""by how much of its size a member may be off that was made anew with the right powers; wrong ones are off by much more"""
MOST = 4
"""numbers of a member above which powers are not looked for"""


def powers[Member](
    member: Member, choices: Sequence[float], off: Callable[[Member, float], float]
) -> Iterator[dict[str, float]]:
    """Yield powers of one unit for the numbers of a dataclass with which it is the same in units `TRIED` times smaller.

    `off` says of a member that was made anew, and of a factor, by how much of its size it is another one. Few are yielded:
    one where every number matters. None where the unit is fixed by what is no number.
    """
    names = [name for name, value in numbers(member).items() if np.any(np.asarray(value) != 0)]
    for chosen in itertools.product(choices, repeat=len(names)) if 0 < len(names) <= MOST else ():
        one = dict(zip(names, chosen, strict=True))
        if not any(chosen):
            continue
        try:
            if off(remade(member, one, TRIED), TRIED) < FOUND:
                yield one
        except (ValueError, ArithmeticError):  # it refuses such numbers
            continue


def numbers(member: object) -> Mapping[str, object]:
    """Return the fields of a dataclass that are numbers with a fraction, or arrays of them."""
    if not dataclasses.is_dataclass(member) or isinstance(member, type):
        return {}
    fields = ((one.name, vars(member).get(one.name)) for one in dataclasses.fields(member) if one.init)
    return {name: value for name, value in fields if _real(value)}


def remade[Member](member: Member, powers: Mapping[str, float], factor: float) -> Member:
    """Return the member made anew, each number times a power of a factor."""
    known = numbers(member)
    changed = {name: np.asarray(known[name]) * factor**power for name, power in powers.items()}
    plain = {name: value if isinstance(known[name], np.ndarray) else float(value) for name, value in changed.items()}
    return dataclasses.replace(member, **plain)  # pyright: ignore[reportArgumentType, reportUnknownVariableType]


def _real(value: object) -> bool:
    return isinstance(value, float) or (isinstance(value, np.ndarray) and value.dtype.kind == "f")
