"""Quintic splines along a line with two ends, at points that stay: one banded solve, then a few numbers a point.

The spline M = Σ c_i B_i goes through the cumulative integrals at the cells' edges; the density is M′, and each derivative
has coefficients c_i′ = k (c_i − c_{i−1})/(t_{i+k} − t_i) of B-splines a degree lower. — de Boor, A practical guide to
splines (1978), chapter X.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
from scipy.interpolate import BSpline, make_interp_spline
from scipy.sparse.linalg import splu

from mfgpde.core.arrays import Array
from mfgpde.solvers.line_waves import fallen

KEPT = 8
"""lines whose factors are kept, and sets of points on them"""


@dataclass(frozen=True, eq=False)
class LineSplines:
    """The spline through cells' means and its derivatives at points."""

    spacing: float
    solve: Callable[[Array], Array]
    rises: tuple[Array, ...]
    """what differences of coefficients of M, of the density, … are multiplied by"""
    tables: tuple[Any, ...]
    """of the density, its slope and its curvature: the B-splines that are not zero at each point, sparse"""
    fall: tuple[Array, Array, Array] | None = None
    """χ, χ′ and χ″ at the points, where the density is multiplied by χ"""

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
        return _of(cells, lower, upper, x.tobytes(), derivatives, degree)

    def cut(self, factors: tuple[Array, Array, Array]) -> LineSplines:
        """Return those of χu, from χ, χ′ and χ″ at the points."""
        return replace(self, fall=factors)

    def __call__(self, u: Array, derivatives: int | None = None) -> list[Array]:
        """Return density and derivatives of means u, (n), or of many, (m, n)."""
        several = len(self.tables) if derivatives is None else derivatives + 1
        summed = np.zeros((u.shape[-1] + 1, *u.shape[:-1]))
        np.cumsum(self.spacing * u.T, axis=0, out=summed[1:])
        found, made = self.solve(summed), list[Array]()
        for rise, table in zip(self.rises[:several], self.tables[:several], strict=True):
            steps = rise if u.ndim == 1 else rise[:, None]
            found = np.multiply(steps, np.diff(found, axis=0))
            made.append(np.ascontiguousarray((table @ found).T))
        return made if self.fall is None else fallen(made, self.fall)


@lru_cache(maxsize=KEPT)
def _of(cells: int, lower: float, upper: float, places: bytes, derivatives: int, degree: int) -> LineSplines:
    knots, factors = _factored(cells, lower, upper, degree)
    x, rises, tables = np.frombuffer(places), list[Array](), list[Any]()
    for k in range(degree, degree - derivatives - 1, -1):
        n = len(knots) - k - 1
        rises.append(k / (knots[k + 1 : n + k] - knots[1:n]))
        knots = knots[1:-1]
        tables.append(BSpline.design_matrix(x, knots, k - 1))
    return LineSplines((upper - lower) / cells, factors.solve, tuple(rises), tuple(tables))


@lru_cache(maxsize=KEPT)
def at_ends(cells: int, lower: float, upper: float, degree: int) -> list[Array]:
    """Return the rows that make the density, its slope and its curvature at both ends of the means, (2, n) each.

    They are those of the transposed system: no spline through every cell's own function is made.

    >>> from mfgpde.solvers.line_splines import at_ends
    >>> means = np.diff(np.linspace(0.0, 1.0, 13) ** 4) * 12  # of 4x³
    >>> [np.allclose(rows @ means, one) for rows, one in zip(at_ends(12, 0.0, 1.0, 5), ([0, 4], [0, 12], [0, 24]))]
    [True, True, True]
    """
    line = LineSplines.of(cells, lower, upper, np.array([lower, upper]), 2, degree)
    back, made = _factored(cells, lower, upper, degree)[1].solve, list[Array]()
    for k, table in enumerate(line.tables):
        rows: Array = table.toarray()
        for rise in line.rises[k::-1]:
            rows = -np.diff(np.pad(rise * rows, ((0, 0), (1, 1))))
        made.append(line.spacing * np.cumsum(back(rows.T, "T")[:0:-1], axis=0)[::-1].T)
    return made


@lru_cache(maxsize=KEPT)
def _factored(cells: int, lower: float, upper: float, degree: int) -> tuple[Array, Any]:
    """Return the knots, and the factors that find coefficients from values at the edges."""
    edges = np.linspace(lower, upper, cells + 1)
    knots = make_interp_spline(edges, np.zeros(cells + 1), k=degree).t
    return knots, splu(BSpline.design_matrix(edges, knots, degree).tocsc(), permc_spec="NATURAL")
