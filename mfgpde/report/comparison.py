"""Several certificates on one page, checkpoints of a training or models: shares on one axis, a judgement each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mfgpde.report import drawings
from mfgpde.report.environment import template
from mfgpde.report.judgement import judged
from mfgpde.report.shares import LABELS, percent, residual_share, shares

COMPARED = ("sde–data", "ode–data", "ode–sde", "score")


def render(certificates: Sequence[tuple[str, Mapping[str, Any]]]) -> str:
    """Return the page for named certificates, in their order: numbers relative to their scales, each axis for all."""
    known = [(name, result, shares(result)) for name, result in certificates]
    marks = [f"{name} (does not stand)" if result["failures"] else name for name, result in certificates]
    axes = {
        LABELS[key]: [
            found[key].row() | {"label": mark} for mark, (*_, found) in zip(marks, known, strict=True) if key in found
        ]
        for key in COMPARED
    }
    residuals = [(mark, residual_share(result)) for mark, (_, result, _) in zip(marks, known, strict=True)]
    axes["residual |ε| over |∂_t s|, all times"] = [
        {"label": name, "value": 100 * one.overall, "low": 100 * one.overall, "high": 100 * one.overall}
        | {"words": percent(one.overall)}
        for name, one in residuals
        if one is not None
    ]
    return template("comparison.html", scale=drawings.scale, percent=percent).render(
        axes={title: rows for title, rows in axes.items() if len(rows) > 1},
        rows=[
            {
                "name": name,
                "about": result["about"],
                "shares": {key: found[key].words for key in COMPARED if key in found},
                "residual": one,
                "leak": max(result["leak"].values()) if result.get("leak") else None,
                "judgement": judged(result),
                "stands": not result["failures"],
            }
            for (name, result, found), (_, one) in zip(known, residuals, strict=True)
        ],
        columns={key: LABELS[key] for key in COMPARED if any(key in found for *_, found in known)},
        alike=len({(r["about"]["data"], r["about"]["process"], r["stop"]) for _, r, _ in known}) == 1,
    )
