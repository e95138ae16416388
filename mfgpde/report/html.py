"""The report: one self-contained page, formulas as MathML, plots as SVG, nothing fetched from anywhere."""

from __future__ import annotations

import io
import math
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2
from latex2mathml.converter import convert
from markupsafe import Markup

from mfgpde.report import table

LEFT, RIGHT = -6.0, 3.0  # decades of (excess / δ) that the strip shows


def render(run: Mapping[str, Any], movements: list[Any] | None = None) -> str:
    """Return the page for a stored run; `movements` are differences to an earlier one, if it was compared."""
    loader = jinja2.FileSystemLoader(Path(__file__).parent / "templates")
    environment = jinja2.Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters.update(mathml=mathml, strip=strip, margin=table.margin, notices=table.notices, number=number)
    counts = Counter(claim["outcome"] for claim in run["claims"])
    plots = {claim["id"]: plot(claim["series"]) for claim in run["claims"] if claim["series"]}
    page = environment.get_template("report.html")
    return page.render(run=run, counts=counts, plots=plots, movements=movements, marks=table.MARKS)


def mathml(latex: str) -> Markup:
    """Return a formula as block MathML."""
    return Markup(convert(latex, display="block")) if latex else Markup("")


def number(value: float | None) -> str:
    """Return a number with few digits; null is infinity."""
    return "∞" if value is None else f"{value:.4g}"


def strip(finding: Mapping[str, Any]) -> Markup:
    """Return a small picture of one finding: excess (dot) and excess + bar (line) in units of δ, logarithmic."""
    if not finding["resolution"]:
        return Markup("")
    bar = math.inf if finding["bar"] is None else finding["bar"]
    dot = _place(max(finding["excess"], 0.0) / finding["resolution"])
    end = _place(max(finding["excess"] + bar, 0.0) / finding["resolution"])
    edge = _place(1.0)
    ticks = "".join(
        f'<line x1="{_place(10.0**k):.1f}" x2="{_place(10.0**k):.1f}" y1="11" y2="14" class="tick"/>'
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


def _place(ratio: float) -> float:
    decade = min(max(math.log10(ratio) if ratio > 0 else LEFT, LEFT), RIGHT)
    return 4 + 172 * (decade - LEFT) / (RIGHT - LEFT)


def plot(series: list[Mapping[str, Any]]) -> Markup:
    """Return all series of a claim in one inline SVG, one panel for each pair of axes."""
    from mfgpde.plotting import ladder_figure

    figure = ladder_figure(series)
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    return Markup(text[text.index("<svg") :])
