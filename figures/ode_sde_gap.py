"""A penalty on the Fokker–Planck residual at work: data, SDE, ODE and e^φ of networks with four weights."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

import mfgpde as mfg
from mfgpde.report import plotting
from mfgpde.verify import load_module

CLAIMS = ("deveney2023/gap-closes", "deveney2023/four-dynamics")
GRID = mfg.CartesianGrid.cube(4.0, 96, 2)


def draw(run: Mapping, out: Path) -> list[Path]:
    """Solve for the laws of the kept networks of seed 0 and draw them; the run lends its provenance."""
    networks = _networks()
    process, stop = networks.PROCESS, networks.STOP
    truth = mfg.marginal(process, networks.DATA["nine_blobs"], stop).density(GRID.points)
    fields = {}
    with plotting.style():
        figure = plotting.Figure(figsize=(plotting.DOUBLE, 5.0 * len(networks.WEIGHTS) / 3))
        panels = figure.subplots(len(networks.WEIGHTS), 4, sharex=True, sharey=True)
        top = float(np.quantile(truth, 0.999))
        for row, weight in zip(panels, networks.WEIGHTS, strict=True):
            score = mfg.load_score(str(Path(networks.__file__).with_name(f"log_residual_{weight:g}_0.safetensors")))
            phi = score.potential(GRID.points, stop)
            laws = {
                "data": truth,
                "q^SDE": mfg.induced_sde(process, score, GRID, stop=stop).density.values,
                "q^ODE": mfg.induced_ode(process, score, GRID, stop=stop).density.values,
                "e^φ": np.exp(phi - phi.max()),
            }
            laws = {name: np.maximum(values, 1e-14) for name, values in laws.items()}
            laws = {name: values / GRID.integrate(values) for name, values in laws.items()}
            for panel, (name, values) in zip(row, laws.items(), strict=True):
                box = (-4, 4, -4, 4)
                image = panel.imshow(values.T, origin="lower", extent=box, vmin=0, vmax=top, rasterized=True)
                panel.set(xticks=[-3, 0, 3], yticks=[-3, 0, 3])
                if weight == networks.WEIGHTS[0]:
                    panel.set_title(
                        f"${name.replace('SDE', '{SDE}').replace('ODE', '{ODE}').replace('φ', '{φ}')}$"
                        if "^" in name
                        else name
                    )
                if name != "data":
                    against = "SDE" if name == "q^ODE" else "data"
                    other = laws["q^SDE" if against == "SDE" else "data"]
                    distance = float(GRID.integrate(np.abs(values - other)))
                    panel.text(-3.8, -3.75, f"L¹ to {against} {distance:.2f}", color="white", size=6)
                fields[f"{name} at weight {weight:g}".replace(" ", "_")] = values
            row[0].set_ylabel(f"weight {weight:g}")
        figure.colorbar(image, ax=list(panels[:, -1]), label="density", aspect=40)
        return plotting.save(figure, out, "ode_sde_gap", _dataset(fields), run, CLAIMS)


def _networks():
    """Return the module of the kept networks, beside the sources or in the package."""
    roots = (Path(__file__).parents[1], Path(mfg.__file__).parent / "shipped")
    places = [root / "validation" / "networks" / "_penalised.py" for root in roots]
    return load_module(next(place for place in places if place.is_file()))


def _dataset(fields):
    """Return the densities as one labelled data set."""
    import xarray

    return xarray.Dataset(
        {name: (("x", "y"), values) for name, values in fields.items()}, dict(zip("xy", GRID.axes, strict=True))
    )
