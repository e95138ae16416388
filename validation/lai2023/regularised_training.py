"""A penalty on the score Fokker–Planck residual lowers it and brings the probability-flow ODE closer to the data.

Six pairs of networks that share samples and starting weights; the generated law is solved for, not sampled.
"""

from pathlib import Path

import numpy as np

import mfgpde as mfg
from mfgpde.verify import Claim, Evidence, Level, at_most, load_module

claim = Claim(
    statement=r"\gamma>0:\quad \|\varepsilon\|\ \text{falls and}\ \mathrm{KL}(p_0\|q_0^{\mathrm{ODE}})\ \text{falls, against}\ \gamma=0",
    source="arXiv:2210.04296",
    standing="experiment",
    assumes=("small networks on four blobs", "γ = 1e-3, the exact residual"),
    coefficients=("residual", "divergence"),
)

HERE = Path(__file__).parents[1] / "networks"
networks, once = load_module(HERE / "_ensemble.py"), load_module(HERE / "_once.py").once


def numbers(kind, level, height, x, cells):
    """Return |ε| at points and KL(p‖q) of each network of an ensemble, a bump in its potential, shape (networks, 2)."""
    law = mfg.marginal(networks.PROCESS, networks.DATA, networks.STOP)
    grid, rows = mfg.CartesianGrid.cube(4.5, cells, 2), []
    p = mfg.densities.cell_means(law, grid)  # as the flow's law is known
    for score in networks.ensemble(kind, level):
        eps = mfg.score_residual(networks.PROCESS, score, x, networks.STOP)
        moved = mfg.scores.Sum(score, mfg.scores.Bump(height, (1.0, 0.0), 0.8)) if height else score
        q = mfg.induced_ode(networks.PROCESS, moved, grid, stop=networks.STOP).density.values
        kl = grid.integrate(p * np.log(np.maximum(p, 1e-300) / np.maximum(q, 1e-12)))
        rows.append((np.sqrt(np.mean(np.sum(eps**2, axis=-1))), float(kl)))
    return np.array(rows)


@claim.measure
def improvement(level, rng, penalised="score_residual", disturbance=0.0, residual=1.0, divergence=1.0):
    """Compare pairs; `disturbance` is the height of a bump in the potentials by which the penalised ones generate.

    Of these `residual` multiplies ε, and `divergence` KL.
    """
    law = mfg.marginal(networks.PROCESS, networks.DATA, networks.STOP)
    x = law.sample(1000, rng)

    def of(kind, height=0.0):
        return once(numbers, kind, Level(level).value, height, x, Level(level).pick(36, 48, 48))

    before, after = of("plain"), of(penalised, disturbance) * [residual, divergence]
    ratio = mfg.diagnostics.mean_interval(after[:, 0] / before[:, 0], "paired ratio")
    change = mfg.diagnostics.mean_interval(after[:, 1] - before[:, 1], "paired difference")
    findings = [
        at_most("residual with penalty over that without", ratio, mfg.exact(0.5, "half"), resolution=0.01),
        at_most("KL(p‖q^ODE) with penalty − without", change, mfg.exact(0.0, "no gain"), resolution=1e-4),
    ]
    return Evidence(findings)


@claim.control("networks without penalty in both places")
def unpenalised(level, rng):
    return improvement(level, rng, penalised="plain")


@claim.control("a bump of height 1 in the potentials by which the penalised networks generate")
def disturbed(level, rng):
    return improvement(level, rng, disturbance=1.0)
