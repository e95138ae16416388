"""Gaussian noise between reflecting walls or on circles, on logarithms of densities: tails keep their digits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mfgpde.core.arrays import Array
from mfgpde.grids import CartesianGrid
from mfgpde.kernels.tables import applied

RESOLVED = 0.75
"""standard deviation over cell width, below which the sampled Gaussian is off by more than 3e-5"""
RANGE = 600.0  # of logarithms that double precision holds at once


@dataclass(frozen=True, eq=False)
class Heat:
    """Transition matrices along each axis of a grid for noise of a given variance per axis."""

    matrices: tuple[Array, ...]

    @classmethod
    def on(cls, grid: CartesianGrid, variance: float, xp: Any = np) -> Heat:
        """Sample the Gaussian on a grid; ValueError if it is narrower than the cells bear."""
        if np.sqrt(variance) < RESOLVED * max(grid.spacing) * (1 - 1e-9):
            raise ValueError(
                f"noise of deviation {np.sqrt(variance):.3g} is narrower than {RESOLVED} cells of {max(grid.spacing):.3g}; "
                f"take at least {int(np.ceil(max(grid.lengths) * RESOLVED / np.sqrt(variance)))} cells a side"
            )
        pairs = zip(grid.cells, grid.spacing, grid.periodic, strict=True)
        return cls(tuple(xp.asarray(transition(n, h, variance, periodic)) for n, h, periodic in pairs))

    def __call__(self, logs: Array) -> Array:
        """Return the logarithm of the noised e^logs; the matrices are symmetric: it is its own transpose."""
        found, span = self.at_once(logs)
        return found if float(span) <= RANGE else self._by_lines(logs)

    def at_once(self, logs: Array) -> tuple[Array, Any]:
        """Return the same by one shift for all, right where the span of the logarithms, returned beside it, is ≤ `RANGE`.

        On a device nothing is fetched: whoever noises many times looks at the spans once.
        """
        top = np.max(logs)
        span = top - np.min(np.where(np.isfinite(logs), logs, np.inf))
        values = np.exp(logs - top)
        for axis, K in enumerate(self.matrices):
            values = applied(K, values, axis)
        return np.log(np.maximum(values, 1e-300)) + top, span

    def _by_lines(self, logs: Array) -> Array:
        for axis, K in enumerate(self.matrices):
            with np.errstate(divide="ignore"):
                table = np.log(K)
            lines = np.moveaxis(logs, axis, -1)
            flat = lines.reshape(-1, lines.shape[-1])
            out = np.empty_like(flat)
            for i in range(0, len(flat), 64):
                terms = flat[i : i + 64, None, :] + table[None]
                top = np.maximum(terms.max(axis=-1), -1e300)  # finite where nothing arrives
                with np.errstate(divide="ignore"):
                    out[i : i + 64] = top + np.log(np.sum(np.exp(terms - top[..., None]), axis=-1))
            logs = np.moveaxis(out.reshape(lines.shape), -1, axis)
        return logs


def transition(n: int, h: float, variance: float, periodic: bool = False) -> Array:
    """Return the Gaussian transition on n cells, walls reflecting or a circle: symmetric, positive, rows sum to one."""
    reach = int(np.ceil(10 * np.sqrt(variance) / h)) + n
    offsets = np.arange(-reach, reach + 1)
    width = variance
    for _ in range(20):  # the sampled Gaussian gets the variance it should have
        k = np.exp(-0.5 * (offsets * h) ** 2 / width)
        k /= k.sum()
        width *= variance / float(np.sum(k * (offsets * h) ** 2))
    i = np.arange(n)
    matrix = np.zeros((n, n))
    for offset, weight in zip(offsets, k, strict=True):
        if weight > 0:
            j = (i + offset) % (n if periodic else 2 * n)
            matrix[i, np.where(j < n, j, 2 * n - 1 - j)] += weight
    return 0.5 * (matrix + matrix.T)
