"""Kolmogorov's backward equation  ∂_τ u = f·∇u + D Δu,  the dual of Fokker–Planck, in the time τ left to go.

Exact solutions: E[u_0(X_T) | X_{T−τ} = x] from the transition laws of a linear process.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from mfgpde.core.arrays import Array
from mfgpde.equations.contract import Diffusivity, Equation, ScalarField, Unknown, VectorField
from mfgpde.equations.fokker_planck import potential_of
from mfgpde.processes import ForwardProcess
from mfgpde.processes.contract import known_time_scale


@dataclass(frozen=True, eq=False)
class BackwardKolmogorov(Equation):
    """∂_τ u = f·∇u + D Δu with f(x, τ) and D(τ) in the equation's own time τ; `potential` as in `FokkerPlanck`.

    >>> space = mfg.FiniteVolume(mfg.CartesianGrid.cube(4.0, 64, 1))
    >>> equation = mfg.BackwardKolmogorov.of(mfg.Brownian())
    >>> u = mfg.solve(equation, space, lambda x: x[..., 0] ** 2, (0.0, 0.5)).at(0.5)
    >>> print(f"{u(np.array([[1.0]]))[0]:.3f}")  # E(1 + W_t)² = 1 + t
    1.500
    """

    drift: VectorField
    diffusivity: Diffusivity
    time_dependent: bool = True
    potential: ScalarField | None = None
    horizon: float = math.inf
    time_scale: float = 0.0
    unknown: ClassVar[Unknown] = Unknown.FUNCTION
    conservative: ClassVar[bool] = False

    @classmethod
    def of(cls, process: ForwardProcess, end: float | None = None) -> BackwardKolmogorov:
        """Return the equation of u(x, τ) = E[u_0(X_T) | X_{T−τ} = x], T = `end`, by default the process's horizon.

        Coefficients are those of the process at t = T − τ; of an autonomous process u(x, τ) = E[u_0(X_τ) | X_0 = x].
        Raises ValueError for an end outside (0, horizon].
        """
        T = process.horizon if end is None else end
        if not 0 < T <= process.horizon:
            raise ValueError(f"the end must lie in (0, {process.horizon:g}] (the horizon of the process), got {end!r}")
        if process.autonomous:
            return cls(process.drift, process.diffusivity, False, potential_of(process), T)
        back = _TimeLeft(process, T)
        return cls(back.drift, back.diffusivity, horizon=T, time_scale=known_time_scale(process))


@dataclass(frozen=True, eq=False)
class _TimeLeft:
    """The coefficients of a process when a time τ is left until `end`."""

    process: ForwardProcess
    end: float

    def drift(self, x: Array, tau: float) -> Array:
        return self.process.drift(x, abs(self.end - tau))

    def diffusivity(self, tau: float) -> Array:
        return self.process.diffusivity(abs(self.end - tau))
