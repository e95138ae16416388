"""The report: one self-contained page, formulas as MathML, plots as SVG, nothing fetched from anywhere."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup, escape

from mfgpde.report import drawings, table
from mfgpde.report.environment import template
from mfgpde.report.formulas import mathml
from mfgpde.report.inline import inline
from mfgpde.verify.finding import far


def render(
    run: Mapping[str, Any], movements: list[Any] | None = None, history: Sequence[Mapping[str, Any]] = ()
) -> str:
    """Return the page for a stored run; `movements` are differences to an earlier one, if it was compared.

    `history` are stored runs, oldest first, whose margins are drawn.
    """
    sparks = {claim["id"]: drawings.sparkline(claim["id"], history) for claim in run["claims"]}
    papers = sorted({claim["id"].rpartition("/")[0] or claim["id"] for claim in run["claims"]})
    counts = Counter(claim["outcome"] for claim in run["claims"])
    plots = {claim["id"]: plot(claim["series"]) for claim in run["claims"] if claim["series"]}
    page = template(
        "report.html",
        mathml=mathml,
        margin=table.margin,
        sharpness=table.sharpness,
        notices=table.notices,
        seen_to_fail=table.seen_to_fail,
        proved_in=table.proved_in,
        strip=drawings.strip,
        intervals=drawings.intervals,
        number=drawings.number,
        bar=drawings.bar,
        far=_far,
    )
    return page.render(
        run=run, counts=counts, plots=plots, movements=movements, marks=table.MARKS, sparks=sparks, papers=papers
    )


def _far(one: Mapping[str, Any]) -> bool:
    """Say whether a finding's δ is far above what it reaches; of the module, so that the template is compiled once."""
    return far(one["resolution"], one["excess"], one["bar"])


def plot(series: list[Mapping[str, Any]]) -> Markup:
    """Return all series of a claim as inline SVG, a picture for each pair of axes; a sentence where they are none."""
    try:
        return _drawn(series)
    except Exception as problem:  # whatever a stranger's series hold: the page is written
        return Markup(
            f'<p class="soft">Its series cannot be drawn: {escape(str(problem) or type(problem).__name__)}</p>'
        )


def _drawn(series: list[Mapping[str, Any]]) -> Markup:
    from mfgpde.report.plotting import ladder_figure

    groups: dict[str, list[Mapping[str, Any]]] = {}
    for one in series:
        groups.setdefault(one["x_label"], []).append(one)
    return Markup("").join(inline(ladder_figure(group), "series of the evidence") for group in groups.values())
