"""Handwritten digits by a kernel score model, each above the training image that is nearest to it."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from scipy.spatial import cKDTree

import mfgpde as mfg
from mfgpde.report import plotting

CLAIMS = ("zhang2024/memorisation", "zhang2024/kernel-score-model")
COLUMNS, RANK, TRAINING = 16, 20, 1400


def draw(run: Mapping, out: Path) -> list[Path]:
    """Fit 1400 images, and show samples of the empirical score at t = 1e-3 and of the kernels, with their neighbours."""
    rng = np.random.default_rng(0)
    images, _ = mfg.densities.digits()
    images = images + rng.uniform(0, 1 / 16, images.shape)  # pixels of 16 grey levels, made continuous
    order = rng.permutation(len(images))
    training, fresh = images[order[:TRAINING]], images[order[TRAINING:]]
    model, process = mfg.fit_kernel_model(training, precision="low-rank", rank=RANK), mfg.OrnsteinUhlenbeck()
    tree = cKDTree(training)
    clouds = {
        "empirical": mfg.empirical_score(process, training).at(1e-3).sample(1000, rng),
        "kernels": model.mixture.sample(1000, rng),
        "fresh": fresh,
    }
    rows, cells = [], []
    for name, cloud in clouds.items():
        ratio = mfg.diagnostics.nearest_ratio(cloud, training, fresh)
        shown = cloud[:COLUMNS]
        near = training[tree.query(shown)[1]]
        cells += [(f"{name}\nratio {ratio.value:.2f}", shown), ("nearest\ntraining", near)]
        rows += [(name, k, *np.round(image, 4)) for k, image in enumerate(shown)]
        rows += [(f"{name}, nearest", k, *np.round(image, 4)) for k, image in enumerate(near)]
    with plotting.style():
        figure = plotting.Figure(figsize=(plotting.DOUBLE, 2.75))
        panels = figure.subplots(len(cells), COLUMNS)
        for line, (label, shown) in zip(panels, cells, strict=True):
            for panel, image in zip(line, shown, strict=True):
                panel.imshow(image.reshape(8, 8), cmap="gray_r", vmin=0, vmax=1, interpolation="nearest")
                panel.set(xticks=[], yticks=[])
                panel.spines[:].set_visible(False)
            line[0].set_ylabel(label, rotation=0, ha="right", va="center", fontsize=6.5)
        header = ("what", "image", *(f"pixel {k}" for k in range(64)))
        return plotting.save(figure, out, "digits", (header, rows), run, CLAIMS)
