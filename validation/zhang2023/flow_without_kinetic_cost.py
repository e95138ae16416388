"""Without kinetic cost a normalizing flow is not determined: two flows end in the same law at the same cost; with it, one is dearer.

In the plane, from one Gaussian to another: the optimal linear map, and the same after a rotation that the first Gaussian does not
see. Both end in the target exactly; the kinetic costs of their straight flows are closed forms, the least one W₂²/2.
"""

from dataclasses import replace
from functools import cache

import numpy as np

import mfgpde as mfg
from mfgpde.verify import Claim, Evidence, Level, at_least, at_most, equal

claim = Claim(
    statement=(
        r"F(\rho_T)\ \text{alone: minimisers}\ T\circ R,\ R_\#\rho_0=\rho_0,\ \text{all equal};\quad "
        r"F+\tfrac12\!\int\!\!\int|v|^2\rho:\ \text{only}\ T"
    ),
    source="arXiv:2304.13534, section 3.1",
    standing="theorem",
    assumes=("ρ_0 isotropic",),
    coefficients=("turn", "target", "cost"),
)

SPREAD, TARGET, ANGLE = 0.4, np.diag([0.15, 0.5]), 0.8


def flow_cost(angle):
    """Return ½E|TRx − x|² for the rotation R by an angle, T = (TARGET/SPREAD)^½."""
    M = np.sqrt(TARGET / SPREAD) @ _rotation(angle) - np.eye(2)
    return 0.5 * SPREAD * float(np.trace(M @ M.T))


def _rotation(angle):
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


@cache
def of_the_game(n):
    """Return the least cost on n² cells, between dual and primal; false variants multiply it, or leave it."""
    source, end = mfg.gaussian(np.zeros(2), SPREAD * np.eye(2)), mfg.gaussian(np.zeros(2), TARGET)
    game = mfg.games.benamou_brenier(source, end)
    found = mfg.equilibrium(game, mfg.CartesianGrid.cube(3.0, n, 2), steps=n // 3, tolerance=2e-3)
    return replace(found.discrete_optimum, at=f"{n}² cells")


@claim.measure
def two_flows(level, rng, turn=1.0, target=1.0, cost=1.0):
    """`turn` multiplies the angle of the second flow; `target` the covariance that both reach; `cost` that of the game."""
    n, count = Level(level).pick(48, 64, 96), Level(level).pick(20_000, 100_000, 400_000)
    best = cost * of_the_game(n)
    x = mfg.gaussian(np.zeros(2), SPREAD * np.eye(2)).sample(count, rng)
    maps = [np.sqrt(target * TARGET / SPREAD) @ _rotation(angle) for angle in (0.0, turn * ANGLE)]
    scale = 4 * 0.5 * np.sqrt(2 / count)  # four standard errors of a variance of one half
    findings = [
        equal(
            "cost of the game = that of the optimal map",
            best,
            mfg.exact(flow_cost(0.0), "closed form"),
            resolution=3e-3,  # thrice what gap and cells leave
        )
    ]
    for name, M in zip(("optimal", "turned"), maps, strict=True):
        spread = mfg.Estimate(
            float(np.abs(np.cov((x @ M.T).T) - TARGET).max()), scale, mfg.Kind.CONFIDENCE, f"{count} samples"
        )
        findings.append(equal(f"{name}: covariance of the end", spread, mfg.exact(0.0, "target"), resolution=0.05))
    costs = [float(0.5 * np.mean(np.sum((x @ M.T - x) ** 2, axis=1))) for M in maps]
    dearer = mfg.Estimate(
        costs[1] - costs[0], 4 * 0.5 / np.sqrt(count), mfg.Kind.CONFIDENCE, f"{count} samples, four deviations"
    )
    findings.append(
        at_least("kinetic cost of the turned flow − optimal", dearer, mfg.exact(0.05, "visible"), resolution=0.0)
    )
    findings.append(
        at_most(
            "cost of the game ≤ turned flow", best, mfg.exact(flow_cost(turn * ANGLE), "closed form"), resolution=0.0
        )
    )
    return Evidence(findings)


@claim.control("no turn: the second flow is the first")
def same(level, rng):
    return two_flows(level, rng, turn=0.0)


@claim.control("flows to a law a third wider")
def wider(level, rng):
    return two_flows(level, rng, target=4 / 3)


@claim.control("a game ten times as dear")
def dearer(level, rng):
    return two_flows(level, rng, cost=10.0)
