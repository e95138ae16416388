"""`mfgpde sampler … --ledger`: what a sampler's law owes to the stop, the score, the prior and the steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mfgpde.app.sampler import PACKAGE, ours
from mfgpde.core.estimate import Estimate
from mfgpde.core.progress import meter
from mfgpde.processes import PROCESSES, IsotropicProcess
from mfgpde.report import sampler_ledger_table as report
from mfgpde.samplers import LEVELS, Model
from mfgpde.samplers.ledger import Ledger, ledgers
from mfgpde.scores import ExactScore, Score
from mfgpde.verify import record

if TYPE_CHECKING:
    from mfgpde.app.terminal import Terminal
    from mfgpde.densities import GaussianMixture

STOP = 1e-3


def kept(
    source: str,
    options: Mapping[str, Any],
    counts: Sequence[int],
    law: GaussianMixture,
    process: str,
    levels: str,
    data: str,
    asked: Mapping[str, Any],
    out: Path,
    console: Terminal,
) -> bool:
    """Make the ledgers of a sampler, print and write them; say whether no whole exceeds its sum in turn.

    Raises ValueError for a sampler that is not ours, and for whatever does not fit together.
    """
    if ":" in source:
        raise ValueError(f"--ledger is for samplers of ours, whose dynamics are known, got {source!r}")
    sampler, rule = ours(source, options), LEVELS.named(levels)()
    stop = STOP if asked["stop"] is None else asked["stop"]
    model = _model(process, law, data, asked, stop)
    lists = [rule.times(model.process, n, stop) for n in counts]
    with meter("ledger") as bar:
        parts = iter(range(1, len(lists) + 4))
        found = ledgers(sampler, model, lists, law, tell=lambda text: bar(next(parts) / (len(lists) + 4), text))
    rows = [_row(one) for one in found]
    about = {"sampler": repr(sampler), "score": asked["score"] or "exact", "process": repr(model.process)}
    about |= {"data": data, "levels": repr(rule), "stop": stop}
    record.write(out / "ledger.json", {"about": about, "rows": rows, "provenance": record.provenance(PACKAGE)})
    console.print(report.ledger_table(f"{source}, {levels} levels, score: {about['score']}", found))
    console.print(report.advice(found), highlight=False)
    console.print(f"Data: {out / 'ledger.json'}", highlight=False)
    return all(one.holds for one in found)


def _model(name: str, law: GaussianMixture, data: str, asked: Mapping[str, Any], stop: float) -> Model:
    """Return the exact model, or the user's, read as `mfgpde check` reads it."""
    if asked["score"] is None:
        unused = [f"--{word}" for word in ("predicts", "time") if asked[word] is not None]
        if unused:
            raise ValueError(f"{', '.join(unused)}: says how a model is read; give --score")
        process = PROCESSES.named(name)()
        return Model(_isotropic(process), ExactScore(process, law))  # pyright: ignore[reportArgumentType]
    from mfgpde.app.asked import Asked
    from mfgpde.app.check import prepare

    trial = prepare(Asked(asked["score"], name, data=data, stop=stop, predicts=asked["predicts"], time=asked["time"]))
    return Model(_isotropic(trial.process), _finite(trial.score, asked["score"], law, trial.process, stop))


def _isotropic(process: object) -> IsotropicProcess:
    if not isinstance(process, IsotropicProcess):
        raise ValueError(f"samplers are for isotropic processes x = α x₀ + σ ε, {process!r} is none")
    return process


def _finite(score: Score, name: str, law: GaussianMixture, process: Any, stop: float) -> Score:
    """Return the score. Raises ValueError where its values on the data are no finite numbers of the points' shape."""
    x = law.sample(16, np.random.default_rng(0))
    for t in (process.horizon, stop):
        values = np.asarray(score(x, t))
        if values.shape != x.shape or not np.isfinite(values).all():
            raise ValueError(f"{name} gives {values.shape} values for points {x.shape} at t = {t:g}, not all finite")
    return score


def _row(one: Ledger) -> dict[str, Any]:
    parts = {field.name: getattr(one, field.name) for field in fields(one)}
    parts |= {"sum_alone": one.sum_alone, "sum_in_turn": one.sum_in_turn}
    return {
        name: {"value": part.value, "error": part.half_width, "kind": part.kind.name.lower(), "method": part.method}
        if isinstance(part, Estimate)
        else part
        for name, part in parts.items()
    } | {"cancelled": one.cancelled}
