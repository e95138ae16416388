"""The command line: validate, figures, bench, calibrate, cite. Nothing heavy is imported before a command runs."""

from __future__ import annotations

import os
import sys
import warnings
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mfgpde.app.check_command import check
from mfgpde.app.compare import compare
from mfgpde.app.complaints import Complaints, ended
from mfgpde.app.figures import figures
from mfgpde.app.sampler import sampler
from mfgpde.core import printable, threads

if TYPE_CHECKING:
    from mfgpde.app.terminal import Terminal

PACKAGE = Path(__file__).parents[1]
app = typer.Typer(no_args_is_help=True, add_completion=True, pretty_exceptions_enable=False)
for command in (check, sampler, compare, figures):
    app.command()(command)


class LevelName(StrEnum):
    """How much work verdicts may cost."""

    quick = "quick"
    standard = "standard"
    full = "full"


Targets = Annotated[
    list[str] | None,
    typer.Argument(help="Folders or files of claims, ids, or first parts of ids; default: all."),
]
LevelOption = Annotated[
    LevelName,
    typer.Option("--level", help="quick: five minutes on two cores; standard: a quarter of an hour; full: hours."),
]
OutOption = Annotated[Path, typer.Option("--out", help="Folder for results and report.")]
JobsOption = Annotated[int, typer.Option("--jobs", "-j", min=0, help="Parallel processes; 0: one per core.")]


def _version(asked: bool) -> None:
    if asked:
        from mfgpde.core.version import __version__

        typer.echo(f"mfgpde {__version__}")
        raise typer.Exit


@app.callback()
def about(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say which this is.")
    ] = False,
) -> None:
    """PDE solvers with error bars, and a court for the theory of score-based and flow-based generative models."""


@app.command()
def validate(
    targets: Targets = None,
    level: LevelOption = LevelName.quick,
    out: OutOption = Path("results"),
    jobs: JobsOption = 0,
    seed: Annotated[int, typer.Option(min=0, help="Seed of everything random.")] = 0,
    seeds: Annotated[int, typer.Option(min=1, help="How many seeds from there on; the worst verdict counts.")] = 1,
    twice: Annotated[
        bool, typer.Option("--twice", help="Judge everything twice: it must be the same bit for bit.")
    ] = False,
    strict: Annotated[
        bool,
        typer.Option("--strict", help="No claim may have a finding that was never seen to fail: no theorem may."),
    ] = False,
    limit: Annotated[float | None, typer.Option(help="Seconds that one claim may take: 900, 3600, 86400.")] = None,
    executor: Annotated[
        str, typer.Option(help="Who judges: processes, mpi (under mpiexec), submitit, dask, or one of your own.")
    ] = "processes",
    output: Annotated[bool, typer.Option("--output", help="Show what claims printed.")] = False,
    against: Annotated[
        Path | None, typer.Option(help="A stored run that is the law: says what moved, and what was loosened.")
    ] = None,
    list_: Annotated[bool, typer.Option("--list", help="List the claims and stop.")] = False,
) -> None:
    """Verify claims and write a report; exit code 1: refuted or broken, 2: undecided, 3: moved since the stored run."""
    from mfgpde.app import court, outputs
    from mfgpde.verify import discover, run
    from mfgpde.verify.claim import Level

    console = _console()
    with Complaints():
        if executor == "mpi" and court.serves():
            raise typer.Exit
        entries = discover.select(targets or [], discover.suite_root(PACKAGE))
        court.flaws(entries, console)
        if list_:
            return court.listed(entries, console)
        outputs.folder(out)
        terms = run.Terms(seed, seeds, twice, strict, limit, executor, jobs)
        raise typer.Exit(court.judged(entries, Level(level.value), out, terms, against, targets or [], console, output))


@app.command()
def verdict(
    claim: Annotated[str, typer.Argument(help="The id of a claim, or its last part.")],
    run: Annotated[Path, typer.Option(help="The recorded run that holds it.")] = Path("results/quick/run.json"),
    latex: Annotated[bool, typer.Option("--latex", help="As a sentence for a paper.")] = False,
    badge: Annotated[Path | None, typer.Option(help="Write a badge (.svg) for a README.")] = None,
) -> None:
    """Say what a recorded run found about one claim, to be cited; exit codes as `validate`, 4 if the run is stale."""
    from mfgpde.app import court

    console = _console()
    with Complaints():
        raise typer.Exit(court.cited(claim, run, PACKAGE, console, latex=latex, badge=badge))


