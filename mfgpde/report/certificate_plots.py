"""What a certificate shows: densities, residuals over time, the gap of the scores, each panel by itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from mfgpde.report import shares
from mfgpde.report.notation import mathtext
from mfgpde.report.plotting import COLOURS, DOUBLE, MARKERS, OUTCOMES, SINGLE, Figure, style

RESIDUALS = {
    "score": "|s|",
    "time derivative": "|∂_t s|",
    "score residual": "|ε|, residual",
    "log-density residual": "residual of log p",
    "rotation": "rotation",
}
ZERO, NOISE = 1e-12, 1e-20
"""root mean squares and mean squares below these are rounding, which a logarithm would draw as if it were something"""
FALLEN = "does not stand"
"""written across what a certificate that has failed shows"""


def panels(result: Mapping[str, Any], fields: Mapping[str, Any]) -> tuple[list[Figure], list[Figure]]:
    """Return figures of one panel each: of the laws (none where there is no grid), and over time."""
    laws = [_alone(_line_densities, fields)] if fields and _grid(fields).dimension == 1 else []
    if fields and not laws:
        top = _top(fields)
        laws = [_alone(_density, field, name, top) for name, field in fields.items()]
    draws = (_residuals, _gap, _lipschitz) if "grid" in result else (_squares,)
    over_time = [_alone(draw, result) for draw in draws]
    if result["failures"]:
        for one in (*laws, *over_time):
            marked(one)
    return laws, over_time


def marked(found: Figure) -> None:
    """Write across every panel that the certificate whose numbers it shows does not stand."""
    for panel in found.axes:
        if panel.get_label() != "<colorbar>":
            look = {
                "ha": "center",
                "va": "center",
                "rotation": 20,
                "color": OUTCOMES["refuted"],
                "alpha": 0.8,
                "weight": "bold",
            }
            panel.text(0.5, 0.5, FALLEN, transform=panel.transAxes, fontsize=11, zorder=10, **look)


def _alone(draw: Any, *words: Any) -> Figure:
    with style():
        figure = Figure(figsize=(SINGLE, 0.78 * SINGLE))
        draw(figure.subplots(), *words)
    return figure


def _grid(fields: Mapping[str, Any]) -> Any:
    return next(iter(fields.values())).grid


def _map(field: Any) -> Any:
    """Return a density in the plane, in 3D summed along the last axis."""
    return field.values if field.grid.dimension == 2 else field.values.sum(axis=2) * field.grid.spacing[2]


def _top(fields: Mapping[str, Any]) -> float:
    return float(np.quantile(np.concatenate([_map(field).ravel() for field in fields.values()]), 0.998))


def _line_densities(panel: Any, fields: Mapping[str, Any]) -> None:
    for k, (name, field) in enumerate(fields.items()):
        panel.plot(field.grid.axes[0], field.values, label=mathtext(name), ls=("-", "--", "-.", ":")[k % 4])
    panel.set(xlabel="x", ylabel="density")
    panel.legend()


def _density(panel: Any, field: Any, name: str, top: float) -> None:
    grid = field.grid
    extent = (grid.lower[0], grid.upper[0], grid.lower[1], grid.upper[1])
    look = {"extent": extent, "vmin": 0, "vmax": top, "cmap": "viridis", "interpolation": "nearest"}
    image = panel.imshow(_map(field).T, origin="lower", **look)
    panel.set(title=mathtext(name), xlabel="x", ylabel="y")
    panel.figure.colorbar(image, ax=panel, shrink=0.85, extend="max", label="density")


def _residuals(panel: Any, result: Mapping[str, Any]) -> None:
    rows = result["residuals"]
    t = [row["t"] for row in rows]
    for k, (name, label) in enumerate(RESIDUALS.items()):
        values = [row.get(name) for row in rows]
        if all(v is not None and v > ZERO for v in values):
            panel.plot(t, values, marker=MARKERS[k], label=mathtext(label))
    panel.set(xlabel="t", ylabel=mathtext("rms over q^SDE"), xscale="log", yscale="log")
    _named(panel, f"none above {ZERO:g}")


def _gap(panel: Any, result: Mapping[str, Any]) -> None:
    bound = result["bound"]
    panel.plot(bound["times"], bound["score gap"], marker="o")
    panel.set(xlabel="t", ylabel=mathtext("‖s − ∇log q^SDE‖"), xscale="log", yscale="log")


def _lipschitz(panel: Any, result: Mapping[str, Any]) -> None:
    bound = result["bound"]
    panel.plot(bound["times"], bound["Lipschitz constant"], marker="o")
    panel.axhline(0, color="#999999", linewidth=0.6)
    panel.set(xlabel="t", ylabel="one-sided Lipschitz constant L", xscale="log")
    panel.set_yscale("symlog", linthresh=1)


def _squares(panel: Any, result: Mapping[str, Any]) -> None:
    """Draw mean squares along trajectories over time with confidence intervals, where they are above zero."""
    for k, name in enumerate(("score", "time derivative", "score residual", "rotation")):
        rows = [(row["t"], row[name]["value"], row[name]["error"]) for row in result["residuals"]]
        rows = [(t, value, error) for t, value, error in rows if value > NOISE and value > error]
        if rows:
            t, value, error = zip(*rows, strict=True)
            panel.errorbar(t, value, error, marker=MARKERS[k], label=f"{mathtext(RESIDUALS[name])}²", elinewidth=0.6)
    panel.set(xlabel="t", ylabel="mean square along trajectories", xscale="log", yscale="log")
    _named(panel, f"none above {NOISE:g} and its interval")


def _named(panel: Any, nothing: str) -> None:
    """Give a panel its legend; one on which nothing is drawn says why."""
    if panel.get_legend_handles_labels()[0]:
        panel.legend()
    else:
        panel.text(0.5, 0.5, nothing, transform=panel.transAxes, ha="center", va="center")


def figure(result: Mapping[str, Any]) -> Figure:
    """Draw a certificate for a paper: its lengths as shares of the spread, and its residual beside |∂_t s|."""
    with style():
        found = Figure(figsize=(DOUBLE, 2.3))
        left, right = found.subplots(1, 2)
        _shares(left, result)
        (_residuals if "grid" in result else _squares)(right, result)
        if result["failures"]:
            marked(found)
    return found


def _shares(panel: Any, result: Mapping[str, Any]) -> None:
    rows = list(shares.shares(result).values())
    least = 100 * min((one.low or one.value or 1.0 for one in rows), default=1.0)
    for y, one in enumerate(rows):
        low, high = max(100 * one.low, 0.5 * least), 100 * one.high
        open_ended = not np.isfinite(high)
        panel.plot([low, low * 100 if open_ended else high], [y, y], color=COLOURS[0], lw=1.4)
        at, mark = (low * 100, ">") if open_ended else (100 * one.value, "o")
        panel.plot(at, y, mark, color=COLOURS[0], ms=3.5)
    panel.set_yticks(range(len(rows)), [mathtext(one.label) for one in rows])
    panel.set(xscale="log", xlabel=f"W₂, % of the {result['spread']['of']}'s spread", ylim=(len(rows) - 0.5, -0.5))
    panel.axvline(100, color="0.6", lw=0.6, ls=":")
