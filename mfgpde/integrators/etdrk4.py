"""Exponential time differencing, fourth order: the diagonal stiff part is integrated exactly."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from mfgpde.core.arrays import beside, to_host
from mfgpde.core.recent import Recent
from mfgpde.integrators.contract import Array, Driven, Recorded, Replay, Split, Still, judged, norms, squares


def phi(z: Array) -> tuple[Array, Array, Array]:
    """Return φ_1, φ_2, φ_3 of real z, φ_k(z) = Σ_j z^j/(j+k)!; by series for |z| < 1, by recurrence beyond."""
    small = np.abs(z) < 1
    safe = np.where(small, 1.0, z)
    first = np.expm1(safe) / safe
    second = (first - 1) / safe
    third = (second - 0.5) / safe
    series = np.zeros_like(z)
    inside = np.where(small, z, 0.0)
    for j in range(17, -1, -1):  # 1/20! = 4e-19 is the first term left out of φ_3
        series = 1.0 + inside * series / (j + 4)
    series = series / 6
    return (
        np.where(small, 1 + inside * (0.5 + inside * series), first),
        np.where(small, 0.5 + inside * series, second),
        np.where(small, series, third),
    )


@dataclass(frozen=True)
class ETDRK4:
    """The method of Cox and Matthews with an embedded third-order method that reuses the next step's first stage.

    >>> space = mfg.Spectral(mfg.CartesianGrid.cube(6.0, 64, 1))
    >>> flow = mfg.FokkerPlanck(lambda x, t: -x, lambda t: 0.5)
    >>> run = mfg.solve(flow, space, mfg.gaussian(1.0, 0.5), (0.0, 1.0), integrator=mfg.integrators.ETDRK4())
    >>> print(f"{run.at(1.0).expectation(lambda x: x[..., 0]):.4f}")  # e⁻¹
    0.3679
    """

    _recent: Recent[tuple[Array, tuple[Array, ...]]] = field(
        default_factory=lambda: Recent(4), repr=False, compare=False
    )
    order: ClassVar[int] = 4
    embedded_order: ClassVar[int] = 3
    reference: ClassVar[str] = (
        "Cox, Matthews, J. Comput. Phys. 176 (2002), eqs. (26)–(29); "
        "error estimate: Whalen, Brio, Moloney, J. Comput. Phys. 280 (2015)"
    )

    def step(self, system: Split, u: Array, t: float, dt: float) -> tuple[Array, Array]:
        """Advance by dt."""
        stiff = system.stiff(t, t + dt)
        return _advanced(system, u, (t, t + 0.5 * dt, t + dt), stiff, self._weights(stiff, dt))

    def recorded(self, replay: Replay, system: Split, u: Array, t: float, dt: float) -> Recorded | None:
        """Return the same of a recording: one for all steps of a system that is driven in time, their numbers sent before.

        Of one that is still, one a length of step: its weights, arrays as large as its state, are those of the step before.
        """
        if not (isinstance(system, Still) and system.still):
            return self._driven(replay, system, u, t, dt) if isinstance(system, Driven) else None

        def work(u: Any) -> tuple[Any, ...]:
            new, error = self.step(system, u, t, dt)
            return new, error, squares(u, error)

        new, error, sums = replay(dt, work, u, kept=lambda: self._weights(system.stiff(t, t + dt), dt))
        return new, error, norms(to_host(sums), u.size)

    def _driven(self, replay: Replay, system: Driven, u: Array, t: float, dt: float) -> Recorded | None:
        moving = system.over(t, dt)
        if moving is None:
            return None

        def work(u: Any, numbers: Any, *arrays: Any) -> tuple[Any, ...]:
            moved = moving.made(numbers[1:], arrays)
            stiff = moved.stiff(0, 2)
            new, error = _advanced(moved, u, (0, 1, 2), stiff, _weights(stiff, numbers[:1]))
            return new, error, squares(u, error)

        numbers = beside(np.array([dt, *moving.numbers]), u)
        return judged(moving, u, replay(("driven", moving.kind), work, u, numbers, *moving.arrays))

    def _weights(self, stiff: Array, dt: float) -> tuple[Array, ...]:
        # what is kept holds on to `stiff`, so that no other array can have its identity meanwhile
        return self._recent((id(stiff), dt), lambda: (stiff, _weights(stiff, dt)))[1]


def _advanced(
    system: Any, u: Array, times: tuple[float, float, float], stiff: Array, weights: tuple[Array, ...]
) -> tuple[Array, Array]:
    decay, half_decay, half, f1, f2, f3 = weights
    start, middle, end = times
    n0 = system.nonstiff(u, start, stiff)
    a = half_decay * u + half * n0
    na = system.nonstiff(a, middle, stiff)
    nb = system.nonstiff(half_decay * u + half * na, middle, stiff)
    nc = system.nonstiff(half_decay * a + half * (2 * nb - n0), end, stiff)
    new = decay * u + f1 * n0 + 2 * f2 * (na + nb) + f3 * nc
    n1 = system.nonstiff(new, end, stiff)
    return new, 0.6 * f3 * (nc - n1)  # classical limit: (dt/10)(k₄ − k₅), the RK4(3) pair


def _weights(stiff: Array, dt: Any) -> tuple[Array, ...]:
    z = dt * stiff
    p1, p2, p3 = phi(z)
    return (
        np.exp(z),
        np.exp(0.5 * z),
        0.5 * dt * phi(0.5 * z)[0],
        dt * (p1 - 3 * p2 + 4 * p3),
        dt * (p2 - 2 * p3),
        dt * (4 * p3 - p2),
    )
