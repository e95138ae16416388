"""Ladders of midpoint sums of smooth functions, on coarse grids and fine ones; integrals in closed form."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from mfgpde.calibration.contract import Case
from mfgpde.discretisations import Discretisation, FiniteVolume
from mfgpde.grids import CartesianGrid
from mfgpde.solvers import converge, ladders, observed_order


class Quadratures:
    """∫₀¹ of cos(kx + φ) and e^{kx} by the midpoint rule on three grids."""

    covers = (
        "solvers.Ladder.limit",
        "solvers.Ladder.order",
        "solvers.Ladder.order_to",
        "solvers.converge",
        "solvers.ladders",
        "solvers.observed_order",
    )
    remembered = ()

    def cases(self, rng: np.random.Generator) -> Iterator[Case]:
        """Draw a grid and a function of each kind."""
        space = FiniteVolume(CartesianGrid((0.0,), (1.0,), (int(rng.integers(4, 40)),)))
        k, phase = float(rng.uniform(0.5, 12.0)), float(rng.uniform(0, 2 * np.pi))
        truths = [(np.sin(k + phase) - np.sin(phase)) / k, np.expm1(0.3 * k) / (0.3 * k)]

        def sums(one: Discretisation) -> list[float]:
            x = one.grid.points[..., 0]
            return [float(one.grid.integrate(f)) for f in (np.cos(k * x + phase), np.exp(0.3 * k * x))]

        for what, ladder, truth in zip(("wave", "growth"), ladders(sums, space), truths, strict=True):
            yield Case(f"∫ of a {what}, {space.grid.cells} cells", ladder.limit, float(truth), 1e-13 * abs(truth))
        growth = converge(lambda one: sums(one)[1], space)
        yield Case("order of a growth", growth.order, 2.0)
        yield Case("order of a growth to its limit", growth.order_to(truths[1]), 2.0)
        errors = (np.array(growth.values) - truths[1]).tolist()
        yield Case("order of a growth's errors", observed_order(errors), 2.0)
