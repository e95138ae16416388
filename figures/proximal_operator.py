"""The Wasserstein proximal operator at work: a step of ∫Vρ with less and less noise, and how it denoises."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

import mfgpde as mfg
from mfgpde.report import plotting

CLAIMS = ("liliuosher/kernel-formula", "zhang2024/sgm-is-an-inverse-wpo")
GRID = mfg.CartesianGrid.cube(4.0, 192, 2)
BETAS, HORIZON = (0.4, 0.1, 0.025), 0.5


def wells(x):
    """Return a potential with two wells."""
    return 2 * ((x[..., 0] ** 2 - 2.25) ** 2 / 4 + x[..., 1] ** 2)


def draw(run: Mapping, out: Path) -> list[Path]:
    """Compute both rows by the kernel formula and draw them; the run lends its provenance."""
    x, box = GRID.points, (-4, 4, -4, 4)
    wide = mfg.gaussian(np.zeros(2), 0.8 * np.eye(2)).density(x)
    fields = {"start": wide}
    for beta in BETAS:
        fields[f"wells, β = {beta:g}"] = mfg.wasserstein_proximal(
            wide, wells, GRID, horizon=HORIZON, beta=beta
        ).density.values
    law, brownian = mfg.densities.two_moons(0.12), mfg.Brownian(horizon=1.0)
    fields["π"] = law.density(x)
    for beta in BETAS:
        noised = mfg.marginal(brownian, law, 2 * beta * HORIZON).density(x)
        if beta == BETAS[0]:
            fields["G∗π"] = noised
        back = mfg.wasserstein_proximal(
            noised, lambda y, b=beta: -2 * b * np.maximum(law.log_density(y), -300), GRID, horizon=HORIZON, beta=beta
        )
        if beta == BETAS[0]:
            fields["WProx(G∗π)"] = back.density.values
            fields["difference"] = back.density.values - fields["π"]
    names = [
        ("start", r"$\rho_0$"),
        *((f"wells, β = {beta:g}", rf"$\rho_T$, $\beta={beta:g}$") for beta in BETAS),
        ("π", r"$\pi$"),
        ("G∗π", rf"$\rho_0=G*\pi$, $\beta={BETAS[0]:g}$"),
        ("WProx(G∗π)", r"$\rho_T$ for $V=-2\beta\log\pi$"),
        ("difference", r"$\rho_T-\pi$"),
    ]
    with plotting.style():
        figure = plotting.Figure(figsize=(plotting.DOUBLE, 3.7))
        for panel, (key, title) in zip(figure.subplots(2, 4, sharex=True, sharey=True).ravel(), names, strict=True):
            values = fields[key]
            if key == "difference":
                size = float(np.abs(values).max())
                image = panel.imshow(
                    values.T, origin="lower", extent=box, cmap="RdBu_r", vmin=-size, vmax=size, rasterized=True
                )
                bar = figure.colorbar(image, ax=panel, ticks=[-size, 0, size], shrink=0.8, pad=0.03)
                bar.ax.set_yticklabels([f"{v:.0e}" for v in (-size, 0, size)], fontsize=5.5)
            else:
                panel.imshow(values.T, origin="lower", extent=box, vmin=0, cmap="viridis", rasterized=True)
            if key.startswith("wells"):
                panel.contour(*GRID.axes, wells(x).T, levels=[0.5, 2, 5], colors="white", linewidths=0.4, alpha=0.7)
            panel.set_title(title)
            panel.set(xticks=[-3, 0, 3], yticks=[-3, 0, 3], xlim=(-3.2, 3.2), ylim=(-3.2, 3.2))
        import xarray

        arrays = {name.replace("∗", "*"): (("x", "y"), values) for name, values in fields.items()}
        data = xarray.Dataset(arrays, coords={"x": GRID.axes[0], "y": GRID.axes[1]})
        return plotting.save(figure, out, "proximal_operator", data, run, CLAIMS)
