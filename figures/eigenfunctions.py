"""Eigenfunctions of noising generators by finite elements: a sphere, a torus, a double well, and their eigenvalues."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.colors import CenteredNorm
from matplotlib.tri import Triangulation

import mfgpde as mfg
from mfgpde.report import plotting

NARROWEST = 140.0
"""mm: surfaces beside each other have titles that a narrower page has no room for"""
CLAIMS = ("shen2024/eigenpairs", "shen2024/semigroup")
SURFACES = {
    "sphere": (mfg.meshes.sphere(1.0, 14), (2, 7, 12), (20, 35)),
    "torus": (mfg.meshes.torus(2.0, 1.0, 28), (1, 5, 9), (42, 35)),
}


def draw(run: Mapping, out: Path) -> list[Path]:
    """Solve for twenty eigenpairs of each and draw three functions of each surface, four of the well, all eigenvalues."""
    rows = []
    with plotting.style():
        figure = plotting.Figure(figsize=(plotting.DOUBLE, 4.0))
        grid = figure.add_gridspec(2, 4, width_ratios=(1, 1, 1, 1.35))
        last = {}
        for row, (name, (mesh, shown, view)) in enumerate(SURFACES.items()):
            space = mfg.FiniteElement(mesh, 1)
            pairs = mfg.eigenpairs(space, 21)
            last[name] = pairs.values
            nodes, cells = space.space.nodes, space.space.V.dofmap.list
            for column, n in enumerate(shown):
                values = space.space.project(pairs.functions[n].values)
                panel = figure.add_subplot(grid[row, column], projection="3d")
                surface = panel.plot_trisurf(
                    Triangulation(nodes[:, 0], nodes[:, 1], cells), nodes[:, 2], linewidth=0, antialiased=False
                )
                surface.set(array=values[cells].mean(axis=1), cmap="RdBu_r", norm=CenteredNorm(), rasterized=True)
                spread = np.abs(nodes).max(axis=0)
                panel.set(xlim=(-spread[0], spread[0]), ylim=(-spread[1], spread[1]), zlim=(-spread[2], spread[2]))
                panel.set_box_aspect(spread, zoom=1.36)
                panel.view_init(*view)
                panel.set_axis_off()
                panel.set_title(f"{name}, λ = {pairs.values[n]:.3f}", y=0.98)
            rows += [("eigenvalue", name, k, value) for k, value in enumerate(pairs.values)]
        process = mfg.processes.double_well(depth=1.5, scale=np.sqrt(2.0))
        line = mfg.FiniteElement(mfg.meshes.interval(-2.2, 2.2, 80), 3)
        basis = mfg.finite_element.FiniteElementBasis(mfg.processes.MarkovGenerator.of(process), line, 20)
        last["double well"] = basis.eigenvalues
        rows += [("eigenvalue", "double well", k, value) for k, value in enumerate(basis.eigenvalues)]
        well, values = figure.add_subplot(grid[0, 3]), figure.add_subplot(grid[1, 3])
        x = np.linspace(-1.9, 1.9, 400)
        weight = np.exp(0.5 * basis.stationary(x[:, None], 0)[0])
        for k, function in enumerate((basis(x[:, None]) * weight[:, None])[:, :4].T):
            well.plot(x, basis.eigenvalues[k] + 2.2 * function, color=plotting.COLOURS[k])
            well.axhline(basis.eigenvalues[k], color="0.85", lw=0.5, zorder=0)
            rows += [(f"φ_{k} √π", "double well", a, b) for a, b in zip(x, function, strict=True)]
        well.plot(x, 6 * process.potential(x[:, None]), color="0.6", lw=0.8, ls="--")
        well.set(xlabel="x", ylabel="λₙ + φₙ√π (scaled)", ylim=(-2.5, 17), title="double well; dashed: V (scaled)")
        for k, (name, found) in enumerate(last.items()):
            values.plot(np.arange(21)[: len(found)], found, plotting.MARKERS[k], ls="", label=name, ms=3)
        degrees = np.repeat(np.arange(5), 2 * np.arange(5) + 1)[:21]
        values.step(
            np.arange(21), degrees * (degrees + 1), where="mid", color="0.6", lw=0.7, label="l(l + 1)", zorder=0
        )
        values.set(xlabel="n", ylabel="eigenvalue", yscale="symlog", xticks=[0, 5, 10, 15, 20])
        values.set_yticks([0, 1, 10, 100], ["0", "1", "10", "100"])
        values.set_ylim(-0.3, 3000)
        values.legend(loc="upper left", ncols=2, columnspacing=0.8)
        header = ("what", "where", "n or x", "value")
        return plotting.save(figure, out, "eigenfunctions", (header, rows), run, CLAIMS)
