"""First passages on elements: moments of the time, exits by part of the boundary, committors; −Lu = s, u given on walls."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mfgpde.core.arrays import Array
from mfgpde.discretisations.agreed import agreed
from mfgpde.discretisations.field import Field
from mfgpde.discretisations.finite_element._petsc import MPI, multiply
from mfgpde.discretisations.finite_element.kolmogorov import KolmogorovSystem
from mfgpde.discretisations.finite_element.pinned import Pinned
from mfgpde.discretisations.finite_element.ranks import over_ranks
from mfgpde.discretisations.finite_element.sides import ElementSides
from mfgpde.discretisations.finite_volume.walls import Held
from mfgpde.equations import FeynmanKac, ForwardKolmogorov

Set = Callable[[Array], NDArray[np.bool_]]


class Leaving:
    """What leaves through each absorbing part of the boundary per time, of a density on elements. Collective.

    By the rows that walls replace: with the weak form of closed walls, −Σ(M du/dt − Ku) over the unknowns of a part, which
    is of the order of the solution, not of its slopes; all parts together are what the mass loses.
    """

    def __init__(self, equation: ForwardKolmogorov, discretisation: Any) -> None:
        self.space = discretisation.space
        self.system = discretisation.semidiscretise(equation)
        closed = ElementSides("reflecting")
        self.whole = KolmogorovSystem(equation, self.space, self.system.fitted, sides=closed)
        self.parts = [part for part in self.system.parts if part.wall == "absorbing"]

    def at(self, values: Array, t: float) -> dict[Any, float]:
        """Return the flux through each part, by its name, of a density known at quadrature points."""
        u = self.space.project(values)
        u[self.system.held] = 0.0
        weak = multiply(self.whole.at(t).M, self.system.rate(u, t)) - multiply(self.whole.at(t).K, u)
        found, taken = {}, np.zeros(self.space.own, dtype=bool)
        for part in self.parts:  # an unknown at which two parts meet belongs to the first
            own = part.unknowns[~taken[part.unknowns]]
            taken[own] = True
            found[part.name] = -float(over_ranks(self.space.comm, float(weak[own].sum()), MPI.SUM))
        return found


class Passages:
    """What is asked of a diffusion on elements; `target` adds nodes to the walls that absorb. Collective."""

    def __init__(self, equation: FeynmanKac, discretisation: Any, target: Set | None) -> None:
        self.discretisation, self.space = discretisation, discretisation.space
        self.system = discretisation.semidiscretise(equation)
        if any(isinstance(part.wall, Held) for part in self.system.parts):
            raise ValueError("first passages are through absorbing walls; march FeynmanKac with walls that hold values")
        self.absorbed = self.system.held if target is None else np.union1d(self.system.held, self._nodes(target))

    def times(self, moment: int) -> Field:
        """Return E_x[Tⁿ]: −L T_n = n T_{n−1}, zero where absorbed."""
        solve, u, nothing = Pinned(self.system, self.absorbed), np.ones(self.space.own), np.zeros(len(self.absorbed))
        for n in range(1, moment + 1):
            load = self._load(n * u)
            load[self.absorbed] = 0.0
            u = solve(load, nothing)
        return self._field(u)

    def exits(self, name: Any) -> Field:
        """Return the probability to leave through one absorbing part of the boundary before all others."""
        parts = [part for part in self.system.parts if part.name == name and part.wall == "absorbing"]
        if not parts:
            known = [part.name for part in self.system.parts if part.wall == "absorbing"]
            raise ValueError(
                f"through part {name} of the walls nothing leaves; through {known or 'none'} something does"
            )
        values = np.isin(self.absorbed, parts[0].unknowns).astype(float)
        return self._field(Pinned(self.system, self.absorbed)(np.zeros(self.space.own), values))

    def committor(self, target: Set, source: Set) -> Field:
        """Return the probability to reach the target before the source, of nodes; absorbing walls are source."""
        inside, outside = self._nodes(target), np.union1d(self._nodes(source), self.system.held)
        both = int(over_ranks(self.space.comm, len(np.intersect1d(inside, outside)), MPI.SUM))
        if both:
            raise ValueError(f"target and source overlap in {both} nodes")
        pinned = np.union1d(inside, outside)
        return self._field(Pinned(self.system, pinned)(np.zeros(self.space.own), np.isin(pinned, inside).astype(float)))

    def _nodes(self, one: Set) -> NDArray[Any]:
        x = self.space.nodes[: self.space.own]

        def ask() -> NDArray[np.bool_]:
            found = np.asarray(one(x))
            if found.shape != x.shape[:-1] or found.dtype != bool:
                raise ValueError(
                    f"a set is a function of points to booleans of shape {x.shape[:-1]}, got {found.shape}"
                )
            return found

        found = agreed(self.space.comm, ask)
        count = int(over_ranks(self.space.comm, found.sum(), MPI.SUM))
        if not 0 < count < self.space.size:
            raise ValueError("a set of places must hold some nodes, and not all of them")
        return np.flatnonzero(found)

    def _load(self, u: Array) -> Array:
        return self.system._lumped * u if self.system.fitted else multiply(self.space.mass, u)

    def _field(self, u: Array) -> Field:
        return Field(self.discretisation, self.system.values(u))
