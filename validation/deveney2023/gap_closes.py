"""A penalty on the Fokker–Planck residual closes the gap between ODE and SDE, and pushes the SDE away from the data.

Pairs of networks that share samples and starting weights: four on nine blobs; at level full eight, also on two rings and a board.
Both laws are solved for; W₂ is found by the back-and-forth method on two grids.
"""

from functools import cache
from pathlib import Path

import numpy as np

import mfgpde as mfg
from mfgpde.verify import Claim, Evidence, Level, Series, at_least, at_most, load_module

claim = Claim(
    statement=(
        r"w_R\uparrow:\quad W_2(q^{\mathrm{ODE}},q^{\mathrm{SDE}})\downarrow,\qquad "
        r"W_2(q^{\mathrm{SDE}},p_{\mathrm{data}})\ \text{eventually}\uparrow"
    ),
    source="arXiv:2311.15996",
    standing="experiment",
    assumes=(
        "small networks",
        "w_R from 0 to 1",
        "means over few repetitions taken as normal",
    ),
)

networks = load_module(Path(__file__).parents[1] / "networks" / "_penalised.py")


PAIRS = (("ODE", "SDE"), ("SDE", "data"), ("ODE", "data"))
EMPTY = 1e-14
"""of density, below which the flow's cells have no mass to rounding"""


@cache
def distances(data, weight, level, n, bump=0.0):
    """Return J = KL(a‖b) + KL(b‖a), and W₂² on n² cells and on cells twice as wide: shape (seeds, 3 pairs, 3)."""
    grid = mfg.CartesianGrid.cube(4.0, n, 2)
    scores = networks.ensemble(data, weight, level)
    if bump:
        scores = [mfg.scores.Sum(score, mfg.scores.Bump(bump, (1.0, 1.0), 0.8, frequency=1.5)) for score in scores]
    return np.array([_distances(data, score, grid) for score in scores])


def _distances(data, score, grid):
    process, stop = networks.PROCESS, networks.STOP
    laws = {
        "ODE": mfg.induced_ode(process, score, grid, stop=stop).density.values,
        "SDE": mfg.induced_sde(process, score, grid, stop=stop).density.values,
        "data": np.exp(mfg.marginal(process, networks.DATA[data], stop).log_density(grid.points)),
    }
    laws = {name: np.maximum(values, EMPTY) for name, values in laws.items()}
    laws = {name: values / grid.integrate(values) for name, values in laws.items()}
    coarse = mfg.CartesianGrid.cube(4.0, grid.cells[0] // 2, 2)
    rows = []
    for a, b in PAIRS:
        p, q = laws[a], laws[b]
        squares = [mfg.back_and_forth(p, q, grid), mfg.back_and_forth(halved(p), halved(q), coarse)]
        rows.append([float(grid.integrate((p - q) * np.log(p / q))), *(found.squared.value for found in squares)])
    return rows


def halved(p):
    """Return the means over blocks of four cells."""
    n, m = p.shape
    return p.reshape(n // 2, 2, m // 2, 2).mean((1, 3))


@claim.measure
def trend(level, penalised=0.0, plain=0.0):
    """Compare the largest weight with none; bumps of these heights disturb the potentials of either."""
    n = Level(level).pick(48, 72, 128)
    weights = networks.WEIGHTS if Level(level) is not Level.QUICK else (0.0, networks.WEIGHTS[-1])
    findings, series = [], []
    none = mfg.exact(0.0, "no change")
    for data in networks.DATA if Level(level) is Level.FULL else ("nine_blobs",):
        bumps = {0.0: plain, networks.WEIGHTS[-1]: penalised}
        found = np.stack([distances(data, weight, level, n, bumps.get(weight, 0.0)) for weight in weights])
        name = data.replace("_", " ")
        logs = np.log(found[-1] / found[0])  # seeds, pairs, measures
        for k, (pair, relation) in enumerate(zip(PAIRS[:2], (at_most, at_least), strict=True)):
            divergence = mfg.diagnostics.mean_interval(logs[:, k, 0], "paired log ratio", normal=True)
            square = mfg.diagnostics.mean_interval(logs[:, k, 1], "paired log ratio", normal=True)
            rough = float(np.mean(logs[:, k, 2]))
            bar = square.half_width + abs(square.value - rough)
            square = mfg.Estimate(square.value, bar, square.kind, f"{square.method}, and the change to wider cells")
            # a twentieth on a logarithmic scale is what one would call a change
            for what, change in (("J", divergence), ("W2²", square)):
                label = f"{name}: log of the change of {what}({', '.join(pair)})"
                findings.append(relation(label, change, none, resolution=0.05))
        for k, pair in enumerate(PAIRS):
            means = np.sqrt(found[:, :, k, 1].mean(axis=1)).tolist()
            series.append(Series(f"{name}: {', '.join(pair)}", "weight of the penalty", weights, "W2", means, ""))
    return Evidence(findings, series)


@claim.control("a moving bump of height 10 in the potentials of the penalised networks")
def disturbed(level):
    return trend(level, penalised=10.0)


@claim.control("a moving bump of height 10 in the potentials of the networks without penalty")
def disturbed_plain(level):
    return trend(level, plain=10.0)
