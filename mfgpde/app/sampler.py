"""`mfgpde sampler`: a sampler of a library, of ours or of the user's on trial with an exact score; the ledger of ours."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mfgpde.app.complaints import Complaints, ended

if TYPE_CHECKING:
    from mfgpde.samplers import Sampler
    from mfgpde.samplers.adapters.perfect import AtLevel
    from mfgpde.samplers.black_box import Begin

PACKAGE = Path(__file__).parents[1]


def sampler(
    source: Annotated[
        str,
        typer.Argument(
            help="diffusers:NAME, k_diffusion:sample_NAME, flow_matching:ODESolver, torchcfm:NeuralODE, "
            "my_file.py:step, a sampler of ours; or diffusers."
        ),
    ],
    option: Annotated[list[str] | None, typer.Option(help="NAME=VALUE for the scheduler or sampler.")] = None,
    steps: Annotated[str, typer.Option(help="FIRST:LAST, doubled in between, or a list 10,20,50.")] = "10:640",
    data: Annotated[str, typer.Option(help="A mixture on the line whose exact score is used.")] = "bimodal",
    process: Annotated[str, typer.Option(help="For steps of your own and ours.")] = "variance-preserving",
    levels: Annotated[str, typer.Option(help="For steps of your own and ours: uniform, rho, trailing, …")] = "uniform",
    order: Annotated[float, typer.Option(help="The order that is stated for it.")] = 1.0,
    all_: Annotated[bool, typer.Option("--all", help="Every scheduler of the library.")] = False,
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=1, help="Processes for --all.")] = 2,
    ledger: Annotated[
        bool, typer.Option("--ledger", help="What the law owes to stop, score, prior and steps.")
    ] = False,
    score: Annotated[str | None, typer.Option(help="For --ledger: your model, as `mfgpde check` takes it.")] = None,
    predicts: Annotated[str | None, typer.Option(help="Of the model: score, noise, data, v, flow, edm.")] = None,
    time: Annotated[str | None, typer.Option(help="The model's clock: process, reversed, step, share, …")] = None,
    stop: Annotated[
        float | None, typer.Option(help="Of ours: the time at which it ends, 1e-3 for --ledger, else 0.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for table, page and figure.")] = Path("results/sampler"),
) -> None:
    """Put a sampler on trial: the law it generates, its order, its limit; exit code 1 if that is not the data's."""
    from mfgpde.app import outputs
    from mfgpde.app.terminal import Terminal
    from mfgpde.report import sampler_table as report
    from mfgpde.verify import record

    console = Terminal()
    with Complaints():
        outputs.folder(out)
        counts = numbers(steps)
        law = mixture(data)
        asked = {"score": score, "predicts": predicts, "time": time, "stop": stop}
        if ledger:
            from mfgpde.app import sampler_ledger

            kept = sampler_ledger.kept
            if all_:
                raise ValueError("--ledger is for one sampler, --all for a library")
            found = kept(source, settings(option or []), counts, law, process, levels, data, asked, out, console)
            raise ended(0 if found else 1, "a ledger does not hold what its sampler is off by")
        unused = [f"--{name}" for name, value in asked.items() if value is not None and name != "stop"]
        if unused:
            raise ValueError(f"{', '.join(unused)}: for --ledger; without it the score is exact")
        if stop is not None and source.partition(":")[0] in ("diffusers", *LOOPS):
            raise ValueError("--stop is for samplers and steps of your own and ours; a library's have their own end")
        if all_ or source == "diffusers":
            from mfgpde.core.progress import meter
            from mfgpde.samplers.adapters.survey import survey

            if source != "diffusers":
                raise ValueError(f"--all is for a library, such as diffusers, got {source!r}")
            with meter("schedulers") as bar:
                rows = survey(counts, law, jobs, bar)
        else:
            rows = [tried_source(source, settings(option or []), counts, law, process, levels, stop or 0.0)]
        provenance = record.provenance(PACKAGE)
        record.write(out / "sampler.json", {"rows": rows, "provenance": provenance})
        report.write_page(out, rows, provenance)
    for row in rows if len(rows) == 1 else ():
        console.print(report.errors_table(row))
    console.print(report.verdicts_table(rows, order))
    console.print(f"Page: {out / 'sampler.html'}   Figure: {out / 'sampler.png'}   Data: {out / 'sampler.json'}")
    short = [row["name"] for row in rows if row["verdict"] != "not tried" and not report.reaches(row, order)]
    raise ended(1 if short else 0, f"not as promised: {', '.join(short[:3])}{', …' if len(short) > 3 else ''}")


