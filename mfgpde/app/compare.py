"""The command `mfgpde compare`: certificates side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mfgpde.app.complaints import Complaints


def compare(
    certificates: Annotated[list[Path], typer.Argument(help="Two or more certificate.json, or folders that hold one.")],
    require: Annotated[
        list[str] | None, typer.Option(help="What must hold for each of them, as 'W2(ode,data) <= 0.1'.")
    ] = None,
    out: Annotated[Path, typer.Option("--out", help="The page to write.")] = Path("results/comparison.html"),
) -> None:
    """Compare certificates of checkpoints or models on one page, every number beside its scale.

    Exit code 1: a requirement is refuted for one of them; 2: one has failed, or a requirement is undecided.
    """
    from mfgpde.app import certificates as kept
    from mfgpde.app import gates, outputs
    from mfgpde.app.requirements import Certificate, Requirement
    from mfgpde.app.terminal import Terminal
    from mfgpde.report import table

    with Complaints():
        required = [Requirement.read(text) for text in require or ()]
        page, found = kept.side_by_side(certificates, outputs.ready(out, (".html",)))
    console = Terminal()
    console.print(table.comparison_table(found))
    console.print(f"Comparison: {page}", highlight=False)
    codes: list[int] = []
    with Complaints():
        for name, result in found if required else ():
            console.print(name, highlight=False)
            one = Certificate(result)
            codes.append(gates.code(one, required, None, console, failed=bool(result["failures"])))
    raise typer.Exit(min((code for code in codes if code), default=0))
