"""Verdict overview: how far each statement is from failing, and how far its deliberate falsehoods are from passing."""

from collections.abc import Mapping
from pathlib import Path

from mfgpde.report import plotting

COMPARED = False
"""its numbers are those of a run, which has error bars to be compared by"""
LOW, HIGH = 1e-6, 1e4  # what lies outside is drawn at the edge


def draw(run: Mapping, out: Path) -> list[Path]:
    """Draw all findings and controls of a recorded run in units of the smallest violation that matters, δ."""
    claims = run["claims"]
    rows = []
    with plotting.style():
        figure = plotting.Figure(figsize=(plotting.SINGLE, 0.9 + 0.22 * len(claims)))
        panel = figure.subplots()
        panel.axvspan(LOW, 1, color=plotting.OUTCOMES["holds"], alpha=0.08, lw=0)
        panel.axvline(1, color="0.3", lw=0.8)
        for y, claim in enumerate(claims):
            for finding in claim["findings"]:
                low, high = _reach(finding)
                panel.plot(low, y, "o", color=plotting.OUTCOMES[finding["outcome"]], ms=2.5, lw=0, alpha=0.9)
                panel.plot([low, high], [y, y], color=plotting.OUTCOMES[finding["outcome"]], lw=0.8, alpha=0.6)
                rows.append((claim["id"], "finding", finding["label"], finding["outcome"], low, high))
            for control in claim["controls"]:
                place = _reach(control["finding"])[0] if control["finding"] else HIGH
                caught = control["outcome"] == "refuted"
                panel.plot(
                    place, y, "x" if caught else "s", color="0.2" if caught else plotting.OUTCOMES["broken"], ms=4
                )
                rows.append((claim["id"], "control", control["description"], control["outcome"], place, place))
        panel.set_yticks(range(len(claims)), [f"{claim['id']}" for claim in claims], size=6.5)
        for label, claim in zip(panel.get_yticklabels(), claims, strict=True):
            label.set_color(plotting.OUTCOMES[claim["outcome"]])
        panel.set(xscale="log", xlim=(LOW / 2, HIGH * 2), ylim=(len(claims) - 0.4, -0.6))
        figure.supxlabel("violation / δ, the smallest violation that matters", size=8)
        holds = plotting.OUTCOMES["holds"]
        handles = [
            plotting.Line2D([], [], marker="o", ms=2.5, lw=0.8, color=holds, label="statement, to its error bar"),
            plotting.Line2D([], [], marker="x", ms=4, lw=0, color="0.2", label="deliberately false"),
        ]
        figure.legend(handles=handles, loc="outside upper center", ncols=2)
        table = ("claim", "what", "label", "outcome", "violation / δ", "violation + bar / δ"), rows
        return plotting.save(figure, out, "verdicts", table, run, [claim["id"] for claim in claims])


def _reach(finding: Mapping) -> tuple[float, float]:
    """Return the violation and the violation with its error bar, in units of δ, within the axis."""
    if not finding["resolution"]:
        return (LOW, LOW) if finding["outcome"] == "holds" else (HIGH, HIGH)
    excess = finding["excess"]
    bar = HIGH * finding["resolution"] if finding["bar"] is None else finding["bar"]
    low, high = (max(x, 0.0) / finding["resolution"] for x in (excess, excess + bar))
    return min(max(low, LOW), HIGH), min(max(high, LOW), HIGH)
