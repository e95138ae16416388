"""Whether a problem is posed: times, diffusivity, drift and potential, for all schemes alike, before the first step."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mfgpde.core.arrays import Array
from mfgpde.equations import Diffusing, Equation, ViscousHamiltonJacobi


def checked_times(equation: Equation, times: Sequence[float] | Array) -> Array:
    """Return the times as an array: finite, strictly increasing, within the horizon."""
    if not isinstance(equation, Equation):
        raise TypeError(f"solve needs an equation, such as FokkerPlanck.of(process), got {type(equation).__name__}")
    array = np.atleast_1d(np.asarray(times, dtype=float))
    if array.ndim != 1 or array.size < 2:
        raise ValueError(f"times must name a start and at least one later time, got {times!r}")
    if not np.isfinite(array).all() or not np.all(np.diff(array) > 0):
        raise ValueError(f"times must be finite and strictly increasing, got {times!r}; sort them and drop doubles")
    horizon = equation.horizon
    if array[0] < 0 or array[-1] > horizon * (1 + 1e-12):
        raise ValueError(
            f"times must lie in [0, {horizon:g}] (the horizon of the process), got [{array[0]:g}, {array[-1]:g}]"
        )
    return array


def check_diffusivity(equation: Equation, times: Array, inviscid: bool = False) -> None:
    """Raise ValueError where D(t) is negative, not a number, or, unless `inviscid`, zero over whole intervals."""
    if not isinstance(equation, Diffusing):
        return
    middles = 0.5 * (times[1:] + times[:-1])
    for t in np.sort(np.concatenate((times, middles))):
        D = np.asarray(equation.diffusivity(float(t)), dtype=float)
        if D.ndim or not np.isfinite(D) or D < 0 or (D == 0 and t in middles and not inviscid):
            without = "FiniteVolume(grid, order=5)" if isinstance(equation, ViscousHamiltonJacobi) else "Continuity"
            raise ValueError(
                f"the diffusivity must be a positive number, got {D} at t = {t:g}; "
                f"for a flow without noise use {without}"
            )
