"""Small pictures in the page, as SVG: a finding as intervals, its excess in units of δ, margins over stored runs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup, escape

LEFT, RIGHT = -6.0, 3.0  # decades of (excess / δ) that the strip shows
WIDTH, ROOM = 180.0, 4.0  # of pictures, and what is free at their ends


def number(value: float | None) -> str:
    """Return a number with few digits; null is infinity."""
    return "∞" if value is None else f"{value:.4g}"


def intervals(finding: Mapping[str, Any]) -> Markup:
    """Return both sides of one finding on one linear axis: left above, right below, δ as a band around the right."""
    left, right, delta = finding["left"], finding["right"], finding["resolution"]
    bars = [0.0 if side["error"] is None else side["error"] for side in (left, right)]
    ends = [left["value"] - bars[0], left["value"] + bars[0], right["value"] - bars[1] - delta]
    ends.append(right["value"] + bars[1] + delta)
    if not all(map(math.isfinite, ends)):
        return Markup("")
    low, high = min(ends), max(ends)

    def place(x: float) -> float:
        return ROOM + (WIDTH - 2 * ROOM) * ((x - low) / (high - low) if high > low else 0.5)

    def bar(side: Mapping[str, Any], error: float, y: int) -> str:
        a, b, x = place(side["value"] - error), place(side["value"] + error), place(side["value"])
        return f'<line x1="{a:.1f}" x2="{b:.1f}" y1="{y}" y2="{y}" class="reach"/><circle cx="{x:.1f}" cy="{y}" r="3"/>'

    # what the relation allows the left side: up to the right one, or around it
    start, stop = 0.0 if finding["relation"] == "≤" else place(right["value"] - delta), place(right["value"] + delta)
    label = f"{number(left['value'])} ± {number(left['error'])} {finding['relation']} {number(right['value'])}"
    return Markup(
        f'<svg viewBox="0 0 {WIDTH:g} 24" width="{WIDTH:g}" height="24" role="img" aria-label="{escape(label)}" '
        f'class="{finding["outcome"]}"><rect x="{start:.1f}" y="0" width="{max(stop - start, 1.0):.1f}" height="24" '
        f'class="room"/>{bar(left, bars[0], 7)}<g class="theirs">{bar(right, bars[1], 17)}</g></svg>'
    )


def strip(finding: Mapping[str, Any]) -> Markup:
    """Return excess (dot) and excess + bar (line) of one finding in units of δ, logarithmic."""
    if not finding["resolution"]:
        return Markup("")
    bar = math.inf if finding["bar"] is None else finding["bar"]
    dot = _decade(max(finding["excess"], 0.0) / finding["resolution"])
    end = _decade(max(finding["excess"] + bar, 0.0) / finding["resolution"])
    edge = _decade(1.0)
    ticks = "".join(
        f'<line x1="{_decade(10.0**k):.1f}" x2="{_decade(10.0**k):.1f}" y1="11" y2="14" class="tick"/>'
        for k in range(-6, 4)
    )
    label = (
        f"excess {number(finding['excess'])}, bar {number(finding['bar'])}, resolution {number(finding['resolution'])}"
    )
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
    heights = [math.log10(min(max(margin, 0.5), 1e4)) if margin else math.log10(0.5) for _, margin, _ in known]
    middle, half = 0.5 * (max(heights) + min(heights)), max(0.5 * (max(heights) - min(heights)), math.log10(2))
    low, high = middle - half, middle + half
    points = [(4 + 72 * k / (len(known) - 1), 15 - 12 * (y - low) / (high - low)) for k, y in enumerate(heights)]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    crosses = "".join(
        f'<path d="M{x - 2:.1f} {y - 2:.1f}l4 4m0 -4l-4 4" class="cross"/>'
        for (x, y), (outcome, _, _) in zip(points, known, strict=True)
        if outcome != "holds"
    )
    label = f"margin over {len(known)} runs, last {number(known[-1][1])}"
    x, y = points[-1]
    return Markup(
        f'<svg viewBox="0 0 80 18" width="80" height="18" role="img" aria-label="{label}" class="spark"><title>{label}'
        f'</title><polyline points="{path}"/>{crosses}<circle cx="{x:.1f}" cy="{y:.1f}" r="2"/></svg>'
    )