def numbers(text: str) -> tuple[int, ...]:
    """Return numbers of steps from `10:640` (doubled) or `10,20,50`. Raises ValueError for fewer than three."""
    try:
        if ":" in text:
            first, last = map(int, text.split(":"))
            found = [first * 2**k for k in range(40) if 0 < first * 2**k <= last]
        else:
            found = [int(part) for part in text.split(",")]
    except ValueError:
        raise ValueError(f"steps are FIRST:LAST or a list such as 10,20,50, got {text!r}") from None
    if len(found) < 3 or found[0] < 1 or any(b <= a for a, b in zip(found, found[1:], strict=False)):
        raise ValueError(f"an order needs three or more increasing numbers of steps ≥ 1, got {text!r}")
    return tuple(found)


def settings(options: list[str]) -> dict[str, Any]:
    """Return NAME=VALUE pairs with values as Python has them; words are words. Raises ValueError without `=`."""
    found = {}
    for one in options:
        name, equals, value = one.partition("=")
        if not equals or not name.isidentifier():
            raise ValueError(f"options are NAME=VALUE, got {one!r}")
        try:
            found[name] = ast.literal_eval(value.capitalize() if value in ("true", "false") else value)
        except (ValueError, SyntaxError):
            found[name] = value
    return found


def mixture(name: str) -> Any:
    """Return a named mixture on the line. Raises ValueError for another kind of law."""
    from mfgpde.densities import DENSITIES, GaussianMixture

    law = DENSITIES.named(name)()
    if not isinstance(law, GaussianMixture) or law.dimension != 1:
        raise ValueError(f"samplers are tried on a Gaussian mixture on the line, {name} is {law!r}")
    return law


def tried_source(
    source: str, options: Mapping[str, Any], steps: tuple[int, ...], data: Any, process: str, levels: str, stop: float
) -> dict[str, Any]:
    """Return the row of one sampler, against the law at `stop`.

    Raises ValueError for a name that there is not, or options that it does not take.
    """
    from mfgpde.samplers.adapters import survey

    library, _, name = source.partition(":")
    if library == "diffusers" and name:
        from mfgpde.samplers.adapters.diffusers import accepted

        row = survey.tried_case(name, accepted(name, options), steps, data)
        if row["verdict"] == "not tried":
            raise ValueError(f"{name} cannot be tried: {row['said'] or survey.NOT_TRIED.get(name, '')}")
        return row
    if library in LOOPS and name:
        return survey.row(source, options, loop(source, options, data), steps, data)
    begin, law = _own(source, options, data, process, levels, stop)
    return survey.row(source, options, begin, steps, law)


LOOPS = ("k_diffusion", "flow_matching", "torchcfm")
"""libraries that offer whole loops"""


def loop(source: str, options: Mapping[str, Any], data: Any, score: AtLevel | None = None) -> Begin:
    """Return the runs of a library's loop, with the exact score or another."""
    library, _, name = source.partition(":")
    if library == "k_diffusion":
        from mfgpde.samplers.adapters.k_diffusion import begin

        return lambda n: begin(name, options, n, data, score)
    from mfgpde.samplers.adapters.straight_loops import begin as straight

    return lambda n: straight(source, options, n, data, score)


def _own(
    source: str, options: Mapping[str, Any], data: Any, process: str, levels: str, stop: float
) -> tuple[Begin, Any]:
    """Return the runs of a step function, or of a sampler of ours, which is a list of moves; and the law at their end."""
    from mfgpde.processes import PROCESSES, IsotropicProcess
    from mfgpde.samplers import LEVELS, Model
    from mfgpde.samplers.adapters.step_function import StepRun
    from mfgpde.samplers.black_box import OwnRun
    from mfgpde.scores import ExactScore

    chosen, rule = PROCESSES.named(process)(), LEVELS.named(levels)()
    if not isinstance(chosen, IsotropicProcess):
        raise ValueError(f"samplers are for isotropic processes x = α x₀ + σ ε, {process} is none")
    if not 0 <= stop < chosen.horizon:
        raise ValueError(f"--stop must lie in [0, {chosen.horizon:g}), got {stop:g}")
    exact = ExactScore(chosen, data)
    model, law = Model(chosen, exact), exact.at(stop) if stop else data
    if ":" not in source:
        own = ours(source, options)
        return lambda n: OwnRun(own, model, rule, n, stop), law
    from mfgpde.app.laws import named

    step: Any = named(source)
    if options:
        raise ValueError("a step function takes no options; fix them with functools.partial in the file")
    return lambda n: StepRun(step, model, rule, n, stop), law


def ours(name: str, options: Mapping[str, Any]) -> Sampler:
    """Return a sampler of ours by its name. Raises ValueError for a name that there is not, or options it does not take."""
    from mfgpde.app.tables import called
    from mfgpde.samplers import SAMPLERS

    return called(SAMPLERS.named(name), options, f"sampler {name!r}")
