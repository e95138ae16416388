"""How an equation's coefficients depend on time: where they jump, and what of it a step does not see."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, runtime_checkable

import numpy as np

from mfgpde.core.arrays import Array
from mfgpde.core.recent import Recent
from mfgpde.core.time_structure import Break, at_once, merged, named, scanned
from mfgpde.discretisations.contract import Distributed, Domain
from mfgpde.equations import Continuity, Diffusing, Equation, FokkerPlanck
from mfgpde.equations.contract import VectorField
from mfgpde.grids import CartesianGrid

SHARES = (0.3, 0.55, 0.8)
"""of the box, from its lower to its upper corner: the points at which a drift is looked at"""
SECOND = (0.0, 0.5, 1.0), np.array([1, 4, 1]) / 6, np.array([1, 0, 1]) / 2
"""shares of a step, and on them Simpson's rule beside the trapezoidal one"""
HIGHER = (0.0, 0.25, 0.5, 0.75, 1.0), np.array([7, 32, 12, 32, 7]) / 90, np.array([1, 0, 4, 0, 1]) / 6
"""Boole's beside Simpson's"""


@runtime_checkable
class Drifting(Protocol):
    """An equation with a drift."""

    @property
    def drift(self) -> VectorField:
        """f(x, t)."""
        ...


@dataclass(frozen=True, eq=False)
class Coefficient:
    """Numbers that depend on time: at one time (m,), and, where the function can, at many (n, m)."""

    at: Callable[[float], Array]
    many: Callable[[Array], Array]
    rates: Coefficient | None = None
    """what of them may jump, where the rest is dear to ask and smooth"""
    together: bool = False
    """whether one call for many times gives what calls for each do"""

    def scanned(self, start: float, end: float) -> tuple[list[Break], float]:
        """Return where they jump or change sharply, and how far apart the times are at which they were read."""
        read = self.rates or self
        return scanned(read.at, start, end, read.many)


@dataclass(frozen=True, eq=False)
class Structure:
    """The coefficients at a few points as functions of time, and their breaks; without them, nothing depends on time."""

    coefficients: tuple[Coefficient, ...] = ()
    """diffusivity and drift, each in a unit of its own"""
    breaks: list[Break] = field(default_factory=list)
    gap: float = 0.0
    """between two times at which the coefficients were read before the run; zero where they do not depend on time"""
    _recent: Recent[Array] = field(default_factory=lambda: Recent(16), repr=False)

    @classmethod
    def of(
        cls, equation: Equation, domain: Domain, start: float, end: float, at: Sequence[float] = (), scan: bool = True
    ) -> Structure:
        """Scan an equation on a domain over a run, or not; `at` names breaks that are known."""
        known = named(at, start, end)
        if not equation.time_dependent:
            return cls(breaks=known)
        few = np.linspace(start, end, 5)
        parts = tuple(
            replace(part, together=at_once(part.at, part.many, few) is not None)
            for part in _coefficients(equation, domain)
        )
        looks = [part.scanned(start, end) for part in parts] if scan else []
        gap = max((gap for _, gap in looks), default=end - start)
        return cls(parts, merged([*known, *(place for found, _ in looks for place in found)]), gap)

    @property
    def said(self) -> str:
        """What may be missed, in a sentence; nothing where nothing can be."""
        if not self.gap:
            return ""
        smooth = "; the score is taken to be smooth" if any(part.rates for part in self.coefficients) else ""
        return (
            f"read every {self.gap:.1e} of time: a pulse that is shorter may be missed unless breaks= names it{smooth}"
        )

    def unseen(self, t: float, dt: float, order: int) -> float:
        """Return by which share the integrals of the coefficients over a step differ from what the step makes of them.

        Methods of order two see both ends, as the trapezoidal rule does, those of higher order the middle too, as
        Simpson's; the next rule stands for the truth. Their own error estimates know nothing of it.
        """
        shares, finer, rule = SECOND if order <= 2 else HIGHER
        times, worst = t + dt * np.array(shares), 0.0
        for k, part in enumerate(self.coefficients):
            values = (
                np.asarray(part.many(times)) if part.together else np.array([self._at(k, s) for s in times.tolist()])
            )
            size = float(np.max(finer @ np.abs(values)))
            if size > 0:
                worst = max(worst, float(np.abs((finer - rule) @ values).max()) / size)
        return worst

    def _at(self, k: int, t: float) -> Array:
        return self._recent((k, t), lambda: self.coefficients[k].at(t))


def _coefficients(equation: Equation, domain: Domain) -> list[Coefficient]:
    found: list[Coefficient] = []
    if isinstance(equation, Diffusing):
        diffusivity: Callable[..., Any] = equation.diffusivity
        found.append(
            Coefficient(
                lambda t: np.ravel(np.asarray(diffusivity(t), dtype=float)),
                lambda times: np.reshape(diffusivity(times), (len(times), 1)),
            )
        )
    drift = equation.velocity if isinstance(equation, Continuity) else None
    if isinstance(equation, Drifting):
        drift = equation.drift
    if drift is not None and not (
        isinstance(domain, Distributed) and domain.comm.size > 1
    ):  # ranks must agree on steps
        x = _places(domain)
        rates = equation.rates if isinstance(equation, FokkerPlanck | Continuity) else None
        found.append(replace(drift_at(drift, x), rates=None if rates is None else drift_at(rates, x)))
    return found


def drift_at(drift: Callable[..., Array], x: Array) -> Coefficient:
    """Return a drift at points (n, d) as a coefficient."""
    return Coefficient(
        lambda t: np.ravel(np.asarray(drift(x, t), dtype=float)),
        lambda times: np.reshape(drift(np.broadcast_to(x, (len(times), *x.shape)), times[:, None]), (len(times), -1)),
    )


def _places(domain: Domain) -> Array:
    """Return points at three places between the corners of a grid, or the points of a mesh near them, (3, d)."""
    lower, upper = np.asarray(domain.lower), np.asarray(domain.upper)
    wanted = np.array([lower + share * (upper - lower) for share in SHARES])
    if isinstance(domain, CartesianGrid):
        return wanted
    points = domain.points.reshape(-1, domain.points.shape[-1])
    return np.array([points[np.argmin(np.sum((points - x) ** 2, axis=-1))] for x in wanted])
