"""The court at the command line: what is listed, said and shown of claims, and what may be cited."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import typer

from mfgpde.app import outputs
from mfgpde.app.complaints import ended
from mfgpde.app.terminal import Terminal
from mfgpde.core.files import write_text
from mfgpde.core.printable import printable
from mfgpde.report import cited as words
from mfgpde.report import html, table
from mfgpde.verify import discover, history, isolated, law, record, run
from mfgpde.verify.claim import Level
from mfgpde.verify.forms import ClaimForm, RunForm
from mfgpde.verify.task import Task

PACKAGE = Path(__file__).parents[1]
STALE = 4
"""the exit code for a run that does not speak of the present sources"""


def serves() -> bool:
    """Work for MPI's first rank if this is another one, and say so when that is done."""
    if not any(name in os.environ for name in ("PMI_RANK", "PMIX_RANK", "OMPI_COMM_WORLD_RANK")):
        return False
    from mfgpde.verify.executors import mpi

    return mpi.serves()


def flaws(entries: Sequence[discover.Entry], console: Terminal) -> None:
    """Say before any work which claims cannot be judged."""
    for entry in entries:
        if entry.flaw:
            console.remark(entry.flaw)


def said(result: Mapping[str, Any]) -> None:
    """Print a line on a claim that has ended."""
    typer.echo(printable(f"{result['id']}: {result['outcome']} after {result['seconds']:.1f} s"), err=True)


def listed(entries: Sequence[discover.Entry], console: Terminal) -> None:
    """List claims; those that cannot be loaded with the reason."""
    rows: list[dict[str, Any]] = []
    for entry in entries:
        found = isolated.described(Task(replace(entry, path=entry.path.absolute()), Level.QUICK))
        rows.append({"id": entry.id, "standing": "", "source": "", "controls": (), **(found or {})})
    console.print(table.list_table(rows))


def judged(
    entries: Sequence[discover.Entry],
    level: Level,
    out: Path,
    terms: run.Terms,
    against: Path | None,
    targets: Sequence[str],
    console: Terminal,
    output: bool,
) -> int:
    """Judge claims, show what was found and what differs from a stored run, and return the exit code."""
    stored = record.read_complete(against) if against else None
    if stored:
        law.comparable(stored, level.value)
    folder = run.where(out / level.value, entries)
    result = run.run_suite(
        entries,
        level,
        folder,
        package=PACKAGE,
        terms=terms,
        show=console.is_terminal,
        on_result=(lambda one: None) if console.is_terminal else said,  # a log shows what goes on
    )
    ids = [entry.id for entry in discover.entries_in(discover.suite_root(PACKAGE))] if stored else []
    movements = law.compare(stored, result, lambda name: discover.meant(name, targets, ids)) if stored else None
    show(result, movements, folder, console, output=output)
    code = run.exit_code(result["claims"])
    if code:
        words = _outcomes(result["claims"])
    else:
        words = f"all hold, and {len(movements or ())} movement(s) against the stored run {against}"
    return ended(code or (3 if movements else 0), words).exit_code


def _outcomes(claims: Sequence[ClaimForm]) -> str:
    """Say how many claims are refuted, broken or undecided, and name the first few."""
    parts: list[str] = []
    for outcome in ("refuted", "broken", "undecided"):
        ids = [claim["id"] for claim in claims if claim["outcome"] == outcome]
        if ids:
            parts.append(f"{len(ids)} {outcome} ({', '.join(ids[:3])}{', …' if len(ids) > 3 else ''})")
    return f"of {_counted([claim['id'] for claim in claims])} {', '.join(parts)}"


