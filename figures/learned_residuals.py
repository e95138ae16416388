"""What networks leave of the score equation: residuals over time with denoising alone and with a penalty on them."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

import mfgpde as mfg
from mfgpde.report import plotting
from mfgpde.verify import load_module

CLAIMS = ("lai2023/dsm-violates-score-fpe", "lai2023/regularised-training")
TIMES = (0.05, 0.2, 0.5, 2.0)
GRID = mfg.CartesianGrid.cube(3.5, 80, 2)
KINDS = {"plain": "denoising alone", "score_residual": "with a penalty on ε"}
CURVE = np.geomspace(0.05, 4.0, 13)


def draw(run: Mapping, out: Path) -> list[Path]:
    """Draw the residuals of the kept networks: of seed 0 on a grid, of all seeds in the mean over p_t."""
    networks = _networks()
    process, data = networks.PROCESS, networks.DATA
    scores = {kind: [_score(networks, kind, seed) for seed in networks.SEEDS] for kind in KINDS}
    laws = [mfg.marginal(process, data, t).density(GRID.points) for t in TIMES]
    fields = {kind: [_size(process, scores[kind][0], GRID.points, t) for t in TIMES] for kind in KINDS}
    clouds = [mfg.marginal(process, data, t).sample(1500, np.random.default_rng(1)) for t in CURVE]
    curves = {
        kind: [
            [np.sqrt(np.mean(_size(process, s, x, t) ** 2)) for x, t in zip(clouds, CURVE, strict=True)] for s in all_
        ]
        for kind, all_ in scores.items()
    }
    with plotting.style():
        figure = plotting.Figure(figsize=(plotting.DOUBLE, 4.9))
        grid = figure.add_gridspec(3, len(TIMES), height_ratios=(1, 1, 1.15))
        extent = (GRID.lower[0], GRID.upper[0], GRID.lower[1], GRID.upper[1])
        panels = np.array([[figure.add_subplot(grid[i, j]) for j in range(len(TIMES))] for i in range(2)])
        for row, (kind, label) in zip(panels, KINDS.items(), strict=True):
            for panel, t, p, size in zip(row, TIMES, laws, fields[kind], strict=True):
                image = panel.imshow(
                    np.log10(p * size + 1e-16).T,
                    origin="lower",
                    extent=extent,
                    cmap="magma",
                    vmin=-3,
                    vmax=1,
                    rasterized=True,
                )
                panel.set(xticks=[-3, 0, 3], yticks=[-3, 0, 3], title=f"t = {t:g}" if kind == "plain" else "")
            row[0].set_ylabel(label)
        figure.colorbar(image, ax=list(panels.ravel()), label=r"$\log_{10}\, p_t|\varepsilon|$", aspect=18, pad=0.02)
        below = figure.add_subplot(grid[2, :])
        for colour, (kind, label) in zip(plotting.COLOURS, KINDS.items(), strict=False):
            for k, values in enumerate(curves[kind]):
                below.loglog(CURVE, values, color=colour, lw=0.9, label=label if k == 0 else None)
        below.set(xlabel="t", ylabel=r"rms of $\varepsilon$ over $p_t$", xticks=[0.05, 0.1, 0.5, 1, 4])
        below.set_xticklabels(["0.05", "0.1", "0.5", "1", "4"])
        below.legend(title="six networks each")
        rows = [
            (KINDS[kind], seed, t, value)
            for kind, all_ in curves.items()
            for seed, values in enumerate(all_)
            for t, value in zip(CURVE, values, strict=True)
        ]
        table = ("objective", "seed", "t", "rms of the residual"), rows
        return plotting.save(figure, out, "learned_residuals", table, run, CLAIMS)


def _size(process, score, x, t):
    """Return |ε|."""
    return np.linalg.norm(mfg.score_residual(process, score, x, t), axis=-1)


def _score(networks, kind, seed):
    return mfg.load_score(str(Path(networks.__file__).with_name(f"{kind}_{seed}.safetensors")))


def _networks():
    """Return the module of the kept networks, beside the sources or in the package."""
    roots = (Path(__file__).parents[1], Path(mfg.__file__).parent / "shipped")
    places = [root / "validation" / "networks" / "_ensemble.py" for root in roots]
    return load_module(next(place for place in places if place.is_file()))
