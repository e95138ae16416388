"""Strong-stability-preserving Runge–Kutta: explicit, third order, four stages; keeps what forward Euler keeps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from mfgpde.integrators.contract import Array, System


@dataclass(frozen=True)
class SSPRK43:
    """The optimal four-stage third-order method (SSP coefficient 2) with its embedded second-order method.

    >>> space, method = mfg.FiniteVolume(mfg.CartesianGrid.cube(6.0, 256, 1)), mfg.integrators.SSPRK43()
    >>> flow, start = mfg.Continuity(lambda x, t: -x), mfg.gaussian(0.0, 1.0)
    >>> law = mfg.solve(flow, space, start, (0.0, 0.5), integrator=method).at(0.5)
    >>> print(f"{law.expectation(lambda x: x[..., 0] ** 2):.2f}")  # e⁻¹
    0.37
    """

    order: ClassVar[int] = 3
    embedded_order: ClassVar[int] = 2
    reference: ClassVar[str] = "Kraaijevanger, BIT 31 (1991); embedded: Conde, Fekete, Shadid, arXiv:1806.08693"

    def step(self, system: System, u: Array, t: float, dt: float) -> tuple[Array, Array]:
        """Advance by dt."""
        half = 0.5 * dt
        f1 = system.rate(u, t)
        f2 = system.rate(u + half * f1, t + half)
        f3 = system.rate(u + half * (f1 + f2), t + dt)
        total = f1 + f2 + f3
        f4 = system.rate(u + dt / 6 * total, t + half)
        return u + dt / 6 * total + half * f4, dt * (
            total / 12 - f4 / 4
        )  # weights (1,1,1,3)/6 minus (1,1,1,1)/4, negated
