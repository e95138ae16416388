"""Smoothing along a curve and along data, against smoothing in the space around: densities, kernels and KL divergences."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

import mfgpde as mfg
from mfgpde.report import plotting

CLAIMS = ("shen2024/diffusion-kernel-smoother",)
HALF, WIDTH, SAMPLES = 5.0, 0.5, 300


def draw(run: Mapping, out: Path) -> list[Path]:
    """Smooth one set of samples of a spiral by both, draw kernels of three points; the ratios are of the recorded run."""
    law, rows = mfg.densities.spiral(), []
    x = law.sample(SAMPLES, np.random.default_rng(0))
    space = mfg.FiniteElement(mfg.meshes.box((-HALF, -HALF), (HALF, HALF), 100), 1)
    times = 0.5 * np.geomspace(0.08, 0.6, 9) ** 2
    smoothers = {
        "Euclidean": mfg.finite_element.DiffusionSmoother(mfg.processes.MarkovGenerator(), space),
        "tensor from the data": mfg.finite_element.DiffusionSmoother(
            mfg.processes.MarkovGenerator.adapted(x, WIDTH), space
        ),
    }
    grid = mfg.CartesianGrid.cube(HALF, 220, 2)
    truth = law.density(grid.points)
    with plotting.style():
        figure = plotting.Figure(figsize=(plotting.DOUBLE, 2.05))
        panels = figure.subplots(1, 4, width_ratios=(1, 1, 1, 1.15))
        extent = (-HALF, HALF, -HALF, HALF)
        shown = {"truth,\nand samples": truth}
        for name, smoother in smoothers.items():
            density, tau = smoother.fit(x, times)
            shown[f"{name}\n√(2τ) = {np.sqrt(2 * tau):.2f}"] = density(grid.points)
        for panel, (name, values) in zip(panels, shown.items(), strict=False):
            panel.imshow(
                np.maximum(values, 0).T ** 0.5,
                origin="lower",
                extent=extent,
                cmap="Blues",
                vmin=0,
                vmax=truth.max() ** 0.5,
            )
            panel.set(title=name, xticks=[-4, 0, 4], yticks=[-4, 0, 4])
        panels[0].plot(*x.T, ".", ms=1, color=plotting.COLOURS[1], rasterized=True)
        marks = x[[3, 60, 200]]
        for panel, smoother in zip(panels[1:3], smoothers.values(), strict=True):
            kernels = smoother(marks, [0.02, 0.08])[-1](grid.points)
            panel.contour(*grid.axes, kernels.T, levels=[0.1, 0.4], colors=plotting.COLOURS[1], linewidths=0.7)
        for k, one in enumerate(plotting.claim_in(run, CLAIMS[0])["series"]):
            values = np.sort(one["y"])
            panels[3].plot(values, np.full(len(values), -k), plotting.MARKERS[k], ls="", ms=3.5)
            panels[3].plot([values.mean()] * 2, [-k - 0.2, -k + 0.2], color=plotting.COLOURS[k])
            label = one["label"].replace(", ", ",\n")
            panels[3].text(-0.02, -k + 0.28, label, fontsize=6.5, va="bottom", ha="right")
            rows += [(one["label"], value) for value in one["y"]]
        panels[3].axvline(0, color="0.6", lw=0.7)
        panels[3].set(xlabel="log KL over Euclidean", yticks=[], ylim=(-1.5, 1.0))
        panels[3].spines["left"].set_visible(False)
        return plotting.save(
            figure, out, "manifold_smoothing", (("case", "log of the ratio of KL divergences"), rows), run, CLAIMS
        )
