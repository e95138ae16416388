"""Samplers on trial: errors against steps and verdicts, in the terminal, on a page and in a figure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from mfgpde.core.files import write_text
from mfgpde.samplers.convergence import SHORT

if TYPE_CHECKING:
    from mfgpde.report.plotting import Figure

type Row = Mapping[str, Any]


def reaches(row: Row, order: float) -> bool:
    """Say whether a row converges to the data's law, at the order stated or better where one was seen."""
    return row["verdict"] == "converges" and (row["order"] is None or row["order"] >= order - SHORT)


def called(row: Row) -> str:
    """Return the options of a row on one line."""
    return ", ".join(f"{name}={value}" for name, value in row["options"].items()) or "defaults"


def said(row: Row) -> str:
    """Return what a row says besides its numbers."""
    parts = [str(row.get("said") or "")]
    if row["verdict"] == "wrong law":
        parts.append(f"tends to a law {row['limit']:.3g} away, of variance {row['variance']:.3g}")
    if row["verdict"] == "diverges":
        parts.append(f"worse at {row['worse_at']} steps than with fewer")
    if row.get("first_wrong") and row["verdict"] != "converges":
        k, factor = row["first_wrong"]
        parts.append(f"of {row['steps'][-1]} steps, number {k} is the first wrong, {factor:.0f} times one of order one")
    return "; ".join(part for part in parts if part)


def errors_table(row: Row) -> Table:
    """Return errors against steps."""
    table = Table(title=f"{row['name']} ({called(row)}): {row['nature']}", title_justify="left", header_style="bold")
    for head in ("steps", "W2 to the data", "±", "order"):
        table.add_column(head, justify="right")
    last: tuple[int, float] | None = None
    for n, value, bar in zip(row["steps"], row["w2"], row["bars"], strict=True):
        slope = _slope(last, (n, value)) if last else ""
        table.add_row(str(n), f"{value:.4g}", f"{bar:.0e}", slope)
        last = n, value
    return table


def _slope(a: tuple[int, float], b: tuple[int, float]) -> str:
    from math import log

    return f"{log(a[1] / b[1]) / log(b[0] / a[0]):.2f}" if a[1] > 0 and b[1] > 0 else ""


def verdicts_table(rows: Sequence[Row], order: float) -> Table:
    """Return one line a row."""
    table = Table(title_justify="left", header_style="bold")
    for head in ("sampler", "options", "verdict", "order", "W2 at most steps", "what is said"):
        table.add_column(head)
    for row in rows:
        good = row["verdict"] == "not tried" or reaches(row, order)
        style = "dim" if row["verdict"] == "not tried" else "green" if good else "bold red"
        seen = f"{row['order']:.2f}" if row.get("order") is not None else ""
        last = f"{row['w2'][-1]:.2g}" if row.get("w2") else ""
        table.add_row(row["name"], called(row), Text(row["verdict"], style=style), seen, last, said(row))
    return table


def markdown(rows: Sequence[Row]) -> str:
    """Return all rows as a table in Markdown."""
    lines = ["| scheduler | options | nature | verdict | order | W₂ | remarks |", "|---|---|---|---|---|---|---|"]
    for row in rows:
        seen = f"{row['order']:.2f}" if row.get("order") is not None else ""
        values = " ".join(f"{value:.2g}" for value in row.get("w2", ()))
        cells = (row["name"], called(row), row.get("nature", ""), row["verdict"], seen, values, said(row))
        lines.append("| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def write_page(out: Path, rows: Sequence[Row], provenance: Mapping[str, Any]) -> None:
    """Write table, page and figure into a folder."""
    from mfgpde.report.plotting import write

    write(drawing(rows), out / "sampler.png", dpi=200)
    write_text(out / "sampler.html", render(rows, provenance))
    write_text(out / "sampler.md", markdown(rows))


def render(rows: Sequence[Row], provenance: Mapping[str, Any]) -> str:
    """Return the page of samplers on trial: how many came out how, errors against steps, and each with its reason."""
    from mfgpde.report.environment import template
    from mfgpde.report.inline import inline

    steps = {tuple(row["steps"]) for row in rows if row.get("w2")}
    return template("samplers.html").render(
        counts=Counter(row["verdict"] for row in rows),
        provenance=provenance,
        figure=inline(drawing(rows), "error against steps"),
        steps=", ".join(map(str, steps.pop())) if len(steps) == 1 else "its numbers of",
        rows=[
            {"name": row["name"], "nature": row.get("nature", ""), "called": called(row), "verdict": row["verdict"]}
            | {"order": f"{row['order']:.2f}" if row.get("order") is not None else ""}
            | {"errors": " ".join(f"{value:.2g}" for value in row.get("w2", ())), "said": said(row)}
            for row in rows
        ],
    )


def drawing(rows: Sequence[Row]) -> Figure:
    """Draw errors against steps; what does not converge in colour, the rest in grey when there are many."""
    from mfgpde.report import plotting

    with plotting.style():
        figure = plotting.Figure(figsize=(plotting.DOUBLE, 3.2))
        panel = figure.subplots()
        tried = [row for row in rows if row.get("w2")]
        few = len(tried) <= 8
        for row in tried:
            good = row["verdict"] == "converges"
            quiet = good and not few
            label = f"{row['name']}, {called(row)}" if few else None
            colour = {"color": "#b0b0b0"} if quiet else {} if few else {"color": COLOURS[row["verdict"]]}
            panel.loglog(row["steps"], row["w2"], marker="o", linewidth=0.6 if quiet else 1.0, label=label, **colour)
        for verdict, colour in COLOURS.items() if not few else ():
            panel.loglog([], [], color=colour, label=verdict)
        panel.set(xlabel="steps", ylabel="$W_2$ to the law of the data")
        if tried:
            panel.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


COLOURS = {"converges": "#b0b0b0", "wrong law": "#D55E00", "diverges": "#7F3C8D", "undecided": "#E69F00"}
