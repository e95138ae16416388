"""Rows of claims: findings and controls as multiples of δ, the smallest violation that matters."""

from collections.abc import Mapping, Sequence

from mfgpde.report import plotting

LOW, HIGH = 1e-6, 1e4  # what lies outside is drawn at the edge


def column(panel, groups: Sequence[list], longest: int) -> list[tuple]:
    """Draw claims below each other, by paper, in a panel with room for `longest` lines; return what was drawn as rows."""
    rows, ticks, y = [], [], 0
    panel.axvspan(LOW, 1, color=plotting.OUTCOMES["holds"], alpha=0.08, lw=0)
    panel.axvline(1, color="0.3", lw=0.8)
    for group in groups:
        ticks.append((y, group[0]["id"].rpartition("/")[0], None))
        y += 1
        for claim in group:
            rows += _claim(panel, claim, y)
            ticks.append((y, claim["id"].rpartition("/")[2], claim["outcome"]))
            y += 1
    panel.set_yticks([at for at, *_ in ticks], [name for _, name, _ in ticks], size=6)
    for label, (*_, outcome) in zip(panel.get_yticklabels(), ticks, strict=True):
        label.set(color=plotting.OUTCOMES.get(outcome, "black"), weight="normal" if outcome else "bold")
    panel.tick_params(axis="y", length=0)
    panel.set(xscale="log", xlim=(LOW / 2, HIGH * 2), ylim=(longest - 0.4, -0.6), xticks=[1e-6, 1e-3, 1, 1e3])
    return rows


def _claim(panel, claim: Mapping, y: int) -> list[tuple]:
    rows = []
    for finding in claim["findings"]:
        low, high = _reach(finding)
        panel.plot(low, y, "o", color=plotting.OUTCOMES[finding["outcome"]], ms=2.2, lw=0, alpha=0.9)
        panel.plot([low, high], [y, y], color=plotting.OUTCOMES[finding["outcome"]], lw=0.8, alpha=0.6)
        rows.append((claim["id"], "finding", finding["label"], finding["outcome"], low, high))
    for control in claim["controls"]:
        place = _reach(control["finding"])[0] if control["finding"] else HIGH
        caught = control["outcome"] == "refuted"
        panel.plot(place, y, "x" if caught else "s", color="0.2" if caught else plotting.OUTCOMES["broken"], ms=3.5)
        rows.append((claim["id"], "control", control["description"], control["outcome"], place, place))
    return rows


def _reach(finding: Mapping) -> tuple[float, float]:
    """Return the violation and the violation with its error bar, in units of δ, within the axis."""
    if not finding["resolution"]:
        return (LOW, LOW) if finding["outcome"] == "holds" else (HIGH, HIGH)
    excess = finding["excess"]
    bar = HIGH * finding["resolution"] if finding["bar"] is None else finding["bar"]
    low, high = (max(x, 0.0) / finding["resolution"] for x in (excess, excess + bar))
    return min(max(low, LOW), HIGH), min(max(high, LOW), HIGH)


def legend(figure) -> None:
    """Say above a figure what its marks mean."""
    holds = plotting.OUTCOMES["holds"]
    handles = [
        plotting.Line2D([], [], marker="o", ms=2.5, lw=0.8, color=holds, label="statement, to its error bar"),
        plotting.Line2D([], [], marker="x", ms=3.5, lw=0, color="0.2", label="deliberately false"),
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=2)
