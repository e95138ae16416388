"""Laws: what every member of a room must satisfy, as checks with numbers, for the shipped ones and for anybody's own."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np


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


type Law[Member] = Callable[[Member, np.random.Generator], Iterable[Check]]
"""A function of a member that yields checks; its docstring's first line states the law, its name names it."""


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
    """Yield members to hold the laws to: those that its file's `examples()` yields, else some made from its parameters.

    Without `examples()`: the defaults, and all numbers with a default multiplied by 1.7, 0.6 and the horizon set to 2.7.
    Raises TypeError for a member that needs arguments and whose file has no `examples()`.
    """
    given = getattr(sys.modules.get(make.__module__), "examples", None)
    if given is not None:
        yield from (one for one in given() if not inspect.isclass(make) or isinstance(one, make))
        return
    parameters = inspect.signature(make).parameters.values()
    needed = [
        p.name for p in parameters if p.default is p.empty and p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)
    ]
    if needed:
        raise TypeError(
            f"{make.__name__} needs {', '.join(needed)}: give its file a function examples() that yields some"
        )
    numbers = {
        p.name: float(p.default) for p in parameters if isinstance(p.default, int | float) and p.default is not True
    }
    yield make()
    for factor in (1.7, 0.6) if numbers else ():
        moved = {name: factor * value for name, value in numbers.items()}
        yield make(**(moved | ({"horizon": 2.7 * factor} if "horizon" in moved else {})))


def _excess(check: Check) -> float:
    ratio = check.violation / check.bound if check.bound > 0 else check.violation
    return np.inf if np.isnan(ratio) else ratio
