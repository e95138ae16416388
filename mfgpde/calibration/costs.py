"""Optimal costs of linear-quadratic games with noise and without, whose value function is a quadratic."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from mfgpde.calibration.contract import Case
from mfgpde.densities import gaussian
from mfgpde.equilibria.refined import optimal_cost
from mfgpde.games import linear_quadratic
from mfgpde.grids import CartesianGrid


class Costs:
    """½a(0)E|x|² + κ log(1 + wT), a(0) = w/(1 + wT)."""

    covers = ("equilibria.optimal_cost", "equilibria.RefinedEquilibrium.optimal_cost")
    remembered = ()

    def cases(self, rng: np.random.Generator) -> Iterator[Case]:
        """Draw a Gaussian, a weight, a horizon and a viscosity, on a line."""
        m, s = float(rng.normal(0, 0.7)), float(rng.uniform(0.35, 0.8))
        weight, horizon, kappa = (float(np.exp(rng.normal(0, 0.4))) for _ in range(3))
        kappa *= 0.4
        reach = abs(m) + 7 * float(np.sqrt(s**2 + 2 * kappa * horizon))
        game = linear_quadratic(gaussian(m, s**2), weight, horizon, viscosity=kappa)
        grid = CartesianGrid.cube(reach, 16 * int(rng.integers(4, 9)), 1)
        grown = 1 + weight * horizon
        truth = 0.5 * weight / grown * (m**2 + s**2) + kappa * np.log(grown)
        yield Case(f"optimal cost, κ = {kappa:.2g}, {grid.cells} cells", optimal_cost(game, grid), float(truth))
