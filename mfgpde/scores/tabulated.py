"""A field evaluated once at Chebyshev nodes in time and interpolated in between: for scores and drifts that cost much.

Grid solvers ask for the same points at hundreds of times. For fields analytic in time the interpolation error falls
geometrically with the number of nodes; the nodes are doubled until the last coefficients are below the tolerance.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from mfgpde.core.arrays import Array

OFTEN = 32
"""times that the same few points are asked for in a row before they have a table: as many as a table takes"""


@dataclass(eq=False)
class Tabulated:
    """field(x, t) on [start, end], for arrays of points that come again (grid centres and faces).

    `rtol` bounds the last tenth of the Chebyshev coefficients relative to the largest value of the field; few points
    (fewer than 64 numbers) go straight to the field until the same array was asked for OFTEN times in a row. Raises
    ValueError outside the interval, and where 257 nodes do not suffice for many points.

    >>> field = mfg.scores.Tabulated(lambda x, t: np.sin(t) * x, 0.0, 1.0)
    >>> print(f"{field(np.ones((64, 1)), 0.3)[0, 0]:.6f}")  # sin 0.3
    0.295520
    """

    function: Callable[[Array, float], Array]
    start: float
    end: float
    rtol: float = 1e-10
    _tables: list[tuple[Array, Array]] = field(default_factory=list[tuple[Array, Array]], repr=False)
    _few: tuple[Array | None, int] = field(default=(None, 0), repr=False)

    def __call__(self, x: Array, t: float) -> Array:
        """Return the field at points x and time t."""
        if not self.start - 1e-12 <= t <= self.end + 1e-12:
            raise ValueError(f"tabulated on [{self.start:g}, {self.end:g}], asked at t = {t:g}")
        if x.size < 64 and not any(known is x for known, _ in self._tables):
            points, times = self._few
            self._few = x, times + 1 if points is x else 1
            if self._few[1] <= OFTEN or not self._has_table(x):
                return self.function(x, t)
        theta = np.arccos(np.clip((2 * t - self.start - self.end) / (self.end - self.start), -1, 1))
        coefficients = self._coefficients(x)
        waves = np.cos(theta * np.arange(len(coefficients)))
        return np.asarray(np.tensordot(waves, coefficients, axes=1), dtype=float)

    def _has_table(self, x: Array) -> bool:
        """Whether few points have one, which nobody was promised: where nodes do not suffice they go to the field on."""
        try:
            self._coefficients(x)
        except ValueError:
            self._few = x, -(10**9)
            return False
        return True

    def _coefficients(self, x: Array) -> Array:
        for points, table in self._tables:
            if points is x:
                return table
        same = (table for points, table in self._tables if np.array_equal(points, x))  # by their numbers, once
        found = next(same, None)
        if found is None:
            found = self._tabulate(x)
        if len(self._tables) > 8:  # a ladder of grids leaves old tables behind
            del self._tables[:4]
        self._tables.append((x, found))
        return found

    def _tabulate(self, x: Array) -> Array:
        values: dict[float, Array] = {}
        for n in (16, 32, 64, 128, 256):
            angles = np.pi * np.arange(n + 1) / n  # nested: doubling keeps all earlier evaluations
            times = 0.5 * (self.start + self.end + (self.end - self.start) * np.cos(angles))
            for angle, t in zip(angles, times, strict=True):
                key = round(float(angle), 12)
                if key not in values:
                    values[key] = np.asarray(self.function(x, float(t)))
            samples = np.stack([values[round(float(angle), 12)] for angle in angles])
            ends = np.where((np.arange(n + 1) == 0) | (np.arange(n + 1) == n), 0.5, 1.0)
            transform = 2 / n * np.outer(ends, ends) * np.cos(np.outer(np.arange(n + 1), angles))
            table = np.tensordot(transform, samples, axes=1)
            tail = np.abs(table[-max(2, n // 10) :]).max()
            if tail <= self.rtol * np.abs(samples).max():
                keep = n + 1 - int(np.argmax(np.abs(table).reshape(n + 1, -1).max(axis=1)[::-1] > 0.1 * tail))
                return table[: max(keep, 1)]
        raise ValueError(
            f"the field is not resolved by 257 Chebyshev nodes on [{self.start:g}, {self.end:g}] (tail {tail:.1e})"
        )
