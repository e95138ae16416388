"""The certificate of a score as one self-contained page: numbers with bars, densities, residuals over time."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from mfgpde.core.digits import digits
from mfgpde.report import certificate_plots, drawings, table
from mfgpde.report.environment import template
from mfgpde.report.formulas import mathml
from mfgpde.report.inline import inline
from mfgpde.report.judgement import judged
from mfgpde.report.shares import percent, residual_share

FEWEST = 2
"""certificates in a folder before their history is shown"""
REMEMBERED = ("W₂ ode–sde", "W₂ sde–data", "W₂ ode–data", "W₂² sde–data, at least", "KL(p‖q^ODE)")
"""what the table of earlier certificates shows of them"""


def render(result: Mapping[str, Any], fields: Mapping[str, Any], history: Sequence[Mapping[str, Any]] = ()) -> str:
    """Return the page for what `certify` found and its fields; `history` are lines of earlier certificates and this one."""
    laws, over_time = certificate_plots.panels(result, fields)
    judgement = judged(result)
    groups = measured(result)
    numbers = {row["label"]: row for rows in groups.values() for row in rows}
    trends = {name: _trend(name, history) for name in numbers}
    page = template(
        "certificate.html",
        short=_short,
        tightness=table.tightness,
        mathml=mathml,
        scale=drawings.scale,
        percent=percent,
    )
    return page.render(
        result=result,
        judgement=judgement,
        shares=[share.row() for share in judgement.shares],
        relative=residual_share(result),
        laws=[inline(one, "a generated law") for one in laws],
        over_time=[inline(one, "over time") for one in over_time],
        groups=groups,
        numbers=numbers,
        trends=trends,
        history=_told(history),
        remembered=REMEMBERED,
        parts=_parts(result),
    )


def measured(result: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Return the main numbers in groups that share an axis, each with the interval in which it lies."""
    if "grid" not in result:
        moments = [_row(f"W₂² {pair}, at least", found["W2², at least"]) for pair, found in result["moments"].items()]
        likelihood = result.get("likelihood", {}).get("data", {}).items()
        away = [_row(name, found) for name, found in likelihood if not name.startswith("−log")]
        return {"Squared distances": moments, "Of the score": away, "Of the prior": _of_prior(result)}
    bound = result["bound"]
    lengths = [_row(f"W₂ {pair}", measures["W2"]) for pair, measures in result["distances"].items()]
    along = {"value": bound["along trajectories"], "error": bound["error along trajectories"]}
    lengths.insert(1, _row("bound of W₂ ode–sde", along) | {"bound": True})
    if bound["by Lipschitz constant"] is not None:
        known = {"value": bound["by Lipschitz constant"], "error": 0.0}
        lengths.insert(2, _row("bound by the Lipschitz constant", known) | {"bound": True})
    if "prior" in result:
        left = result["prior"]["ode from p_T–data"]["W2"]
        lengths += [_row("W₂ p_T–prior", result["prior"]["p_T–prior"]["W2"]), _row("W₂ ode from p_T–data", left)]
    shares = [
        _row(name if name.startswith("KL") else f"L¹ {pair}", found)
        for pair, measures in result["distances"].items()
        for name, found in measures.items()
        if name == "L1" or name.startswith("KL")
    ]
    return {"W₂ and its bounds": lengths, "L¹ and Kullback–Leibler": shares}


def _short(x: float | None) -> str:
    return "–" if x is None else digits(x, 4)


def _parts(result: Mapping[str, Any]) -> list[str]:
    """Return of what the bars of the distances are made, in order of appearance."""
    measures = [found for pair in result.get("distances", {}).values() for found in pair.values()]
    return list(dict.fromkeys(part for found in measures for part in found.get("parts", {})))


def _of_prior(result: Mapping[str, Any]) -> list[dict[str, Any]]:
    found = result.get("prior", {}).get("p_T–prior", {})
    return [_row("W₂ p_T–prior", found["W2"])] if found else []


def line(result: Mapping[str, Any], started: str) -> dict[str, Any]:
    """Return what a folder remembers of a certificate."""
    rows = [row for group in measured(result).values() for row in group]
    numbers = {row["label"]: row["value"] for row in rows if math.isfinite(row["value"])}
    about = {key: result["about"][key] for key in ("score", "process", "data")}
    last = result["residuals"][-1]["score residual"]
    residual = last if isinstance(last, float) else math.sqrt(max(last["value"], 0.0))
    return {
        "started": started,
        "commit": result["provenance"]["commit"],
        **about,
        "residual": residual,
        "numbers": numbers,
    }


def _row(label: str, found: Mapping[str, Any]) -> dict[str, Any]:
    bar = found["error"] if found["error"] is not None else math.inf
    low, high = found.get("lower", found["value"] - bar), found.get("upper", found["value"] + bar)
    return {"label": label, "value": found["value"], "low": low, "high": high}


def _trend(name: str, history: Sequence[Mapping[str, Any]]) -> Markup:
    values = [one["numbers"][name] for one in history if one["numbers"].get(name, 0.0) > 0][-30:]
    if len(values) < FEWEST:
        return Markup("")
    return drawings.trend(values, f"{name} over {len(values)} certificates, last {values[-1]:.4g}")


def _told(history: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the last certificates, newest first, if there is more than one."""
    return list(history)[-12:][::-1] if len(history) >= FEWEST else []
