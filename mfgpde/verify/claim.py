"""A claim: a statement with its source and standing, one way to measure it, and variants that must fail."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeVar

from mfgpde.core.shown import Shown
from mfgpde.verify.finding import Finding

T = TypeVar("T")
ARXIV = re.compile(r"arXiv:(?!\d{4}\.\d{4,5}(v\d+)?\b)")  # a malformed identifier


class Standing(StrEnum):
    """What a statement is known to be."""

    THEOREM = "theorem"
    DERIVED = "derived"
    CONJECTURE = "conjecture"
    EXPERIMENT = "experiment"


class Level(StrEnum):
    """How much work a verdict may cost.

    >>> mfg.verify.Level("standard").pick(48, 96, 192)
    96
    """

    QUICK = "quick"
    STANDARD = "standard"
    FULL = "full"

    def pick(self, quick: T, standard: T, full: T) -> T:
        """Return the entry for this level."""
        return {Level.QUICK: quick, Level.STANDARD: standard, Level.FULL: full}[self]


@dataclass(frozen=True)
class Series:
    """Points for a plot: y over x, with what the axes mean; `logarithmic` names the axes drawn so, "", "x", "y" or "xy"."""

    label: str
    x_label: str
    x: Sequence[float]
    y_label: str
    y: Sequence[float]
    logarithmic: str = "xy"


@dataclass(frozen=True, repr=False)
class Evidence(Shown):
    """What a measurement returns: findings, and series worth plotting."""

    findings: Sequence[Finding]
    series: Sequence[Series] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "findings", tuple(self.findings))
        object.__setattr__(self, "series", tuple(self.series))
        if not self.findings:
            raise ValueError("a measurement without findings proves nothing")
        labels = [finding.label for finding in self.findings]
        if len(set(labels)) != len(labels):
            raise ValueError(f"findings need distinct labels, got {labels}")

    def summary(self) -> tuple[str, dict[str, str]]:
        """Return each finding and what it came to."""
        return f"evidence, {len(self.findings)} findings", {f.label: str(f.outcome) for f in self.findings}


Measure = Callable[..., Evidence]


@dataclass
class Claim:
    """A statement that a computer can refute.

    `coefficients` names parameters of the measure, factors with default 1, whose smallest detectable change is reported.
    The measure takes the level first, and a `seed` if it draws random numbers.
    """

    statement: str
    source: str
    standing: str
    assumes: tuple[str, ...] = ()
    coefficients: tuple[str, ...] = ()
    title: str = ""
    id: str = ""
    _measure: Measure | None = None
    _controls: dict[str, Callable[[Level], Evidence]] = field(default_factory=dict[str, Callable[[Level], "Evidence"]])

    def __post_init__(self) -> None:
        if not self.statement.strip():
            raise ValueError("a claim needs a statement (LaTeX)")
        if not self.source.strip() or ARXIV.search(self.source):
            raise ValueError(
                f"a claim says where it comes from, as in 'arXiv:2210.04296, eq. (3)'; got source={self.source!r}"
            )
        self.standing = Standing(self.standing)
        if isinstance(self.assumes, str) or isinstance(self.coefficients, str):
            raise TypeError("assumes and coefficients are tuples of strings: ('p_0 > 0',)")

    def measure(self, function: Measure) -> Measure:
        """Decorate the one function that measures this claim."""
        if self._measure is not None:
            raise ValueError("a claim has one measure")
        parameters = inspect.signature(function).parameters
        for name in self.coefficients:
            if name not in parameters or parameters[name].default != 1.0:
                raise ValueError(f"coefficient {name!r} must be a parameter of the measure with default 1.0")
        self._measure = function
        return function

    def control(self, description: str) -> Callable[[Callable[[Level], Evidence]], Callable[[Level], Evidence]]:
        """Decorate a false variant, described in a few words, that the same measure must refute."""

        def register(function: Callable[[Level], Evidence]) -> Callable[[Level], Evidence]:
            if description in self._controls:
                raise ValueError(f"two controls are called {description!r}")
            self._controls[description] = function
            return function

        return register

    @property
    def measured(self) -> bool:
        """Whether it has a measure."""
        return self._measure is not None

    @property
    def controls(self) -> tuple[str, ...]:
        """The descriptions of the controls."""
        return tuple(self._controls)

    def run_measure(self, level: Level, seed: int, **changed: float) -> Evidence:
        """Call the measure, with some coefficients changed."""
        if self._measure is None:
            raise ValueError("the claim has no measure")
        takes_seed = "seed" in inspect.signature(self._measure).parameters
        return self._measure(level, **({"seed": seed} if takes_seed else {}), **changed)

    def run_control(self, description: str, level: Level) -> Evidence:
        """Call one control."""
        return self._controls[description](level)
