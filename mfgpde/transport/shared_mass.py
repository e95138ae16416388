"""Transport of what two laws do not share: exact plans between centres of cells, however rough the laws are.

Cells have one shape, so that mass spread evenly over one reaches another by a translation: a plan between centres is a plan
of densities that are constant on cells, and costs the same. What two laws have in common may stay where it is.
"""

from __future__ import annotations

import numpy as np
from scipy.spatial.distance import cdist

from mfgpde.core.arrays import Array
from mfgpde.grids import CartesianGrid
from mfgpde.transport.point_clouds import simplex

MOST_COSTS = 12_000_000
"""pairs of cells for which a plan is looked for: some seconds"""


def by_shared_mass(p: Array, q: Array, grid: CartesianGrid) -> float:
    """Return a number that W₂ of two laws does not exceed, masses of cells of sum one; infinite where cells are too many.

    Raises ValueError for negative masses, and MissingLibrary without POT.

    >>> from mfgpde.transport.shared_mass import by_shared_mass
    >>> p, q = np.array([0.25, 0.25, 0.5, 0.0]), np.array([0.25, 0.0, 0.5, 0.25])
    >>> by_shared_mass(p, q, mfg.CartesianGrid((0.0,), (4.0,), (4,)))  # a quarter of the mass by two cells: √(4/4)
    1.0
    """
    if min(p.min(), q.min()) < 0:
        raise ValueError(f"masses must not be negative, got {min(p.min(), q.min()):g}")
    rest = (p / p.sum() - q / q.sum()).ravel()
    x = grid.points.reshape(len(rest), -1)
    more, less = rest > 0, rest < 0
    if not more.any():
        return 0.0
    found = least_cost(x[more], rest[more], x[less], -rest[less])
    return float(np.sqrt(found))


def least_cost(x: Array, p: Array, y: Array, q: Array) -> float:
    """Return the least cost of bringing masses p at x (n, d) to y (m, d), where there is room for q.

    Σp ≤ Σq up to rounding. Infinite where the pairs are too many. Raises MissingLibrary without POT.

    >>> from mfgpde.transport.shared_mass import least_cost
    >>> found = least_cost(np.zeros((1, 1)), np.array([1.0]), np.array([[1.0], [2.0]]), np.array([0.5, 5.0]))
    >>> print(f"{found:.9f}")  # ½·1 + ½·4
    2.500000000
    """
    if len(x) * len(y) > MOST_COSTS:
        return np.inf
    costs: Array = np.asarray(cdist(x, y, "sqeuclidean"), dtype=float)
    unit = float(costs.max()) or 1.0
    room = float(q.sum() - p.sum())
    costs, supply = costs / unit, p
    if room > 1e-12 * q.sum():  # what stays empty costs nothing
        costs, supply = np.vstack((costs, np.zeros(len(y)))), np.append(p, room)
    return unit * float(supply.sum()) * max(simplex(supply / supply.sum(), q / q.sum(), costs), 0.0)
