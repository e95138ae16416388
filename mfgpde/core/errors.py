"""What can go wrong in a computation that was well posed: a failure keeps everything computed before it."""

from __future__ import annotations

from enum import StrEnum
from typing import Any


class Status(StrEnum):
    """How a solve ended, as a sentence.

    >>> space, heat = mfg.FiniteVolume(mfg.CartesianGrid.cube(6.0, 64, 1)), mfg.FokkerPlanck.of(mfg.Brownian())
    >>> solution = mfg.solve(heat, space, mfg.gaussian(0.0, 0.5), (0.0, 0.5))
    >>> solution.status is mfg.Status.DONE, str(solution.status)
    (True, 'reached the final time')
    """

    DONE = "reached the final time"
    STEP_TOO_SMALL = "the time step fell below the resolution of floating-point time"
    NOT_FINITE = "the solution stopped being finite"
    TOO_MANY_STEPS = "the step budget was spent before the final time"
    OUT_OF_MEMORY = "memory ran out"
    DEVICE_FAILED = "the device failed"
    MASS_AT_WALL = "mass reached the wall of the domain"
    MASS_MOVED = "mass changed although none may leave"
    UNRESOLVED = "ripples reached the wall: the cells do not resolve the solution"


class NotConverged(RuntimeError):
    """A solve that did not reach its goal; `partial` holds the Solution up to the failure.

    >>> space, heat = mfg.FiniteVolume(mfg.CartesianGrid.cube(2.0, 64, 1)), mfg.FokkerPlanck.of(mfg.Brownian())
    >>> try:  # at t = 1 the deviation is 1: a twentieth of the mass would be outside
    ...     mfg.solve(heat, space, mfg.gaussian(0.0, 0.05), (0.0, 0.05, 1.0))
    ... except mfg.NotConverged as failure:
    ...     print(failure.partial.status.name, failure.partial.times[:2])
    MASS_AT_WALL [0.   0.05]
    """

    def __init__(self, message: str, partial: Any) -> None:
        super().__init__(message)
        self.partial = partial


class Busy(RuntimeError):
    """Another run is at work on what this one would write."""


class Elsewhere(RuntimeError):
    """Results could not be written where they were wanted, and are in a folder for temporary files."""
