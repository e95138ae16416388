"""A two-dimensional mixture under the VP process: its density, its score, and what is left of the score equation."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

import mfgpde as mfg
from mfgpde.report import plotting

TIMES = (0.05, 0.2, 0.5)
PROCESS, DATA = mfg.VariancePreserving(), mfg.densities.four_blobs()
GRID = mfg.CartesianGrid.cube(4.0, 160, 2)
WRONG = mfg.scores.Swirl(mfg.ExactScore(PROCESS, DATA), strength=0.3, width=1.0)
"""The score of the last row: a rotation added to the exact one."""


def residual(score, t: float, dt: float = 1e-5) -> np.ndarray:
    """Return |r|, r = ∂_t s − ∇[D∇·s + D|s|² − f·s − ∇·f], by differences in time and on the staggered grid."""
    space = mfg.FiniteVolume(GRID)
    system = space.semidiscretise(mfg.ScoreFokkerPlanck.of(PROCESS))
    later, now, earlier = (system.start(lambda x, s=s: score(x, s)) for s in (t + dt, t, t - dt))
    defect = system.values((later - earlier) / (2 * dt) - system.rate(now, t))
    return np.linalg.norm(defect, axis=-1)


def draw(run: Mapping, out: Path) -> list[Path]:
    """Draw from closed forms; the run lends its provenance."""
    score = mfg.ExactScore(PROCESS, DATA)
    density = [score.at(t).density(GRID.points) for t in TIMES]
    fields = {
        "density": density,
        "score": [score(GRID.points, t) for t in TIMES],
        "residual of the exact score": [residual(score, t) for t in TIMES],
        "residual of the wrong score": [residual(WRONG, t) for t in TIMES],
    }
    with plotting.style():
        figure = plotting.Figure(figsize=(plotting.SINGLE, 3.7))
        panels = figure.subplots(4, len(TIMES), sharex=True, sharey=True)
        _row(figure, panels[0], fields["density"], "viridis", 0.0, None, "$p_t$")
        sizes = [np.linalg.norm(s, axis=-1) for s in fields["score"]]
        _row(figure, panels[1], sizes, "cividis", 0.0, 8.0, r"$|\nabla\log p_t|$")
        coarse = (slice(7, None, 16),) * 2
        for panel, s in zip(panels[1], fields["score"], strict=True):
            direction = s[coarse] / np.linalg.norm(s[coarse], axis=-1, keepdims=True)
            panel.quiver(*GRID.points[coarse].T, *direction.T, color="white", scale=14, width=0.008, headwidth=4)
        for row, name in zip(panels[2:], ("exact", "wrong"), strict=True):
            weighted = [p * r for p, r in zip(density, fields[f"residual of the {name} score"], strict=True)]
            _row(
                figure,
                row,
                [np.log10(w + 1e-16) for w in weighted],
                "magma",
                -5,
                0,
                r"$\log_{10}\, p_t|r|$",
            )
        for panel, name in zip(panels[:, 0], ("density", "score", "exact score", "rotated score"), strict=True):
            panel.set_ylabel(name)
        for panel, t in zip(panels[0], TIMES, strict=True):
            panel.set_title(f"t = {t:g}", pad=3)
        return plotting.save(figure, out, "noised_mixture", _dataset(fields), run, [])


def _row(figure, panels, values, colours, low, high, label) -> None:
    """Draw one quantity at all times on one colour scale."""
    extent = [GRID.lower[0], GRID.upper[0], GRID.lower[1], GRID.upper[1]]
    for panel, value in zip(panels, values, strict=True):
        image = panel.imshow(
            value.T,
            origin="lower",
            extent=extent,
            cmap=colours,
            vmin=low,
            vmax=np.max(values) if high is None else high,
            rasterized=True,
        )
        panel.set(xticks=[-3, 0, 3], yticks=[-3, 0, 3])
    figure.colorbar(image, ax=list(panels), label=label, pad=0.02, aspect=12)


def _dataset(fields):
    """Return the fields as one labelled data set."""
    import xarray

    coords = {"t": list(TIMES), "x": GRID.axes[0], "y": GRID.axes[1]}
    arrays = {}
    for name, values in fields.items():
        dims = ("t", "x", "y", "component")[: np.ndim(values)]
        arrays[name.replace(" ", "_")] = (dims, np.stack(values))
    return xarray.Dataset(arrays, coords)
