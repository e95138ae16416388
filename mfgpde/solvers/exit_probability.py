"""How likely a path leaves a box before a time: what a law in a box with reflecting walls may differ by from one without.

Both move alike until a path leaves, so that ‖p_free − p_box‖₁ ≤ 2 P(exit). For dX = −a(t) X dt + √(2D) dW along each axis
M_t = X_t/m(t), m' = −a m, is a Brownian motion in the time V(t) = Var(X_t | X_0)/m², and by the reflection principle
    P(M_s ≥ c for some s ≤ t) ≤ 2 P(M_t ≥ c).
X ≥ u is M ≥ u/m, a level that moves: time is cut in slices, in each of which the least level counts.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.stats import norm

from mfgpde.core.arrays import Array
from mfgpde.densities import GaussianMixture
from mfgpde.grids import CartesianGrid
from mfgpde.processes import IsotropicProcess
from mfgpde.solvers.enclosed import upper_in_time

SLICES = (1, 2, 4, 8, 16, 32, 64, 128)
"""of the time, equal ones: few where levels move little, the best counts"""


def exit_bound(process: Any, law: Any, grid: CartesianGrid, begin: float, end: float) -> float:
    """Return a number that the probability of having left the box by the end does not exceed, the start's outside included.

    Infinite where it is not known: for starts that are no mixtures of Gaussians, processes that are not isotropic and
    linear, and mean coefficients that are not known to fall or rise all the time.

    >>> from mfgpde.solvers.exit_probability import exit_bound
    >>> box, law = mfg.CartesianGrid.cube(4.0, 64, 1), mfg.gaussian(0.0, 1e-6)
    >>> round(exit_bound(mfg.Brownian(), law, box, 0.0, 1.0), 5), round(4 * 3.16712e-5, 5)  # 2 P(|N| ≥ 4)
    (0.00013, 0.00013)
    """
    if not isinstance(process, IsotropicProcess) or not isinstance(law, GaussianMixture):
        return np.inf
    rising = upper_in_time(lambda t: 1.0 * process.relaxation(t), begin, end) <= 0
    if not rising and upper_in_time(lambda t: -1.0 * process.relaxation(t), begin, end) > 0:
        return np.inf
    return min(min(_sliced(process, law, grid, np.linspace(begin, end, n + 1), rising) for n in SLICES), 1.0)


def _sliced(process: IsotropicProcess, law: GaussianMixture, grid: CartesianGrid, times: Array, rising: bool) -> float:
    """Return the sum over slices, axes and walls."""
    steps = [process.transition(float(times[0]), float(t)) for t in times]
    m = np.array([float(np.asarray(one.factor)) for one in steps])
    variance = np.array([float(np.asarray(one.covariance)) for one in steps]) / m**2
    total = 0.0
    for axis, periodic in enumerate(grid.periodic):
        if periodic:
            continue
        for wall, side in ((grid.upper[axis], 1.0), (grid.lower[axis], -1.0)):
            far = side * wall
            # the least level of a slice: far/m where m is largest, and for walls beyond zero where it is least
            largest, least = (m[1:], m[:-1]) if rising else (m[:-1], m[1:])
            level = far / (largest if far > 0 else least)
            spread = np.sqrt(law.covariances[:, axis, axis] + variance[1:, None])
            tails = norm.sf((level[:, None] - side * law.means[:, axis]) / spread)
            total += float(np.sum(np.minimum(2 * tails, 1.0) @ law.weights))
    return total
