"""The trial: draws from every family in turn, a table of what bars held and what they cost, and each case that failed.

A bound must never fail. Of extrapolated bars one in a hundred may, as of confidence intervals of 99 %: a row fails where so
many failures have a probability below 1/1000 at that rate.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.stats import binom

from mfgpde.calibration.contract import Case, Family
from mfgpde.core.errors import NotConverged
from mfgpde.core.estimate import Kind
from mfgpde.core.progress import meter

RATE = {Kind.PROVED: 0.0, Kind.BOUND: 0.0, Kind.EXTRAPOLATED: 0.01, Kind.CONFIDENCE: 0.01}
"""of bars that may miss the truth"""
ALARM = 1e-3
"""probability that a row of a right rate is called wrong"""


@dataclass(frozen=True)
class Tried:
    """A case, and the draw from which it came."""

    family: str
    seed: int
    draw: int
    case: Case


@dataclass(frozen=True)
class Row:
    """What a family's bars of one kind did: ratios |value − truth|/bar, and widths bar/|value − truth|."""

    family: str
    kind: Kind
    ratios: Sequence[float]

    @property
    def failures(self) -> int:
        """How many bars missed the truth."""
        return int(np.sum(np.asarray(self.ratios) > 1))

    @property
    def allowed(self) -> int:
        """How many may."""
        return int(binom.ppf(1 - ALARM, len(self.ratios), RATE[self.kind]))

    @property
    def kept(self) -> bool:
        """Whether the promise of the kind is kept."""
        return self.failures <= self.allowed

    @property
    def worst(self) -> float:
        """The largest ratio."""
        return float(np.max(self.ratios))

    @property
    def sharpness(self) -> float:
        """The median of bar/|value − truth|: coverage is cheap for wide bars."""
        middle = float(np.median(self.ratios))
        return 1 / middle if middle > 0 else np.inf


@dataclass(frozen=True)
class Calibration:
    """All cases of a trial, what the library refused and where something broke, both by family, seed and draw."""

    tried: Sequence[Tried]
    refused: Sequence[tuple[str, int, int, str]] = ()
    broken: Sequence[tuple[str, int, int, str]] = ()
    seed: int = 0
    missing: Mapping[str, str] = field(default_factory=dict)
    """families that need a library which is not here"""

    @property
    def rows(self) -> list[Row]:
        """The table: one row a family and kind."""
        found: dict[tuple[str, Kind], list[float]] = {}
        for one in self.tried:
            found.setdefault((one.family, one.case.estimate.kind), []).append(one.case.ratio)
        return [Row(family, kind, ratios) for (family, kind), ratios in sorted(found.items())]

    @property
    def failures(self) -> list[Tried]:
        """Every case whose bar missed the truth, the worst first."""
        return sorted((one for one in self.tried if one.case.ratio > 1), key=lambda one: -one.case.ratio)

    @property
    def kept(self) -> bool:
        """Whether every promise is kept, and nothing broke."""
        return not self.broken and all(row.kept for row in self.rows)


def calibrate(
    families: Mapping[str, Family],
    cases: int = 300,
    *,
    kind: Kind | None = None,
    seed: int = 0,
    draws: Sequence[int] = (),
    progress: bool = False,
) -> Calibration:
    """Return what bars do on `cases` numbers: the draws that once failed, then new ones of every family in turn.

    `kind` leaves out the others; `draws` names the draws to make instead. Raises ValueError for fewer cases than one, and
    where the families have none of that kind.

    >>> from mfgpde.calibration import FAMILIES, calibrate
    >>> calibrate({"quadratures": FAMILIES["quadratures"]()}, 40).kept
    True
    """
    if cases < 1 or not families:
        raise ValueError(f"a calibration needs families and at least one case, got {len(families)} and {cases}")
    tried: list[Tried] = []
    refused: list[tuple[str, int, int, str]] = []
    broken: list[tuple[str, int, int, str]] = []
    missing: dict[str, str] = {}
    with meter("calibrating", show=progress) as bar:
        for name, where, k in _order(families, seed, draws):
            if name in missing:
                continue
            try:
                for case in families[name].cases(generator(name, where, k)):
                    if kind is None or case.estimate.kind is kind:
                        tried.append(Tried(name, where, k, case))
            except (ValueError, NotConverged) as problem:  # before a number: an honest no
                refused.append((name, where, k, str(problem)))
            except ImportError as problem:
                missing[name] = str(problem)
                if len(missing) == len(families):
                    break
            except Exception as problem:
                broken.append((name, where, k, f"{type(problem).__name__}: {problem}"))
            bar(min(1.0, len(tried) / cases), f"{sum(one.case.ratio > 1 for one in tried)} outside")
            if len(tried) >= cases and not draws:
                break
            if k > 20 and not tried:
                raise ValueError(
                    f"no case of the kind {'any' if kind is None else kind.name.lower()} in {', '.join(families)}"
                )
    if not tried and not missing:
        raise ValueError(f"no case was drawn from {', '.join(families)}: {(refused or broken or ['nothing left'])[0]}")
    return Calibration(tried, refused, broken, seed, missing)


def generator(family: str, seed: int, draw: int) -> np.random.Generator:
    """Return the generator of one draw: any can be made again alone."""
    return np.random.default_rng([seed, draw, zlib.crc32(family.encode())])


def _order(families: Mapping[str, Family], seed: int, draws: Sequence[int]) -> Iterator[tuple[str, int, int]]:
    if draws:
        yield from ((name, seed, k) for name in families for k in draws)
        return
    yield from ((name, where, k) for name, family in families.items() for where, k in family.remembered)
    k = 0
    while True:
        yield from ((name, seed, k) for name in families)
        k += 1
