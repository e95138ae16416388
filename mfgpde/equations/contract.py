"""What an equation says of itself: what its unknown is, how a law becomes a start, how long it runs, what it keeps."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar, Protocol, SupportsFloat, runtime_checkable

import numpy as np

from mfgpde.core.arrays import Array
from mfgpde.densities import Density

VectorField = Callable[[Array, float], Array]
"""A function of points (..., d) and one time, returning (..., d)."""
ScalarField = Callable[[Array, float], Array]
"""A function of points (..., d) and one time, returning (...)."""
Diffusivity = Callable[[float], SupportsFloat]
"""A function of time, returning a number ≥ 0, length² per time."""


class Unknown(StrEnum):
    """What an equation is solved for."""

    DENSITY = "density"
    """p ≥ 0 of mass one"""
    LOGARITHM = "logarithm"
    """log p"""
    SCORE = "score"
    """∇log p"""
    VALUE = "value"
    """of a control problem"""
    FUNCTION = "function"
    """of points, such as an expectation"""


class Equation:
    """An evolution equation ∂_t u = …, a record of its coefficients, which are functions of points and time.

    Subclasses say what `unknown` is and whether the equation keeps ∫u (`conservative`, up to walls that let it out).
    """

    unknown: ClassVar[Unknown]
    conservative: ClassVar[bool]
    horizon: float = math.inf
    """the end of its own time, which begins at 0"""
    time_dependent: bool = True
    """whether coefficients change; those that do not are computed once"""
    time_scale: float = 0.0
    """the time within which they change by their own size at most, zero if it is not known; what they have of a score is
    left out"""

    def further(self, units: Array) -> tuple[Callable[[Array, float], Array], ...]:
        """Return what else than drift and diffusivity may change in time, as functions of points and a time.

        `units` (d,) are lengths along the axes, for what also depends on a slope. What is `Several` comes from one call.
        """
        return ()

    @property
    def closed(self) -> bool:
        """Whether nothing is killed or added inside."""
        return True

    def read(self, law: Density) -> Callable[[Array], Array]:
        """Return what the equation starts from when the law of X is given. Raises TypeError where that is no start."""
        if self.unknown is Unknown.DENSITY:
            return DensityOf(law)
        if self.unknown is Unknown.LOGARITHM:
            return law.log_density
        if self.unknown is Unknown.SCORE:
            return law.score
        raise TypeError(f"{type(self).__name__} starts from a function of points, got the density {type(law).__name__}")


@dataclass(frozen=True, eq=False)
class DensityOf:
    """p of a law known by its logarithm."""

    law: Density

    def __call__(self, x: Array) -> Array:
        """Return p(x), shape (...)."""
        return np.exp(self.law.log_density(x))


@dataclass(frozen=True, eq=False)
class OfTime:
    """A function of time as one of points and time."""

    function: Callable[[float], SupportsFloat]

    def __call__(self, x: Array, t: float) -> Array:
        """Return it, the same at all points."""
        return np.asarray(self.function(t), dtype=float)


def law_on(law: Density | Callable[[Array], Array]) -> Callable[[Array], Array]:
    """Return the density of a law as a function of points; of a function itself."""
    return DensityOf(law) if isinstance(law, Density) else law


@runtime_checkable
class Several(Protocol):
    """A function of points and time that gives `parts` numbers a point, (..., parts), each in a unit of its own."""

    @property
    def parts(self) -> int:
        """How many."""
        ...

    def __call__(self, x: Array, t: float | Array) -> Array:
        """Return them."""
        ...


@runtime_checkable
class Diffusing(Protocol):
    """An equation with diffusion."""

    @property
    def diffusivity(self) -> Diffusivity:
        """D(t) ≥ 0."""
        ...


@runtime_checkable
class ViscousHamiltonJacobi(Diffusing, Protocol):
    """Any scalar equation ∂_t u = D Δu − H(x, ∇u, t)."""

    @property
    def hamiltonian(self) -> Callable[[Array, Array, float], Array]:
        """H(x, p, t): points (..., d), gradients (..., d) and a time to (...)."""
        ...
