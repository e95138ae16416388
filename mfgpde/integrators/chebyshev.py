"""Runge–Kutta–Chebyshev: explicit, second order, stable along the real axis up to ≈ 0.65 s² with s stages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np

from mfgpde.core.arrays import beside, contiguous, elsewhere, to_host
from mfgpde.integrators.contract import (
    Array,
    Asking,
    Driven,
    Fused,
    Moving,
    Recorded,
    Replay,
    Stabilised,
    judged,
    norms,
    squares,
)
from mfgpde.integrators.side_by_side import apart, joined
from mfgpde.kernels import stencils


@dataclass(frozen=True)
class RungeKuttaChebyshev:
    """RKC2 with as many stages as the spectral radius asks for.

    `damping` ε trades reach on the real axis for a wider strip around it; with advection use ε ≈ 1–10
    (Verwer, Sommeijer, Hundsdorfer, J. Comput. Phys. 201, 2004).

    >>> mfg.integrators.RungeKuttaChebyshev().stages(100.0)  # 0.65·13² = 110
    13
    """

    damping: float = 2 / 13
    order: ClassVar[int] = 2
    embedded_order: ClassVar[int] = 2
    reference: ClassVar[str] = "Sommeijer, Shampine, Verwer, J. Comput. Appl. Math. 88 (1998), eqs. (2.2)–(2.8)"

    def step(self, system: Stabilised, u: Array, t: float, dt: float) -> tuple[Array, Array]:
        """Advance by dt; the error estimate is the paper's, 0.8(u − new) + 0.4 dt (F_n + F_{n+1})."""
        stages = self.stages(dt * system.spectral_radius(u, t))
        table, nodes = _table(stages, self.damping, dt), _coefficients(stages, self.damping)[1]
        inner, y0 = system.frozen(t, t + dt), contiguous(u)
        start = inner if system.frozen(t, t) is inner else system  # those that change have other rates at the ends
        rows = stencils.on_device().rows(table, y0) if elsewhere(y0) else table
        return _advanced((start, inner, system), y0, rows, (t, *(t + nodes[1:-1] * dt), t + dt))

    def recorded(self, replay: Replay, system: Stabilised, u: Array, t: float, dt: float) -> Recorded | None:
        """Return the same of a recording a number of stages: weights and coefficients are sent before each launch."""
        if isinstance(system, Asking):
            return self._asking(replay, system, u, t, dt)
        moving = system.over(t, dt) if isinstance(system, Driven) else Moving.still(system.frozen(t, t + dt))
        if moving is None:
            return None
        stages = self.stages(dt * system.spectral_radius(u, t))
        table = _table(stages, self.damping, dt)

        def work(u: Any, numbers: Any, *arrays: Any) -> tuple[Any, ...]:
            rows = [numbers[5 * k : 5 * k + 5] for k in range(stages + 1)]
            systems = moving.made(numbers[table.size :], arrays)
            new, error = _advanced(systems, u, rows, (np.nan,) * (stages + 1))  # what is recorded knows no time
            return new, error, squares(u, error)

        numbers = beside(np.concatenate([table.ravel(), moving.numbers]), u)
        return judged(moving, u, replay((stages, moving.kind), work, contiguous(u), numbers, *moving.arrays))

    def _asking(self, replay: Replay, system: Any, u: Array, t: float, dt: float) -> Recorded | None:
        """Return the same of four recordings, whatever the number of stages: questions, the first of them, one, the end."""
        if not system.askable:
            return None
        stages = self.stages(dt * system.spectral_radius(u, t))
        nodes, like = _coefficients(stages, self.damping)[1], contiguous(u)
        times = (t, *(t + nodes[1:-1] * dt), t + dt)
        diffusivities = [[system.diffusivity(s)] for s in times]
        numbers = beside(np.hstack([_table(stages, self.damping, dt), diffusivities]), u)

        def begin(u: Any) -> tuple[Any, ...]:
            points, rest = system.question(u)
            return points, joined(u, rest)

        def stage(carried: Any, answer: Any, row: Any) -> tuple[Any, ...]:
            return onward(*apart(carried, like, 4), answer, row)

        def first(carried: Any, answer: Any, row: Any) -> tuple[Any, ...]:
            return onward(*apart(carried, like, 1), answer, row)

        def onward(fields: list[Any], rest: Any, answer: Any, row: Any) -> tuple[Any, ...]:
            y0, f, new = fields[0], contiguous(system.rate_of(rest, answer, row[5:])), np.empty_like(like)
            f0, before, here = fields[1:] or (f, y0, y0)
            _combined(y0, here, before, f, f0, row, new)
            points, rest = system.question(new)
            return points, joined(y0, f0, here, new, rest)

        def end(carried: Any, answer: Any, row: Any) -> tuple[Any, ...]:
            (y0, f0, _, new), rest = apart(carried, like, 4)
            f1, error = contiguous(system.rate_of(rest, answer, row[5:])), np.empty_like(like)
            _combined(y0, new, y0, f1, f0, row, error)
            return new, error, squares(y0, error)

        points, carried = replay("first question", begin, like)
        for k in range(stages):
            answer, name, work = system.answer(points, times[k]), *(("a stage", stage) if k else ("first stage", first))
            points, carried = replay(name, work, carried, answer, numbers[k])
        new, error, sums = replay("the end", end, carried, system.answer(points, times[-1]), numbers[stages])
        return new, error, norms(to_host(sums), u.size)

    def stages(self, reach: float) -> int:
        """Return the least number of stages whose stability interval covers `reach` = dt·ρ."""
        s = max(2, 1 + int(np.sqrt(1 + 1.5 * reach)))
        while real_boundary(s, self.damping) < reach:
            s = int(1.1 * s) + 1
        return s


