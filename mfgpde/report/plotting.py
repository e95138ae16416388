"""One style for all figures: column widths, colours that survive colour blindness and print, embedded fonts."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from cycler import cycler
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from mfgpde.core.files import room, write_text, written
from mfgpde.core.printable import printable
from mfgpde.discretisations import Field
from mfgpde.equilibria import Equilibrium
from mfgpde.equilibria.refined import RefinedEquilibrium
from mfgpde.grids import CartesianGrid
from mfgpde.report import paper
from mfgpde.solvers import Solution
from mfgpde.verify import Evidence

__all__ = ["Figure", "Line2D", "claim_in", "ladder_figure", "save", "style", "write"]

SINGLE, DOUBLE = 3.4, 7.0  # column widths in inches, as most journals set them
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7F3C8D", "#333333")
MARKERS = "osD^vP*X"
UNORDERED = ("case", "data set", "draw", "game", "network", "seed")
"""what is numbered on an axis and has no order"""
OUTCOMES = {"holds": "#1a7f37", "undecided": "#bf8700", "refuted": "#cf222e", "broken": "#8250df", "skipped": "#6e7781"}
STYLE: dict[Any, Any] = {
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.labelsize": 8,
    "legend.fontsize": 6.5,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "font.family": "DejaVu Sans",
    "axes.prop_cycle": cycler(color=COLOURS),
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "lines.linewidth": 1.2,
    "lines.markersize": 3.5,
    "legend.frameon": False,
    "pdf.fonttype": 42,
    "svg.fonttype": "none",
    "svg.hashsalt": "mfgpde",
    "savefig.dpi": 300,
    "figure.constrained_layout.use": True,
}


def style() -> AbstractContextManager[None]:
    """Return the context in which all figures are drawn: this style, and over it that of the paper, if one is asked for."""
    both: dict[Any, Any] = STYLE | paper.asked().settings()
    return mpl.rc_context(both)


def claim_in(run: Mapping[str, Any], claim: str) -> Mapping[str, Any]:
    """Return the record of one claim in a run; ValueError if the run does not hold it."""
    for one in run["claims"]:
        if one["id"] == claim and one["outcome"] == "broken":
            raise ValueError(f"{claim} is broken in the recorded run, there is nothing to draw: {one['reason']}")
        if one["id"] == claim:
            return one
    raise ValueError(f"the recorded run holds no claim {claim}; make one with `mfgpde validate`")


def save(
    figure: Figure,
    out: Path,
    name: str,
    data: Any,
    run: Mapping[str, Any],
    claims: Sequence[str],
) -> list[Path]:
    """Write PDF, PNG, a caption and the numbers behind a figure; claims and commit go into the metadata of each.

    A figure is brought to the width of the paper that is asked for.

    `data` is (header, rows), written as CSV, or an xarray Dataset, written as NetCDF.
    """
    origin = f"commit {run['provenance']['commit']}, level {run['level']}, seed {run['seed']}"
    about = f"claims: {', '.join(claims) or 'none'}; {origin}"
    paths = [out / f"{name}.pdf", out / f"{name}.png"]
    paper.fit(figure)
    write(figure, paths[0], metadata={"Title": name, "Subject": about, "Creator": "mfgpde", "CreationDate": None})
    write(figure, paths[1], metadata={"Title": name, "Description": about, "Software": "mfgpde"})
    paths.append(write_text(out / f"{name}.txt", paper.caption(_sentence(), run, claims)))
    paths.append(out / f"{name}.{'csv' if isinstance(data, tuple) else 'nc'}")
    with written(paths[-1]) as part:
        if isinstance(data, tuple):
            header, rows = data
            with part.open("w", newline="", encoding="utf-8") as file:
                file.write(f"# {about}\n")
                csv.writer(file).writerows([header, *rows])
        else:
            room(part, data.nbytes)
            data.assign_attrs(origin=about).to_netcdf(part, engine="h5netcdf")
    return paths


def _sentence() -> str:
    """Return the first sentence of the script that saves a figure."""
    frame = sys._getframe(2)
    return (frame.f_globals.get("__doc__") or "").strip().split("\n")[0]


def write(figure: Figure, path: Path, **options: Any) -> Path:
    """Write a figure whole or not at all: it is drawn in memory, since what draws does not survive a full disk."""
    buffer = io.BytesIO()
    with style():
        figure.savefig(buffer, format=path.suffix[1:] or "png", **options)
    with written(path) as part:
        part.write_bytes(buffer.getvalue())
    return path


def _text(label: str) -> str:
    """Return a claim's label as text: a stray $ in it is no formula, and no error."""
    return printable(label).replace("$", r"\$")


