"""Verdict overview: how far each statement is from failing, and how far its deliberate falsehoods are from passing."""

from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path

from mfgpde.report import paper, plotting
from mfgpde.verify import load_module

violations = load_module(Path(__file__).with_name("_violations.py"))

COMPARED = False
"""its numbers are those of a run, which has error bars to be compared by"""
ROW, LEAST, PAGE, AROUND = 0.123, 0.087, 9.55, 0.75
"""inches: of a claim's row, and where many share a page, which then holds 101; of a page, and of what is around the rows"""


def draw(run: Mapping, out: Path) -> list[Path]:
    """Draw all findings and controls of a recorded run in units of the smallest violation that matters, δ.

    Claims stand by paper, in as many columns of the page as the width has room for.
    """
    claims, rows = run["claims"], []
    width = paper.asked().inches or plotting.DOUBLE
    groups = [list(group) for _, group in groupby(claims, lambda claim: claim["id"].rpartition("/")[0])]
    columns = _columns(groups, 2 if width > 5.5 and len(groups) > 1 else 1)
    longest = max(sum(len(group) + 1 for group in column) for column in columns)
    with plotting.style():
        row = max(LEAST, min(ROW, (PAGE - AROUND) / longest))
        figure = plotting.Figure(figsize=(width, AROUND + row * longest))
        panels = figure.subplots(1, len(columns), squeeze=False)[0]
        for panel, column in zip(panels, columns, strict=True):
            rows += violations.column(panel, column, longest)
        figure.supxlabel("violation / δ, the smallest violation that matters", size=8)
        violations.legend(figure)
        table = ("claim", "what", "label", "outcome", "violation / δ", "violation + bar / δ"), rows
        return plotting.save(figure, out, "verdicts", table, run, [claim["id"] for claim in claims])


def _columns(groups: Sequence[list], count: int) -> list[list[list]]:
    """Return groups in columns of about one length, no group divided."""
    if count == 1:
        return [list(groups)]
    lengths = [len(group) + 1 for group in groups]
    cut = min(range(1, len(groups)), key=lambda k: max(sum(lengths[:k]), sum(lengths[k:])))
    return [list(groups[:cut]), list(groups[cut:])]
