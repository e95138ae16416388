"""A solution of the log-density equation as one of the Fokker–Planck equation: what its exp is off by has a bound in L¹.

Between far walls φ = log p falls without end and no largest |φ_h − φ| says anything; exp φ solves the Fokker–Planck
equation where the coefficient of |∇φ|² is D, and that contracts. p_h is the reconstruction of exp φ_h at the cells.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from mfgpde.core.arrays import Array
from mfgpde.densities import Density
from mfgpde.discretisations import Field, FiniteVolume, means_of
from mfgpde.discretisations.simplices import Piecewise
from mfgpde.equations import FokkerPlanck, LogDensity
from mfgpde.solvers.initial import LARGEST_LOSS
from mfgpde.solvers.solved import Solved
from mfgpde.solvers.stands_for import StandsFor

NORM = "L1 of exp"
"""the norm of such a bound"""
CURE = "solve `FokkerPlanck` with the same drift and diffusivity: its `error_bound` is one in L¹"
"""of what has no bound through the density"""


def is_through_density(solution: Solved) -> bool:
    """Say whether a solution has a bound through the density: of the log-density equation, with a far wall."""
    space: Any = solution.discretisation
    if not isinstance(solution.equation, LogDensity) or space.walls != "far":
        return False
    return isinstance(space, Piecewise) or not all(space.grid.periodic)


@dataclass(frozen=True, eq=False)
class ThroughDensity(StandsFor):
    """exp of a solution of the log-density equation, as a solution of the Fokker–Planck equation."""

    @classmethod
    def of(cls, solution: Solved) -> ThroughDensity:
        """Return it.

        TypeError for elements and where exp of a solution is no density, ValueError where it is not finite or too much.
        """
        equation: Any = solution.equation
        if isinstance(solution.discretisation, Piecewise):
            raise TypeError(f"errors of elements are bounded for densities, got {type(equation).__name__}; {CURE}")
        if _differ(equation, solution.times):
            raise TypeError(
                "exp of a solution is a density where the coefficient of |∇φ|² is D, and here it is another; values "
                "between far walls have no bound of their own"
            )
        found = cls(solution)
        first, mass = found.fields[0], 0.0
        if all(np.isfinite(one.values).all() for one in found.fields):
            mass = found.discretisation.grid.volume * float(first.values.sum())
        if not 0 < mass < 1 + LARGEST_LOSS:
            raise ValueError(
                f"exp of the start has mass {mass:.6g} in the box, or is not finite there: a density has mass one; "
                "subtract the logarithm of its mass"
            )
        return found

    @property
    def equation(self) -> FokkerPlanck:
        """The equation of the density."""
        return self._equation

    @cached_property
    def _equation(self) -> FokkerPlanck:
        own: Any = self.solution.equation
        return FokkerPlanck(
            own.drift,
            own.diffusivity,
            own.time_dependent,
            horizon=own.horizon,
            divergence=own.divergence,
            time_scale=own.time_scale,
        )

    @property
    def discretisation(self) -> Any:
        """The space, of volumes a scheme for densities of the order next below."""
        space = self.solution.discretisation
        return replace(space, order=2 if space.order < 4 else 4) if isinstance(space, FiniteVolume) else space

    @property
    def fields(self) -> tuple[Field, ...]:
        """Its exp at each of them, of volumes as means over cells."""
        return self._densities

    @cached_property
    def _densities(self) -> tuple[Field, ...]:
        return tuple(self._exp(one) for one in self.solution.fields)

    @property
    def start(self) -> Any:
        """The density that the solve began with."""
        return self._start

    @cached_property
    def _start(self) -> Any:
        initial = self.solution.start
        if isinstance(initial, Density):
            return initial
        if isinstance(initial, Field):
            return self._exp(initial)
        law = getattr(initial, "__self__", None)
        if isinstance(law, Density) and getattr(initial, "__name__", "") == "log_density":
            return law
        return _Exp(initial)

    def _exp(self, field: Field) -> Field:
        with np.errstate(over="ignore"):
            values = np.exp(field.at_points)
        if not isinstance(field.discretisation, FiniteVolume):
            return Field(field.discretisation, values)
        return Field(self.discretisation, means_of(values, field.discretisation.grid), means=True)


@dataclass(frozen=True, eq=False)
class _Exp:
    """exp of a start that is a function of points."""

    logarithm: Callable[[Array], Array]

    def __call__(self, x: Array) -> Array:
        return np.exp(self.logarithm(x))


def _differ(equation: LogDensity, times: Array) -> bool:
    """Say whether the coefficient of |∇φ|² is not the diffusivity, at the stored times and between."""
    D, Q = equation.diffusivity, equation.quadratic_coefficient
    if D == Q:
        return False
    looks = np.sort(np.concatenate((times, 0.5 * (times[1:] + times[:-1]))))
    return any(float(D(float(t))) != float(Q(float(t))) for t in looks)
