"""Convergence of every solver to closed-form solutions, in space and in time, beside its theoretical order."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from mfgpde.report import plotting

CLAIM = "solvers/order-of-accuracy"
SHORT = {
    "Fokker–Planck, finite volume of order 4": "finite volume 4,",
    "Fokker–Planck, finite volume": "finite volume,",
    "Fokker–Planck, spectral": "spectral,",
    "log-density, differences": "log-density,",
    "score, staggered": "score equation,",
    "continuity, limited upwind": "continuity,",
}
"""How the series of the claim are called where there is little room."""
PANELS = {"cells per axis": (2, 4), "time steps": (1, 2, 4)}  # the slopes drawn beside the data


def draw(run: Mapping, out: Path) -> list[Path]:
    """Draw from the recorded evidence of the claim on orders of accuracy."""
    series = plotting.claim_in(run, CLAIM)["series"]
    with plotting.style():
        figure = plotting.Figure(figsize=(plotting.SINGLE, 5.2))
        for panel, (x_label, slopes) in zip(figure.subplots(2, 1), PANELS.items(), strict=True):
            members = [one for one in series if one["x_label"] == x_label]
            for k, one in enumerate(members):
                style = "-" if k < len(plotting.COLOURS) else "--"
                panel.loglog(one["x"], one["y"], style, marker=plotting.MARKERS[k % 8], label=_short(one["label"]))
            _wedges(panel, members, slopes)
            panel.set(xlabel=x_label, ylabel="error")
            ticks = sorted({x for one in members for x in one["x"]})
            shown = [x for x in ticks if np.log2(x) % 1 == 0]
            panel.set_xticks(shown, [f"{x:g}" for x in shown])
            panel.minorticks_off()
            panel.legend(loc="upper center", bbox_to_anchor=(0.45, -0.2), ncols=2 + (len(members) < 7))
        rows = [(one["label"], one["x_label"], x, y) for one in series for x, y in zip(one["x"], one["y"], strict=True)]
        table = ("series", "x axis", "x", "error"), rows
        return plotting.save(figure, out, "solver_convergence", table, run, [CLAIM])


def _short(label: str) -> str:
    for long, short in SHORT.items():
        label = label.replace(long, short)
    return label


def _wedges(panel, members, slopes) -> None:
    """Draw a grey line of each slope below the data."""
    xs = np.array([min(x for one in members for x in one["x"]), max(x for one in members for x in one["x"])], float)
    top = np.median([one["y"][0] for one in members])
    for slope in slopes:
        ys = top * (xs / xs[0]) ** -slope
        panel.loglog(xs, ys, color="0.75", lw=0.8, zorder=0)
        panel.annotate(f"{slope}", (xs[1], ys[1]), xytext=(2, -2), textcoords="offset points", color="0.5", size=7)
