"""Error estimates of a whole solution by Richardson's argument, in space and in time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mfgpde.core.arrays import Array
from mfgpde.core.errors import NotConverged
from mfgpde.core.estimate import Estimate, Kind
from mfgpde.discretisations import Discretisation, Field, coarsened
from mfgpde.discretisations.contract import order_of
from mfgpde.equations import Equation
from mfgpde.solvers.beside import halved
from mfgpde.solvers.beyond_walls import beyond_walls
from mfgpde.solvers.initial import Initial
from mfgpde.solvers.march import solve
from mfgpde.solvers.solution import Solution

FALLING = 0.6
"""of what the order promises: by how much changes must fall from grid to grid to be believed"""
FIRST = 4.0
"""times at least that changes of a spectral solution fall by"""
GROWING = 1.2
"""times, below which changes fall so slowly that what is left is no multiple of them"""
UNKNOWN = 2.0
"""times smaller where no coarser grid can tell: of order one"""
TIGHTER = 10.0
"""times, by which tolerances are changed"""
STEPS = TIGHTER ** (2 / 3)
"""times smaller errors of steps are then: of second order, their lengths cube roots of the tolerance; of higher, more"""
LOOSEST = 0.5
"""tolerance that is tried"""


@dataclass(frozen=True, eq=False)
class SolutionError:
    """Estimated errors of a solution's fields, cell by cell: of the grid (`space`) and of the stepping (`time`).

    `fall` says at each time how many times smaller ∫|u_h − u_{h/2}| is than ∫|u_{2h} − u_h|: 2^p where the grid resolves.
    An odd number of cells between walls has no u_{2h}, and counts as of order one. `walls`: what far walls owe at each
    time, inside the box and outside, infinite where that is `unknown`. `looser`: ∫|change| at ten times the tolerance.
    """

    solution: Solution
    space: tuple[Field, ...]
    time: tuple[Field, ...]
    fall: tuple[float, ...]
    walls: tuple[float, ...] = ()
    unknown: str = ""
    looser: tuple[float, ...] = ()

    def l1(self, t: float) -> Estimate:
        """Return ∫|error| at a stored time: space, time, far walls; its own bar the half of it that Richardson leaves open.

        Between far walls the truth is the law on the whole space.

        Where changes from grid to grid do not fall as the order says, the bar reaches what their own rate leaves; where
        they grow, nothing bounds it. It reaches what a looser tolerance says of the steps, too, and as far down as space
        and time may cancel.
        """
        k = self.solution.index(t)
        found, walls = self._between_walls(k), self.walls[k] if self.walls else 0.0
        if walls == 0:
            return found
        how = f"{found.method}, and far walls" + (f": {self.unknown}" if self.unknown else "")
        if not np.isfinite(walls):
            return Estimate(found.value, np.inf, Kind.EXTRAPOLATED, how)
        bar = found.half_width + 0.5 * (walls + min(walls, found.value))  # what both owe may cancel
        return Estimate(found.value + walls, bar, Kind.EXTRAPOLATED, how)

    def _between_walls(self, k: int) -> Estimate:
        space, steps = (float(part[k].grid.integrate(np.abs(part[k].values))) for part in (self.space, self.time))
        gain, fall = _gain(self.solution.discretisation, self.solution.equation), self.fall[k]
        share, finite = (gain - 1) / gain if np.isfinite(gain) else 1.0, gain if np.isfinite(gain) else FIRST
        both = self.space[k].grid.integrate(np.abs(self.space[k].values + self.time[k].values))
        low = max(0.0, float(both) - 0.5 * (space + steps))
        over, how = 0.5 * space, "Richardson in space and time"
        if fall <= GROWING:
            return Estimate(
                space + steps, np.inf, Kind.EXTRAPOLATED, f"{how}; changes grow on finer grids: not resolved"
            )
        if fall < FALLING * finite:
            own = share * space * fall / (fall - 1)
            over, how = max(over, own - 0.5 * space), f"{how}, not asymptotic"
        high = space + over + steps + max(0.5 * steps, self._of_steps(k, steps) - steps)
        if "not asymptotic" in how:
            low = min(low, 2 * (space + steps) - high)
        return Estimate(0.5 * (low + high), 0.5 * (high - low), Kind.EXTRAPOLATED, how)

    def _of_steps(self, k: int, steps: float) -> float:
        """Return what a looser tolerance says of the error in time: changes fall slowly, or the last is small by chance."""
        if not self.looser:
            return steps
        change, earlier = steps * (STEPS - 1) / STEPS, self.looser[k]
        if earlier >= FALLING * STEPS * change:
            return max(steps, earlier / (STEPS - 1))
        fall = max(earlier / change, GROWING)
        return max(steps, change * fall / (fall - 1))


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
    spectral solution, u_N − u_{2N}. A third solution, on cells twice as wide, shows whether changes fall as p says: starts
    that no grid of these resolves yet have errors much larger than the last change. The error in time is u − u_τ/10 for a
    tenth of the tolerance, times 10^⅔/(10^⅔ − 1), since steps of second order go with its cube root; a tolerance ten times
    as loose shows whether that change is small by chance. Of a density that stands at far walls what they owe is the
    change in a wider box, and what is outside of the first one. The domain of a mesh from a file is the file's: what its
    straight edges cut off of a curved domain is in no bar.

    >>> equation, space = mfg.FokkerPlanck.of(mfg.OrnsteinUhlenbeck()), mfg.FiniteVolume(mfg.CartesianGrid.cube(5.0, 64, 1))
    >>> found = mfg.solve_with_error(equation, space, mfg.gaussian(1.0, 0.5), (0.0, 1.0))
    >>> true = mfg.l1_distance(found.solution.at(1.0), mfg.gaussian(np.exp(-1.0), 0.5))
    >>> print(f"{found.l1(1.0).value / true:.1f}")
    1.0
    """
    solution = solve(equation, discretisation, initial, times, rtol=rtol, **options)
    wide = halved(discretisation)
    loose = options | {"largest_wall_mass": np.inf, "mass": None}
    coarse = None if wide is None else solve(equation, wide, initial, times, rtol=rtol, **loose).fields
    finer = solve(equation, discretisation.refined(), initial, times, rtol=rtol, **options)
    tighter = solve(equation, discretisation, initial, times, rtol=rtol / TIGHTER, **options)
    gain = _gain(discretisation, equation)
    factor = gain / (gain - 1) if np.isfinite(gain) else 1.0
    scale = STEPS / (STEPS - 1)
    points = discretisation.grid.points

    def difference(a: Field, values: Array, times: float) -> Field:
        return Field(discretisation, times * (a.values - values), a.means)

    def read(fine: Field) -> Array:
        return coarsened(fine.values, discretisation.grid.cells) if fine.means else fine(points)

    pairs = list(zip(solution.fields, finer.fields, tighter.fields, strict=True))
    space = tuple(difference(coarse, read(fine), factor) for coarse, fine, _ in pairs)
    time = tuple(difference(coarse, tight.values, scale) for coarse, _, tight in pairs)
    grid = discretisation.grid
    after = [float(grid.integrate(np.abs(part.values))) / factor for part in space]
    before = [UNKNOWN * x for x in after] if coarse is None else list(map(_apart, coarse, solution.fields))
    fall = tuple(a / b if b > 0 else np.inf for a, b in zip(before, after, strict=True))
    errors = [sum(float(grid.integrate(np.abs(one.values))) for one in both) for both in zip(space, time, strict=True)]

    def in_a(wider: Discretisation) -> Solution:
        return solve(equation, wider, initial, times, rtol=rtol, **loose)

    walls, unknown = beyond_walls(solution, errors, in_a)
    try:
        rough = solve(equation, discretisation, initial, times, rtol=min(TIGHTER * rtol, LOOSEST), **loose).fields
        looser = tuple(
            float(grid.integrate(np.abs(a.values - b.values))) for a, b in zip(rough, solution.fields, strict=True)
        )
    except NotConverged:  # so loose that ripples reach the walls: as if changes fell like those of order one
        looser = tuple(UNKNOWN * float(grid.integrate(np.abs(one.values))) / scale for one in time)
    return SolutionError(solution, space, time, fall, walls, unknown, looser)


def _apart(coarse: Field, fine: Field) -> float:
    """Return ∫|coarse − fine|: of means over cells, over pairs of them along each axis."""
    if not fine.means:
        return float(fine.grid.integrate(np.abs(coarse(fine.grid.points) - fine.values)))
    wide = np.pad(fine.values, [(0, n % 2) for n in fine.values.shape])
    return float(coarse.grid.integrate(np.abs(coarse.values - coarsened(wide, coarse.grid.cells))))


def _gain(discretisation: Discretisation, equation: Equation) -> float:
    """Return 2^p."""
    return 2.0 ** order_of(discretisation, equation)
