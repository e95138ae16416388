"""`mfgpde sampler … --ledger`: what a sampler's law owes to the stop, the score, the prior and the steps."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mfgpde.app.sampler import LOOPS, PACKAGE, loop, ours
from mfgpde.core.estimate import Estimate
from mfgpde.core.progress import meter
from mfgpde.core.repeatable import require_repeatable
from mfgpde.processes import PROCESSES, IsotropicProcess
from mfgpde.report import sampler_ledger_table as report
from mfgpde.samplers import LEVELS, Levels, Model
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

    Raises ValueError for whatever does not fit together.
    """
    rule, own = LEVELS.named(levels)(), source.partition(":")[0].endswith(".py") or ":" not in source
    if not own and asked["stop"] is not None:
        raise ValueError("--stop is for samplers and steps of your own and ours; a library's have their own end")
    stop = STOP if asked["stop"] is None else asked["stop"]
    model = _model(process, law, data, asked, stop)
    sampler = source if ":" in source else ours(source, options)
    with meter("ledger") as bar:
        parts = iter(range(1, len(counts) + 4))

        def tell(text: str) -> None:
            bar(next(parts) / (len(counts) + 4), text)

        if isinstance(sampler, str):
            found = _boxed(sampler, options, counts, law, model, rule, stop, tell, exact=asked["score"] is None)
        else:
            found = ledgers(sampler, model, [rule.times(model.process, n, stop) for n in counts], law, tell=tell)
    if not own:
        stop, levels = None, "its own"
    rows = [_row(one) for one in found]
    about = {"sampler": repr(sampler), "score": asked["score"] or "exact", "process": repr(model.process)}
    about |= {"data": data, "levels": repr(rule) if own else levels, "stop": stop}
    record.write(out / "ledger.json", {"about": about, "rows": rows, "provenance": record.provenance(PACKAGE)})
    console.print(report.ledger_table(f"{source}, {levels} levels, score: {about['score']}", found))
    console.print(report.advice(found), highlight=False)
    console.print(f"Data: {out / 'ledger.json'}", highlight=False)
    return all(one.holds for one in found)


def _boxed(
    source: str,
    options: Mapping[str, Any],
    counts: Sequence[int],
    law: GaussianMixture,
    model: Model,
    rule: Levels,
    stop: float,
    tell: Callable[[str], None],
    *,
    exact: bool,
) -> list[Ledger]:
    """Return ledgers of a library's sampler or of a step function."""
    from mfgpde.samplers.adapters.perfect import Learned
    from mfgpde.samplers.black_box_ledger import box_ledgers

    library, _, name = source.partition(":")
    score, most = None if exact else Learned(model), max(800, *counts)
    if library == "diffusers":
        from mfgpde.samplers.adapters.diffusers import SchedulerRun, accepted, scheduler_class

        make, given = scheduler_class(name), accepted(name, options)
        begins = [lambda n, s=s: SchedulerRun(make, dict(given), n, law, score=s) for s in (None, score)]
    elif library in LOOPS:
        begins = [loop(source, options, law, s) for s in (None, score)]
    else:
        from mfgpde.app.laws import named
        from mfgpde.samplers.adapters.step_function import StepRun

        if options:
            raise ValueError("a step function takes no options; fix them with functools.partial in the file")
        step: Any = named(source)
        laws = ExactScore(model.process, law)
        models = (Model(model.process, laws), model)
        begins = [lambda n, one=one: StepRun(step, one, rule, n, stop, laws) for one in models]
    return box_ledgers(begins[0], begins[1], None if exact else model, counts, law, most=most, tell=tell)


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
    """Return the score. Raises ValueError where its values on the data are random, or no finite numbers of their shape."""
    x = law.sample(16, np.random.default_rng(0))
    for t in (process.horizon, stop):
        values = require_repeatable(score, x, t, name)
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