def ladder_figure(series: Sequence[Mapping[str, Any]]) -> Figure:
    """Draw series grouped by their x axis, a panel each, on the scales they ask for."""
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for one in series:
        groups.setdefault(one["x_label"], []).append(one)
    with style():
        figure = Figure(figsize=(SINGLE * min(len(groups), 2) + 1.6, 2.5))
        for panel, (x_label, members) in zip(
            figure.subplots(1, len(groups), squeeze=False)[0], groups.items(), strict=True
        ):
            for k, one in enumerate(members):
                line = "-" if _ordered(one) else "none"
                panel.plot(
                    one["x"], one["y"], linestyle=line, marker=MARKERS[k % len(MARKERS)], label=_text(one["label"])
                )
            scales, ticks = members[0]["logarithmic"], sorted({x for one in members for x in one["x"]})
            named = len(ticks) <= 9 and all(len(f"{x:g}") <= 5 for x in ticks)
            if "x" in scales:
                panel.set_xscale("log", base=2 if named else 10)
            if "y" in scales and all(y and y > 0 for one in members for y in one["y"]):
                panel.set_yscale("log")
            names = list(dict.fromkeys(one["y_label"] for one in members))
            panel.set(xlabel=_text(x_label), ylabel=_text(names[0]) if len(names) == 1 else "error")
            if named:
                panel.set_xticks(ticks, [f"{x:g}" for x in ticks])
                panel.minorticks_off()
            panel.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure


def _ordered(series: Mapping[str, Any]) -> bool:
    """Say whether a line may join the points: those of data sets, seeds and draws stand by themselves."""
    steps = np.diff(series["x"])
    return series["x_label"] not in UNORDERED and bool(np.all(steps > 0) or np.all(steps < 0))


def picture(result: Evidence | Equilibrium | RefinedEquilibrium | Solution | Field) -> Figure:
    """Draw a field, a solution or an equilibrium, at most four times, scalars as they are, vectors by their length.

    Of evidence, the series. Raises ValueError for evidence without, and for results on meshes, which ParaView draws
    (`Solution.save("name.bp")`).
    """
    if isinstance(result, Evidence):
        if not result.series:
            raise ValueError("this evidence has no series to draw")
        return ladder_figure([vars(one) for one in result.series])
    if isinstance(result, RefinedEquilibrium):
        result = result.finest
    if isinstance(result, Equilibrium):
        last = len(result.times) - 1
        fields = {f"density, τ = {result.times[k]:.3g}": result.density(k) for k in _few(last)}
    elif isinstance(result, Solution):
        fields = {f"t = {result.times[k]:.3g}": result.fields[k] for k in _few(len(result.times) - 1)}
    else:
        fields = {"": result}
    if not isinstance(next(iter(fields.values())).grid, CartesianGrid):
        raise ValueError("results on meshes are drawn by ParaView: save them as .bp or .xdmf")
    return field_panels(fields)


def _few(last: int) -> list[int]:
    return sorted({round(k * last / 3) for k in range(4)})


