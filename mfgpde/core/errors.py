"""What can go wrong in a computation that was well posed: a failure keeps everything computed before it."""

from __future__ import annotations

from enum import StrEnum
from typing import Any


class Status(StrEnum):
    """How a solve ended, as a sentence."""

    DONE = "reached the final time"
    STEP_TOO_SMALL = "the time step fell below the resolution of floating-point time"
    NOT_FINITE = "the solution stopped being finite"
    TOO_MANY_STEPS = "the step budget was spent before the final time"
    MASS_AT_WALL = "mass reached the wall of the domain"
    MASS_MOVED = "mass changed although none may leave"
    UNRESOLVED = "ripples reached the wall: the cells do not resolve the solution"


class NotConverged(RuntimeError):
    """A solve that did not reach its goal; `partial` holds the Solution up to the failure."""

    def __init__(self, message: str, partial: Any) -> None:
        super().__init__(message)
        self.partial = partial


class Busy(RuntimeError):
    """Another run is at work on what this one would write."""
