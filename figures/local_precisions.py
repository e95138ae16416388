"""What kernels learn of a manifold: their ellipses along a curve, under noise, and the dimension that is left of them."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.patches import Ellipse

import mfgpde as mfg
from mfgpde.report import plotting

CLAIMS = ("zhang2024/kernel-score-model", "zhang2024/terminal-condition")
TIMES = (0.0, 0.01, 0.05)


def draw(run: Mapping, out: Path) -> list[Path]:
    """Fit a spiral, draw its ellipses at three times, and effective dimensions of four data sets."""
    process, rng = mfg.OrnsteinUhlenbeck(horizon=2.0), np.random.default_rng(4)
    model = mfg.fit_kernel_model(mfg.densities.spiral(deviation=0.03).sample(250, rng))
    rows = []
    with plotting.style():
        figure = plotting.Figure(figsize=(plotting.DOUBLE, 2.0))
        panels = figure.subplots(1, 4, width_ratios=(1, 1, 1, 1.25))
        for panel, t in zip(panels, TIMES, strict=False):
            law = model.score(process).at(t)
            values, axes = np.linalg.eigh(law.covariances)
            for mean, value, axis in zip(law.means, values, axes, strict=True):
                angle = float(np.degrees(np.arctan2(axis[1, 1], axis[0, 1])))
                size = 2 * np.sqrt(value)  # one standard deviation each way
                patch = Ellipse(
                    tuple(mean), size[1], size[0], angle=angle, lw=0.3, fc=plotting.COLOURS[0], ec="white", alpha=0.7
                )
                panel.add_patch(patch)
                rows.append(("ellipse", t, *mean, *size, angle))
            panel.set(xlim=(-3.6, 3.2), ylim=(-3.9, 2.9), aspect="equal", xticks=[-2, 0, 2], yticks=[-2, 0, 2])
            panel.set_title(f"t = {t:g}")
        times = np.geomspace(1e-6, 2.0, 60)
        cases = {
            "spiral in 20 dimensions": (
                mfg.densities.embedded(mfg.densities.spiral(deviation=0.01), 20, deviation=0.003),
                500,
                2,
            ),
            "roll in 20 dimensions": (
                mfg.densities.embedded(mfg.densities.swiss_roll(deviation=0.01), 20, deviation=0.003),
                1000,
                3,
            ),
        }
        for k, (name, (law, n, rank)) in enumerate(cases.items()):
            found = mfg.fit_kernel_model(law.sample(n, rng), precision="low-rank", rank=rank)
            dimension = mfg.diagnostics.effective_dimension(found.mixture, process, times)
            panels[3].semilogx(times, dimension, color=plotting.COLOURS[k + 1], label=name)
            rows += [("dimension", name, t, value, "", "", "") for t, value in zip(times, dimension, strict=True)]
        for level in (1, 2):
            panels[3].axhline(level, color="0.8", lw=0.6, zorder=0)
        panels[3].set(xlabel="t", ylabel="effective dimension", yscale="log", yticks=[1, 2, 5, 10, 20], ylim=(0.1, 60))
        panels[3].set_yticks([0.2, 1, 2, 5, 10, 20], ["0.2", "1", "2", "5", "10", "20"])
        panels[3].legend(loc="upper right")
        header = ("what", "t or data", "x or t", "y or dimension", "width", "height", "angle")
        return plotting.save(figure, out, "local_precisions", (header, rows), run, CLAIMS)