def field_panels(fields: Mapping[str, Any]) -> Figure:
    """Draw fields of any sign side by side on one scale: lines in 1D, maps in 2D, middle slices in 3D."""
    grid = next(iter(fields.values())).grid
    d = grid.dimension
    with style():
        shown = {
            name: field.values if field.values.ndim == d else np.linalg.norm(field.values, axis=-1)
            for name, field in fields.items()
        }
        if d == 1:
            figure = Figure(figsize=(SINGLE, 2.4))
            panel = figure.subplots()
            for name, values in shown.items():
                panel.plot(grid.axes[0], values, label=name)
            panel.set(xlabel="x")
            if any(shown):
                panel.legend()
            return figure
        maps = {name: v if d == 2 else v[..., v.shape[2] // 2] for name, v in shown.items()}
        low, high = (float(pick([pick(v) for v in maps.values()])) for pick in (np.min, np.max))
        size = DOUBLE if len(maps) > 1 else SINGLE
        figure = Figure(figsize=(size, size / len(maps) * 0.95 + 0.3))
        panels = figure.subplots(1, len(maps), sharey=True, squeeze=False)[0]
        signed = {"cmap": "RdBu_r", "vmin": -max(-low, high), "vmax": max(-low, high)}
        scale = signed if low < -0.02 * high else {"cmap": "viridis", "vmin": min(low, 0.0), "vmax": high}
        extent = (grid.lower[0], grid.upper[0], grid.lower[1], grid.upper[1])
        for panel, (name, values) in zip(panels, maps.items(), strict=True):
            image = panel.imshow(values.T, origin="lower", extent=extent, interpolation="nearest", **scale)
            panel.set(title=name, xlabel="x")
        panels[0].set_ylabel("y" if d == 2 else "y, at the middle of z")
        figure.colorbar(image, ax=list(panels), shrink=0.8)
    return figure


def equilibrium_panels(found: Any, *, paths: int = 24) -> Figure:
    """Draw an equilibrium: density and value over time in 1D, densities at five times in 2D (3D: summed), with paths."""
    grid, rng = found.grid, np.random.default_rng(1)
    lines = found.trajectories(found.game.initial.sample(paths, rng), rng=rng)
    with style():
        if grid.dimension == 1:
            figure = Figure(figsize=(DOUBLE, 2.5))
            extent = (0, found.times[-1], grid.lower[0], grid.upper[0])
            for panel, values, name, colours in zip(
                figure.subplots(1, 2, sharey=True),
                (found.densities, found.values),
                ("density", "value function"),
                ("viridis", "cividis"),
                strict=True,
            ):
                shown = _clipped(values, found.densities) if name != "density" else values
                # equal steps of time are not promised: a mesh, not an image
                image = panel.pcolormesh(
                    found.times, grid.axes[0], shown.T, cmap=colours, shading="nearest", rasterized=True
                )
                panel.plot(found.times, lines[..., 0], color="white", linewidth=0.5, alpha=0.7)
                panel.set(title=name, xlabel="τ", xlim=extent[:2], ylim=extent[2:])
                figure.colorbar(image, ax=panel)
            figure.axes[0].set_ylabel("x")
            return figure
        figure = Figure(figsize=(DOUBLE, 1.75))
        _density_row(figure, figure.subplots(1, 5, sharey=True), found, lines)
    return figure


def _density_row(figure: Figure, panels: Any, found: Any, lines: Any) -> None:
    """Draw the densities at equally spaced nodes with the paths up to then."""
    grid, last = found.grid, len(found.times) - 1
    picks = [round(share * last) for share in np.linspace(0, 1, len(panels))]
    maps = [
        found.densities[k] if grid.dimension == 2 else found.densities[k].sum(axis=2) * grid.spacing[2] for k in picks
    ]
    extent = (grid.lower[0], grid.upper[0], grid.lower[1], grid.upper[1])
    top = float(max(m.max() for m in maps))
    for panel, k, values in zip(panels, picks, maps, strict=True):
        image = panel.imshow(values.T, origin="lower", extent=extent, cmap="viridis", vmin=0, vmax=top, rasterized=True)
        panel.plot(lines[: k + 1, :, 0], lines[: k + 1, :, 1], color="white", linewidth=0.4, alpha=0.7)
        panel.set(title=f"τ = {found.times[k]:.2g}", xlim=extent[:2], ylim=extent[2:])
    figure.colorbar(image, ax=list(panels), shrink=0.9, label="density")


def _clipped(values: Any, densities: Any) -> Any:
    """Return the value function cut at what it reaches where there is mass: walls would set the scale."""
    there = values[densities > 1e-3 * densities.max()]
    return np.clip(values, there.min(), there.max())


def bench_figure(result: Mapping[str, Any], place: Path) -> list[Path]:
    """Draw the panels of a benchmark, one curve a solver or kernel, as PDF and PNG beside its numbers."""
    panels = result["panels"]
    columns = min(3, len(panels))
    lines = -(-len(panels) // columns)
    with style():
        figure = Figure(figsize=(DOUBLE, 3.0 * lines))
        cells = figure.subplots(lines, columns, squeeze=False).ravel()
        for cell, panel in zip(cells, panels, strict=False):
            for k, curve in enumerate(panel["curves"]):
                look = {"color": "0.6", "lw": 2.0, "zorder": 0} if curve.get("grey") else {"marker": MARKERS[k % 8]}
                cell.loglog(curve["x"], curve["y"], label=curve["label"], **look)
            cell.set(title=panel["title"], xlabel=panel["x"], ylabel=panel["y"])
            thin = {"fontsize": 5, "ncols": 2, "columnspacing": 0.8, "handlelength": 1.3, "handletextpad": 0.4}
            cell.legend(loc="upper center", bbox_to_anchor=(0.42, -0.2), **thin)
        for cell in cells[len(panels) :]:
            cell.set_axis_off()
        files = [place.with_suffix(ending) for ending in (".pdf", ".png")]
        for file in files:
            write(figure, file)
    return files
