"""Laws on grids carried by moves x ↦ m(x) + s z: mass deposited where m takes it, then an exact Gaussian blur.

The deposit shares each cell's mass over four nodes an axis by Lagrange's cubic, which keeps mass, mean and the next two
moments: order four where law and m are resolved. Each move has a grid of its own around what it carries.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.fft
from scipy.interpolate import CubicSpline
from scipy.special import ndtri

from mfgpde.core.arrays import Array
from mfgpde.densities import GaussianMixture
from mfgpde.grids import CartesianGrid
from mfgpde.kernels.deposit import deposit
from mfgpde.samplers.contract import Move
from mfgpde.samplers.line import Line

SEEN = 1e-13
"""of the largest density: cells with less, or with no more than the rounding below zero, say nothing of a law's extent"""
MARGIN = 8.3
"""deviations of the added noise around what is carried"""
FAINT = 1e-15
"""mass beyond a point below which its level is rounding"""
CLEAR = 3
"""cells around what is carried, for the deposit's shares"""


@dataclass(frozen=True, eq=False)
class Gridded:
    """A law by its density at the cell centres of a grid in one to three dimensions.

    >>> grid = mfg.CartesianGrid.cube(9.0, 128, 1)
    >>> law = mfg.samplers.Gridded.of(mfg.gaussian(1.0, 0.5), grid).moved(lambda x: (0.5 * x, 0.5))
    >>> print(f"{law.mean[0]:.6f}, {law.covariance[0, 0]:.6f}")  # ½, ⅛ + ¼
    0.500000, 0.375000
    """

    grid: CartesianGrid
    density: Array

    @classmethod
    def of(cls, law: GaussianMixture, grid: CartesianGrid) -> Gridded:
        """Return a mixture on a grid."""
        return cls(grid, law.density(grid.points))

    def moved(self, move: Move, target: CartesianGrid | None = None) -> Gridded:
        """Return the law of m(X) + s z, on `target` or on as many cells around it.

        Raises ValueError for a mean that is not finite or of another shape.
        """
        x = self.grid.points.reshape(-1, self.grid.dimension)
        means, deviation = move(x)
        means = np.ascontiguousarray(means, dtype=float)
        if means.shape != x.shape or not np.isfinite(means).all():
            raise ValueError(f"a move must take points {x.shape} to as many finite ones, got shape {means.shape}")
        weights = self.density.ravel() * self.grid.volume
        grid = target or self._around(means, deviation)
        carried = deposit(means, weights, np.asarray(grid.lower), np.asarray(grid.spacing), grid.cells)
        return Gridded(grid, blurred(carried / grid.volume, deviation, grid))

    def _around(self, means: Array, deviation: float) -> CartesianGrid:
        """Return a grid that holds what is carried and its blur, its nodes no closer than the carried points.

        Closer nodes would beat with them: waves longer than a cell, of relative size δ⁴ for spacings in the ratio 1 + δ,
        which a blur of less than some cells does not take away.
        """
        least = max(SEEN * float(self.density.max()), -2 * float(self.density.min()))
        counts = self.density.ravel() > least
        seen, before = means[counts], self.grid.points.reshape(-1, self.grid.dimension)[counts]
        low, high = seen.min(axis=0) - MARGIN * deviation, seen.max(axis=0) + MARGIN * deviation
        cells = np.asarray(self.grid.cells)
        width = np.maximum(high - low, 1e-12 * (1 + np.abs(high))) / (cells - 2 * CLEAR)
        carried = np.asarray(self.grid.spacing) * np.ptp(seen, axis=0) / np.maximum(np.ptp(before, axis=0), 1e-300)
        middle, half = 0.5 * (low + high), 0.5 * cells * np.maximum(width, carried)
        return CartesianGrid(tuple(middle - half), tuple(middle + half), self.grid.cells)

    @property
    def box(self) -> tuple[Array, Array]:
        """The least box that holds all cells with a density that counts."""
        seen = self.grid.points[self.density > SEEN * self.density.max()]
        return seen.min(axis=0), seen.max(axis=0)

    @property
    def mass(self) -> float:
        """The sum, one if nothing was lost."""
        return float(self.grid.integrate(self.density))

    @property
    def mean(self) -> Array:
        """The mean (d,)."""
        return np.tensordot(self.density, self.grid.points, self.grid.dimension) * self.grid.volume / self.mass

    @property
    def covariance(self) -> Array:
        """The covariance (d, d)."""
        away = (self.grid.points - self.mean).reshape(-1, self.grid.dimension)
        return (away * self.density.reshape(-1, 1)).T @ away * self.grid.volume / self.mass

    def line(self) -> Line:
        """Return a law on the line by its quantiles: the density integrated by a cubic spline from either end."""
        (x,), (h,) = self.grid.axes, self.grid.spacing
        q = np.maximum(self.density, 0.0)
        q = q / (q.sum() * h)
        left = np.maximum.accumulate(np.clip(_integral(x, q, h), FAINT / 2, 1 - FAINT))
        right = np.maximum.accumulate(np.clip(_integral(-x[::-1], q[::-1], h), FAINT / 2, 1 - FAINT))[::-1]
        kept = (left > FAINT) & (right > FAINT) & (q > 0)
        kept[1:] &= (np.diff(left) > 0) | (np.diff(right) < 0)
        levels = np.where(left < right, ndtri(left), -ndtri(right))[kept]
        masses = q[kept] / q[kept].sum()
        return Line(x[kept], levels, masses, masses / h)


def _integral(x: Array, q: Array, h: float) -> Array:
    whole = np.concatenate(([x[0] - h], x))
    return np.asarray(CubicSpline(whole, np.concatenate(([0.0], q))).antiderivative()(x))


def blurred(density: Array, deviation: float, grid: CartesianGrid) -> Array:
    """Return a density convolved with N(0, deviation² I), exactly for what the grid resolves."""
    if not deviation > 0:
        return density
    axes = tuple(range(grid.dimension))
    found = scipy.fft.rfftn(density, axes=axes)
    for axis, (n, h) in enumerate(zip(grid.cells, grid.spacing, strict=True)):
        k = 2 * np.pi * (scipy.fft.rfftfreq(n, h) if axis == grid.dimension - 1 else scipy.fft.fftfreq(n, h))
        shape = [1] * grid.dimension
        shape[axis] = -1
        found *= np.exp(-0.5 * (deviation * k) ** 2).reshape(shape)
    return np.asarray(scipy.fft.irfftn(found, s=grid.cells, axes=axes))


def start_grid(law: GaussianMixture, cells: int) -> CartesianGrid:
    """Return a grid that holds a mixture to about 1e-15."""
    low, high = law.box(1 - 1e-15)
    return CartesianGrid(tuple(low), tuple(high), (cells,) * law.dimension)
