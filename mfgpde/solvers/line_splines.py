"""Quintic splines along a line with two ends, at points that stay: one banded solve, then a few numbers a point.

The spline M = Σ c_i B_i goes through the cumulative integrals at the cells' edges; the density is M′, and each derivative
has coefficients c_i′ = k (c_i − c_{i−1})/(t_{i+k} − t_i) of B-splines a degree lower. — de Boor, A practical guide to
splines (1978), chapter X.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from scipy import sparse
from scipy.interpolate import BSpline, make_interp_spline
from scipy.sparse.linalg import splu

from mfgpde.core.arrays import Array

KEPT = 8
"""lines whose factors are kept"""


@dataclass(frozen=True, eq=False)
class LineSplines:
    """The spline through cells' means and its derivatives at points."""

    spacing: float
    solve: Callable[[Array], Array]
    rows: tuple[Any, ...]
    """of the density, its slope and its curvature: sparse, from the coefficients of M"""

    @classmethod
    def of(cls, cells: int, lower: float, upper: float, x: Array, derivatives: int, degree: int) -> LineSplines:
        """Return it for so many equal cells.

        >>> from mfgpde.solvers.line_splines import LineSplines
        >>> edges, x = np.linspace(0.0, 1.0, 13), np.array([0.2, 0.5])
        >>> means = np.diff(edges**4) * 12  # of 4x³, which the spline has exactly
        >>> value, slope = LineSplines.of(12, 0.0, 1.0, x, 1, 5)(means)
        >>> np.allclose(value, 4 * x**3), np.allclose(slope, 12 * x**2)
        (True, True)
        """
        knots, solve = _factored(cells, lower, upper, degree)
        down, rows = sparse.eye_array(cells + 1, format="csr"), []
        for k in range(degree, degree - derivatives - 1, -1):
            n = len(knots) - k - 1
            rise = k / (knots[k + 1 : n + k] - knots[1:n])
            down = sparse.diags_array((-rise, rise), offsets=(0, 1), shape=(n - 1, n)) @ down
            knots = knots[1:-1]
            rows.append((BSpline.design_matrix(x, knots, k - 1) @ down).tocsr())
        return cls((upper - lower) / cells, solve, tuple(rows))

    def cut(self, factors: tuple[Array, Array, Array]) -> LineSplines:
        """Return those of χu, from χ, χ′ and χ″ at the points."""
        chi, slope, bend = (sparse.diags_array(one) for one in factors)
        rows: list[Any] = [chi @ self.rows[0]]
        if len(self.rows) > 1:
            rows.append(slope @ self.rows[0] + chi @ self.rows[1])
        if len(self.rows) > 2:
            rows.append(bend @ self.rows[0] + 2 * (slope @ self.rows[1]) + chi @ self.rows[2])
        return LineSplines(self.spacing, self.solve, tuple(rows))

    def __call__(self, u: Array, derivatives: int | None = None) -> list[Array]:
        """Return density and derivatives of means u."""
        found = self.solve(np.concatenate(([0.0], self.spacing * np.cumsum(u))))
        return [np.asarray(row @ found) for row in self.rows[: None if derivatives is None else derivatives + 1]]


@lru_cache(maxsize=KEPT)
def _factored(cells: int, lower: float, upper: float, degree: int) -> tuple[Array, Callable[[Array], Array]]:
    """Return the knots, and what finds coefficients from values at the edges."""
    edges = np.linspace(lower, upper, cells + 1)
    knots = make_interp_spline(edges, np.zeros(cells + 1), k=degree).t
    return knots, splu(BSpline.design_matrix(edges, knots, degree).tocsc(), permc_spec="NATURAL").solve
