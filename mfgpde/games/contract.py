"""What a cost offers: of the density, for all solvers of games, and of the control, for its Hamiltonian."""

from __future__ import annotations

from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np

from mfgpde.core.arrays import Array
from mfgpde.core.renamed import renamed
from mfgpde.densities import Density


@runtime_checkable
class RunningCost(Protocol):
    """A convex cost L(|v|) of the control with L(0) = 0; all three are elementwise."""

    def lagrangian(self, speed: Array) -> Array:
        """Return L at |v|."""
        ...

    def hamiltonian(self, size: Array) -> Array:
        """Return H = max over v of |p||v| − L, at |p|."""
        ...

    def speed(self, size: Array) -> Array:
        """Return H′ at |p|, the speed that is best."""
        ...


@runtime_checkable
class Towards(Protocol):
    """A cost that wants a law, where it names one."""

    @property
    def law(self) -> Density | None:
        """The law at which it is least."""
        ...


@renamed(entropic="kl_proximal", variation="first_variation", curvature="second_variation")
class Functional:
    """What all costs of a density offer: `linear` ones do not see it, `hard` ones admit one, `smooth` ones have a slope."""

    linear: ClassVar[bool] = False
    hard: ClassVar[bool] = False
    local: ClassVar[bool] = True
    smooth: ClassVar[bool] = True

    def monotone(self, x: Array, t: float) -> bool:
        """Say whether F is convex among densities of one mass at points x of a grid: here by f″ ≥ 0, where there is one."""
        if self.linear or not self.smooth:
            return True
        known, shape = self.reference(x, t), x.shape[:-1]
        return all(
            float(np.min(self.second_variation(np.full(shape, r), known))) >= 0 for r in np.geomspace(1e-9, 1e9, 19)
        )

    def reference(self, x: Array, t: float) -> Any:
        """Return what is known at points x (..., d) and time t, computed once."""
        raise NotImplementedError

    def value(self, r: Array, c: Any) -> Array:
        """Return f(r)."""
        raise NotImplementedError

    def first_variation(self, r: Array, c: Any) -> Array:
        """Return f′(r)."""
        raise NotImplementedError

    def second_variation(self, r: Array, c: Any) -> Array:
        """Return f″(r)."""
        raise NotImplementedError

    def proximal(self, y: Array, s: float, c: Any) -> Array:
        """Return r ≥ 0 with r + s f′(r) = y, or zero."""
        raise NotImplementedError

    def kl_proximal(self, log_a: Array, s: float, c: Any) -> Array:
        """Return log r with log r + s f′(r) = log a."""
        raise NotImplementedError

    def conjugate(self, u: Array, c: Any) -> Array:
        """Return f*(u)."""
        raise NotImplementedError
