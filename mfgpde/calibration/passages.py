"""Ladders of mean first-passage times, committors and stationary means, by volumes and elements, over random wells."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from mfgpde.calibration.contract import Case
from mfgpde.core.arrays import Array
from mfgpde.discretisations import FiniteVolume
from mfgpde.discretisations.finite_element import FiniteElement, meshes
from mfgpde.discretisations.finite_element import stationary as on_elements
from mfgpde.equations import FokkerPlanck
from mfgpde.grids import CartesianGrid
from mfgpde.solvers import converge, mean_first_passage_time, stationary

CELLS, FINE = (16, 56), 4001
"""cells of the coarsest rung, and Simpson's points of the truth"""


class Passages:
    """−LT = 1 from a wall that reflects to one that absorbs, fp − Dp′ = 0 between walls: integrals on a line."""

    covers = ("solvers.Ladder.limit", "solvers.converge")
    remembered = ()

    def cases(self, rng: np.random.Generator) -> Iterator[Case]:
        """Draw a well of one to three waves and a slope, an interval, a noise, cells and a discretisation."""
        sizes: list[float] = rng.uniform([0.2, -2.5, -2.5, -1.0], [2.5, 2.5, 2.5, 1.0]).tolist()
        well = Well(sizes[0], sizes[1], sizes[2], sizes[3], float(rng.uniform(1.0, 4.0)))
        noise, side = float(np.exp(rng.uniform(-1.0, 1.0))), float(np.exp(rng.uniform(-0.5, 1.0)))
        cells, pick = int(rng.integers(*CELLS)), int(rng.integers(4))
        equation = FokkerPlanck(
            lambda x, t: -noise * well.slope(x / side) / side, lambda t: noise, time_dependent=False
        )

        def space(walls: Any) -> Any:
            if pick == 0:
                return FiniteVolume(CartesianGrid((0.0,), (side,), (cells,)), walls=walls)
            mesh = meshes.interval(0.0, side, cells)
            return FiniteElement(mesh, (1, 1, 2)[pick - 1], "fitted" if pick == 1 else "galerkin", walls)

        name = ("volumes", "fitted elements", "elements of degree one", "elements of degree two")[pick]
        start = np.array([[0.0]]) if pick else None
        open_end = space((("reflecting", "absorbing"),))
        rise = np.exp(well.value(well.nodes))
        below = cumulative(1 / rise)

        def time(one: Any) -> float:
            found = mean_first_passage_time(equation, one)
            return float(found(start)[0]) if start is not None else float(one.grid.integrate(found.values)) / side

        # T(x) = ∫ₓ¹ e^V ∫₀ e^{−V} side²/D; its mean weighs e^V∫e^{−V} at y by y
        weight = well.nodes if start is None else np.ones(FINE)
        truth = side**2 / noise * float(cumulative(weight * rise * below)[-1])
        order = 2.0 if pick < 3 else 4.0  # at nodes, as of means
        yield Case(
            f"mean time, {name}, {cells} cells", converge(time, open_end, order=order).limit, truth, 1e-9 * truth
        )
        closed = space("reflecting")

        def mean(one: Any) -> float:
            law = stationary(equation, one) if pick == 0 else on_elements(equation, one)
            return law.expectation(lambda x: np.sin(2 * x[..., 0] / side))

        gibbs = 1 / rise
        truth = float(cumulative(np.sin(2 * well.nodes) * gibbs)[-1] / cumulative(gibbs)[-1])
        yield Case(f"stationary mean, {name}, {cells} cells", converge(mean, closed, order=order).limit, truth, 1e-9)


@dataclass(frozen=True)
class Well:
    """V(y) = a cos(ky) + b sin(2ky) + c y² + d y on [0, 1]."""

    a: float
    b: float
    c: float
    d: float
    k: float

    @property
    def nodes(self) -> Array:
        """Points of quadrature."""
        return np.linspace(0.0, 1.0, FINE)

    def value(self, y: Array) -> Array:
        """Return V."""
        return self.a * np.cos(self.k * y) + self.b * np.sin(2 * self.k * y) + self.c * y**2 + self.d * y

    def slope(self, y: Array) -> Array:
        """Return V′."""
        waves = -self.a * self.k * np.sin(self.k * y) + 2 * self.b * self.k * np.cos(2 * self.k * y)
        return waves + 2 * self.c * y + self.d


def cumulative(values: Array) -> Array:
    """Return ∫₀ of values at equidistant points of [0, 1], of order four.

    >>> from mfgpde.calibration.passages import cumulative
    >>> print(f"{cumulative(np.linspace(0, 1, 101) ** 2)[-1]:.9f}")
    0.333333333
    """
    h = 1 / (len(values) - 1)
    slopes = np.gradient(values, h, edge_order=2)
    steps = 0.5 * h * (values[1:] + values[:-1]) + h**2 / 12 * (slopes[:-1] - slopes[1:])
    return np.concatenate(([0.0], np.cumsum(steps)))
