"""What `mfgpde calibrate` is asked for: families of cases by name, or single draws of theirs again."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mfgpde.calibration import FAMILIES, Calibration, calibrate
from mfgpde.core.estimate import Kind
from mfgpde.core.files import write_text
from mfgpde.core.register import nearest
from mfgpde.report import calibration as page
from mfgpde.verify import record

SHOWN = 20
"""failures in the terminal"""
DRAWS = "draws.jsonl"
"""what an interrupted trial leaves in its folder"""


def describe(console: Any) -> None:
    """Print a line for each family: what it draws."""
    for name in FAMILIES:
        console.print(f"{name}: {(inspect.getdoc(FAMILIES[name]) or '').splitlines()[0]}", highlight=False)


def run(asked: Asked, out: Path, package: Path, console: Any) -> bool:
    """Hold the trial, write and show what it found; say whether every promise was kept."""
    return tried(asked, console.is_terminal, out / DRAWS, lambda found: written(found, out, package, console)).kept


@dataclass(frozen=True)
class Asked:
    """Families, or single draws as "family:7" (none: all families); how many cases, of which kind; how many processes."""

    names: Sequence[str] = ()
    cases: int = 300
    kind: str | None = None
    seed: int = 0
    jobs: int = 1


def tried(
    asked: Asked, show: bool, checkpoint: Path | None = None, on_result: Callable[[Calibration], None] = lambda _: None
) -> Calibration:
    """Return the trial that is asked for; what was found goes to `on_result` before what it was made of is let go.

    Raises ValueError for a family or kind that there is not, and a draw that is no number.
    """
    kind = asked.kind
    if kind is not None and kind.upper() not in Kind.__members__:
        raise ValueError(f"unknown kind {kind!r}; {nearest(kind, [one.name.lower() for one in Kind])}")
    wanted = None if kind is None else Kind[kind.upper()]
    draws: list[int] = []
    chosen: list[str] = []
    for name in asked.names:
        family, colon, draw = name.partition(":")
        if colon and not draw.isdigit():
            raise ValueError(f"{name!r} names no draw; write {family}:7 for draw 7")
        draws += [int(draw)] if colon else []
        chosen.append(family)
    if draws and len(set(chosen)) != 1:
        raise ValueError("single draws are those of one family")
    missing = {} if asked.names else FAMILIES.absent()
    made = {name: FAMILIES.named(name)() for name in dict.fromkeys(chosen or FAMILIES)}

    def whole(found: Calibration) -> Calibration:
        return replace(found, missing={**missing, **found.missing})

    return whole(
        calibrate(
            made, asked.cases, kind=wanted, seed=asked.seed, draws=draws, jobs=asked.jobs, checkpoint=checkpoint,
            on_result=lambda found: on_result(whole(found)), progress=show,
        )
    )  # fmt: skip


def written(found: Calibration, out: Path, package: Path, console: Any) -> None:
    """Write the record, the table and the figure of a trial, and print what they say."""
    provenance = record.provenance(package)
    record.write(out / "calibration.json", {**page.plain(found), "provenance": provenance})
    write_text(out / "calibration.html", page.render(found, provenance))
    write_text(out / "calibration.md", page.markdown(found))
    picture = page.calibration_figure(found, out / "calibration")[0]
    console.print(page.calibration_table(found))
    for one in found.failures[:SHOWN]:
        words = f"{one.case.ratio:.3g} × the bar: {one.case.what}: {one.case.estimate} for {one.case.truth:.8g}"
        console.print(f"{one.family}:{one.draw} (seed {one.seed})  {words}", highlight=False)
    for name, where, draw, words in found.broken:
        console.remark(f"{name}:{draw} (seed {where}): {words}", "✗", "bold red")
    for name, words in found.missing.items():
        console.remark(f"{name} was left out: {words}")
    files = f"Page: {out / 'calibration.html'}   Figure: {picture}"
    console.print(f"{len(found.refused)} draws refused. {files}", highlight=False)
    if found.resumed:
        console.print(f"{found.resumed} draws are from the interrupted trial that this one continued.", highlight=False)
