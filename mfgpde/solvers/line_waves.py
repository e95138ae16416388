"""Cosines along a line with two ends, at points that stay: one transform, then a product with their waves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.fft import dct

from mfgpde.core.arrays import Array


@dataclass(frozen=True, eq=False)
class LineWaves:
    """The expansion through cells' values and its derivatives at points."""

    tables: tuple[Array, ...]
    """of the function, its slope and its curvature: each wave at each point, (waves, points)"""
    fall: tuple[Array, Array, Array] | None = None
    """χ, χ′ and χ″ at the points, where the function is multiplied by χ"""

    @classmethod
    def of(cls, cells: int, lower: float, upper: float, x: Array, derivatives: int) -> LineWaves:
        """Return it for so many equal cells.

        >>> from mfgpde.solvers.line_waves import LineWaves
        >>> middles, x = (np.arange(8) + 0.5) / 8, np.array([0.2, 0.5])
        >>> value, slope = LineWaves.of(8, 0.0, 1.0, x, 1)(np.cos(3 * np.pi * middles))
        >>> np.allclose(value, np.cos(3 * np.pi * x)), np.allclose(slope, -3 * np.pi * np.sin(3 * np.pi * x))
        (True, True)
        """
        k = np.pi / (upper - lower) * np.arange(cells)[:, None]
        scale = np.where(k == 0, np.sqrt(1 / cells), np.sqrt(2 / cells))
        waves = powers(np.pi / (upper - lower) * (x - lower), cells).T
        rows = [scale * waves.real]
        if derivatives:
            rows += [-scale * k * waves.imag, -(k**2) * rows[0]]
        return cls(tuple(rows[: derivatives + 1]))

    def cut(self, factors: tuple[Array, Array, Array]) -> LineWaves:
        """Return those of χu, from χ, χ′ and χ″ at the points."""
        return replace(self, fall=factors)

    def __call__(self, u: Array, derivatives: int | None = None) -> list[Array]:
        """Return function and derivatives of values u, (n), or of many, (m, n)."""
        several = len(self.tables) if derivatives is None else derivatives + 1
        found = dct(u, axis=-1, norm="ortho")
        made = [found @ table for table in self.tables[:several]]
        return made if self.fall is None else fallen(made, self.fall)


def fallen(made: Sequence[Array], fall: tuple[Array, Array, Array]) -> list[Array]:
    """Return χu and its derivatives, from those of u and χ, χ′ and χ″."""
    chi, slope, bend = fall
    cut = [chi * made[0]]
    if len(made) > 1:
        cut.append(slope * made[0] + chi * made[1])
    if len(made) > 2:
        cut.append(bend * made[0] + 2 * slope * made[1] + chi * made[2])
    return cut


def powers(angle: Array, n: int) -> NDArray[np.complex128]:
    """Return e^{ikφ} for k below n, (len(φ), n): products of the first few powers and of powers of those."""
    few = int(np.ceil(np.sqrt(n)))
    low, high = (np.exp(1j * np.outer(angle, step * np.arange(few))) for step in (1, few))
    return (high[:, :, None] * low[:, None, :]).reshape(len(angle), -1)[:, :n]
