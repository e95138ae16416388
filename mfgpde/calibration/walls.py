"""Optimal costs of games of the whole space in boxes that cut them off, by both methods that see noise, on coarse grids."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from mfgpde.calibration.contract import Case
from mfgpde.densities import gaussian
from mfgpde.equilibria.refined import optimal_cost
from mfgpde.games import linear_quadratic
from mfgpde.grids import CartesianGrid


class Walls:
    """½a(0)E|x|² + κ log(1 + wT), a(0) = w/(1 + wT), in boxes that end 3.3 to 5 deviations from the first mean."""

    covers = ("equilibria.optimal_cost", "equilibria.RefinedEquilibrium.optimal_cost")
    remembered = ()

    def cases(self, rng: np.random.Generator) -> Iterator[Case]:
        """Draw a Gaussian, a weight, a horizon, a viscosity, cells and a box, on a line."""
        weight, horizon, kappa, variance, mean = rng.uniform([0.3, 0.2, 0.2, 0.1, -0.6], [3.0, 1.0, 0.5, 0.5, 0.6])
        half, cells = float(abs(mean) + np.sqrt(variance) * rng.uniform(3.3, 5.0)), int(rng.integers(40, 90))
        game = linear_quadratic(gaussian(mean, variance), weight, horizon, viscosity=kappa)
        grown = 1 + weight * horizon
        truth = float(0.5 * weight / grown * (mean**2 + variance) + kappa * np.log(grown))
        for method in ("entropic", "newton"):
            found = optimal_cost(game, CartesianGrid.cube(half, cells, 1), method=method)
            yield Case(f"optimal cost in ±{half:.2f}, κ = {kappa:.2g}, {cells} cells, {method}", found, truth)
