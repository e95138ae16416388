"""Flows of a list of β in the time log ᾱ: the rates jump at each of its thousand instants, and cancel.

Along dX/dt = u(X, t) with u proportional to d log ᾱ/dt, as that of a network that predicts noise, data or the score,
dX/dτ = u dt/dτ, τ = −log ᾱ, has no jumps: what is left at the instants are bends of t(τ), a thousandth of its slope. A
network that predicts the velocity itself has none in t. Where a list ends without signal, its last step is made in t.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from mfgpde.core.arrays import Array
from mfgpde.equations import Continuity
from mfgpde.processes import DiscreteSchedule, LinearProcess, schedule_of


def stretches(
    process: LinearProcess, equation: Continuity, start: float, end: float, *, of_velocities: bool
) -> Iterator[tuple[Continuity, float, float]]:
    """Yield equations, and from when to when each is to be followed, in turn: in τ where rates jump, else in t."""
    if of_velocities or not isinstance(process, DiscreteSchedule):
        yield equation, start, end
        return
    instants, levels = process.instants, -process.logarithms
    known = np.isfinite(levels)
    instants, levels = instants[known], levels[known]
    last = min(end, float(instants[-1]))
    if start < last:
        a, b = np.interp([start, last], instants, levels)
        yield _in_signal(process, equation, instants, levels), float(a), float(b)
    if last < end:
        yield equation, max(start, last), end


def _in_signal(process: DiscreteSchedule, equation: Continuity, instants: Array, levels: Array) -> Continuity:
    def time(level: float) -> tuple[float, float]:
        """Return t and dt/dτ, the means of both sides at an instant, as the process has its rates there."""
        t = float(np.interp(level, levels, instants))
        now = schedule_of(process, t)
        return t, -0.5 * float(now.alpha / now.alpha_rate)

    def velocity(x: Array, level: float) -> Array:
        t, rate = time(level)
        return rate * equation.velocity(x, t)

    def divergence(x: Array, level: float) -> Array:
        t, rate = time(level)
        assert equation.divergence is not None
        return rate * equation.divergence(x, t)

    return Continuity(velocity, divergence, rates=lambda x, level: np.array([time(level)[0]]))
