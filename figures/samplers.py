"""The claims on samplers: orders and how levels spoil one, a family's bound, slopes of KL, dimension, clipping, stops."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from mfgpde.report import paper, plotting
from mfgpde.verify import load_module

COMPARED = False
"""its numbers are closed forms, and those of a run, which has error bars to be compared by"""
CLAIMS = Path(__file__).parents[1] / "validation" / "samplers"
NAMES = ("orders", "lambda-family", "euler-maruyama", "dimension", "clipping", "early-stopping")
STEPS, ERRORS, HORIZONS = (15, 30, 60, 120), (0.1, 0.2, 0.4), (0.5, 1.0, 1.5, 2.0)
"""of the three slopes: numbers of steps to T = 2, errors of the score, horizons of the prior"""
GOAL = 1e-2
"""W₂ for which steps are counted over dimensions"""


def draw(run: Mapping, out: Path) -> list[Path]:
    """Draw a panel for each claim, from recorded evidence and closed forms."""
    claims = {name: plotting.claim_in(run, f"samplers/{name}") for name in NAMES}
    rows: list[tuple] = []
    with plotting.style():
        width = paper.asked().inches or plotting.DOUBLE
        columns = max(1, round(width / 2.3))
        lines = -(-len(NAMES) // columns)
        figure = plotting.Figure(figsize=(width, (2.2 if columns > 1 else 1.7) * lines))
        panels = dict(zip(NAMES, figure.subplots(lines, columns, squeeze=False).ravel(), strict=False))
        for name in ("orders", "clipping", "early-stopping"):
            rows += _series(panels[name], claims[name])
        limit = claims["clipping"]["findings"][0]["left"]["value"]
        panels["clipping"].axhline(limit, color="k", ls="--", label="what lies beyond c")
        rows += _family(panels["lambda-family"], claims["lambda-family"])
        rows += _slopes(panels["euler-maruyama"])
        rows += _dimension(panels["dimension"], claims["orders"])
        titles = ("orders; levels in time\nspoil that of two steps", "between flow and diffusion:\nbest bound at λ = 1")
        titles += ("three slopes of KL,\nEuler–Maruyama", f"steps for W₂ = {GOAL:g}\nof product laws")
        titles += ("clipped predictions\ntend to another law", "steps down to a stop")
        for panel, title in zip(panels.values(), titles, strict=True):
            panel.set(title=title if columns > 1 else " ".join(title.split()))
            panel.legend(fontsize=5)
            panel.minorticks_off()
        for name in ("euler-maruyama", "dimension"):  # room for the names above the curves
            low, high = panels[name].get_ylim()
            panels[name].set_ylim(low, high * (high / low) ** 0.35)
        low, high = panels["orders"].get_ylim()  # and for nine of them below
        panels["orders"].set(xlim=(15, 400), ylim=(low * 10**-3.5, high), yticks=(1e-6, 1e-4, 1e-2))
        panels["orders"].set_xticks((20, 80, 320), ("20", "80", "320"))
        few = {"columnspacing": 0.8, "handlelength": 1.4, "borderaxespad": 0.2}
        panels["orders"].legend(fontsize=5, ncols=2, loc="lower right", **few)
        panels["orders"].minorticks_off()
        panels["clipping"].set(xlim=(90, 900))
        counts = [int(n) for n in claims["clipping"]["series"][0]["x"]]
        panels["clipping"].set_xticks(counts, [str(n) for n in counts])
        table = ("claim", "series", "x", "y"), rows
        return plotting.save(figure, out, "samplers", table, run, [f"samplers/{name}" for name in NAMES])


def _series(panel, claim: Mapping) -> list[tuple]:
    """Draw what the run recorded."""
    rows = []
    for k, one in enumerate(claim["series"]):
        late = k >= len(plotting.COLOURS)  # beyond the cycle: a colour and a marker of no other series
        look = {"ls": "--", "marker": "p", "color": "#9A6324"} if late else {"marker": plotting.MARKERS[k]}
        panel.loglog(one["x"], one["y"], label=_named(one["label"]), **look)
        rows += [(claim["id"], one["label"], x, y) for x, y in zip(one["x"], one["y"], strict=True)]
    panel.set(xlabel=claim["series"][0]["x_label"], ylabel=claim["series"][0]["y_label"])
    return rows


def _named(label: str) -> str:
    """Return a scheme, and whether its levels are equally far apart in time."""
    return label.partition(",")[0] + (",\nlevels in time" if "levels in time" in label else "")


def _family(panel, claim: Mapping) -> list[tuple]:
    """Draw the bound of the extremal score over λ, and what was computed."""
    law, rows = load_module(CLAIMS / "lambda_family.py"), []
    noises = np.geomspace(0.4, 2.5, 41)
    bound = [law.bounded(noise, law.proved).value for noise in noises]
    panel.plot(noises, bound, label="bound, extremal score")
    rows += [(claim["id"], "bound", x, y) for x, y in zip(noises, bound, strict=True)]
    factor = [law.proved(noise) for noise in noises]
    panel.plot(noises, factor, ":", label="prefactor (1 + λ²)²/4λ²")
    rows += [(claim["id"], "prefactor", x, y) for x, y in zip(noises, factor, strict=True)]
    found = [one for one in claim["findings"] if one["label"].endswith("KL, extremal")]
    places = [float(one["label"].split("=")[1].split(":")[0]) for one in found]
    values, bars = ([one["left"][key] for one in found] for key in ("value", "error"))
    panel.errorbar(places, values, bars, fmt="o", label="KL, computed")
    rows += [(claim["id"], "computed", x, y) for x, y in zip(places, values, strict=True)]
    panel.set(xlabel="λ", ylabel="KL", xscale="log", ylim=(0, None))
    panel.set_xticks([0.5, 1, 2], ["½", "1", "2"])
    return rows


def _slopes(panel) -> list[tuple]:
    """Draw KL over steps, over the score's error and over the prior's share, the others switched off."""
    law, rows = load_module(CLAIMS / "euler_maruyama.py"), []
    curves = {
        "steps, h/T: slope 2": [(1 / n, law.divergence(2.0, n).value) for n in STEPS],
        "error ε: slope 2": [(error, law.divergence(2.0, 480, error).value) for error in ERRORS],
        "prior, $e^{-T}$: slope ≥ 2": [
            (np.exp(-T), law.divergence(T, 480, prior=True).value) for T in reversed(HORIZONS)
        ],
    }
    for k, (name, points) in enumerate(curves.items()):
        x, y = np.array(points).T
        panel.loglog(x, y, marker=plotting.MARKERS[k], label=name)
        rows += [("samplers/euler-maruyama", name, *pair) for pair in points]
    panel.set(xlabel="h/T, ε, $e^{-T}$", ylabel="KL")
    return rows


def _dimension(panel, orders: Mapping) -> list[tuple]:
    """Draw steps over dimensions: W₂ is √d times that of one coordinate, read off the recorded errors."""
    rows, d = [], np.array([1, 4, 16, 64, 256, 1024])
    for k, one in enumerate(one for one in orders["series"] if one["label"] in ("ddim", "heun", "dpmsolver3")):
        slope, constant = np.polyfit(np.log(one["x"]), np.log(one["y"]), 1)
        steps = np.exp((np.log(GOAL / np.sqrt(d)) - constant) / slope)
        panel.loglog(d, steps, marker=plotting.MARKERS[k], label=f"{one['label']}: slope {-0.5 / slope:.2f}")
        rows += [("samplers/dimension", one["label"], *pair) for pair in zip(d, steps, strict=True)]
    panel.set(xlabel="dimension", ylabel="steps")
    return rows
