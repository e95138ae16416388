"""Small pictures in the page, as SVG: a finding as intervals, its violation in units of δ, margins over stored runs."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from markupsafe import Markup, escape

from mfgpde.core.digits import digits
from mfgpde.report.notation import notation

LEFT, RIGHT = -6.0, 3.0  # decades of (excess / δ) that the strip shows
WIDTH, ROOM = 180.0, 4.0  # of pictures, and what is free at their ends


def number(value: float | None) -> str:
    """Return a number with few digits; null is no finite number."""
    return "∞" if value is None else digits(value, 4)


def bar(value: float | None) -> str:
    """Return an error bar with two digits: more say nothing."""
    return "∞" if value is None else digits(value)


def intervals(finding: Mapping[str, Any]) -> Markup:
    """Return both sides of one finding on one linear axis: left above, right below, δ as a band around the right."""
    left, right, delta = finding["left"], finding["right"], finding["resolution"]
    bars = [0.0 if side["error"] is None else side["error"] for side in (left, right)]
    if left["value"] is None or right["value"] is None:
        return Markup("")
    ends = [left["value"] - bars[0], left["value"] + bars[0], right["value"] - bars[1] - delta]
    ends.append(right["value"] + bars[1] + delta)
    if not all(map(math.isfinite, ends)):
        return Markup("")
    low, high = min(ends), max(ends)

    def place(x: float) -> float:
        return ROOM + (WIDTH - 2 * ROOM) * ((x - low) / (high - low) if high > low else 0.5)

    def reach(side: Mapping[str, Any], error: float, y: int) -> str:
        a, b, x = place(side["value"] - error), place(side["value"] + error), place(side["value"])
        return f'<line x1="{a:.1f}" x2="{b:.1f}" y1="{y}" y2="{y}" class="reach"/><circle cx="{x:.1f}" cy="{y}" r="3"/>'

    # what the relation allows the left side: up to the right one, or around it
    start, stop = 0.0 if finding["relation"] == "≤" else place(right["value"] - delta), place(right["value"] + delta)
    label = f"{number(left['value'])} ± {bar(left['error'])} {finding['relation']} {number(right['value'])}"
    return Markup(
        f'<svg viewBox="0 0 {WIDTH:g} 24" width="{WIDTH:g}" height="24" role="img" aria-label="{escape(label)}" '
        f'class="{finding["outcome"]}"><rect x="{start:.1f}" y="0" width="{max(stop - start, 1.0):.1f}" height="24" '
        f'class="room"/>{reach(left, bars[0], 7)}<g class="theirs">{reach(right, bars[1], 17)}</g></svg>'
    )


def strip(finding: Mapping[str, Any]) -> Markup:
    """Return violation (dot) and violation + bar (line) of one finding in units of δ, logarithmic."""
    if not finding["resolution"] or finding["excess"] is None:
        return Markup("")
    error = math.inf if finding["bar"] is None else finding["bar"]
    dot = _decade(max(finding["excess"], 0.0) / finding["resolution"])
    end = _decade(max(finding["excess"] + error, 0.0) / finding["resolution"])
    edge = _decade(1.0)
    ticks = "".join(
        f'<line x1="{_decade(10.0**k):.1f}" x2="{_decade(10.0**k):.1f}" y1="11" y2="14" class="tick"/>'
        for k in range(-6, 4)
    )
    label = f"violation {number(finding['excess'])}, bar {bar(finding['bar'])}, δ {number(finding['resolution'])}"
    return Markup(
        f'<svg viewBox="0 0 180 18" width="180" height="18" role="img" aria-label="{label}" class="{finding["outcome"]}">'
        f'<rect x="0" y="0" width="{edge:.1f}" height="14" class="room"/>{ticks}'
        f'<line x1="{dot:.1f}" x2="{end:.1f}" y1="7" y2="7" class="reach"/><circle cx="{dot:.1f}" cy="7" r="3"/>'
        f'<line x1="{edge:.1f}" x2="{edge:.1f}" y1="0" y2="14" class="edge"/></svg>'
    )


def _decade(ratio: float) -> float:
    decade = min(max(math.log10(ratio) if ratio > 0 else LEFT, LEFT), RIGHT)
    return 4 + 172 * (decade - LEFT) / (RIGHT - LEFT)


def sparkline(claim: str, runs: Sequence[Mapping[str, Any]]) -> Markup:
    """Return a claim's margins over stored runs, logarithmic, oldest left; crosses where it did not hold.

    The height is the range of the margins, at least a factor of four.
    """
    known = [run["claims"][claim] for run in runs if claim in run["claims"]][-30:]
    if len(known) < 2:
        return Markup("")
    heights = [min(max(margin, 0.5), 1e4) if margin else 0.5 for _, margin, _ in known]
    label = f"margin over {len(known)} runs, last {number(known[-1][1])}"
    return trend(heights, label, [outcome != "holds" for outcome, _, _ in known])


def trend(values: Sequence[float], label: str, crossed: Sequence[bool] = ()) -> Markup:
    """Return positive values as a small logarithmic line, the last one dotted; crosses where wanted."""
    heights = [math.log10(value) for value in values]
    middle, half = 0.5 * (max(heights) + min(heights)), max(0.5 * (max(heights) - min(heights)), math.log10(2))
    low, high = middle - half, middle + half
    points = [(4 + 72 * k / (len(values) - 1), 15 - 12 * (y - low) / (high - low)) for k, y in enumerate(heights)]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    crosses = "".join(
        f'<path d="M{x - 2:.1f} {y - 2:.1f}l4 4m0 -4l-4 4" class="cross"/>'
        for (x, y), cross in zip(points, crossed, strict=False)
        if cross
    )
    x, y = points[-1]
    return Markup(
        f'<svg viewBox="0 0 80 18" width="80" height="18" role="img" aria-label="{escape(label)}" class="spark"><title>'
        f'{escape(label)}</title><polyline points="{path}"/>{crosses}<circle cx="{x:.1f}" cy="{y:.1f}" r="2"/></svg>'
    )


def scale(rows: Sequence[Mapping[str, Any]], unit: str = "") -> Markup:
    """Return numbers with their intervals on one logarithmic axis, a line each; bounds as brackets that open to the left.

    A row has a `label`, a `value`, `low` and `high`, may have `words` for them, and may be a `bound`. What reaches down to
    zero leaves on the left, what has no upper end on the right. Places are in per cent of the width, so that the picture
    fits any screen with its text as large as the page's.
    """
    shown = [row for row in rows if row["high"] > 0 and (math.isfinite(row["high"]) or row["low"] > 0)]
    if not shown:
        return Markup("")
    ends = [x for row in shown for x in (row["low"], row["value"], row["high"]) if x > 0 and math.isfinite(x)]
    first = math.floor(math.log10(max(min(ends), 1e-6 * max(ends))))
    last = max(math.ceil(math.log10(max(ends))), first + 1)
    every = -(-(last - first) // 4)  # labels of decades that a phone has room for

    def place(x: float) -> float:
        decade = math.log10(x) if x > 0 else first
        return 2 + 92 * (min(max(decade, first), last) - first) / (last - first)

    decades = [(k, place(10.0**k)) for k in range(first, last + 1)]
    grid = "".join(f'<line x1="{x:.1f}%" x2="{x:.1f}%" y1="0" y2="100%" class="grid"/>' for _, x in decades)
    lines = [_line(row, place, grid) for row in shown]
    ticks = "".join(
        f'<text x="{x:.1f}%" y="13" text-anchor="middle">{10.0**k:g}{unit}</text>'
        for k, x in decades
        if (k - first) % every == 0
    )
    axis = f'<div class="line axis"><span></span><svg width="100%" height="18" aria-hidden="true">{ticks}</svg></div>'
    return Markup(
        f'<div class="scale" role="group" aria-label="numbers with their intervals">{"".join(lines)}{axis}</div>'
    )


def _line(row: Mapping[str, Any], place: Callable[[float], float], grid: str) -> str:
    """Return one number of a scale: its label, its interval, and its value in words."""
    low, high, at = (place(row[name]) for name in ("low", "high", "value"))
    title = f"{row['label']}: {number(row['value'])}, {number(row['low'])} … {number(row['high'])}"
    mark = f'<circle cx="{at:.1f}%" cy="11" r="3.5"/>'
    if row.get("bound"):
        mark = f'<svg x="{at:.1f}%" y="11" overflow="visible"><path d="M-6 -7h6v14h-6" class="bound"/></svg>'
    words = row.get("words", number(row["value"]))
    return (
        f'<div class="line"><span>{notation(row["label"])} <b>{escape(words)}</b></span>'
        f'<svg width="100%" height="22" role="img" aria-label="{escape(title)}"><title>{escape(title)}</title>{grid}'
        f'<line x1="{low:.1f}%" x2="{high:.1f}%" y1="11" y2="11" class="reach"/>{mark}</svg></div>'
    )
