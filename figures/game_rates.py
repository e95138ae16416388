"""Games at work: gaps over iterations, the gradient-flow limit in ε, and bridges that lose their noise."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from mfgpde.report import plotting

PANELS = (
    ("zhang2023/one-equilibrium", "sweeps, or every 25 iterations", "primal − dual", None),
    ("zhang2023/gradient-flow-limit", "ε", "distance to the gradient flow", 1),
    ("zhang2023/schroedinger-bridge", "κ", "variance beyond transport's", 2),
)


def draw(run: Mapping, out: Path) -> list[Path]:
    """Draw from the recorded evidence of three claims."""
    rows = []
    with plotting.style():
        figure = plotting.Figure(figsize=(plotting.DOUBLE, 2.1))
        for panel, (claim, x_label, y_label, slope) in zip(figure.subplots(1, 3), PANELS, strict=True):
            for k, one in enumerate(plotting.claim_in(run, claim)["series"]):
                x, y = np.array(one["x"], float), np.maximum(np.array(one["y"], float), 1e-16)
                panel.loglog(x, y, marker=plotting.MARKERS[k], label=one["label"])
                rows += [(claim, one["label"], a, b) for a, b in zip(one["x"], one["y"], strict=True)]
            if slope:
                panel.loglog(x, 0.6 * y[0] * (x / x[0]) ** slope, color="0.6", lw=0.8, label=f"slope {slope}")
                panel.set_xticks(x, [f"{value:g}" for value in x])
                panel.tick_params(axis="x", which="minor", bottom=False, labelbottom=False)
            panel.set(xlabel=x_label, ylabel=y_label)
            panel.legend(loc="lower left" if slope is None else "upper left")
        table = ("claim", "series", "x", "y"), rows
        return plotting.save(figure, out, "game_rates", table, run, [claim for claim, *_ in PANELS])
