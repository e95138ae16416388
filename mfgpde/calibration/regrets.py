"""Regrets of two populations that are not at rest: linear-quadratic games, by Riccati equations."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from scipy.integrate import solve_ivp

from mfgpde.calibration.contract import Case
from mfgpde.core.arrays import Array
from mfgpde.densities import gaussian
from mfgpde.discretisations import Field
from mfgpde.equilibria import populations
from mfgpde.games import MeanFieldGame, Potential
from mfgpde.grids import CartesianGrid
from mfgpde.solvers import Ladder

PLAIN = 3
"""rounds in which each population answers the last laws of the other: later ones are accelerated"""


class Regrets:
    """Each pays ½c|x − m_other|² per time and ½q|x − goal|² at the end, and has answered one to three times.

    U = ½P x² + r x + …: −Ṗ = c − P², ṙ = Pr + c m_other, v = −Px − r. The answer to the mean that the other had costs
    ½∫|r_now − r_then|² dτ more than that to the mean it has, by completing squares; P is the same for both. Regrets are
    those of discrete problems: three grids say what they are of the continuous one.
    """

    covers = ("equilibria.populations", "equilibria.Populations.regrets")
    remembered = ((1126, 9),)
    """by upwind differences on 24, 48, 96 steps: of the coarsest, second and third order cancel, so that the two values of
    Richardson agree to 2e-7 and are 1.2e-5 off, 2.3 % of the correction, of which the ladder's least bar is 2 %"""

    def cases(self, rng: np.random.Generator) -> Iterator[Case]:
        """Draw starts, pulls, goals, noise, a horizon, a grid that holds both laws, a number of rounds and a method."""
        start, goal = rng.normal(0, 0.7, 2), rng.normal(0, 0.8, 2)
        spread, kappa = rng.uniform(0.15, 0.4, 2), rng.uniform(0.2, 0.5, 2)
        pull, want = np.exp(rng.normal(0.6, 0.6, 2)), np.exp(rng.normal(0.2, 0.5, 2))
        horizon, rounds = float(rng.uniform(0.6, 1.5)), int(rng.choice(np.arange(1, PLAIN + 1), p=[0.5, 0.3, 0.2]))
        games = [
            MeanFieldGame(
                gaussian(float(start[i]), float(spread[i])),
                Potential(lambda x, t, q=want[i], a=goal[i]: 0.5 * q * (x[..., 0] - a) ** 2),
                horizon,
                float(kappa[i]),
            )
            for i in range(2)
        ]
        reach = float(np.abs([start, goal]).max() + 6 * np.sqrt((spread + 2 * kappa * horizon).max()))
        cells, newton = int(12 * rng.integers(4, 7)), bool(rng.random() < 0.5)
        options: dict[str, Any] = {"method": "newton", "order": int(rng.integers(1, 3))} if newton else {}
        share = 3 if newton else 6  # cells a step: more steps make noise narrower than a cell
        rungs = []
        for fine in (1, 2, 4):
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", message="populations are not at rest")  # as they should be here
                warnings.filterwarnings("ignore", message="densities are negative")  # on the coarsest grids
                found = populations(
                    games, [_towards(i, pull[i]) for i in range(2)], CartesianGrid.cube(reach, fine * cells, 1),
                    rounds=rounds, **{"method": "entropic", "steps": fine * cells // share, **options},
                )  # fmt: skip
            rungs.append(found.regrets)
        truth = regrets(start, goal, pull, want, horizon, rounds)
        for i, found in enumerate(zip(*rungs, strict=True)):
            values, bars = zip(*((one.value, one.half_width) for one in found), strict=True)
            sizes = (cells, 2 * cells, 4 * cells)
            ladder = Ladder(sizes, values, float(options.get("order", 2)), floor=4 * max(bars))
            what = f"regret {i} after {rounds} rounds, {cells} cells, {options or 'entropic'}"
            yield Case(what, ladder.limit, float(truth[i]), 1e-10)


def regrets(start: Array, goal: Array, pull: Array, want: Array, horizon: float, rounds: int) -> Array:
    """Return what either could save, of the continuous game, after so many answers to laws that stay where they are."""
    exact = {"rtol": 1e-10, "atol": 1e-12, "dense_output": True}
    P = solve_ivp(lambda s, p: pull - p * p, (0, horizon), want, **exact).sol

    def answer(means: Callable[[float], Array]) -> tuple[Callable[[float], Array], Callable[[float], Array]]:
        back = solve_ivp(
            lambda s, r: -P(s) * r - pull * means(horizon - s)[::-1], (0, horizon), -want * goal, **exact
        ).sol  # fmt: skip
        moved = solve_ivp(lambda t, m: -P(horizon - t) * m - back(horizon - t), (0, horizon), start, **exact).sol
        return moved, lambda t: back(horizon - t)

    def at_start(_: float) -> Array:
        return start

    responses = []
    law: Callable[[float], Array] = at_start
    for _ in range(rounds + 1):
        law, slope = answer(law)
        responses.append(slope)
    nodes, weights = np.polynomial.legendre.leggauss(24)
    times, weights = 0.5 * horizon * (nodes + 1), 0.5 * horizon * weights
    apart = np.stack([responses[-1](t) - responses[-2](t) for t in times])
    return np.asarray(0.5 * weights @ apart**2)


def _towards(i: int, pull: float) -> Callable[[Array, float, tuple[Field, ...]], Array]:
    def charge(x: Array, _: float, laws: tuple[Field, ...]) -> Array:
        return 0.5 * pull * (x[..., 0] - laws[1 - i].expectation(lambda y: y[..., 0])) ** 2

    return charge
