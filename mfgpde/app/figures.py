"""The command `mfgpde figures`: paper figures from a recorded run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mfgpde.app.complaints import Complaints, ended

PACKAGE = Path(__file__).parents[1]


def figures(
    names: Annotated[
        list[str] | None, typer.Argument(help="Figures to draw, or a certificate.json; default: all figures.")
    ] = None,
    run: Annotated[Path, typer.Option(help="The recorded run to draw from.")] = Path("results/quick/run.json"),
    out: Annotated[Path, typer.Option("--out", help="Folder for figures.")] = Path("results/figures"),
    against: Annotated[Path | None, typer.Option(help="Stored digests of the data to compare with.")] = None,
    store: Annotated[Path | None, typer.Option(help="Where to store digests of the data.")] = None,
    width: Annotated[str | None, typer.Option(help="Of the paper's column: 85mm, 178mm, 3.35in.")] = None,
    style: Annotated[Path | None, typer.Option(help="The paper's fonts: a style sheet of Matplotlib.")] = None,
    again: Annotated[bool, typer.Option("--again", help="Draw also what has not changed.")] = False,
    list_: Annotated[bool, typer.Option("--list", help="List the figures and stop.")] = False,
) -> None:
    """Draw paper figures from a recorded run, as PDF and PNG, with the numbers behind each; exit code 3 if these moved."""
    from mfgpde.app import bundled, drawn, figure_data, outputs
    from mfgpde.app.terminal import Terminal
    from mfgpde.core.progress import meter
    from mfgpde.report import paper
    from mfgpde.verify import record

    console = Terminal()
    with Complaints():
        scripts = bundled.scripts("figures")
        wanted = paper.Paper(paper.millimetres(width) if width else None, style)
        wanted.settings()
        if list_:
            return bundled.describe(scripts, console)
        certificates = [Path(name) for name in names or () if name.endswith(".json")]
        for place in certificates:
            from mfgpde.app.certificates import drawn as certificate

            with paper.drawn_for(wanted):
                files = ", ".join(map(str, certificate(place, outputs.folder(out))))
            console.print(f"{place}: {files}", highlight=False, soft_wrap=True)
        names = [name for name in names or () if not name.endswith(".json")]
        if certificates and not names:
            return
        chosen = {name: bundled.pick(name, scripts, "figure") for name in names or scripts}
        stored = figure_data.read(against) if against else {}
        outputs.folder(out)
        if store:
            outputs.ready(store)
        recorded, found = record.read_complete(run), {}
        if recorded["provenance"] != record.provenance(PACKAGE):
            console.print(f"The run was recorded at commit {recorded['provenance']['commit']}; what it holds is drawn.")
        with meter("figures") as bar:
            for k, one in enumerate(drawn.draw(chosen, recorded, out, PACKAGE, again=again, paper=wanted), start=1):
                bar(k / len(chosen), one.name)
                if one.compared:
                    found[one.name] = figure_data.digest(one.files)
                kept = "" if one.fresh else " (kept: nothing it is made of has changed)"
                files = ", ".join(map(str, one.files))
                console.print(f"{one.name}: {files}{kept}", highlight=False, soft_wrap=True)
        if store:
            figure_data.store(store, found)
    moved = figure_data.moved(stored, found)
    for words in moved:
        console.print(words, highlight=False)
    raise ended(3 if moved else 0, f"{len(moved)} number(s) or figure(s) moved since {against}")
