"""What each paper says, at a glance: one measured curve for each of the five, and how many of its claims hold."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from mfgpde.report import paper, plotting

COMPARED = False
"""its numbers are those of a run, which has error bars to be compared by"""
PANELS = (
    ("lai2023/dsm-violates-score-fpe", "t", "|ε| / |s|", "denoising alone\nleaves a residual"),
    ("deveney2023/gap-closes", "weight of the penalty", "W₂", "a penalty on it\ncloses the gap"),
    ("zhang2023/gradient-flow-limit", "ε", "distance", "games tend to\ngradient flows"),
    ("zhang2024/terminal-loss-degenerates", "precision γ", "L / (1 + γ)", "kernels at the data:\nno best width"),
    ("shen2024/variance", "v(t)", "variance of the gradient", "averages over data\nstay steady as t → 0"),
)
AUTHORS = {"lai2023": "Lai", "deveney2023": "Deveney", "zhang2023": "Zhang 2023", "zhang2024": "Zhang 2024"}
AUTHORS |= {"shen2024": "Shen"}


def draw(run: Mapping, out: Path) -> list[Path]:
    """Draw from the recorded evidence of five claims."""
    rows = []
    with plotting.style():
        width = paper.asked().inches or plotting.DOUBLE
        columns = max(1, round(width / 2.3))
        lines = -(-(len(PANELS) + 1) // columns)
        figure = plotting.Figure(figsize=(width, (2.1 if columns > 1 else 1.55) * lines))
        *panels, last = figure.subplots(lines, columns).ravel()[: len(PANELS) + 1]
        for panel, (claim, x_label, y_label, title) in zip(panels, PANELS, strict=True):
            chosen = [one for one in plotting.claim_in(run, claim)["series"] if one["x_label"] == x_label]
            chosen = [one for one in chosen if not one["label"].startswith("3D")]
            for k, one in enumerate(chosen):
                panel.plot(one["x"], one["y"], marker=plotting.MARKERS[k], label=one["label"].split(": ")[-1])
                rows += [(claim, one["label"], x, y) for x, y in zip(one["x"], one["y"], strict=True)]
            for axis in "xy":
                if axis in chosen[0]["logarithmic"] and all(min(one[axis]) > 0 for one in chosen):
                    panel.set(**{f"{axis}scale": "log"})
            if min(min(one["y"]) for one in chosen) < 0:
                panel.set_yscale("symlog", linthresh=10)
            if len(chosen[0]["x"]) < 4:
                panel.set_xticks(chosen[0]["x"], [f"{x:g}" for x in chosen[0]["x"]])
                panel.xaxis.minorticks_off()
            panel.set(xlabel=x_label, ylabel=y_label, title=_title(claim, title, columns))
            if len(chosen) > 1:
                low, high = panel.get_ylim()
                if panel.get_yscale() == "linear":  # room for the legend above the curves
                    panel.set_ylim(low, high + 0.5 * (high - low))
                panel.legend(loc="upper left" if panel.get_yscale() == "linear" else "best")
        _counts(last, run)
        table = ("claim", "series", "x", "y"), rows
        return plotting.save(figure, out, "main_findings", table, run, [claim for claim, *_ in PANELS])


def _title(claim: str, words: str, columns: int) -> str:
    """Return whose finding it is and what, in one line where the panel is as wide as the page."""
    author = AUTHORS[claim.split("/")[0]]
    return f"{author}\n{words}" if columns > 1 else f"{author}: {' '.join(words.split())}"


def _counts(panel, run: Mapping) -> None:
    """Draw how many claims of each paper hold, beside all that were judged."""
    judged = [claim for claim in run["claims"] if claim["id"].split("/")[0] in AUTHORS]
    whole = Counter(claim["id"].split("/")[0] for claim in judged)
    held = Counter(claim["id"].split("/")[0] for claim in judged if claim["outcome"] == "holds")
    places = np.arange(len(AUTHORS))
    panel.barh(places, [whole[name] for name in AUTHORS], color="0.85", label="judged")
    panel.barh(places, [held[name] for name in AUTHORS], color=plotting.OUTCOMES["holds"], height=0.5, label="hold")
    panel.set_yticks(places, AUTHORS.values())
    panel.invert_yaxis()
    panel.set(xlabel="claims", xlim=(0, 1.6 * max(whole.values())), title="Claims of each paper\nthat were judged")
    panel.legend(loc="lower right")
