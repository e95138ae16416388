"""∫f u of a user's function and a solution's reconstruction u by Gauss points, and what the points miss.

Where f is a formula, on every cell f is a polynomial of degree `DEGREE` but for a rest R that intervals bound, and u is one
of degree 4, at far walls 7, or, of an expansion, `WAVES` + 3 but for a rest r. The rule is exact for their product, its
weights are positive, so that by Cauchy and Schwarz
    |∫fu − Q(fu)| ≤ 2 Σ_cells (R (√(|c| ∫u²) + 2|c|r) + |c| r max|f|).
Of a function that is known by its values, jumps and kinks are where they are: rules of fewer points differ there from the
finest, and so does Lobatto's, whose ends see a jump beyond the last of Gauss's points. The largest difference on every cell
is taken. That is no bound.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import factorial
from typing import Any

import numpy as np
from numpy.polynomial import legendre

from mfgpde.core.arrays import Array
from mfgpde.core.taylor import NotEnclosed, called
from mfgpde.solvers.enclosed import Boxes, lebesgue, rest
from mfgpde.solvers.hermite import gauss

NODES = {1: 12, 2: 10, 3: 4}
"""points a cell and axis, by dimension; in space too few for a bound"""
FEWER = {1: (6, 7, 8, 9, 10, 11), 2: (5, 7, 9), 3: (2, 3)}
"""points of the rules that are compared with it"""
ENDS = {1: 10, 2: 8, 3: 4}
"""points of Lobatto's, the weight of whose ends is more than what lies beyond the last of Gauss's points"""
DEGREE, WAVES, FALL = {1: 8, 2: 6}, {1: 12, 2: 9}, 3
"""of polynomials for f and for an expansion, 2·NODES − 1 with that of the fall at far walls, along each axis"""


@dataclass(frozen=True, eq=False)
class Sampled:
    """f, u and the weights of a rule on every cell (cells, points)."""

    f: Array
    u: Array
    weights: Array
    points: Array

    @property
    def parts(self) -> Array:
        """The rule's sums on every cell."""
        return np.sum(self.f * self.u * self.weights, axis=1)


@dataclass(frozen=True, eq=False)
class Cells:
    """Where a reconstruction is smooth: boxes, their volumes, and what polynomials leave of it in any of them."""

    boxes: Boxes
    volumes: Array
    left: float


type Rule = tuple[Array, Array]
"""points and weights on [−1, 1]"""


def lobatto(n: int) -> Rule:
    """Return Lobatto's rule of n points, both ends among them: the zeros of P′ between, weights 2/(n(n − 1)P²).

    >>> from mfgpde.solvers.means_of import lobatto
    >>> x, w = lobatto(4)
    >>> round(float(w @ x**4), 12), [float(w[k]) == 1 / 6 for k in (0, -1)]
    (0.4, [True, True])
    """
    inner = legendre.Legendre.basis(n - 1)
    x = np.concatenate(([-1.0], np.sort(np.real(inner.deriv().roots())), [1.0]))
    w = 2 / (n * (n - 1) * inner(x) ** 2)
    w[[0, -1]] = 2 / (n * (n - 1))
    return x, w


def waves_left(sizes: Array, waves: list[Array], spacing: tuple[float, ...]) -> float:
    """Return how far an expansion is from polynomials of degree `WAVES` on cells, chosen axis by axis."""
    degree, total, factor = WAVES[len(spacing)], 0.0, 1.0
    for k, h in zip(waves, spacing, strict=True):
        missed = (0.5 * h * k) ** (degree + 1) / (factorial(degree + 1) * 2.0**degree)
        total += factor * float(np.sum(sizes * missed))
        factor *= lebesgue(degree)
    return total


def mean_of(field: Any, f: Callable[[Array], Array], largest: Callable[[Array], Array]) -> tuple[float, float, str]:
    """Return ∫f u, what its points miss, and why that is no bound, if it is none.

    Raises ValueError where f is not finite, and where |f| is more than the `largest` that is named at some point.
    """
    d = field.dimension
    fine = field.sampled(f, gauss(NODES[d]))
    _checked(fine, largest)
    try:
        return float(np.sum(fine.parts)), _bounded(field, f, fine), ""
    except NotEnclosed as problem:
        rules = [*(gauss(n) for n in FEWER[d]), lobatto(ENDS[d])]
        apart = [np.abs(field.sampled(f, one).parts - fine.parts) for one in rules]
        return float(np.sum(fine.parts)), float(np.sum(np.max(apart, axis=0))), str(problem)


def _checked(fine: Sampled, largest: Callable[[Array], Array]) -> None:
    """Hold a function to what it is said not to exceed."""
    bad = ~np.isfinite(fine.f) | (np.abs(fine.f) > largest(fine.points) * (1 + 1e-9))
    if np.any(bad):
        worst = np.unravel_index(
            int(np.argmax(np.where(bad, np.nan_to_num(np.abs(fine.f), nan=np.inf), -1.0))), bad.shape
        )
        raise ValueError(
            f"the function is {fine.f[worst]:.6g} at x = {fine.points[worst].tolist()}, where it is said not to exceed "
            f"{float(largest(fine.points)[worst]):.6g}: name a larger bound of it, or how it grows (slope, growth)"
        )


def _bounded(field: Any, f: Callable[[Array], Array], fine: Sampled) -> float:
    """Return a bound of what points miss; NotEnclosed where f is no formula, and for triangles and cells in space."""
    cells = field.cells()
    degree, factor = DEGREE[field.dimension], 1.0
    far = total = np.zeros(1)
    for axis in range(field.dimension):
        jet = called(f, cells.boxes.jets(axis, degree + 1))
        low, high = cells.boxes.ends(axis)
        missed = np.broadcast_to(rest(jet, degree, 0.5 * (high - low)), cells.boxes.shape).ravel()
        total, factor = total + factor * missed, factor * lebesgue(degree)
        far = np.broadcast_to(jet.largest(0) if hasattr(jet, "largest") else abs(float(jet)), cells.boxes.shape).ravel()
    squares = np.sqrt(cells.volumes * np.sum(fine.u**2 * fine.weights, axis=1))
    each = total * (squares + 2 * cells.volumes * cells.left) + cells.volumes * cells.left * far
    found = 2 * float(np.sum(each))
    if not np.isfinite(found):
        raise NotEnclosed("a function that is not bounded in intervals")
    return found
