"""Mean-field games: the linear-quadratic one with 101 points, iterations against grid size, and large second-order ones.

P6: κ = ½, L = ½|v|², ρ_0 = N(0, ½), U(T) = 2x², T = ½ on [−6, 6]; exact U(x, 0) = x²/1.5 + ½ log 3, error in |x| < 3.
The first run of everything (compilation) is not counted. A Schrödinger bridge has POT beside it, where that is installed.
"""

import importlib.util
import resource
import time
from typing import Any

import numpy as np

import mfgpde as mfg


def crowd(dimension: int) -> mfg.MeanFieldGame:
    """Return a crowd with noise that walks to a place and shuns company."""
    start = mfg.gaussian(np.array([-0.8] + [0.0] * (dimension - 1)), 0.2 * np.eye(dimension))
    centre = np.array([0.8] + [0.0] * (dimension - 1))
    return mfg.games.crowd_motion(start, lambda x: 2 * np.sum((x - centre) ** 2, axis=-1), viscosity=0.25, aversion=3.0)


def run(peers: bool) -> dict[str, Any]:
    """Return rows of game, method, cells, steps, error or gap, iterations and seconds."""
    rows = []
    source = mfg.gaussian([0.0], [[0.5]])
    lq, line = mfg.games.linear_quadratic(source, 4.0, 0.5, viscosity=0.5), mfg.CartesianGrid((-6.0,), (6.0,), (101,))
    x = line.axes[0]
    truth = x**2 / 1.5 + 0.5 * np.log(3)
    for method, steps in (("entropic", 50), ("entropic", 25), ("newton", 50), ("newton", 200)):
        mfg.equilibrium(lq, line, method=method, steps=steps)
        clock = time.perf_counter()
        found = mfg.equilibrium(lq, line, method=method, steps=steps)
        seconds = time.perf_counter() - clock
        error = float(np.abs(found.values[0] - truth)[np.abs(x) < 3].max())
        rows.append(("P6, error of U(0)", method, "101", steps, error, found.cost["iterations"], seconds))
    for method, sizes, steps, options in (
        ("entropic", (32, 64, 128, 256), 12, {"tolerance": 1e-6}),
        ("newton", (32, 64, 128), 24, {"tolerance": 1e-6}),
        ("primal-dual", (32, 64, 128), 16, {"tolerance": 1e-2}),
    ):
        for n in sizes:
            found = mfg.equilibrium(crowd(2), mfg.CartesianGrid.cube(3.0, n, 2), method=method, steps=steps, **options)
            rows.append(_row("crowd, gap", found, f"{n}²", steps))
    for dimension, n, steps in ((2, 128, 64), (2, 256, 128), (3, 48, 16)):
        found = mfg.equilibrium(
            crowd(dimension), mfg.CartesianGrid.cube(3.0, n, dimension), steps=steps, tolerance=1e-6
        )
        rows.append(_row("crowd, gap", found, f"{n}{'²³'[dimension - 2]}", steps))
    rows += _bridges(peers)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return {
        "title": f"mean-field games (peak memory {peak:.1f} GiB)",
        "columns": ("game", "method", "cells", "steps", "error or gap", "iterations", "seconds"),
        "rows": rows,
        "goals": "P6 ≤ 1e-4 in 0.2 s (MFGArchon: 0.33 in 129 s); 128²×64 ≤ 1e-6 in 20 s; 256²×128 in 5 min and 6 GiB",
    }


def _bridges(peers: bool) -> list[tuple[Any, ...]]:
    """Return the error of the cost of a bridge of Gaussians on 400 points, κ = 0.1, POT's Sinkhorn beside us."""
    a, b, shift, kappa = 0.3, 0.5, 1.2, 0.1
    eps = 2 * kappa
    c = -0.5 * eps + np.sqrt(0.25 * eps**2 + a * b)
    truth = 0.5 * (shift**2 + a + b - 2 * c) + 0.5 * eps * (np.log(eps) - 1 - np.log(b - c**2 / a))
    ends = [mfg.gaussian([m], [[v]]) for m, v in ((-0.5 * shift, a), (0.5 * shift, b))]
    line = mfg.CartesianGrid.cube(5.0, 400, 1)
    found = mfg.equilibrium(mfg.games.schroedinger_bridge(*ends, kappa), line, steps=16, tolerance=1e-9)
    ours = abs(found.discrete_optimum.value - truth)
    rows = [("bridge, error of the cost", "entropic", "400", 16, ours, found.cost["iterations"], found.cost["seconds"])]
    if peers and importlib.util.find_spec("ot"):
        import ot

        x = line.axes[0]
        p, q = (law.density(x[:, None]) * line.volume for law in ends)
        p, q = p / p.sum(), q / q.sum()
        cost = (x[:, None] - x) ** 2 / 2
        clock = time.perf_counter()
        plan, log = ot.sinkhorn(p, q, cost, eps, method="sinkhorn_log", stopThr=1e-10, numItermax=10_000, log=True)
        seconds = time.perf_counter() - clock
        kernel = p[:, None] * np.exp(-cost / eps) * line.volume / np.sqrt(2 * np.pi * eps)
        value = eps * float(np.sum(plan * np.log(np.maximum(plan, 1e-300) / np.maximum(kernel, 1e-300))))
        rows.append(
            ("bridge, error of the cost", "POT sinkhorn_log", "400", 1, abs(value - truth), log["niter"], seconds)
        )
    return rows


def _row(game: str, found: mfg.Equilibrium, cells: str, steps: int) -> tuple[Any, ...]:
    method = found.method.split(",")[0]
    return (
        game,
        method,
        cells,
        steps,
        found.discrete_primal - found.discrete_dual,
        found.cost["iterations"],
        found.cost["seconds"],
    )
