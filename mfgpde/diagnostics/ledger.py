"""The ledger of a score on trial: numbers with their bars, warnings, failures and fields, filled part by part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from mfgpde.core.arrays import Array
from mfgpde.core.estimate import Estimate
from mfgpde.core.repeatable import require_repeatable
from mfgpde.discretisations import Field
from mfgpde.processes import LinearProcess, ScheduledProcess
from mfgpde.scores import DirectionalScore, DivergenceScore, Score, Uncertain, offers

STAGES = 16
PROBES = 81
"""points at which a score is tried before anything long"""

type Plain = float | int | str | bool | Mapping[str, Plain] | Sequence[Plain] | None


@dataclass(frozen=True)
class Entry:
    """One number: value, bar (None: no bar is known), how it was found, what its bar is made of, and a bracket.

    A bar is the sum of its `parts`, unless a bracket says more, which is certified where the method says so.
    """

    value: float
    half_width: float | None
    method: str
    parts: Mapping[str, float] = field(default_factory=dict[str, float])
    lower: float | None = None
    upper: float | None = None

    @property
    def least(self) -> float:
        """The smallest value that the entry leaves possible, none below zero."""
        if self.lower is not None:
            return self.lower
        return max(0.0, self.value - self.half_width) if self.half_width is not None else 0.0

    @property
    def most(self) -> float:
        """The largest value that the entry leaves possible."""
        if self.upper is not None:
            return self.upper
        return self.value + self.half_width if self.half_width is not None else np.inf

    def plain(self) -> dict[str, Plain]:
        """Return the entry as JSON has it, without what it does not know."""
        found: dict[str, Plain] = {"value": self.value, "error": self.half_width, "method": self.method}
        if self.lower is not None:
            found |= {"lower": self.lower, "upper": self.upper}
        return found | ({"parts": dict(self.parts)} if self.parts else {})


def entry(estimate: Estimate) -> Entry:
    """Return an estimate as an entry."""
    return Entry(estimate.value, estimate.half_width, estimate.method)


@dataclass(eq=False)
class Ledger:
    """What is known about one score.

    `facts` say how it was found, and what has no bar: grid, stop, costs, curves. `measured` are the numbers, by group and
    pair or law; `rows` those over time, latest first. A failure makes the rest worthless; a warning stands beside it.
    """

    facts: dict[str, Plain] = field(default_factory=dict[str, Plain])
    measured: dict[str, dict[str, dict[str, Entry]]] = field(default_factory=dict[str, dict[str, dict[str, Entry]]])
    rows: list[dict[str, float | Entry]] = field(default_factory=list[dict[str, float | Entry]])
    warnings: list[str] = field(default_factory=list[str])
    failures: list[str] = field(default_factory=list[str])
    fields: dict[str, Field] = field(default_factory=dict[str, Field])

    def enter(self, group: str, about: str, found: Mapping[str, Entry]) -> None:
        """Enter numbers about one pair, law or quantity."""
        self.measured.setdefault(group, {}).setdefault(about, {}).update(found)

    def plain(self) -> dict[str, Plain]:
        """Return all but the fields as JSON has it."""
        groups = {
            group: {about: {name: one.plain() for name, one in found.items()} for about, found in rows.items()}
            for group, rows in self.measured.items()
        }
        over_time = [{k: v.plain() if isinstance(v, Entry) else v for k, v in row.items()} for row in self.rows]
        said = {"warnings": list(self.warnings), "failures": list(self.failures)}
        return {**self.facts, **groups, "residuals": over_time, **said}


def stages(process: LinearProcess, stop: float) -> tuple[float, ...]:
    """Return the times at which a trial looks, latest first: equal steps of √(t − stop).

    They begin at the horizon, or where a schedule that leaves nothing of the data has a thousandth of them left: beyond it
    the noise that the score's equation is multiplied by is larger than all else.
    """
    share, last = np.arange(STAGES, 0, -1) / STAGES, process.horizon
    if isinstance(process, ScheduledProcess):
        times = process.horizon * np.linspace(0, 1, 4001)
        last = float(times[process.mean_coefficient(times) >= 1e-3][-1])
    return (last, *(stop + (last - stop) * share[1:] ** 2).tolist())


def probe(score: Score, x: Array, process: LinearProcess, stop: float) -> None:
    """Evaluate a score on points (..., d) at three times, twice; ValueError says where it fails or is random.

    Its own derivatives, too, at the time between: a divergence by random probes is random where the values are not.
    """
    for t in (stop, 0.5 * process.horizon, process.horizon):
        values = require_repeatable(score, x, float(t), "the score")
        if values.shape != x.shape:
            raise ValueError(f"the score must return shape {x.shape} on points of that shape, got {values.shape}")
        bad = ~np.isfinite(values).all(axis=-1)
        if bad.any():
            where = ", ".join(f"{c:.3g}" for c in x[bad][0])
            raise ValueError(f"the score is {values[bad][0]} at x = ({where}), t = {t:g}")
    if isinstance(score, Uncertain):  # derivatives are differences of these values
        return
    if offers(score, DivergenceScore):
        require_repeatable(score.divergence, x, 0.5 * process.horizon, "the score's divergence")
    if offers(score, DirectionalScore):
        about = "the score's derivatives along directions"
        one = np.ones_like(x)
        require_repeatable(lambda x, t: score.directional_derivatives(x, t, one)[0], x, 0.5 * process.horizon, about)
