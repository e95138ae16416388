"""Cartesian grids in one to three dimensions: cell centres, faces, quadrature weights, refinement."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from mfgpde.core.arrays import Array

SLAB = 2**20  # points of a slab: tens of megabytes


@dataclass(frozen=True)
class CartesianGrid:
    """The box ∏[lower_i, upper_i] cut into `cells` equal cells per axis; unknowns live at cell centres.

    `periodic` says per axis whether the box repeats itself; by default it does along none.

    Raises ValueError for other than one to three axes, ends that are not finite and in order, and fewer than 4 cells.

    >>> grid = mfg.CartesianGrid((0.0, 0.0), (1.0, 2.0), (4, 8))
    >>> grid.spacing, grid.points.shape, float(grid.integrate(grid.points[..., 1]))
    ((0.25, 0.25), (4, 8, 2), 2.0)
    """

    lower: tuple[float, ...]
    upper: tuple[float, ...]
    cells: tuple[int, ...]
    periodic: tuple[bool, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "lower", tuple(map(float, self.lower)))
        object.__setattr__(self, "upper", tuple(map(float, self.upper)))
        object.__setattr__(self, "cells", tuple(map(int, self.cells)))
        object.__setattr__(self, "periodic", tuple(map(bool, self.periodic or (False,) * len(self.cells))))
        lengths = {len(self.lower), len(self.upper), len(self.cells), len(self.periodic)}
        if len(lengths) != 1 or not 1 <= len(self.cells) <= 3:
            raise ValueError(
                "lower, upper, cells and periodic need one entry per axis, one to three axes; "
                f"got {self.lower}, {self.upper}, {self.cells}, {self.periodic}"
            )
        if not all(np.isfinite((a, b)).all() and a < b for a, b in zip(self.lower, self.upper, strict=True)):
            raise ValueError(f"each lower end must be finite and below its upper end, got {self.lower}, {self.upper}")
        if min(self.cells) < 4:
            raise ValueError(f"a grid needs at least 4 cells per axis, got {self.cells}")

    @classmethod
    def cube(cls, half_width: float, cells: int, dimension: int, *, periodic: bool = False) -> CartesianGrid:
        """Return [−half_width, half_width]^dimension with `cells` cells per axis."""
        d = dimension
        return cls((-half_width,) * d, (half_width,) * d, (cells,) * d, (periodic,) * d)

    @property
    def dimension(self) -> int:
        """The number of axes d."""
        return len(self.cells)

    @property
    def lengths(self) -> tuple[float, ...]:
        """The side lengths of the box."""
        return tuple(b - a for a, b in zip(self.lower, self.upper, strict=True))

    @property
    def spacing(self) -> tuple[float, ...]:
        """The cell widths h_i."""
        return tuple(side / n for side, n in zip(self.lengths, self.cells, strict=True))

    @property
    def volume(self) -> float:
        """The volume of one cell, ∏h_i: the weight of the midpoint rule."""
        return float(np.prod(self.spacing))

    @cached_property
    def axes(self) -> tuple[Array, ...]:
        """The cell centres along each axis."""
        return tuple(
            np.asarray(a + h * (np.arange(n) + 0.5), dtype=float)
            for a, h, n in zip(self.lower, self.spacing, self.cells, strict=True)
        )

    @cached_property
    def points(self) -> Array:
        """The cell centres, shape (*cells, d)."""
        return _mesh(self.axes)

    def faces(self, axis: int) -> Array:
        """Return the centres of all faces normal to `axis`, walls included, shape (*cells + e_axis, d)."""
        return self._faces[axis]

    @cached_property
    def _faces(self) -> tuple[Array, ...]:
        return tuple(_mesh(self.face_axes(axis)) for axis in range(self.dimension))

    def face_slabs(self, axis: int) -> Iterator[tuple[tuple[slice, ...], Array]]:
        """Yield (where among all faces, face centres there) of the faces normal to `axis` that are not on its walls.

        A large grid in slabs of at most SLAB points, not kept. A smaller one in a single slab, which is the same array at
        each call: what is tabulated by its points finds its table again.
        """
        along, parts = self.axes_off_walls(axis), list(self.slabs(axis, SLAB))
        for where, part in parts:
            yield where, self._off_walls[axis] if len(parts) == 1 else _mesh((along[0][part], *along[1:]))

    def slabs(self, axis: int, most: int) -> Iterator[tuple[tuple[slice, ...], slice]]:
        """Yield (where among all faces, where along the first axis of those off the walls) of slabs of `most` points."""
        first = 0 if self.periodic[axis] else 1
        rest = (slice(None),) * (axis - 1) + (slice(first, self.cells[axis] + 1 - first),) if axis > 0 else ()
        sizes = tuple(len(x) for x in self.axes_off_walls(axis))
        depth, moved = max(1, most * sizes[0] // int(np.prod(sizes))), first * (axis == 0)
        for start in range(0, sizes[0], depth):
            stop = min(start + depth, sizes[0])
            yield (slice(start + moved, stop + moved), *rest), slice(start, stop)

    @cached_property
    def _off_walls(self) -> tuple[Array, ...]:
        return tuple(_mesh(self.axes_off_walls(axis)) for axis in range(self.dimension))

    def axes_off_walls(self, axis: int) -> tuple[Array, ...]:
        """Return the coordinates along each axis of the faces normal to one that are not on its walls."""
        along = self.face_axes(axis)
        return along if self.periodic[axis] else tuple(x[1:-1] if i == axis else x for i, x in enumerate(along))

    def face_axes(self, axis: int) -> tuple[Array, ...]:
        """Return the coordinates along each axis of the faces normal to one."""
        return tuple(self.edges[i] if i == axis else self.axes[i] for i in range(self.dimension))

    @cached_property
    def edges(self) -> tuple[Array, ...]:
        """The ends of the cells along each axis, walls included."""
        ends = zip(self.lower, self.upper, self.cells, strict=True)
        return tuple(np.linspace(a, b, n + 1) for a, b, n in ends)

    @cached_property
    def corners(self) -> Array:
        """The corners of all cells, shape (*(cells + 1), d)."""
        return _mesh(self.edges)

    def contains(self, x: Array) -> NDArray[np.bool_]:
        """Say which points (..., d) lie in the closed box."""
        return np.all((x >= self.lower) & (x <= self.upper), axis=-1)

    def integrate(self, values: Array) -> Array:
        """Return ∫ by the midpoint rule over the leading d axes of `values`."""
        return self.volume * values.sum(axis=tuple(range(self.dimension)))

    def minimum(self, values: Array) -> float:
        """Return the least value."""
        return float(values.min())

    def outer_share(self, values: Array) -> float:
        """Return the share of ∫|values| in the outermost cells of the walls that are not periodic."""
        inner = values[tuple(slice(None) if periodic else slice(1, -1) for periodic in self.periodic)]
        total = float(np.abs(values).sum())
        return (total - float(np.abs(inner).sum())) / total if total > 0 else 0.0

    def refined(self, k: int = 1) -> CartesianGrid:
        """Return the grid with 2^k times as many cells per axis."""
        return replace(self, cells=tuple(n * 2**k for n in self.cells))


def _mesh(axes: tuple[Array, ...]) -> Array:
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
