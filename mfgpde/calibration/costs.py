"""Optimal costs of linear-quadratic games with noise and without, whose value function is a quadratic."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np

from mfgpde.calibration.contract import Case
from mfgpde.densities import gaussian
from mfgpde.equilibria.refined import optimal_cost
from mfgpde.equilibria.solve import Method
from mfgpde.games import MeanFieldGame, Potential
from mfgpde.grids import CartesianGrid


class Costs:
    """½a(0)|m − goal|² + ½a(0)s² + κ log(1 + wT), a(0) = w/(1 + wT), in boxes about the origin."""

    covers = ("equilibria.optimal_cost", "equilibria.RefinedEquilibrium.optimal_cost")
    remembered = ()

    def cases(self, rng: np.random.Generator) -> Iterator[Case]:
        """Draw a Gaussian, a goal, a weight, a horizon, noise down to nearly none, a grid and a method, on a line."""
        m, goal, s = float(rng.normal(0, 0.7)), float(rng.normal(0, 0.5)), float(rng.uniform(0.35, 0.8))
        weight, horizon, kappa = (float(np.exp(rng.normal(0, 0.4))) for _ in range(3))
        method: Method = ("auto", "newton", "primal-dual")[int(rng.choice(3, p=[0.4, 0.35, 0.25]))]
        if method != "auto" and rng.random() < 0.7:  # what cells hardly resolve
            kappa, weight = float(np.exp(rng.uniform(np.log(0.02), np.log(0.3)))), 3 * weight
        else:
            kappa *= 0.4
        reach = max(abs(m), abs(goal)) + 7 * float(np.sqrt(s**2 + 2 * kappa * horizon))
        end = Potential(lambda x, _: 0.5 * weight * (x[..., 0] - goal) ** 2)
        game = MeanFieldGame(gaussian(m, s**2), end, horizon, kappa)
        n = int(rng.integers(48, 129))
        cells = n if method != "primal-dual" else min(n, 80)
        few: dict[str, Any] = {} if method != "primal-dual" else {"iterations": 1000}
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*not converged")  # the gap is in the bar
            warnings.filterwarnings("ignore", message="densities are negative")
            found = optimal_cost(game, CartesianGrid.cube(reach, cells, 1), method=method, **few)
        grown = 1 + weight * horizon
        truth = 0.5 * weight / grown * ((m - goal) ** 2 + s**2) + kappa * np.log(grown)
        yield Case(f"optimal cost, {method}, κ = {kappa:.2g}, {cells} cells", found, float(truth))
