"""A claim: a statement with its source and standing, one way to measure it, and variants that must fail."""

from __future__ import annotations

import inspect
import itertools
import re
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeVar, cast

import numpy as np

from mfgpde.core.shown import Shown
from mfgpde.verify.finding import Finding

T = TypeVar("T")
ARXIV = re.compile(r"arXiv:(?!\d{4}\.\d{4,5}(v\d+)?\b)")  # a malformed identifier
PLAIN = re.compile(r"[\w.+-]{1,40}")
"""a value that names its case; others are named by their number"""


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

    def __post_init__(self) -> None:
        for name in ("x", "y"):  # NumPy's and JAX's arrays come in, lists of plain numbers are kept
            object.__setattr__(self, name, np.asarray(getattr(self, name), dtype=float).tolist())
        if np.ndim(self.x) != 1 or np.shape(self.x) != np.shape(self.y):
            raise ValueError(f"series {self.label!r}: x and y are of shapes {np.shape(self.x)} and {np.shape(self.y)}")


@dataclass(frozen=True, repr=False)
class Evidence(Shown):
    """What a measurement returns: findings, and series worth plotting."""

    findings: Sequence[Finding]
    series: Sequence[Series] = ()

    def __post_init__(self) -> None:
        if isinstance(self.findings, Finding):
            raise TypeError("Evidence takes a list of findings: Evidence([finding])")
        object.__setattr__(self, "findings", tuple(self.findings))
        object.__setattr__(self, "series", tuple(self.series))
        if not self.findings:
            raise ValueError("a measurement without findings proves nothing")
        for finding in self.findings:
            if not isinstance(finding, Finding):  # pyright: ignore[reportUnnecessaryIsInstance]
                raise TypeError(
                    f"evidence is made of findings, equal(…), at_most(…) or at_least(…), got {finding!r:.80}"
                )
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
    The measure takes the level first, and an `rng` if it draws random numbers: numpy's generator, the same for the
    measure and its controls, another one for each seed of a run. `repeatable` promises the same result, bit for bit,
    from the same seed.
    """

    statement: str
    source: str = ""
    standing: str = ""
    assumes: tuple[str, ...] = ()
    coefficients: tuple[str, ...] = ()
    repeatable: bool = True
    title: str = ""
    id: str = ""
    _measure: Measure | None = None
    _controls: dict[str, Measure] = field(default_factory=dict[str, Callable[..., "Evidence"]])
    _cases: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])

    def __post_init__(self) -> None:
        for name in ("statement", "source", "title"):
            if not isinstance(getattr(self, name), str):
                raise TypeError(f"a claim's {name} is a string, got {getattr(self, name)!r}")
        if not self.statement.strip():
            raise ValueError("a claim needs a statement (LaTeX)")
        if not self.source.strip() or ARXIV.search(self.source):
            raise ValueError(
                f"a claim says where it comes from, as in 'arXiv:2210.04296, eq. (3)'; got source={self.source!r}"
            )
        if self.standing not in list(Standing):
            raise ValueError(f"a claim's standing is one of {', '.join(Standing)}; got standing={self.standing!r}")
        self.standing = Standing(self.standing)
        if not all(map(_words, (self.assumes, self.coefficients))):
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

    def control(self, description: str) -> Callable[[Measure], Measure]:
        """Decorate a false variant, described in a few words, that the same measure must refute."""
        if not isinstance(description, str) or not description:  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(
                f"a control is described in a few words, as in @claim.control('half the noise'), got {description!r}"
            )

        def register(function: Measure) -> Measure:
            if description in self._controls:
                raise ValueError(f"two controls are called {description!r}")
            self._controls[description] = function
            return function

        return register

    def cases(self, **values: Sequence[object]) -> Callable[[Measure], Measure]:
        """Decorate a measure that is to be judged for every combination of values, each a claim of its own.

        The measure and the controls take the values by name, and the id says them: `paper/name[dimension=2,noise=0.1]`.

        >>> claim = mfg.verify.Claim(r"x = x", "mfgpde", "theorem")
        >>> _ = claim.cases(dimension=(1, 2), noise=(0.1,))(lambda level, dimension, noise: None)
        >>> claim.named_cases
        ('dimension=1,noise=0.1', 'dimension=2,noise=0.1')
        """
        if self._cases:
            raise ValueError("the cases of a claim are named once")
        if not values or not all(len(one) for one in values.values()):
            raise ValueError(f"cases(name=(value, …), …) needs at least one value for each name, got {values}")
        for chosen in itertools.product(*(enumerate(one) for one in values.values())):
            words = (_named(name, k, value) for name, (k, value) in zip(values, chosen, strict=True))
            self._cases[",".join(words)] = {name: value for name, (_, value) in zip(values, chosen, strict=True)}
        return lambda function: function

    @property
    def measured(self) -> bool:
        """Whether it has a measure."""
        return self._measure is not None

    @property
    def controls(self) -> tuple[str, ...]:
        """The descriptions of the controls."""
        return tuple(self._controls)

    @property
    def named_cases(self) -> tuple[str, ...]:
        """The names of its cases; none where it is judged once."""
        return tuple(self._cases)

    @property
    def random(self) -> bool:
        """Whether the measure or a control draws random numbers."""
        functions = (self._measure, *self._controls.values())
        return any("rng" in inspect.signature(one).parameters for one in functions if one is not None)

    def run_measure(self, level: Level, seed: int, case: str = "", **changed: float) -> Evidence:
        """Call the measure, with some coefficients changed."""
        if self._measure is None:
            raise ValueError("the claim has no measure")
        return self._called("the measure", self._measure, level, seed, case, changed)

    def run_control(self, description: str, level: Level, seed: int, case: str = "") -> Evidence:
        """Call one control."""
        return self._called(f"control “{description}”", self._controls[description], level, seed, case, {})

    def _called(
        self, what: str, function: Measure, level: Level, seed: int, case: str, changed: Mapping[str, float]
    ) -> Evidence:
        """Call a measure or control with its generator and its case; TypeError for what is no evidence."""
        if bool(case) != bool(self._cases) or (case and case not in self._cases):
            raise ValueError(f"the claim has no case {case!r}; its cases are {', '.join(self._cases) or 'none'}")
        given, parameters = self._cases.get(case, {}), inspect.signature(function).parameters
        first = next(iter(parameters.values()), None)
        if first is None or first.default is not first.empty or first.kind is first.KEYWORD_ONLY:
            raise TypeError(f"{what} takes the level first: def {getattr(function, '__name__', 'measure')}(level, …)")
        if "rng" in parameters:
            stream = zlib.crc32(f"{self.id}[{case}]".encode())
            given = {**given, "rng": np.random.default_rng((seed, stream))}
        found: Any = function(level, **given, **changed)
        if not isinstance(found, Evidence):
            raise TypeError(f"{what} returned {_spoken(found)}; return Evidence([equal(…), …])")
        return found


def _words(found: object) -> bool:
    return isinstance(found, tuple | list) and all(isinstance(one, str) for one in cast(Sequence[object], found))


def _named(name: str, number: int, value: object) -> str:
    text = str(value)
    return f"{name}={text if PLAIN.fullmatch(text) else f'#{number}'}"


def _spoken(found: object) -> str:
    return "nothing" if found is None else f"an object of type {type(found).__name__}"
