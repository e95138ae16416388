"""A verdict as it may be cited: in words, as a sentence of LaTeX, and as a badge."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from markupsafe import escape

from mfgpde.report.table import noticed, notices

COLOURS = {"holds": "#2e7d32", "undecided": "#b26a00", "refuted": "#c62828", "broken": "#8e24aa"}
SPECIAL = {
    **{c: "\\" + c for c in "&%$#_{}"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "≤": r"$\le$", "≥": r"$\ge$", "±": r"$\pm$", "×": r"$\times$", "δ": r"$\delta$", "∞": r"$\infty$", "−": r"$-$",
    "κ": r"$\kappa$", "β": r"$\beta$", "ε": r"$\varepsilon$", "φ": r"$\varphi$", "∇": r"$\nabla$", "∂": r"$\partial$",
    "₁": r"$_1$", "₂": r"$_2$", "²": r"$^2$", "“": "``", "”": "''", "–": "--",
    "≈": r"$\approx$", "∫": r"$\int$", "‖": r"$\|$", "σ": r"$\sigma$",
}  # fmt: skip


def plain(claim: Mapping[str, Any], run: Mapping[str, Any]) -> str:
    """Return a verdict in a few lines."""
    controls = sum(one["outcome"] == "refuted" for one in claim["controls"])
    return (
        f"{claim['id']} {claim['outcome']}: {claim['reason']}\n"
        f"{len(claim['findings'])} finding(s), {controls} of {len(claim['controls'])} false variant(s) refuted, "
        f"would notice: {notices(claim['detects'], claim.get('reach'))}\n{_origin(run)}"
    )


def latex(claim: Mapping[str, Any], run: Mapping[str, Any]) -> str:
    """Return a verdict as a sentence of LaTeX, with the statement as it was written."""
    controls = sum(one["outcome"] == "refuted" for one in claim["controls"])
    changes = noticed(claim["detects"], claim.get("reach"))
    told = ", ".join(f"{name.replace('_', ' ')} by {x}" for name, x in changes.items())
    sharp = f" A change of {_escaped(told)} would have refuted it." if told else ""
    return (
        f"% {claim['id']}, {_origin(run)}\n"
        f"The statement $\\displaystyle {claim['statement']}$ ({_escaped(claim['source'])}; {claim['standing']}) "
        f"\\emph{{{claim['outcome']}}} in {len(claim['findings'])} finding(s), with {controls} of "
        f"{len(claim['controls'])} false variant(s) refuted by the same code; the tightest: {_escaped(claim['reason'])}."
        f"{sharp}"
    )


def badge(outcome: str, name: str) -> str:
    """Return a badge: the claim's name, and what became of it."""
    widths = [12 + 6.6 * len(text) for text in (name, outcome)]
    total, colour = sum(widths), COLOURS.get(outcome, "#666")
    middles, wide = (widths[0] / 2, widths[0] + widths[1] / 2), widths[1] - 3
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{total:.0f}" height="20" role="img" '
        f'aria-label="{escape(name)}: {escape(outcome)}"><title>{escape(name)}: {escape(outcome)}</title>'
        f'<rect width="{total:.0f}" height="20" rx="3" fill="#555"/>'
        f'<path d="M{widths[0]:.0f} 0h{wide:.0f}a3 3 0 0 1 3 3v14a3 3 0 0 1-3 3h-{wide:.0f}z" fill="{colour}"/>'
        f'<g fill="#fff" text-anchor="middle" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11">'
        f'<text x="{middles[0]:.0f}" y="14" textLength="{widths[0] - 12:.0f}">{escape(name)}</text>'
        f'<text x="{middles[1]:.0f}" y="14" textLength="{widths[1] - 12:.0f}">{escape(outcome)}</text></g></svg>\n'
    )


def _origin(run: Mapping[str, Any]) -> str:
    made = run["provenance"]
    return (
        f"level {run['level']}, seed {run['seed']}, {run['started'][:10]}, mfgpde {made['versions'].get('mfgpde')} "
        f"at commit {made['commit']}"
    )


def _escaped(text: str) -> str:
    return re.sub(r".", lambda found: SPECIAL.get(found[0], found[0]), text, flags=re.DOTALL)
