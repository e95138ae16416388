"""The command `mfgpde compare`: certificates side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mfgpde.app.complaints import Complaints


def compare(
    certificates: Annotated[list[Path], typer.Argument(help="Two or more certificate.json, or folders that hold one.")],
    out: Annotated[Path, typer.Option("--out", help="The page to write.")] = Path("results/comparison.html"),
) -> None:
    """Compare certificates of checkpoints or models on one page, every number beside its scale."""
    from mfgpde.app import certificates as kept
    from mfgpde.app import outputs
    from mfgpde.app.terminal import Terminal
    from mfgpde.report import table

    with Complaints():
        page, found = kept.side_by_side(certificates, outputs.ready(out, (".html",)))
    console = Terminal()
    console.print(table.comparison_table(found))
    console.print(f"Comparison: {page}", highlight=False)
