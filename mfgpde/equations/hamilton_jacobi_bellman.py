"""Hamilton–Jacobi–Bellman:  ∂_t u = D Δu − H(x, ∇u, t),  in the time in which it is well posed.

Backward equations are written in reversed time. Exact solutions: with H = D|p|² and no drift, u = −log η where
∂_tη = DΔη (Cole–Hopf); with H = D|p|² + f·p − ∇·f, u = −log p_t — the value function of a score-based model.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar, cast

import numpy as np

from mfgpde.core.arrays import Array, dot
from mfgpde.core.unread import Unread
from mfgpde.equations.contract import Diffusivity, Equation, Unknown
from mfgpde.processes import ForwardProcess
from mfgpde.processes.contract import known_time_scale


@dataclass(frozen=True, eq=False)
class HamiltonJacobiBellman(Equation):
    """∂_t u = D Δu − H(x, ∇u, t) with Hamiltonian H(x, p, t), running costs included, and diffusivity D(t).

    H maps points (..., d), gradients (..., d) and a time to (...), in the unit of u per time; D is length² per time.

    >>> equation = mfg.HamiltonJacobiBellman(lambda x, p, t: 0.5 * (p * p).sum(axis=-1), lambda t: 0.5)
    >>> space = mfg.FiniteVolume(mfg.CartesianGrid.cube(4.0, 64, 1))
    >>> u = mfg.solve(equation, space, lambda x: 0.5 * x[..., 0] ** 2, (0.0, 1.0)).at(1.0)
    >>> print(f"{u(np.array([[1.0]]))[0]:.3f}")  # x²/(2(1 + t)) + ½log(1 + t)
    0.597
    """

    hamiltonian: Callable[[Array, Array, float], Array]
    diffusivity: Diffusivity
    horizon: float = math.inf
    time_scale: float = 0.0
    unknown: ClassVar[Unknown] = Unknown.VALUE
    conservative: ClassVar[bool] = False

    def further(self, units: Array) -> tuple[Callable[[Array, float], Array], ...]:
        """Return H without slopes, the running cost, and at slopes of one per length of the box, either way."""
        return (AtSlopes(self.hamiltonian, np.array([np.zeros_like(units), 1 / units, -1 / units])),)

    @classmethod
    def of(cls, process: ForwardProcess) -> HamiltonJacobiBellman:
        """Return the equation of U = −log p_t: ∂_tU = DΔU − D|∇U|² − f·∇U + ∇·f. — arXiv:2304.13534, section 3.2.

        The control enters as g v with cost ½|v|² + ∇·f; minimising over v gives H = D|p|² + f·p − ∇·f.
        """
        return cls(_ValueFunction(process), process.diffusivity, process.horizon, known_time_scale(process))


MOST_WRITTEN = 2**18
"""numbers of slopes that are kept, one slope for every point and time"""


@dataclass(eq=False)
class AtSlopes:
    """H(x, p, t) at each of a few slopes p (k, d), the same at all points, from one call: (..., d) to (..., k).

    What of H is a function of the point alone is computed once a point where H takes points (..., 1, d) beside slopes
    (..., k, d), as its first call shows; else points are repeated.

    >>> at = mfg.equations.hamilton_jacobi_bellman.AtSlopes(lambda x, p, t: (p * p + x).sum(axis=-1), np.eye(2))
    >>> at(np.array([[3.0, 4.0]]), 0.0).tolist()
    [[8.0, 8.0]]
    """

    hamiltonian: Callable[[Array, Array, float], Array]
    slopes: Array
    _once: bool | None = field(default=None, repr=False)
    _last: tuple[Array | None, Array, Array] = field(default=(None, np.empty(0), np.empty(0)), repr=False)
    """the points asked for last, and as H takes them with their slopes: what tables know them by"""

    _written: Array = field(default_factory=lambda: np.empty(0), repr=False)

    @property
    def parts(self) -> int:
        """How many slopes."""
        return len(self.slopes)

    def __call__(self, x: Array, t: float | Array) -> Array:
        """Return H at each slope, shape (..., k)."""
        if self._once is None:
            self._once = self._broadcasts(x, t)
        if self._last[0] is not x:
            self._last = (x, *self._arguments(x, self._once))
        return self._of(*self._last[1:], t)

    def _arguments(self, x: Array, once: bool) -> tuple[Array, Array]:
        p = self._repeated(x.shape[:-1])
        return (x[..., None, :] if once else np.repeat(x[..., None, :], self.parts, axis=-2)), p

    def _repeated(self, places: tuple[int, ...]) -> Array:
        """Return the slopes at so many places; a few are written out: loops over three at a time are slow."""
        shape = (*places, *self.slopes.shape)
        if self._written.shape != shape:
            p = np.broadcast_to(self.slopes, shape)
            if p.size > MOST_WRITTEN:
                return p
            self._written = np.ascontiguousarray(p)
        return self._written

    def _of(self, x: Array, p: Array, t: float | Array) -> Array:
        many = not isinstance(t, Unread) and np.ndim(t)
        moment = cast(float, np.asarray(t)[..., None] if many else t)  # times of points are times of their slopes
        return np.broadcast_to(np.asarray(self.hamiltonian(x, p, moment), dtype=float), p.shape[:-1])

    def _broadcasts(self, x: Array, t: float | Array) -> bool:
        repeated = self._of(*self._arguments(x, False), t)
        try:
            return np.array_equal(self._of(*self._arguments(x, True), t), repeated, equal_nan=True)
        except Exception:  # whatever a Hamiltonian of arrays of one shape does with two
            return False


@dataclass(frozen=True, eq=False)
class _ValueFunction:
    """H = D|p|² + f·p − ∇·f."""

    process: ForwardProcess

    def __call__(self, x: Array, p: Array, t: float) -> Array:
        control = float(self.process.diffusivity(t)) * dot(p, p)
        return control + dot(self.process.drift(x, t), p) - self.process.divergence(x, t)