@app.command()
def solve(
    problem: Annotated[Path, typer.Argument(help="A problem or game file (TOML); see docs/problem_files.md.")],
    out: Annotated[Path | None, typer.Option(help="Where to write: .nc; .xdmf or .bp on meshes.")] = None,
    picture: Annotated[Path | None, typer.Option(help="Draw the last field to this image.")] = None,
    bound: Annotated[bool, typer.Option("--bound", help="Say how far the last field can be from the truth.")] = False,
) -> None:
    """Solve the equation or game in a file; finite elements also under mpiexec, where the first rank writes and prints."""
    from mfgpde.core.errors import NotConverged
    from mfgpde.report import table

    console, ranks = _console(), int(os.environ.get("PMI_SIZE") or os.environ.get("OMPI_COMM_WORLD_SIZE") or 1)
    with Complaints(ranks):
        from mfgpde.app import drifts, game_problem, outputs
        from mfgpde.app import problem as problems
        from mfgpde.core import files
        from mfgpde.discretisations import Distributed
        from mfgpde.grids import CartesianGrid

        if picture is not None:
            outputs.ready(picture)
        if game_problem.is_game(problem):
            if bound:
                raise ValueError("a game's cost is said with its bar; leave --bound away")
            game = game_problem.read(problem)
            return _play(game, outputs.ready(out or game.output, (".nc",)), picture, console)
        posed = problems.read(problem)
        grid = posed.discretisation.grid
        comm = grid.comm if isinstance(grid, Distributed) else None
        if ranks > 1 and comm is None:
            raise ValueError(f"{type(posed.discretisation).__name__} runs on one process; several need finite-element")
        first = comm is None or comm.rank == 0
        gridded = isinstance(grid, CartesianGrid)
        fields = (".nc",) if gridded or posed.sought is not None else (".nc", ".xdmf", ".bp")
        place = outputs.ready(out or posed.output, fields)
        if first:
            for words in drifts.said(posed.process, posed.discretisation):
                console.print(words, highlight=False)
        if posed.sought is not None:
            if bound:
                raise ValueError("--bound is for a march; what a file asks to [find] has none")
            return _find(posed, place, picture, console, first)
        try:
            solution = posed.solve(place if ranks == 1 else None, progress=first)
        except NotConverged as failure:
            partial = files.kept(failure.partial.save, place)
            raise NotConverged(f"{failure} What was computed is in {partial}.", failure.partial) from failure
        path = files.kept(solution.save, place)
        if picture is not None:
            from mfgpde.report.pictures import picture as draw

            unknown = str(solution.equation.unknown)
            draw(solution.fields[-1], picture, title=f"t = {solution.times[-1]:g}", label=unknown)
        if first:
            console.print(table.solution_table(solution))
            for name, words in solution.depth().items():
                console.print(f"{name}: {words}.", highlight=False)
            console.print(f"{solution.cost['steps']} steps in {solution.cost['seconds']:.1f} s. Solution: {path}")
        if bound:
            said = _bounded(solution)
            if first:
                console.print(said, highlight=False, soft_wrap=True)


def _bounded(solution: Any) -> str:
    """Return the residual's bound on the error of the last field in words, or why there is none."""
    try:
        found = solution.error_bound()
    except (TypeError, ValueError) as trouble:
        return f"No bound on the error: {trouble}."
    parts = ", ".join(f"{name} {size:.2g}" for name, size in found.parts.items() if size)
    how = f"sampled, since {found.sampled}" if found.sampled else "bounded on every cell and piece of time"
    capped = f" This says nothing: {found.capped}; take more cells." if found.capped else ""
    return f"Off by at most {found.value:.2g} in {found.norm} ({parts}); the residual is {how}.{capped}"


def _find(posed: Any, out: Path, picture: Path | None, console: Terminal, first: bool) -> None:
    """Find what a problem file asks for in place of a march, write it, and say what it is."""
    from mfgpde.core import files
    from mfgpde.report import table

    if picture is not None and posed.sought.marches:
        raise ValueError("the law of a first passage is no field: leave --picture away")
    found = posed.find()
    path = files.kept(found.save, out)
    if picture is not None:
        from mfgpde.report.pictures import picture as draw

        draw(found.drawn, picture, title=found.title)
    if first:
        console.print(table.passage_table(found) if posed.sought.marches else table.fields_table(found))
        console.print(f"In {path}", highlight=False)


def _play(posed: Any, out: Path, picture: Path | None, console: Terminal) -> None:
    """Solve a game, write it, and say what it cost."""
    from mfgpde.core import files
    from mfgpde.report import table

    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        refined = posed.solve(out, progress=True)
    found, path = refined.finest, files.kept(refined.save, out)
    console.print(table.equilibrium_table(found, refined.optimal_cost))
    console.print(f"{found.cost['seconds']:.1f} s. Equilibrium: {path}", highlight=False)
    if picture is not None:
        from mfgpde.report import plotting

        plotting.write(plotting.equilibrium_panels(found), picture, dpi=200)
    for remark in said:
        console.remark(remark.message)
    if not found.converged:
        raise ended(2, "the game has not converged; the same command goes on from there")


