"""A figure for each paper: its main finding as a measured curve, and all its claims with what would have refuted them."""

from collections.abc import Mapping
from pathlib import Path

from mfgpde.report import paper, plotting
from mfgpde.verify import load_module

COMPARED = False
"""its numbers are those of a run, which has error bars to be compared by"""
findings = load_module(Path(__file__).with_name("_findings.py"))
violations = load_module(Path(__file__).with_name("_violations.py"))
ROW, AROUND, LEAST = 0.135, 0.95, 2.2
"""inches: of a claim's row, of what is around the rows, of the whole"""


def draw(run: Mapping, out: Path) -> list[Path]:
    """Draw every paper's figure from a recorded run; return the files of all."""
    return [file for panel in findings.PANELS for file in _drawn(run, out, *panel)]


def _drawn(run: Mapping, out: Path, shown: str, x_label: str, y_label: str, words: str) -> list[Path]:
    author = shown.split("/")[0]
    claims = [claim for claim in run["claims"] if claim["id"].split("/")[0] == author]
    width, longest = paper.asked().inches or plotting.DOUBLE, len(claims) + 1
    beside = width > 5
    rows = ROW * longest + AROUND
    with plotting.style():
        size = (width, max(LEAST, rows)) if beside else (width, rows + 2.0)
        figure = plotting.Figure(figsize=size)
        if beside:
            curve, column = figure.subplots(1, 2, width_ratios=(1, 1.15))
        else:
            curve, column = figure.subplots(2, 1, height_ratios=(2.0, rows))
        points = findings.curves(curve, run, shown, x_label, y_label)
        curve.set_title(f"{findings.AUTHORS[author]}: {' '.join(words.split())}")
        marks = violations.column(column, [claims], longest)
        column.set(xlabel="violation / δ, the smallest violation that matters")
        violations.legend(figure)
        table = [(claim, label, x, y, "", "") for claim, label, x, y in points]
        table += [(claim, label, low, high, what, outcome) for claim, what, label, outcome, low, high in marks]
        head = ("claim", "series or finding", "x, or violation / δ", "y, or with its bar", "what", "outcome")
        return plotting.save(figure, out, f"paper_{author}", (head, table), run, [claim["id"] for claim in claims])
