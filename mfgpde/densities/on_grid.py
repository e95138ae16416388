"""A density known by its values at the cells of a grid."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.interpolate import RegularGridInterpolator

from mfgpde.core.arrays import Array
from mfgpde.densities.cell_means import periods
from mfgpde.grids import CartesianGrid


@dataclass(frozen=True, eq=False)
class OnGrid:
    """Non-negative `values` (*cells) at the cell centres, normalised on construction.

    Multilinear in between, zero outside the box.

    >>> flat = mfg.densities.OnGrid(mfg.CartesianGrid((0.0,), (2.0,), (8,)), np.full(8, 3.0))
    >>> print(f"{np.exp(flat.log_density(np.array([[1.0]])))[0]:.6f}")  # uniform on an interval of length 2
    0.500000
    """

    grid: CartesianGrid
    values: Array

    def __post_init__(self) -> None:
        values = np.asarray(self.values, dtype=float)
        if values.shape != self.grid.cells:
            raise ValueError(f"values must have shape {self.grid.cells}, got {values.shape}")
        check_density(values, self.grid)
        object.__setattr__(self, "values", values / float(self.grid.integrate(values)))

    def density(self, x: Array) -> Array:
        """Return p(x), shape (...)."""
        interpolate = RegularGridInterpolator(self.grid.axes, self.values, bounds_error=False, fill_value=None)
        centred = np.clip(x, [a[0] for a in self.grid.axes], [a[-1] for a in self.grid.axes])
        return np.where(self.grid.contains(x), interpolate(centred).reshape(np.shape(x)[:-1]), 0.0)

    def cell_means(self, grid: CartesianGrid) -> Array:
        """Return the means over the cells of a grid, (*cells): the values on its own, exact means of p on another."""
        if grid == self.grid:
            return self.values.copy()
        means, lower, upper = np.zeros(grid.cells), np.array(self.grid.lower), np.array(self.grid.upper)
        for shift in periods(grid, lower, upper):
            part = self.values
            for axis in range(grid.dimension):
                part = np.moveaxis(np.tensordot(self._shares(grid, axis, shift[axis]), part, axes=(1, axis)), 0, axis)
            means += part
        return means

    def _shares(self, grid: CartesianGrid, axis: int, shift: float) -> Array:
        """Return the means over cells of an axis, moved by `shift`, of the function 1 at one centre and 0 at the others."""
        edges = grid.edges[axis] + shift
        u = (edges[:, None] - self.grid.axes[axis]) / self.grid.spacing[axis]
        rising, falling = (1 - np.clip(-u, 0, 1)) ** 2 / 2, (1 - np.clip(u, 0, 1)) ** 2 / 2
        rising[:, 0] = 0.5 - np.clip(-u[:, 0], 0, 0.5)  # flat from the outermost centres to the walls
        falling[:, -1] = 0.5 - np.clip(u[:, -1], 0, 0.5)
        return np.diff(rising - falling, axis=0) * self.grid.spacing[axis] / grid.spacing[axis]

    def log_density(self, x: Array) -> Array:
        """Return log p(x), shape (...); −∞ where the density is zero."""
        with np.errstate(divide="ignore"):
            return np.log(self.density(x))

    def score(self, x: Array) -> Array:
        """Return ∇log p(x) by central differences over one cell."""
        steps = np.diag(self.grid.spacing)
        ends = [(self.log_density(x + 0.5 * h), self.log_density(x - 0.5 * h)) for h in steps]
        return np.stack([(b - a) / h for (b, a), h in zip(ends, self.grid.spacing, strict=True)], axis=-1)

    def sample(self, n: int, rng: np.random.Generator) -> Array:
        """Return n points: a cell by its mass, then uniform in the cell."""
        mass = self.values.ravel() / self.values.sum()
        cells = np.unravel_index(rng.choice(mass.size, size=n, p=mass), self.grid.cells)
        centres = self.grid.points[cells]
        return centres + (rng.random(centres.shape) - 0.5) * self.grid.spacing

    def box(self, mass: float) -> tuple[Array, Array]:
        """Return corners of the smallest centred-by-quantiles box of cells that holds at least `mass`."""
        lower, upper, tail = [], [], (1 - mass) / (2 * self.grid.dimension)
        for axis, (start, h) in enumerate(zip(self.grid.lower, self.grid.spacing, strict=True)):
            others = tuple(i for i in range(self.grid.dimension) if i != axis)
            cumulative = np.cumsum(self.values.sum(axis=others)) * self.grid.volume
            lower.append(start + h * np.searchsorted(cumulative, tail, side="right"))
            upper.append(start + h * min(np.searchsorted(cumulative, 1 - tail) + 1, len(cumulative)))
        return np.array(lower), np.array(upper)


def check_density(values: Array, grid: CartesianGrid) -> None:
    """Raise ValueError if `values` is not a density on `grid`: NaN, negative or not normalisable; say where.

    >>> mfg.densities.check_density(np.array([1.0, np.nan, 1.0, 1.0]), mfg.CartesianGrid((0.0,), (4.0,), (4,)))
    Traceback (most recent call last):
    ValueError: initial density is nan at cell 1, x = (1.5); densities must be finite
    """
    bad = ~np.isfinite(values)
    if bad.any():
        raise ValueError(f"initial density is {values[bad][0]} at {place(grid, bad)}; densities must be finite")
    if values.min() < 0:
        raise ValueError(
            f"initial density is negative ({values.min():.2g}) at {place(grid, values == values.min())}; "
            "densities must be ≥ 0; if it comes from an interpolation, clip it and normalise again"
        )
    if not values.sum() > 0:
        raise ValueError("initial density is zero everywhere on the grid; is the grid where the data is?")


def place(grid: CartesianGrid, mask: np.ndarray) -> str:
    """Name the first cell of a mask: its index and its centre.

    >>> mfg.densities.place(mfg.CartesianGrid((0.0,), (4.0,), (4,)), np.array([False, True, True, True]))
    'cell 1, x = (1.5)'
    """
    cell: tuple[int, ...] = tuple(map(int, np.argwhere(mask)[0]))
    centre = ", ".join(f"{x:.4g}" for x in grid.points[cell].tolist())
    return f"cell {cell if len(cell) != 1 else cell[0]}, x = ({centre})"


def examples() -> Iterator[OnGrid]:
    """Yield members to hold the laws to: a bump off the middle in one and two dimensions, and in nanometres."""
    for unit, cells in ((1.0, (80,)), (1.0, (60, 70)), (1e-9, (60, 70))):
        grid = CartesianGrid((-3.0 * unit,) * len(cells), (4.0 * unit,) * len(cells), cells)
        y = grid.points / unit - 0.4
        yield OnGrid(grid, np.exp(-0.5 * (y**2).sum(axis=-1)) * (1.2 + np.sin(2 * y[..., 0])))
