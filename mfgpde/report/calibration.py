"""What bars did on trial: as a table for the terminal, as Markdown for the documentation, as a figure, as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table
from rich.text import Text

from mfgpde.calibration import Calibration, Row
from mfgpde.core.estimate import Kind
from mfgpde.report.environment import template
from mfgpde.report.inline import inline
from mfgpde.report.plotting import COLOURS, DOUBLE, Figure, style, write

COLUMNS = ("family", "kind", "cases", "outside", "allowed", "worst", "bar/error")
SHOWN = 12
"""failures in Markdown"""
MOST = 200
"""failures on a page"""
NAME = 0.15
"""inches of a line of names below a panel"""
LINES = "-", "--", ":", "-."
"""of as many families as there are colours, and of the next ones"""
PROMISE = {
    Kind.PROVED: "never outside",
    Kind.BOUND: "never outside",
    Kind.EXTRAPOLATED: "≤ 1 % outside",
    Kind.CONFIDENCE: "99 % inside",
}


def cells(row: Row) -> list[str]:
    """Return a row of the table as text."""
    sharp = f"{row.sharpness:.2g}" if np.isfinite(row.sharpness) else "–"
    counts = [str(n) for n in (len(row.ratios), row.failures, row.allowed)]
    return [row.family, row.kind.name.lower(), *counts, f"{row.worst:.3g}", sharp]


def calibration_table(found: Calibration) -> Table:
    """Return one row a family and kind: how many bars missed the truth, the worst |value − truth|/bar, and their width."""
    outside = len(found.failures)
    table = Table(title=f"{len(found.tried)} bars, {outside} outside", title_justify="left", header_style="bold")
    for name in COLUMNS:
        table.add_column(name, justify="left" if name in ("family", "kind") else "right", no_wrap=True)
    table.add_column("")
    for row in found.rows:
        mark = Text("✓ kept", style="green") if row.kept else Text("✗ broken", style="bold red")
        table.add_row(*cells(row), mark)
    return table


def markdown(found: Calibration) -> str:
    """Return the table and the worst failures as Markdown."""
    lines = [
        f"{len(found.tried)} cases, seed {found.seed}; {len(found.refused)} draws were refused before any number.",
        "",
    ]
    lines += ["| " + " | ".join((*COLUMNS, "promise")) + " |", "|" + "---|" * (len(COLUMNS) + 1)]
    for row in found.rows:
        promise = PROMISE[row.kind] + (": kept" if row.kept else ": **broken**")
        lines.append("| " + " | ".join((*cells(row), promise)) + " |")
    lines += ["", f"Outside, by family, seed and draw (the worst {SHOWN} of {len(found.failures)}):", ""]
    for one in found.failures[:SHOWN]:
        words = f"{one.case.estimate} for {one.case.truth:.8g}, ratio {one.case.ratio:.3g}: {one.case.what}"
        lines.append(f"- `{one.family}:{one.draw}` (seed {one.seed}): {words}".replace("|", "\\|"))
    return "\n".join(lines) + "\n"


def plain(found: Calibration) -> dict[str, Any]:
    """Return everything as JSON has it; ratios to three digits."""
    rows = [
        {"family": row.family, "kind": row.kind.name.lower(), "kept": row.kept, "failures": row.failures}
        | {"allowed": row.allowed, "ratios": [float(f"{ratio:.3g}") for ratio in row.ratios]}
        for row in found.rows
    ]
    failures = [
        {"family": one.family, "seed": one.seed, "draw": one.draw, "what": one.case.what, "ratio": one.case.ratio}
        | {"value": one.case.estimate.value, "error": one.case.estimate.half_width, "truth": one.case.truth}
        for one in found.failures
    ]
    unsaid = {"refused": [list(one) for one in found.refused], "broken": [list(one) for one in found.broken]}
    return {"seed": found.seed, "cases": len(found.tried), "rows": rows, "failures": failures, **unsaid}


def render(found: Calibration, provenance: Mapping[str, Any]) -> str:
    """Return the page of a trial: figure, table, and what was outside."""
    return template("calibration.html").render(
        cases=len(found.tried),
        outside=len(found.failures),
        broken=sum(not row.kept for row in found.rows),
        refused=len(found.refused),
        seed=found.seed,
        provenance=provenance,
        figure=inline(drawing(found), "share of cases beyond a multiple of the bar"),
        heads=COLUMNS,
        rows=[{"cells": cells(row), "kept": row.kept, "promise": PROMISE[row.kind]} for row in found.rows],
        failures=found.failures[:MOST],
        missing=found.missing,
    )


def drawing(found: Calibration) -> Figure:
    """Draw, for each family and kind, the share of cases whose |value − truth|/bar exceeds a number; one is the promise."""
    with style():
        drawn = (Kind.CONFIDENCE, Kind.EXTRAPOLATED, Kind.BOUND)  # of proved ones all that there is to see is the table
        shown = [[row for row in found.rows if row.kind is kind] for kind in drawn]
        figure = Figure(figsize=(DOUBLE, 3.0 + NAME * max(-(-len(rows) // 2) for rows in shown)))
        panels = figure.subplots(1, 3, sharey=True)
        for k, (kind, rows, axes) in enumerate(zip(drawn, shown, panels, strict=True)):
            for n, row in enumerate(rows):
                ratios = np.sort(np.clip(row.ratios, 1e-4, 1e4))
                share = np.arange(len(ratios), 0, -1) / len(ratios)
                look = {"color": COLOURS[n % len(COLOURS)], "ls": LINES[n // len(COLOURS) % len(LINES)]}
                axes.step(ratios, share, where="pre", label=row.family, **look)
            axes.axvline(1.0, color="0.3", lw=0.8)
            if kind is not Kind.BOUND:
                axes.axhline(0.01, color="0.6", lw=0.6, ls=":")
            axes.set(xscale="log", yscale="log", xlim=(1e-3, 20), xlabel="|value − truth| / bar")
            axes.set_title(f"{kind.name.lower()}: {PROMISE[kind]}")
            if rows:
                axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.18), ncols=2)
            if not k:
                axes.set_ylabel("share of cases beyond")
    return figure


def calibration_figure(found: Calibration, stem: Path) -> list[Path]:
    """Write the drawing as PNG and PDF."""
    stem.parent.mkdir(parents=True, exist_ok=True)
    with style():
        figure, paths = drawing(found), [stem.with_suffix(suffix) for suffix in (".png", ".pdf")]
        for path in paths:
            write(figure, path, metadata={"CreationDate": None} if path.suffix == ".pdf" else None)
    return paths
