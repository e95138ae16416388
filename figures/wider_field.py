"""The wider field at a glance: what guidance and rectification do, how loose bounds are, how fast scores are learned."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from mfgpde.report import paper, plotting
from mfgpde.verify import load_module

COMPARED = False
"""its numbers are closed forms, and those of a run, which has error bars to be compared by"""
CLAIMS = Path(__file__).parents[1] / "validation"
FAR = 1e6
"""a horizon at which the guided laws of N(0, 1) in N(0, 2) have reached their limits to 1e-6"""
PANELS = (
    ("open/lipschitz-bounds", "m²/2v", "bound over W₂", "bounds by the largest slope,\ntwo modes"),
    (
        "open/gradient-fixed-points",
        "g²/2s²",
        "share of the cost a round removes",
        "rectification by gradients,\nblobs that pass",
    ),
    ("geometry/kernel-score", "n", "∫|ŝ − s|² p", "kernel scores,\nbest bandwidths"),
    ("geometry/symmetry-breaking", "t", "P(same mode) − ½", "clones of one state\nforget their mode"),
)


def draw(run: Mapping, out: Path) -> list[Path]:
    """Draw two closed forms of claims, and the recorded evidence of four."""
    rows = []
    with plotting.style():
        width = paper.asked().inches or plotting.DOUBLE
        columns = max(1, round(width / 2.3))
        lines = -(-(len(PANELS) + 2) // columns)
        figure = plotting.Figure(figsize=(width, (2.1 if columns > 1 else 1.6) * lines))
        guided, rectified, *others = figure.subplots(lines, columns).ravel()
        rows += _guidance(guided) + _rectification(rectified)
        for panel, (claim, x_label, y_label, title) in zip(others, PANELS, strict=True):
            chosen = [one for one in plotting.claim_in(run, claim)["series"] if one["x_label"] == x_label]
            for k, one in enumerate(chosen):
                marker = plotting.MARKERS[k] if len(one["x"]) < 10 else ""
                panel.plot(
                    one["x"], one["y"], marker=marker, label=one["label"].split(", best")[0].removeprefix("removed by ")
                )
                rows += [(claim, one["label"], x, y) for x, y in zip(one["x"], one["y"], strict=True)]
            for axis in "xy":
                if axis in chosen[0]["logarithmic"]:
                    panel.set(**{f"{axis}scale": "log"})
            panel.set(xlabel=x_label, ylabel=y_label, title=title if columns > 1 else " ".join(title.split()))
            if len(chosen) > 1:
                panel.legend()
        names = ["guidance/classifier-free", "flows/rectification", *(claim for claim, *_ in PANELS)]
        table = ("claim", "series", "x", "y"), rows
        return plotting.save(figure, out, "wider_field", table, run, names)


def _guidance(panel) -> list[tuple]:
    """Draw the variances that guidance makes of N(0, 1) in N(0, 2), and the one that is wanted."""
    law, rows = load_module(CLAIMS / "guidance" / "classifier_free.py"), []
    strengths = np.linspace(1, 4, 25)
    curves = {
        "SDE": [law.variance(g, True, FAR) for g in strengths],
        "ODE": [law.variance(g, False, FAR) for g in strengths],
        "wanted": list(2 / (1 + strengths)),
    }
    for name, values in curves.items():
        panel.plot(strengths, values, "k--" if name == "wanted" else "", label=name)
        rows += [("guidance/classifier-free", name, g, v) for g, v in zip(strengths, values, strict=True)]
    panel.set(xlabel="strength γ", ylabel="variance", ylim=(0, 1.05), title="guidance does not sample\np(x) p(c|x)^γ")
    panel.legend()
    return rows


def _rectification(panel) -> list[tuple]:
    """Draw what the straight coupling of two Gaussians costs above W₂², over the angle between them."""
    law = load_module(CLAIMS / "flows" / "rectification.py")
    angles = np.linspace(0, 0.6, 13)
    excess = [100 * law.gaussians(angle)[0].right.value for angle in angles]
    panel.plot(np.degrees(angles), excess)
    panel.set(
        xlabel="angle between long Gaussians, °",
        ylabel="cost above W₂², %",
        title="straight after one round,\nnot optimal",
    )
    return [("flows/rectification", "excess", angle, value) for angle, value in zip(angles, excess, strict=True)]
