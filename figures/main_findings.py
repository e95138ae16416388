"""What each paper says, at a glance: one measured curve for each of the five, and how many of its claims hold."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from mfgpde.report import paper, plotting
from mfgpde.verify import load_module

COMPARED = False
"""its numbers are those of a run, which has error bars to be compared by"""
findings = load_module(Path(__file__).with_name("_findings.py"))


def draw(run: Mapping, out: Path) -> list[Path]:
    """Draw from the recorded evidence of five claims."""
    rows = []
    with plotting.style():
        width = paper.asked().inches or plotting.DOUBLE
        columns = max(1, round(width / 2.3))
        lines = -(-(len(findings.PANELS) + 1) // columns)
        figure = plotting.Figure(figsize=(width, (2.1 if columns > 1 else 1.55) * lines))
        *panels, last = figure.subplots(lines, columns).ravel()[: len(findings.PANELS) + 1]
        for panel, (claim, x_label, y_label, title) in zip(panels, findings.PANELS, strict=True):
            rows += findings.curves(panel, run, claim, x_label, y_label)
            panel.set(title=_title(claim, title, columns))
        _counts(last, run)
        table = ("claim", "series", "x", "y"), rows
        return plotting.save(figure, out, "main_findings", table, run, [claim for claim, *_ in findings.PANELS])


def _title(claim: str, words: str, columns: int) -> str:
    """Return whose finding it is and what, in one line where the panel is as wide as the page."""
    author = findings.AUTHORS[claim.split("/")[0]]
    return f"{author}\n{words}" if columns > 1 else f"{author}: {' '.join(words.split())}"


def _counts(panel, run: Mapping) -> None:
    """Draw how many claims of each paper hold, beside all that were judged."""
    judged = [claim for claim in run["claims"] if claim["id"].split("/")[0] in findings.AUTHORS]
    whole = Counter(claim["id"].split("/")[0] for claim in judged)
    held = Counter(claim["id"].split("/")[0] for claim in judged if claim["outcome"] == "holds")
    places = np.arange(len(findings.AUTHORS))
    panel.barh(places, [whole[name] for name in findings.AUTHORS], color="0.85", label="judged")
    panel.barh(
        places, [held[name] for name in findings.AUTHORS], color=plotting.OUTCOMES["holds"], height=0.5, label="hold"
    )
    panel.set_yticks(places, findings.AUTHORS.values())
    panel.invert_yaxis()
    panel.set(xlabel="claims", xlim=(0, 1.6 * max(whole.values())), title="Claims of each paper\nthat were judged")
    panel.legend(loc="lower right")
