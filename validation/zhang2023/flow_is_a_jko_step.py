"""A normalizing flow with kinetic cost is one step of the Jordan–Kinderlehrer–Otto scheme: straight paths, and its minimiser.

Gaussians, where the step is known axis by axis: with the target N(μ, s²) the mean is the weighted one of m₀/T and μ/s², and the
deviation solves σ²(1/T + 1/s²) − σσ₀/T = 1. In 1D also two blobs, against the step in terms of quantiles.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np

import mfgpde as mfg
from mfgpde.verify import Claim, Evidence, Level, Series, at_most, equal, load_module

claim = Claim(
    statement=(
        r"\min\int\!\!\int\tfrac12|v|^2\rho+\mathrm{KL}(\rho_T\|\pi):\quad"
        r"\rho_T=\arg\min_\rho\ \mathrm{KL}(\rho\|\pi)+\tfrac1{2T}W_2^2(\rho,\rho_0),\quad \ddot X=0"
    ),
    source="arXiv:2304.13534, section 3.1",
    standing="theorem",
    assumes=("no noise", "ρ_0 and π positive"),
    coefficients=("horizon",),
)

line = load_module(Path(__file__).parents[1] / "networks" / "_quantiles.py")
HORIZON = 1.0
GAUSSIANS = {1: ((-0.6,), (0.2,), (0.7,), (0.4,)), 2: ((-0.5, 0.2), (0.25, 0.15), (0.6, -0.3), (0.3, 0.4))}


def gaussian_step(m0, v0, mu, v):
    """Return mean and variance of the step along one axis, and its cost."""
    T, s0 = HORIZON, np.sqrt(v0)
    mean = (m0 / T + mu / v) / (1 / T + 1 / v)
    a = 1 / T + 1 / v
    sigma = (s0 / T + np.sqrt(s0**2 / T**2 + 4 * a)) / (2 * a)
    transport = ((mean - m0) ** 2 + (sigma - s0) ** 2) / (2 * T)
    relative = 0.5 * ((sigma**2 + (mean - mu) ** 2) / v - 1 - np.log(sigma**2 / v))
    return mean, sigma**2, transport + relative


@claim.measure
def step(level, rng, horizon=1.0, pull=0.0, loose=1.0, wide=1.0):
    """`horizon` multiplies that of the game that is solved, `pull` is of a potential there.

    `loose` multiplies the gap that is left, `wide` the target's variances.
    """
    findings, series = [], []
    tolerance = Level(level).pick(3e-4, 1e-4, 5e-5)
    for dimension, sizes in {
        1: Level(level).pick((48, 96), (64, 128), (128, 256)),
        2: Level(level).pick((24, 36), (28, 42), (48, 72)),
    }.items():
        m0, v0, mu, v = map(np.array, GAUSSIANS[dimension])
        source = mfg.gaussian(m0, np.diag(v0))
        steps = [gaussian_step(*axis) for axis in zip(m0, v0, mu, v, strict=True)]
        aim = mfg.gaussian(mu, wide * np.diag(v))
        game = pulled(mfg.games.normalizing_flow(source, aim, horizon * HORIZON), pull)
        rows = [
            numbers(
                game, mfg.CartesianGrid.cube(3.5, n, dimension), n // 4, tolerance * (1 if dimension == 1 else 5), rng
            )
            for n in sizes
        ]
        truth = {
            "cost": sum(cost for *_, cost in steps),
            "mean of ρ_T": np.array([mean for mean, *_ in steps]),
            "variances of ρ_T": np.array([variance for _, variance, _ in steps]),
            "bend of the paths": 0.0,
        }
        for what, resolution in (
            ("cost", 5e-3),
            ("mean of ρ_T", 6e-2),
            ("variances of ρ_T", 6e-2),
            ("bend of the paths", 6e-2),
        ):
            errors = [float(np.max(np.abs(row[what] - truth[what]))) for row in rows]
            bar = abs(errors[1] - errors[0]) + rows[1]["bars"][what]
            found = mfg.Estimate(
                errors[1], bar, mfg.Kind.EXTRAPOLATED, f"{sizes[1]} cells, change from {sizes[0]}, and the gap"
            )
            findings.append(
                equal(f"{dimension}D Gaussians: {what}", found, mfg.exact(0.0, "closed form"), resolution=resolution)
            )
        series.append(
            Series(
                f"{dimension}D",
                "iteration / 25",
                list(range(1, len(rows[1]["history"]) + 1)),
                "gap",
                rows[1]["history"],
                "xy",
            )
        )
    blobs, spread = mfg.densities.bimodal(1), mfg.gaussian([0.0], [[0.8]])
    n = Level(level).pick(96, 128, 256)
    refined = mfg.equilibria.refined_equilibrium(
        pulled(mfg.games.normalizing_flow(spread, blobs, horizon * HORIZON), pull),
        mfg.CartesianGrid.cube(4.0, n, 1),
        steps=n // 4,
        tolerance=loose * tolerance,
        iterations=6000,
    )
    found = refined.finest
    value, change = line.limit(spread, blobs, HORIZON, 4000)
    reference = mfg.Estimate(value, 2 * change, mfg.Kind.EXTRAPOLATED, "4000 quantiles, from 500 on")
    findings.append(equal("two blobs: cost, against quantiles", refined.optimal_cost, reference, resolution=3e-2))
    findings.append(
        at_most(
            "two blobs: gap",
            mfg.exact(found.discrete_primal - found.discrete_dual, "primal − dual"),
            mfg.exact(tolerance, "asked for"),
            resolution=0.0,
        )
    )
    return Evidence(findings, series)


def pulled(game, strength):
    """Return the game with the running cost ½ strength |x − 1|² beside the kinetic one: its paths bend."""
    if strength == 0:
        return game
    return replace(game, running=lambda x, t: 0.5 * strength * np.sum((x - 1) ** 2, axis=-1))


def numbers(game, grid, steps, tolerance, rng):
    """Return what the claim compares, and by how much the gap may move each of it."""
    found = mfg.equilibrium(game, grid, steps=steps, tolerance=tolerance, iterations=6000)
    law, x = found.densities[-1] * grid.volume, grid.points
    mean = np.tensordot(law, x, axes=grid.dimension)
    variances = np.tensordot(law, (x - mean) ** 2, axes=grid.dimension)
    seeds = game.initial.sample(200, rng)
    paths = found.trajectories(seeds[np.abs(seeds - game.initial.means[0]).max(axis=1) < 0.8])
    straight = paths[:1] + np.linspace(0, 1, len(paths))[:, None, None] * (paths[-1:] - paths[:1])
    bend = float(np.abs(paths - straight).max())
    gap = found.discrete_primal - found.discrete_dual
    # the step's functional is 1/T + 1/max s² convex along its geodesics: W₂ of ρ_T from the minimiser is at most √(2 gap/that)
    near = np.sqrt(2 * max(gap, 0.0) / (1 / HORIZON + 1 / max(GAUSSIANS[grid.dimension][3])))
    bars = {"cost": gap, "mean of ρ_T": near, "variances of ρ_T": near, "bend of the paths": near}
    return {
        "cost": found.discrete_optimum.value,
        "mean of ρ_T": mean,
        "variances of ρ_T": variances,
        "bend of the paths": bend,
        "bars": bars,
        "history": list(found.history),
    }


@claim.control(
    "a running cost |x − 1|² beside the kinetic one, a target of a third of the variance, a gap left 30 times as large"
)
def bent(level, rng):
    return step(level, rng, pull=2.0, loose=30.0, wide=0.3)