def _advanced(
    systems: tuple[Stabilised, Stabilised, Stabilised], y0: Array, rows: Any, times: Sequence[float]
) -> tuple[Array, Array]:
    """Return the last stage and the error from the systems at the start, over the step and at the end of it."""
    start, inner, end = systems
    f0 = inner.rate(y0, times[0])
    new = inner.stages(y0, f0, rows[:-1]) if isinstance(inner, Fused) else None
    if new is None:
        new = _one_by_one(inner, y0, f0, rows, times)
    if start is not inner:
        f0 = start.rate(y0, times[0])
    f1 = end.rate(new, times[-1])
    _combined(y0, new, y0, f1, f0, rows[-1], f1)
    return new, f1


def _one_by_one(inner: Stabilised, y0: Array, f0: Array, rows: Any, times: Sequence[float]) -> Array:
    """Return the last stage, from the rate and the recurrence of each."""
    before, here, f = y0, np.empty_like(y0), None
    _combined(y0, y0, y0, f0, f0, rows[0], here)
    for j in range(2, len(rows)):
        new = np.empty_like(y0) if before is y0 else before  # each entry is read before it is written
        f = inner.rate(here, times[j - 1], f)
        _combined(y0, here, before, f, f0, rows[j - 1], new)
        before, here = here, new
    return here


def _combined(y0: Array, y1: Array, y2: Array, f1: Array, f0: Array, c: Array, out: Array) -> None:
    """Fill out, which may be one of them, with their combination in one pass."""
    levels = (y0, y1, y2, f1, f0, out)
    flat = levels if elsewhere(y0) else [a.reshape(-1) for a in levels]  # a device's kernels do not ask for shapes
    stencils.of(y0).recurrence(*flat[:5], c, flat[5])


@lru_cache(maxsize=512)
def real_boundary(stages: int, damping: float) -> float:
    """Return β(s) = (w₀ + 1) T″(w₀)/T′(w₀), the length of the stability interval."""
    _, first, second = _chebyshev(stages, 1 + damping / stages**2)
    return (2 + damping / stages**2) * second[-1] / first[-1]


def _chebyshev(s: int, w: float) -> tuple[Array, Array, Array]:
    """Return T_j(w), T_j′(w), T_j″(w) for j = 0…s."""
    T, d, dd = np.ones(s + 1), np.zeros(s + 1), np.zeros(s + 1)
    T[1], d[1] = w, 1.0
    for j in range(2, s + 1):
        T[j] = 2 * w * T[j - 1] - T[j - 2]
        d[j] = 2 * T[j - 1] + 2 * w * d[j - 1] - d[j - 2]
        dd[j] = 4 * d[j - 1] + 2 * w * dd[j - 1] - dd[j - 2]
    return T, d, dd


@lru_cache(maxsize=512)
def _coefficients(s: int, damping: float) -> tuple[Array, Array]:
    """Return per stage the weights of (y₀, y_{j−1}, y_{j−2}, dt f_{j−1}, dt f₀), and the nodes c_j."""
    w0 = 1 + damping / s**2
    T, d, dd = _chebyshev(s, w0)
    w1 = d[s] / dd[s]
    b = np.empty(s + 1)
    b[2:] = dd[2:] / d[2:] ** 2
    b[:2] = b[2]
    a = 1 - b * T
    weights, nodes = np.zeros((s + 1, 5)), np.zeros(s + 1)
    weights[1, 3] = b[1] * w1
    for j in range(2, s + 1):
        mu, nu, slope = 2 * b[j] * w0 / b[j - 1], -b[j] / b[j - 2], 2 * b[j] * w1 / b[j - 1]
        weights[j] = (1 - mu - nu, mu, nu, slope, -a[j - 1] * slope)
    nodes[2:] = w1 * dd[2:] / d[2:]
    nodes[1] = nodes[2] / (4 * w0)
    return weights, nodes


@lru_cache(maxsize=512)
def _table(stages: int, damping: float, dt: float) -> Array:
    """Return the weights of (y₀, y_{j−1}, y_{j−2}, f_{j−1}, f₀) of each stage from the first on, and of the error."""
    weights = _coefficients(stages, damping)[0]
    table = np.vstack([weights[1:] * (1, 1, 1, dt, dt), (0.8, -0.8, 0.0, 0.4 * dt, 0.4 * dt)])
    table[0, 0] = 1.0
    return table


def examples() -> Iterator[RungeKuttaChebyshev]:
    """Yield members to hold the laws to: little damping, and as much as advection asks for."""
    for damping in (2 / 13, 2.0, 10.0):
        yield RungeKuttaChebyshev(damping)
