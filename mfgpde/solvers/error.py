"""Error estimates of a whole solution by Richardson's argument, in space and in time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mfgpde.core.arrays import Array
from mfgpde.core.estimate import Estimate, Kind
from mfgpde.discretisations import Discretisation, Field, coarsened
from mfgpde.discretisations.contract import order_of
from mfgpde.equations import Equation
from mfgpde.solvers.initial import Initial
from mfgpde.solvers.march import solve
from mfgpde.solvers.solution import Solution


@dataclass(frozen=True, eq=False)
class SolutionError:
    """Estimated errors of a solution's fields, cell by cell: of the grid (`space`) and of the stepping (`time`)."""

    solution: Solution
    space: tuple[Field, ...]
    time: tuple[Field, ...]

    def l1(self, t: float) -> Estimate:
        """Return ∫|error| at a stored time: space plus time, its own bar the half of it that Richardson leaves open."""
        k = self.solution.index(t)
        total = sum(float(part[k].grid.integrate(np.abs(part[k].values))) for part in (self.space, self.time))
        return Estimate(total, 0.5 * total, Kind.EXTRAPOLATED, "Richardson in space and time")


def solve_with_error(
    equation: Equation,
    discretisation: Discretisation,
    initial: Initial,
    times: Any,
    *,
    rtol: float = 1e-6,
    **options: Any,
) -> SolutionError:
    """Solve, and estimate the error at every stored time and cell; arguments as in `solve`.

    With u_h on this grid and u_{h/2} on the refined one, read off at the same points by an interpolation of higher order
    (means over cells: as means over blocks of them), the error of u_h is (u_h − u_{h/2})·2^p/(2^p − 1) + o(h^p); of a
    spectral solution, u_N − u_{2N}. The error in time is the change when the tolerance is divided by ten.

    >>> equation, space = mfg.FokkerPlanck.of(mfg.OrnsteinUhlenbeck()), mfg.FiniteVolume(mfg.CartesianGrid.cube(5.0, 64, 1))
    >>> found = mfg.solve_with_error(equation, space, mfg.gaussian(1.0, 0.5), (0.0, 1.0))
    >>> true = mfg.l1_distance(found.solution.at(1.0), mfg.gaussian(np.exp(-1.0), 0.5))
    >>> print(f"{found.l1(1.0).value / true:.1f}")
    1.0
    """
    solution = solve(equation, discretisation, initial, times, rtol=rtol, **options)
    finer = solve(equation, discretisation.refined(), initial, times, rtol=rtol, **options)
    tighter = solve(equation, discretisation, initial, times, rtol=0.1 * rtol, **options)
    gain = 2.0 ** order_of(discretisation, equation)
    factor = gain / (gain - 1) if np.isfinite(gain) else 1.0
    points = discretisation.grid.points

    def difference(a: Field, values: Array, scale: float) -> Field:
        return Field(discretisation, scale * (a.values - values), a.means)

    def read(fine: Field) -> Array:
        return coarsened(fine.values, discretisation.grid.cells) if fine.means else fine(points)

    pairs = list(zip(solution.fields, finer.fields, tighter.fields, strict=True))
    space = tuple(difference(coarse, read(fine), factor) for coarse, fine, _ in pairs)
    time = tuple(difference(coarse, tight.values, 1.0) for coarse, _, tight in pairs)
    return SolutionError(solution, space, time)
