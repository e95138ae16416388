"""A penalty on the residual over data sets and weights: what SDE and ODE generate, beside the data, and W2 between them."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

import mfgpde as mfg
from mfgpde.report import paper, plotting
from mfgpde.verify import load_module

CLAIMS = ("deveney2023/gap-closes",)
GRID = mfg.CartesianGrid.cube(4.0, 72, 2)


def draw(run: Mapping, out: Path) -> list[Path]:
    """Solve for the laws of one kept network for each data set and weight; the run lends its provenance."""
    networks = _networks()
    process, stop, weights = networks.PROCESS, networks.STOP, networks.WEIGHTS
    fields, rows = {}, []
    with plotting.style():
        width, count = paper.asked().inches or plotting.DOUBLE, 1 + 2 * len(weights)
        upright = width < 5  # a narrow column has the data sets side by side
        figure = plotting.Figure(figsize=(width, 0.31 * width * count) if upright else (width, 3.5 * width / count))
        shape = (count, len(networks.DATA)) if upright else (len(networks.DATA), count)
        panels = figure.subplots(*shape, sharex=True, sharey=True)
        panels = panels.T if upright else panels
        for row, (data, law) in zip(panels, networks.DATA.items(), strict=True):
            truth = _positive(mfg.marginal(process, law, stop).density(GRID.points))
            top = float(np.quantile(truth, 0.998))
            _map(row[0], truth, top)
            row[0].set(**{"title" if upright else "ylabel": data.replace("_", " ")})
            fields[f"{data}, data"] = truth
            for k, weight in enumerate(weights):
                score = mfg.load_score(str(networks.kept(data, weight, 0)))
                sde = _positive(mfg.induced_sde(process, score, GRID, stop=stop).density.values)
                ode = _positive(mfg.induced_ode(process, score, GRID, stop=stop).density.values)
                between, away = (mfg.back_and_forth(sde, other, GRID).distance.value for other in (ode, truth))
                rows.append((data, weight, between, away))
                for panel, values, words in (
                    (row[1 + 2 * k], sde, f"W₂ to data {away:.2f}"),
                    (row[2 + 2 * k], ode, f"W₂ to SDE {between:.2f}"),
                ):
                    _map(panel, values, top)
                    panel.text(-3.8, -3.75, words, color="white", size=6 if upright else 5, in_layout=False)
                fields[f"{data}, SDE, weight {weight:g}"], fields[f"{data}, ODE, weight {weight:g}"] = sde, ode
        names = ["data", *(rf"$q^{{{kind}}}$, $w = {w:g}$" for w in weights for kind in ("SDE", "ODE"))]
        for panel, name in zip(panels[0], names, strict=True):
            panel.set(**{"ylabel" if upright else "title": name})
        return plotting.save(figure, out, "penalty_comparison", _dataset(fields, rows), run, CLAIMS)


def _map(panel, values, top) -> None:
    panel.imshow(values.T, origin="lower", extent=(-4, 4, -4, 4), vmin=0, vmax=top, rasterized=True)
    panel.set(xticks=[], yticks=[])


def _positive(values):
    values = np.maximum(values, 1e-14)
    return values / GRID.integrate(values)


def _networks():
    """Return the module of the kept networks, beside the sources or in the package."""
    roots = (Path(__file__).parents[1], Path(mfg.__file__).parent / "shipped")
    places = [root / "validation" / "networks" / "_penalised.py" for root in roots]
    return load_module(next(place for place in places if place.is_file()))


def _dataset(fields, rows):
    """Return densities and distances as one labelled data set."""
    import xarray

    coords = {"x": GRID.axes[0], "y": GRID.axes[1]}
    arrays = {name.replace(" ", "_"): (("x", "y"), values) for name, values in fields.items()}
    distances = {"W2_of_SDE_and_ODE": 2, "W2_of_SDE_and_data": 3}
    arrays |= {name: (("case",), np.array([row[k] for row in rows])) for name, k in distances.items()}
    return xarray.Dataset(arrays, {**coords, "case": [f"{data}, weight {weight:g}" for data, weight, *_ in rows]})
