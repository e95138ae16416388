"""Hamilton–Jacobi–Bellman:  ∂_t u = D Δu − H(x, ∇u, t),  in the time in which it is well posed.

Backward equations are written in reversed time. Exact solutions: with H = D|p|² and no drift, u = −log η where
∂_tη = DΔη (Cole–Hopf); with H = D|p|² + f·p − ∇·f, u = −log p_t — the value function of a score-based model.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import numpy as np

from mfgpde.core.arrays import Array, dot
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
        slopes = [np.zeros_like(units), 1 / units, -1 / units]
        return tuple(partial(self._at_slope, slope) for slope in slopes)

    def _at_slope(self, slope: Array, x: Array, t: float) -> Array:
        return self.hamiltonian(x, np.broadcast_to(slope, x.shape), t)

    @classmethod
    def of(cls, process: ForwardProcess) -> HamiltonJacobiBellman:
        """Return the equation of U = −log p_t: ∂_tU = DΔU − D|∇U|² − f·∇U + ∇·f. — arXiv:2304.13534, section 3.2.

        The control enters as g v with cost ½|v|² + ∇·f; minimising over v gives H = D|p|² + f·p − ∇·f.
        """
        return cls(_ValueFunction(process), process.diffusivity, process.horizon, known_time_scale(process))


@dataclass(frozen=True, eq=False)
class _ValueFunction:
    """H = D|p|² + f·p − ∇·f."""

    process: ForwardProcess

    def __call__(self, x: Array, p: Array, t: float) -> Array:
        control = float(self.process.diffusivity(t)) * dot(p, p)
        return control + dot(self.process.drift(x, t), p) - self.process.divergence(x, t)