@app.command()
def bench(
    names: Annotated[list[str] | None, typer.Argument(help="Benchmarks to run; default: all.")] = None,
    out: OutOption = Path("results/bench"),
    peers: Annotated[bool, typer.Option(help="Run installed peers beside us.")] = True,
    list_: Annotated[bool, typer.Option("--list", help="List the benchmarks and stop.")] = False,
) -> None:
    """Measure accuracy, time and bandwidth, peers beside us in the same call; report ratios, as JSON and as Markdown."""
    from mfgpde.app import bundled, outputs
    from mfgpde.core.files import write_text
    from mfgpde.report import table
    from mfgpde.verify import discover, record

    console = _console()
    with Complaints():
        scripts = bundled.scripts("benchmarks")
        if list_:
            return bundled.describe(scripts, console)
        chosen = {name: bundled.pick(name, scripts, "benchmark") for name in names or scripts}
        outputs.folder(out)
        for name, path in chosen.items():
            result = discover.load_module(path).run(peers)
            record.write(out / f"{name}.json", {**result, "provenance": record.provenance(PACKAGE)})
            write_text(out / f"{name}.md", table.bench_markdown(result))
            console.print(table.bench_table(result))
            if "panels" in result:
                from mfgpde.report import plotting

                console.print(f"Figure: {plotting.bench_figure(result, out / name)[0]}", highlight=False)


@app.command()
def calibrate(
    families: Annotated[list[str] | None, typer.Argument(help="Families, or family:draw; default: all.")] = None,
    cases: Annotated[int, typer.Option(min=1, help="How many numbers to try.")] = 300,
    kind: Annotated[str | None, typer.Option(help="Only proved, bound, extrapolated or confidence.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the problems drawn.")] = 0,
    out: OutOption = Path("results/calibration"),
    jobs: JobsOption = 0,
    list_: Annotated[bool, typer.Option("--list", help="List the families and stop.")] = False,
) -> None:
    """Put error bars on trial on random problems with known answers; exit code 1 if a promise is broken.

    Interrupted, the same command goes on, to the same numbers bit for bit.
    """
    with Complaints():
        from mfgpde.app import calibrated, outputs

        if list_:
            return calibrated.describe(_console())
        outputs.folder(out)
        asked = calibrated.Asked(families or [], cases, kind, seed, jobs)
        kept = calibrated.run(asked, out, PACKAGE, _console())
    raise ended(0 if kept else 1, "a bar misses the truth more often than its kind promises, or a draw has failed")


@app.command()
def laws(
    member: Annotated[str, typer.Argument(help="A class, function or instance: file.py:name or module:name.")],
    kind: Annotated[str | None, typer.Option(help="process, density, score, …; default: by its contract.")] = None,
) -> None:
    """Hold somebody's process, density, score, … to the laws of its kind; exit code 1 if one is broken."""
    from mfgpde.app import laws as court
    from mfgpde.report import law_table

    console = _console()
    with Complaints():
        trial = court.examined(member, kind)
    for one, outcomes in trial.outcomes:
        console.print(law_table.law_table(one, trial.kind, outcomes))
    raise ended(0 if trial.kept else 1, f"{member} breaks a law of its kind, {trial.kind}")


@app.command()
def doctor() -> None:
    """Examine this machine: what works, what is missing and would enable; exit code 1 if something needed fails."""
    from mfgpde.app import doctor as examiner
    from mfgpde.report import table

    console = _console()
    with console.status("looking"):
        parts = list(examiner.examine())
    console.print(table.parts_table(parts))
    raise ended(0 if examiner.sound(parts) else 1, "something that mfgpde needs fails on this machine")


@app.command()
def cite() -> None:
    """Print how to cite mfgpde and the papers whose statements it verifies."""
    from mfgpde.core.modules import shipped

    place = shipped(PACKAGE, "CITATION.cff")
    if not place.is_file():
        raise ended(1, f"there is no file {place}")
    typer.echo(place.read_text(encoding="utf-8"))


def _console() -> Terminal:
    from mfgpde.app.terminal import Terminal

    return Terminal()


def main() -> None:
    """Run the command line."""
    threads.prepare()
    printable.forgive(sys.stdout, sys.stderr)
    app()


if __name__ == "__main__":
    main()
