"""Checks before the first step: times, coefficients, and an initial condition that the grid can carry."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from mfgpde.core.arrays import Array
from mfgpde.densities import Density, check_density
from mfgpde.discretisations import Discretisation, Field
from mfgpde.discretisations.contract import Domain
from mfgpde.equations import Continuity, FokkerPlanck, LogDensity, ScoreFokkerPlanck

Initial = Density | Field | Callable[[Array], Array]


def carries_density(equation: Any) -> bool:
    """Say whether the unknown is a density (positive, of mass one)."""
    return isinstance(equation, FokkerPlanck | Continuity)


def checked_times(equation: Any, times: Sequence[float] | Array) -> Array:
    """Return the times as an array: finite, strictly increasing, within the horizon."""
    array = np.atleast_1d(np.asarray(times, dtype=float))
    if array.ndim != 1 or array.size < 2:
        raise ValueError(f"times must name a start and at least one later time, got {times!r}")
    if not np.isfinite(array).all() or not np.all(np.diff(array) > 0):
        raise ValueError(f"times must be finite and strictly increasing, got {times!r}; sort them and drop doubles")
    horizon = getattr(equation, "horizon", np.inf)
    if array[0] < 0 or array[-1] > horizon * (1 + 1e-12):
        raise ValueError(
            f"times must lie in [0, {horizon:g}] (the horizon of the process), got [{array[0]:g}, {array[-1]:g}]"
        )
    return array


def check_diffusivity(equation: Any, times: Array, inviscid: bool = False) -> None:
    """Raise ValueError where D(t) is negative, not a number, or, unless `inviscid`, zero over whole intervals."""
    if not hasattr(equation, "diffusivity"):
        return
    middles = 0.5 * (times[1:] + times[:-1])
    for t in np.sort(np.concatenate((times, middles))):
        D = np.asarray(equation.diffusivity(float(t)), dtype=float)
        if D.ndim or not np.isfinite(D) or D < 0 or (D == 0 and t in middles and not inviscid):
            without = "FiniteVolume(grid, order=5)" if hasattr(equation, "hamiltonian") else "Continuity"
            raise ValueError(
                f"the diffusivity must be a positive number, got {D} at t = {t:g}; "
                f"for a flow without noise use {without}"
            )


def initial_function(equation: Any, initial: Initial) -> Callable[[Array], Array]:
    """Return the initial condition as a function of points, reading a Density as the equation needs it."""
    if isinstance(initial, Field):
        return lambda x: initial.values if x is initial.grid.points else initial(x)
    if isinstance(initial, Density):
        if carries_density(equation):
            return lambda x: np.exp(initial.log_density(x))
        if isinstance(equation, LogDensity):
            return initial.log_density
        if isinstance(equation, ScoreFokkerPlanck):
            return initial.score
        raise TypeError(
            f"{type(equation).__name__} starts from a function of points, got the density {type(initial).__name__}"
        )
    if not callable(initial):
        raise TypeError(
            f"initial must be a Density, a Field or a function of points (..., d), got {type(initial).__name__}"
        )
    return initial


def check_initial_density(values: Array, initial: Initial, discretisation: Discretisation, largest: float) -> None:
    """Raise ValueError for a density that is no density, or that the box cuts off; name a box that would do."""
    grid = discretisation.grid
    check_density(values, grid)
    cut = 0.0
    if isinstance(initial, Density) and not any(grid.periodic):
        cut = max(0.0, 1 - float(grid.integrate(values)))
    share = grid.outer_share(values) if getattr(discretisation, "walls", "far") == "far" else 0.0
    if share > largest or cut > max(largest, 1e-3):
        lower, upper = initial.box(1 - 1e-9) if isinstance(initial, Density) else needed_box(values, grid)
        raise ValueError(
            f"the initial density reaches the wall of [{_corner(grid.lower)}] × [{_corner(grid.upper)}]: "
            f"{share:.2g} of its mass in the outermost cells, {cut:.2g} outside (allowed {largest:.0e}); "
            f"a box from ({_corner(lower)}) to ({_corner(upper)}) would do"
        )


def needed_box(values: Array, grid: Domain) -> tuple[Array, Array]:
    """Return mean ± 7 standard deviations per axis: at least a Gaussian's mass up to 3e-12."""
    mass = np.abs(values)[..., None] / float(grid.integrate(np.abs(values)))
    mean = grid.integrate(mass * grid.points)
    deviation = np.sqrt(grid.integrate(mass * (grid.points - mean) ** 2))
    return np.minimum(mean - 7 * deviation, grid.lower), np.maximum(mean + 7 * deviation, grid.upper)


def _corner(numbers: Any) -> str:
    return ", ".join(f"{x:.3g}" for x in numbers)
