"""Laws on the line by their quantiles, how far these may be off, and what ever finer lists of levels tend to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.interpolate import PchipInterpolator

from mfgpde.core.arrays import Array
from mfgpde.core.estimate import Estimate, Kind
from mfgpde.densities import GaussianMixture
from mfgpde.samplers.generated import Generated
from mfgpde.samplers.line import REACH, Line, Quantiles

LEVELS = np.linspace(-REACH, REACH, 2049)
"""of N(0, 1), at which all laws are known"""
MASSES = np.exp(-0.5 * LEVELS**2) / np.exp(-0.5 * LEVELS**2).sum()


@dataclass(frozen=True, eq=False)
class Law:
    """A law by its quantiles at `LEVELS`, and how far in L²(N(0, 1)) the true ones may be.

    Extrapolated quantiles may fail to increase in far tails. They are left so: to put them in order would move the rest.
    """

    points: Array
    radius: float
    method: str

    @classmethod
    def of(cls, law: GaussianMixture) -> Law:
        """Return a mixture."""
        return cls(Quantiles(law)(LEVELS), 0.0, "quantiles")

    @classmethod
    def read(cls, law: Generated) -> Law:
        """Return a generated law."""
        fine = _at_levels(law.fine)
        if np.array_equal(law.fine.levels, LEVELS):
            return cls(fine, 0.0, law.method)
        return cls(fine, _distance(fine, _at_levels(law.coarse), 2), law.method)

    def to(self, other: Law, exponent: int) -> Estimate:
        """Return W: a radius of W₂ is one of W₁ too; half the levels, and leaps between them, tell what sums leave."""
        value = _distance(self.points, other.points, exponent)
        half = _distance(self.points, other.points, exponent, 2)
        left = abs(value - half) + Line(self.points, LEVELS, MASSES / MASSES.sum()).hidden(
            lambda z: other.points, exponent
        )
        bar = self.radius + other.radius + left + 1e-13 * float(np.abs(self.points).max())
        return Estimate(value, bar, Kind.EXTRAPOLATED, other.method)


def _at_levels(line: Line) -> Array:
    """Return the quantiles of a law known at other levels."""
    if np.array_equal(line.levels, LEVELS):
        return line.points
    rising = np.concatenate(([True], np.diff(np.maximum.accumulate(line.levels)) > 1e-12))
    z = line.levels[rising]
    return PchipInterpolator(z, line.points[rising])(np.clip(LEVELS, z[0], z[-1]))


def _distance(a: Array, b: Array, exponent: int, stride: int = 1) -> float:
    gap, masses = np.abs(a - b)[::stride], MASSES[::stride]
    return float((masses @ gap**exponent / masses.sum()) ** (1 / exponent))


def extrapolated(make: Callable[[int], Law], order: int, steps: int, most: int, near: float) -> Law:
    """Return the limit of `make(k)`, laws of a list of `steps` steps made k times as fine, k = 1, 2, 4, …, by two orders.

    It ends where extrapolations are closer than `near`, or after `most` steps. The radius is how far the last two are
    apart, more where they approach each other more slowly than by halves: so it holds for schemes whose order is not the
    one stated, too.
    """
    first, second = shares = [1 / (2 ** (order + j) - 1) for j in (0, 1)]
    carried = np.array([(1 + first) * (1 + second), first + second + 2 * first * second, first * second])
    k = 1
    row: list[Array] = []
    gaps, radii = [], []
    while True:
        law = make(k)
        radii.append(law.radius)
        before, row = row, [law.points]
        for share, coarser in zip(shares, before, strict=False):
            row.append(row[-1] + share * (row[-1] - coarser))
        if len(row) == len(before):
            gaps.append(_distance(row[-1], before[-1], 2))
        if len(gaps) > 1:
            grids = float(carried @ radii[:-4:-1])
            falling = grids > near and radii[-1] < 0.5 * radii[-2]
            steady = gaps[-1] <= near + 2 * grids and not falling
            if steady or 2 * k * steps > most:
                ratio = 2.0 if steady else gaps[-2] / gaps[-1]
                left = gaps[-1] / max(min(ratio - 1, 1.0), 1e-2)
                return Law(row[-1], left + grids, f"{k * steps} steps, extrapolated")
        k *= 2
