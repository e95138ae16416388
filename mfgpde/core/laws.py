"""Laws: what every member of a room must satisfy, as checks with numbers, for the shipped ones and for anybody's own."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from mfgpde.core.arrays import Array

RESOLVED = 1e-2
"""the largest share of a quantity's size that a bound may be: what is known no better is itself a violation"""


@dataclass(frozen=True)
class Check:
    """One comparison: by how much a law is violated at one place, and the largest violation that rounding explains."""

    case: str
    """where: time, point, parameters"""
    violation: float
    bound: float
    """with its reason in the law's docstring"""

    @property
    def kept(self) -> bool:
        """Whether the law holds here; what is not a number keeps no law."""
        return bool(self.violation <= self.bound)


def agree(
    case: str, got: object, want: object, error: float = 0.0, *, size: float = 0.0, roundings: float = 64.0
) -> Check:
    """Return the check that two arrays are equal, both numbers in units of the size of what is compared.

    The bound is the `error` that `want` is known to have, and `roundings` of the size: the largest entry of either, or
    `size` where larger terms cancel in them. Raises ValueError if the shapes differ.
    """
    a, b = np.asarray(got, dtype=float), np.asarray(want, dtype=float)
    if a.shape != b.shape:
        raise ValueError(f"{case}: shape {a.shape} where {b.shape} is expected")
    whole = max(float(np.abs(a).max(initial=0.0)), float(np.abs(b).max(initial=0.0)), size)
    if not whole > 0:
        return Check(case, whole, 0.0)  # all are zero, or not a number
    allowed = error / whole + roundings * float(np.finfo(float).eps)
    return Check(case, float(np.abs(a - b).max(initial=0.0)) / whole, min(allowed, RESOLVED))


def small(case: str, value: float, bound: float) -> Check:
    """Return the check that a number without a unit is at most `bound`."""
    return Check(case, float(value), bound)


def refuses(case: str, attempt: Callable[[], object]) -> Check:
    """Return the check that something raises ValueError: violated by one if it does not."""
    try:
        attempt()
    except ValueError:
        return Check(case, 0.0, 0.0)
    return Check(case, 1.0, 0.0)


def pointwise(case: str, function: Callable[[Array], object], x: Array, roundings: float = 64.0) -> Iterator[Check]:
    """Yield the checks that a function of points (..., d) takes twelve of them (12, d) in any shape.

    In shape (3, 4, d), one by one, and as one point of shape (d,), whose scalar has shape (). The same to `roundings` of
    the largest: sums may be taken in another order.
    """
    whole = np.asarray(function(x), dtype=float)
    yield agree(
        f"{case} on (3, 4, d)",
        function(x.reshape(3, 4, -1)),
        whole.reshape(3, 4, *whole.shape[1:]),
        roundings=roundings,
    )
    yield agree(
        f"{case} one by one",
        np.concatenate([np.asarray(function(x[i : i + 1])) for i in range(12)]),
        whole,
        roundings=roundings,
    )
    yield agree(f"{case} on (d,)", function(x[5]), whole[5], roundings=roundings)


def numbers(array: Array) -> bool:
    """Say whether all entries are finite."""
    return bool(np.isfinite(array).all())


type Law[Member] = Callable[[Member, np.random.Generator], Iterable[Check]]
"""A function of a member that yields checks; its docstring's first line states the law, its name names it."""


@dataclass(frozen=True)
class Kind[Member]:
    """A kind of member: the contract by which it is known, and its laws. A room's `laws.KINDS` names its kinds."""

    contract: type[Member]
    laws: Sequence[Law[Member]]


@dataclass(frozen=True)
class Outcome:
    """What a law said of a member: its name and sentence, every check, or what went wrong while it looked."""

    law: str
    sentence: str
    checks: tuple[Check, ...]
    trouble: str = ""

    @property
    def kept(self) -> bool:
        """Whether every check held and nothing went wrong; a law that checked nothing says nothing, and holds."""
        return not self.trouble and all(check.kept for check in self.checks)

    @property
    def worst(self) -> Check | None:
        """The check that is farthest beyond its bound, or nearest to it."""
        return max(self.checks, key=_excess, default=None)


def examine[Member](member: Member, laws: Sequence[Law[Member]], seed: int = 0) -> list[Outcome]:
    """Return what each law says of a member; an exception is an outcome that does not hold."""
    found = []
    for law in laws:
        sentence = (inspect.getdoc(law) or "").split("\n")[0]
        checks: list[Check] = []
        try:
            checks += law(member, np.random.default_rng(seed))
            found.append(Outcome(law.__name__, sentence, tuple(checks)))
        except Exception as problem:  # whatever somebody's member does
            found.append(Outcome(law.__name__, sentence, tuple(checks), f"{type(problem).__name__}: {problem}"))
    return found


def examples[Member](make: Callable[..., Member]) -> Iterator[Member]:
    """Yield members to hold the laws to.

    Of a class, those of its kind that its file's `examples()` yields, if any; of what needs no arguments, the defaults and
    two more in which every float with a default is multiplied by 1.7 and 0.6, the horizon 2.7 times that, and every count
    is one and two more; of a function that needs arguments, what its file yields of the kind it returns.
    Raises TypeError for a member that needs arguments and whose file has no `examples()`.
    """
    module = sys.modules.get(make.__module__)
    written = module is not None and inspect.isfunction(vars(module).get("examples"))
    given: list[Member] = list(vars(module)["examples"]()) if module is not None and written else []
    needed = [p.name for p in _parameters(make) if p.default is p.empty]
    if inspect.isclass(make):
        given = [one for one in given if isinstance(one, make)]
    elif not needed:
        given = []
    elif module is not None:
        made = vars(module).get(str(make.__annotations__.get("return")))  # annotations are strings
        given = [one for one in given if not inspect.isclass(made) or isinstance(one, made)]
    if given:
        yield from given
    elif needed:
        raise TypeError(
            f"{make.__name__} needs {', '.join(needed)}: give its file a function examples() that yields some"
        )
    else:
        yield from _moved(make)


def _moved[Member](make: Callable[..., Member]) -> Iterator[Member]:
    yield make()
    numbers = {p.name: p.default for p in _parameters(make) if isinstance(p.default, float)}
    counts = {p.name: p.default for p in _parameters(make) if type(p.default) is int}
    for more, factor in enumerate((1.7, 0.6), start=1) if numbers or counts else ():
        moved = {name: factor * value for name, value in numbers.items()}
        moved |= {"horizon": 2.7 * factor} if "horizon" in moved else {}
        yield make(**moved, **{name: count + more for name, count in counts.items()})


def _parameters(make: Callable[..., object]) -> list[inspect.Parameter]:
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return [p for p in inspect.signature(make).parameters.values() if p.kind in named]


def _excess(check: Check) -> float:
    ratio = check.violation / check.bound if check.bound > 0 else check.violation
    return np.inf if np.isnan(ratio) else ratio
