"""The trial: draws from every family in turn, a table of what bars held and what they cost, and each case that failed.

A bound must never fail. Of extrapolated bars one in a hundred may, as of confidence intervals of 99 %: a row fails where so
many failures have a probability below 1/1000 at that rate.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import binom

from mfgpde.calibration.contract import Case, Family
from mfgpde.calibration.draws import KeptDraws, Place, made
from mfgpde.core.estimate import Kind
from mfgpde.core.progress import meter
from mfgpde.core.threads import THREADS, available, shares
from mfgpde.core.version import __version__
from mfgpde.verify import record

RATE = {Kind.PROVED: 0.0, Kind.BOUND: 0.0, Kind.EXTRAPOLATED: 0.01, Kind.CONFIDENCE: 0.01}
"""of bars that may miss the truth"""
ALARM = 1e-3
"""probability that a row of a right rate is called wrong"""
WORTH = 50
"""cases for which another process is started"""
AHEAD, MOST = 40, 32
"""a draw is made before it is counted for so many cases, at most so many a process: one that takes long stops no other"""


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
    resumed: int = 0
    """draws that an interrupted trial had made"""

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
    jobs: int = 1,
    checkpoint: Path | None = None,
    on_result: Callable[[Calibration], None] = lambda _: None,
    progress: bool = False,
) -> Calibration:
    """Return what bars do on `cases` numbers: the draws that once failed, then new ones of every family in turn.

    `kind` leaves out the others; `draws` names the draws to make instead. `jobs` processes make them, 0: one a core, but
    one for 50 cases at most; other threads may sum to other last bits. The file `checkpoint` keeps every draw as soon as it
    is made: the same trial, interrupted, goes on from it, of more or fewer cases, too. It goes once `on_result` has what
    was found.

    Raises ValueError for fewer cases than one, where the families have none of that kind, and for a checkpoint of another
    trial or another version; Busy where another trial is at it; RuntimeError where the system ends a process.

    >>> from mfgpde.calibration import FAMILIES, calibrate
    >>> calibrate({"quadratures": FAMILIES["quadratures"]()}, 40).kept
    True
    """
    if cases < 1 or not families or jobs < 0:
        raise ValueError(
            f"a calibration needs families, at least one case and a number of processes, got {len(families)}, {cases} and "
            f"{jobs}"
        )
    tried: list[Tried] = []
    refused: list[tuple[str, int, int, str]] = []
    broken: list[tuple[str, int, int, str]] = []
    missing: dict[str, str] = {}
    jobs = jobs or min(available(), -(-cases // WORTH))
    kept = KeptDraws(checkpoint, _decided(families, kind, seed, draws, jobs) if checkpoint else {})
    counted: list[Place] = []
    places = (place for place in _order(families, seed, draws) if place[0] not in missing)
    with meter("calibrating", show=progress) as bar, kept.working():
        for draw in made(families, places, kept, jobs, min(max(cases // AHEAD, 2 * jobs), MOST * jobs)):
            name, where, k = draw.place
            if name in missing:
                continue
            counted.append(draw.place)
            tried += [Tried(name, where, k, case) for case in draw.cases if kind is None or case.estimate.kind is kind]
            if draw.refused:
                refused.append((name, where, k, draw.refused))
            if draw.broken:
                broken.append((name, where, k, draw.broken))
            if draw.missing:
                missing[name] = draw.missing
                if len(missing) == len(families):
                    break
            bar(min(1.0, len(tried) / cases), f"{sum(one.case.ratio > 1 for one in tried)} outside")
            if len(tried) >= cases and not draws:
                break
            if k > 20 and not tried:
                raise ValueError(
                    f"no case of the kind {'any' if kind is None else kind.name.lower()} in {', '.join(families)}"
                )
        if not tried and not missing:
            raise ValueError(
                f"no case was drawn from {', '.join(families)}: {(refused or broken or ['nothing left'])[0]}"
            )
        resumed = len(kept.found.keys() & set(counted))
        found = Calibration(tried, refused, broken, seed, missing, resumed)
        on_result(found)
        kept.done(counted)
    return found


def _decided(
    families: Mapping[str, Family], kind: Kind | None, seed: int, draws: Sequence[int], jobs: int
) -> dict[str, Any]:
    """Return all that decides what comes of draws to the last bit, and which are asked for."""
    given = os.environ if jobs == 1 else shares(jobs)
    threads = tuple(given.get(name, str(available())) for name in THREADS)
    code = f"#{record.sources(Path(__file__).parents[1])}"
    wanted = {"kind": "any" if kind is None else kind.name.lower(), "seed": seed, "draws": tuple(draws)}
    known = {"version": __version__, "code": code, "versions": record.versions(), "threads": threads}
    return {"family": dict(families), **wanted, **known}


def _order(families: Mapping[str, Family], seed: int, draws: Sequence[int]) -> Iterator[tuple[str, int, int]]:
    if draws:
        yield from ((name, seed, k) for name in families for k in draws)
        return
    yield from ((name, where, k) for name, family in families.items() for where, k in family.remembered)
    k = 0
    while True:
        yield from ((name, seed, k) for name in families)
        k += 1
