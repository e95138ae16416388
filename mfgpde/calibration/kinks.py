"""Ladders out of their asymptotic range: midpoint sums of kinks and powers, whose order is not the scheme's."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from mfgpde.calibration.contract import Case
from mfgpde.discretisations import Discretisation, FiniteVolume
from mfgpde.grids import CartesianGrid
from mfgpde.solvers import ladders


class Kinks:
    """∫₀¹ of |x − c|^p, x^q and x^r, r < 0, by the midpoint rule on three grids, which assumes order two."""

    covers = ("solvers.Ladder.limit",)
    remembered = ((0, 1), (0, 2), (0, 4), (0, 6), (0, 67), (0, 238), (3, 325), (3, 340))

    def cases(self, rng: np.random.Generator) -> Iterator[Case]:
        """Draw a grid, a place and powers."""
        space = FiniteVolume(CartesianGrid((0.0,), (1.0,), (int(rng.integers(4, 40)),)), walls="reflecting")
        c, p, q = (float(rng.uniform(*ends)) for ends in ((0.1, 0.9), (0.3, 1.9), (0.2, 2.0)))
        r = float(rng.uniform(-0.8, 0.0))  # of an order below one
        truths = [(c ** (p + 1) + (1 - c) ** (p + 1)) / (p + 1), 1 / (q + 1), 1 / (r + 1)]

        def sums(one: Discretisation) -> list[float]:
            x = one.grid.points[..., 0]
            return [float(one.grid.integrate(f)) for f in (np.abs(x - c) ** p, x**q, x**r)]

        names = (f"|x − {c:.3g}|^{p:.3g}", f"x^{q:.3g}", f"x^{r:.3g}")
        for what, ladder, truth in zip(names, ladders(sums, space), truths, strict=True):
            yield Case(f"∫ {what}, {space.grid.cells} cells", ladder.limit, truth, 1e-13)
