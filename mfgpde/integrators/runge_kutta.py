"""Strong-stability-preserving Runge–Kutta: explicit, third order, four stages; keeps what forward Euler keeps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from mfgpde.core.arrays import beside, contiguous, to_host
from mfgpde.integrators.contract import Array, Asking, Recorded, Replay, Still, System, norms, squares
from mfgpde.integrators.side_by_side import apart, joined


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

    def recorded(self, replay: Replay, system: Any, u: Array, t: float, dt: float) -> Recorded | None:
        """Return the same of one recording, where the system is still, or of three between questions to the equation."""
        if isinstance(system, Asking):
            return self._asking(replay, system, u, t, dt) if system.askable else None
        return self._still(replay, system, u, dt) if isinstance(system, Still) and system.still else None

    def _still(self, replay: Replay, system: Any, u: Array, dt: float) -> Recorded:
        def work(u: Any, lengths: Any) -> tuple[Any, ...]:
            half, sixth, whole = (lengths[k : k + 1] for k in range(3))
            f1 = system.rate(u, 0.0)
            f2 = system.rate(u + half * f1, 0.0)
            f3 = system.rate(u + half * (f1 + f2), 0.0)
            total = f1 + f2 + f3
            f4 = system.rate(u + sixth * total, 0.0)
            new, error = u + sixth * total + half * f4, whole * (total / 12 - f4 / 4)
            return new, error, squares(u, error)

        new, error, sums = replay("still", work, contiguous(u), beside(np.array([0.5 * dt, dt / 6, dt]), u))
        return new, error, norms(to_host(sums), u.size)

    def _asking(self, replay: Replay, system: Asking, u: Array, t: float, dt: float) -> Recorded:
        """Return the same of three recordings: the first question, a stage, whichever it is, and the end."""
        half, sixth = 0.5 * dt, dt / 6
        times, shares = (t, t + half, t + dt, t + half), (half, half, sixth, half)
        rows = [(system.diffusivity(s), share, sixth, dt) for s, share in zip(times, shares, strict=True)]
        numbers, like = beside(np.array(rows), u), contiguous(u)

        def begin(u: Any) -> tuple[Any, ...]:
            points, rest = system.question(u)
            return points, joined(u, np.zeros_like(u), rest)

        def stage(carried: Any, answer: Any, row: Any) -> tuple[Any, ...]:
            (u, total), rest = apart(carried, like, 2)
            total = total + system.rate_of(rest, answer, row[:1])
            points, rest = system.question(u + row[1:2] * total)
            return points, joined(u, total, rest)

        def end(carried: Any, answer: Any, row: Any) -> tuple[Any, ...]:
            (u, total), rest = apart(carried, like, 2)
            last = system.rate_of(rest, answer, row[:1])
            new, error = u + row[2:3] * total + row[1:2] * last, row[3:4] * (total / 12 - last / 4)
            return new, error, squares(u, error)

        points, carried = replay("first question", begin, like)
        for k in range(3):
            points, carried = replay("a stage", stage, carried, system.answer(points, times[k]), numbers[k])
        new, error, sums = replay("the end", end, carried, system.answer(points, times[3]), numbers[3])
        return new, error, norms(to_host(sums), u.size)