def show(
    result: RunForm,
    movements: list[law.Movement] | None,
    folder: Path,
    console: Terminal,
    *,
    output: bool = False,
) -> None:
    """Print the table of a run and what differs from the stored one, and write the report."""
    console.print(table.verdict_table(result))
    if output:
        _printed(result, folder / "claims", console)
    if result.get("resumed"):
        console.print(f"{result.get('resumed')} of these results are from the interrupted run this one continued.")
    for remark in result.get("remarks", ()):
        console.remark(remark)
    if movements is not None:
        _compared(movements, console)
    page = folder / "report.html"
    history.add(folder, result)
    write_text(page, html.render(result, movements, history.runs(folder)))
    console.print(table.seen_to_fail(result))
    if folder.name == run.PART:
        console.print(_kept(folder, result), highlight=False)
    count, seconds = len(result["claims"]), result.get("seconds", 0.0)
    console.print(f"{count} claim(s) in {seconds:.0f} s. Report: {page}   Data: {folder / 'run.json'}", highlight=False)


def _kept(folder: Path, result: RunForm) -> str:
    """Say which run was kept where, why, and where this one is."""
    earlier, now = run.held(folder.parent), {one["id"].partition("[")[0] for one in result["claims"]}
    left = sorted(earlier - now)
    named = ", ".join(left) if len(left) < 3 else f"{len(left)} claims"
    return (
        f"{folder.parent} keeps its earlier run of {_counted(earlier)}, as {named} of it "
        f"{'was' if len(left) == 1 else 'were'} not asked for; this run of {_counted(now)} is in {folder}, where the next "
        "such run replaces it."
    )


def _counted(claims: Collection[str]) -> str:
    return "1 claim" if len(claims) == 1 else f"{len(claims)} claims"


def _compared(movements: Sequence[law.Movement], console: Terminal) -> None:
    loosened = sum(movement.loosened for movement in movements)
    count = f"{len(movements)} movement(s)" + (f", {loosened} of which ask for less" if loosened else "")
    console.print("Against the stored run: " + (count if movements else "nothing moved beyond its error bar."))
    for one in movements:
        line = f"  {one.claim}  {one.label}  {one.what}" + ("  [loosened]" if one.loosened else "")
        console.print(line, highlight=False)


def _printed(result: Mapping[str, Any], folder: Path, console: Terminal) -> None:
    for claim in result["claims"]:
        path = folder / f"{claim['id']}.log"
        if path.is_file():
            console.print(f"-- {claim['id']} printed:", highlight=False)
            console.print(path.read_text(encoding="utf-8", errors="replace").rstrip(), highlight=False)


def cited(name: str, place: Path, package: Path, console: Terminal, *, latex: bool, badge: Path | None) -> int:
    """Print a claim's verdict as it may be cited, write its badge, and return the exit code.

    Raises ValueError for a claim that the run does not hold.
    """
    if badge is not None and badge.suffix != ".svg":
        raise ValueError(f"a badge is an SVG: {badge} must end in .svg")
    if badge is not None:
        outputs.ready(badge)
    stored = record.read_complete(place)
    found = [one for one in stored["claims"] if name in (one["id"], one["id"].rpartition("/")[2])]
    if len(found) != 1:
        raise ValueError(f"{place} holds {len(found)} claims called {name!r}; name one by its id")
    (claim,) = found
    stale = _stale(claim, package)
    if stale:
        console.remark(stale, "✗", "bold red")
    else:
        console.print(words.latex(claim, stored) if latex else words.plain(claim, stored), highlight=False)
    if badge is not None:
        write_text(badge, words.badge("stale" if stale else claim["outcome"], claim["id"]))
        console.print(f"Badge: {badge}", highlight=False)
    code = STALE if stale else run.exit_code([claim])
    return ended(code, f"the run is stale for {claim['id']}" if stale else _outcomes([claim])).exit_code


def _stale(claim: ClaimForm, package: Path) -> str:
    """Say why a claim's record does not speak of the present sources; nothing if it does."""
    path = Path(claim.get("path", ""))
    if "key" not in claim or not path.is_file():
        return f"the run does not say what {claim['id']} was judged from: run `mfgpde validate {claim['id']}` again"
    if claim["key"] != run.key(record.sources(package), discover.Entry(claim["id"], path)):
        return f"the run is stale: {path}, what it leans on, or the package has changed since; validate it again"
    changed = run.changed(claim)
    if changed:
        return f"the run is stale: what {path} loads has changed since ({', '.join(changed)}); validate it again"
    return ""
