"""Generative models as games: density and optimal paths over time, a row each, with the optimal cost."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

import mfgpde as mfg
from mfgpde.report import plotting

SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
CLAIMS = (
    "zhang2023/sgm-is-a-game",
    "zhang2023/schroedinger-bridge",
    "zhang2023/benamou-brenier",
    "zhang2023/flow-is-a-jko-step",
)
HALF_WIDTH = 3.5


def rows():
    """Return the games with their cells and options."""
    wide, blobs = mfg.gaussian(np.zeros(2), 0.6 * np.eye(2)), mfg.densities.four_blobs()
    ou = mfg.OrnsteinUhlenbeck(horizon=1.0)
    goal = mfg.gaussian(np.array([1.2, 0.0]), 0.15 * np.eye(2))
    start = mfg.gaussian(np.array([-1.2, 0.0]), 0.15 * np.eye(2))

    def well(x):
        return 0.5 * (np.sum(x * x, axis=-1) / 2.25 - 1) ** 2 * 4

    coarse = {"steps": 16, "tolerance": 5e-3}
    return [
        (mfg.games.score_based_model(ou, blobs), 72, {}),
        (mfg.games.schroedinger_bridge(wide, blobs, 0.15), 72, {"tolerance": 1e-6}),
        (mfg.games.benamou_brenier(wide, blobs), 36, coarse),
        (mfg.games.normalizing_flow(wide, blobs), 36, coarse),
        (mfg.games.proximal_operator(wide, well, 0.5, beta=0.05), 96, {}),
        (
            mfg.games.crowd_motion(start, lambda x: -2 * goal.log_density(x) / 6.7, viscosity=0.1, aversion=3.0),
            72,
            {"tolerance": 1e-5},
        ),
    ]


def draw(run: Mapping, out: Path) -> list[Path]:
    """Solve each game and draw it; the run lends its provenance."""
    games = rows()
    stored = {}
    with plotting.style():
        figure = plotting.Figure(figsize=(plotting.DOUBLE, 1.22 * len(games)))
        panels = figure.subplots(len(games), len(SHARES), sharex=True, sharey=True)
        for row, (game, cells, options) in zip(panels, games, strict=True):
            found = mfg.equilibrium(game, mfg.CartesianGrid.cube(HALF_WIDTH, cells, 2), **options)
            lines = found.trajectories(game.initial.sample(20, np.random.default_rng(2)), rng=np.random.default_rng(3))
            last = len(found.times) - 1
            picks = [round(share * last) for share in SHARES]
            top = max(found.densities[k].max() for k in picks)
            for panel, k in zip(row, picks, strict=True):
                box = (-HALF_WIDTH, HALF_WIDTH) * 2
                shown = {"extent": box, "vmin": 0, "vmax": top, "cmap": "viridis", "rasterized": True}
                panel.imshow(found.densities[k].T, origin="lower", **shown)
                panel.plot(lines[: k + 1, :, 0], lines[: k + 1, :, 1], color="white", lw=0.4, alpha=0.7)
                panel.set(xlim=box[:2], ylim=box[2:], xticks=[-2, 0, 2], yticks=[-2, 0, 2])
            cost, gap = found.discrete_optimum.value, found.discrete_primal - found.discrete_dual
            row[0].set_ylabel(f"{game.name.replace(' ', chr(10), 1)}\n{cost:.3f}, gap {max(gap, 1e-16):.0e}", size=6.5)
            stored[game.name.replace(" ", "_")] = found
        for panel, share in zip(panels[0], SHARES, strict=True):
            panel.set_title(f"τ = {share:g} T")
        return plotting.save(figure, out, "games", _dataset(stored), run, CLAIMS)


def _dataset(stored):
    """Return the densities of all games as one labelled data set; grids differ, so that each has its own axes."""
    import xarray

    arrays, coords = {}, {}
    for name, found in stored.items():
        dims = tuple(f"{axis}_{name}" for axis in ("time", "x", "y"))
        arrays[name] = (dims, found.densities)
        coords |= dict(zip(dims, (found.times, *found.grid.axes), strict=True))
    return xarray.Dataset(arrays, coords)
