"""TR-BDF2: implicit, second order, L-stable, one matrix a step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from mfgpde.integrators.contract import Array, Filtered, Implicit, trapezoid_defect


@dataclass(frozen=True)
class TRBDF2:
    """Trapezoid to t + γdt, then BDF2 to t + dt, γ = 2 − √2: both solves have the matrix I − (γ/2)dt A.

    The error estimate is the trapezoid defect, filtered by the same matrix so that stiff parts do not spoil it
    (Hosea and Shampine), times the ratio 0.485 of the two methods' error constants.

    >>> space, heat = mfg.FiniteVolume(mfg.CartesianGrid.cube(6.0, 128, 1)), mfg.FokkerPlanck.of(mfg.Brownian())
    >>> run = mfg.solve(heat, space, mfg.gaussian(0.0, 0.25), (0.0, 0.5), integrator=mfg.integrators.TRBDF2())
    >>> print(f"{run.at(0.5).expectation(lambda x: x[..., 0] ** 2):.2f}")  # 0.25 + t
    0.75
    """

    order: ClassVar[int] = 2
    embedded_order: ClassVar[int] = 2
    reference: ClassVar[str] = "Bank et al., IEEE Trans. CAD 4 (1985); Hosea, Shampine, Appl. Numer. Math. 20 (1996)"

    def step(self, system: Implicit, u: Array, t: float, dt: float) -> tuple[Array, Array]:
        """Advance by dt."""
        gamma = 2 - np.sqrt(2)
        shift = 0.5 * gamma * dt
        inner = system.frozen(t, t + dt)
        middle = inner.solve(u + shift * inner.rate(u, t), t, shift)
        new = inner.solve((middle - (1 - gamma) ** 2 * u) / (gamma * (2 - gamma)), t, shift)
        smooth = inner.filtered if isinstance(inner, Filtered) else inner.solve
        return new, 0.485 * smooth(trapezoid_defect(system, u, t, new, dt), t, shift)


@dataclass(frozen=True)
class BackwardEuler:
    """(u_new − u)/dt = A u_new: first order, keeps positivity for every step size.

    >>> space, heat = mfg.FiniteVolume(mfg.CartesianGrid.cube(6.0, 64, 1)), mfg.FokkerPlanck.of(mfg.Brownian())
    >>> method = mfg.integrators.BackwardEuler()
    >>> run = mfg.solve(heat, space, mfg.gaussian(0.0, 0.25), (0.0, 0.45), integrator=method, rtol=1e-4)
    >>> print(f"{run.at(0.45).expectation(lambda x: x[..., 0] ** 2):.1f}")  # 0.25 + t, to first order in the step
    0.7
    """

    order: ClassVar[int] = 1
    embedded_order: ClassVar[int] = 1
    reference: ClassVar[str] = "Euler; positivity for M-matrices: Bolley, Crouzeix, RAIRO 12 (1978)"

    def step(self, system: Implicit, u: Array, t: float, dt: float) -> tuple[Array, Array]:
        """Advance by dt; the error estimate is half the difference to forward Euler, filtered."""
        inner = system.frozen(t, t + dt)
        new = inner.solve(u, t, dt)
        return new, 0.5 * inner.solve(new - u - dt * system.rate(u, t), t, dt)
