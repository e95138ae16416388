"""Fields of finite elements beside a second solve on a grid of the same box: polynomials on cells, beside splines.

Slopes of elements jump, which an L¹ residual of their own would owe at every face, without end under refinement; their
distance to a smooth second solve is a sum over pieces on which both are polynomials. Intervals are cut where either has an
edge. Triangles lie, in equal parts, each in one cell of the grid where the mesh is one of boxes cut in two; where they
do not, the distance is sampled.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mfgpde.core.arrays import Array, require_host_memory
from mfgpde.core.taylor import NotEnclosed
from mfgpde.discretisations import FiniteVolume
from mfgpde.discretisations.simplices import Simplices, conical, gauss
from mfgpde.grids import CartesianGrid
from mfgpde.solvers.bounded_residual import Sizes, panels_of, points_of, trigonometric
from mfgpde.solvers.distance import common
from mfgpde.solvers.enclosed import Boxes
from mfgpde.solvers.hermite import largest_between
from mfgpde.solvers.means_of import Cells, Rule, Sampled
from mfgpde.solvers.reconstruction import (
    DEGREE,
    FALL,
    Panels,
    Reconstruction,
    at_points,
    outer,
    squared_distance,
    weights_of_square,
)

SAME = 1e-9
"""of a side: coordinates that are nearer are one"""
WHOLE = 1e-9
"""of a box: what a mesh may leave of it"""
MORE = 4
"""points above the degree at which distances are sampled"""
FINEST = 8
"""times the mean width of cells: cells of a line that are smaller do not make the second solve finer"""


@dataclass(frozen=True, eq=False)
class ElementField:
    """A field of elements on an interval or a rectangle, which `grid` fills; its cells in `parts` a side fit the grid's."""

    pieces: Simplices
    boxes: CartesianGrid
    """of the mesh, each cut into triangles, if it is of boxes"""
    cut: bool
    """whether it is not"""

    @classmethod
    def of(cls, space: Any, values: Array) -> ElementField:
        """Return it. TypeError for meshes of curved cells, and those that fill no interval or rectangle."""
        pieces = space.simplices(values)
        corners = pieces.corners.reshape(-1, pieces.corners.shape[-1])
        lower, upper = corners.min(axis=0), corners.max(axis=0)
        if len(lower) > 2 or abs(pieces.measures.sum() / np.prod(upper - lower) - 1) > WHOLE:
            raise TypeError(
                "errors of elements are bounded on intervals and rectangles, got another mesh; `mfg.solve_with_error` "
                "estimates errors on this one, and where walls are far a rectangle (`mfg.meshes.box`) around it has a bound"
            )
        sides = [_distinct(x, b - a) for x, a, b in zip(corners.T, lower, upper, strict=True)]
        if len(lower) == 1:
            widths = np.diff(sides[0])
            count = min(int(np.ceil(widths.sum() / widths.min())), FINEST * len(widths))
            return cls(pieces, _grid(lower, upper, (count,)), False)
        cells = tuple(len(side) - 1 for side in sides)
        if len(pieces.corners) % (cells[0] * cells[1]) == 0:
            found = cls(pieces, _grid(lower, upper, cells), False)
            if found._inside(*found._places(1, found.boxes)):
                return found
        ratio = np.sqrt(0.5 * len(pieces.corners) / np.prod(upper - lower))
        return cls(pieces, _grid(lower, upper, tuple(max(8, round(float(n * ratio))) for n in upper - lower)), True)

    @cached_property
    def grid(self) -> CartesianGrid:
        """A grid with about as many cells as there are unknowns."""
        return replace(self.boxes, cells=tuple(n * self.pieces.degree for n in self.boxes.cells))

    def _places(self, parts: int, grid: CartesianGrid) -> tuple[NDArray[np.intp], Array]:
        """Return a grid's cells that hold parts of triangles (m, 2), and the corners of those within them (m, 3, 2)."""
        ends = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
        corners = [self.pieces.points(origin + ends @ edges) for origin, edges in self.pieces.parts(parts)]
        at = (np.concatenate(corners) - grid.lower) / grid.spacing
        cells = np.floor(at.mean(axis=1)).astype(np.intp)
        return cells, at - cells[:, None]

    @staticmethod
    def _inside(cells: NDArray[np.intp], corners: Array) -> bool:
        slack = SAME * float(cells.max() + 1)
        return bool(corners.min() > -slack and corners.max() < 1 + slack)

    @property
    def box(self) -> CartesianGrid:
        """A grid of the box."""
        return self.grid

    @property
    def dimension(self) -> int:
        """The dimension of the box."""
        return self.grid.dimension

    def integral(self, f: Callable[[Array], Array], nodes: int) -> float:
        """Return ∫f u by Gauss points on every cell."""
        at, weights = gauss(self.grid.dimension, nodes)
        values = np.asarray(f(self.pieces.points(at))) * self.pieces.values(at)
        return float(np.sum(self._jacobians[:, None] * weights * values))

    def sampled(self, f: Callable[[Array], Array], rule: Rule) -> Sampled:
        """Return f and u at the points of a rule on every cell; on triangles its conical product."""
        at, weights = conical(self.grid.dimension, rule)
        x, u = self.pieces.points(at), self.pieces.values(at)
        return Sampled(
            np.broadcast_to(np.asarray(f(x), dtype=float), u.shape), u, self._jacobians[:, None] * weights, x
        )

    def cells(self) -> Cells:
        """Return the cells of a line; NotEnclosed for triangles."""
        if self.grid.dimension > 1:
            raise NotEnclosed("cells are triangles")
        ends = self.pieces.corners[:, :, 0]
        return Cells(Boxes((ends.min(axis=1),), (ends.max(axis=1),)), np.asarray(self.pieces.measures), 0.0)

    @property
    def negative(self) -> float:
        """What ∫u⁻ is, by Gauss points on every cell."""
        at, weights = gauss(self.grid.dimension, self.pieces.degree + 1)
        return float(np.sum(self._jacobians[:, None] * weights * np.maximum(-self.pieces.values(at), 0.0)))

    def apart(self, space: Any, second: Array, nodes: int, density: bool) -> float:
        """Return the norm of u − v at Gauss points of the elements; in L¹ from above, as roots of sums of squares."""
        at, weights = gauss(self.grid.dimension, max(nodes, self.pieces.degree + MORE))
        x = self.pieces.points(at)
        gap = np.abs(
            at_points(space, second, x.reshape(-1, x.shape[-1])).reshape(x.shape[:-1]) - self.pieces.values(at)
        )
        squares = self._jacobians * (gap**2 @ weights)
        return float(np.sum(np.sqrt(self.pieces.measures * squares))) if density else float(gap.max())

    @property
    def _jacobians(self) -> Array:
        return self.pieces.measures * self.grid.dimension  # of the unit simplex: a length of one, an area of a half

    def bounded_gap(self, space: Any, second: Array, aim: float) -> tuple[float, float]:
        """Return bounds of ∫|u − v| and ∫|x|²|u − v|; NotEnclosed where triangles and cells cut each other."""
        return (self._on_line if self.grid.dimension == 1 else self._in_plane)(space, second, aim)

    def _on_line(self, space: Any, second: Array, aim: float) -> tuple[float, float]:
        sizes = Sizes.of(space, second[None])
        panels = (common([(space, sizes)], 0, self.grid, [self.pieces.corners.ravel()], self.pieces.degree + 1, aim),)
        volume = outer([one.lengths for one in panels])
        rest = 2 * trigonometric(space, sizes, panels)[0] * float(volume.sum())
        at = Reconstruction.on(space, panels, 0)
        each = np.sqrt(volume * at.squares(at.value(second) - self._along(at.places[0])))
        moment = float(np.sum(each * weights_of_square(panels))) + rest * float(squared_distance(panels).max())
        return float(np.sum(each)) + rest, moment

    def _along(self, x: Array) -> Array:
        """Return the function at points of a line."""
        starts, ends = self.pieces.corners[:, :, 0].T
        order = np.argsort(np.minimum(starts, ends))
        first = np.minimum(starts, ends)[order]
        cells = order[np.clip(np.searchsorted(first, x, side="right") - 1, 0, len(order) - 1)]
        return self.pieces.value(cells, ((x - starts[cells]) / (ends - starts)[cells])[:, None])

    def _in_plane(self, space: Any, second: Array, aim: float) -> tuple[float, float]:
        if self.cut:
            raise NotEnclosed("triangles of the mesh are no halves of boxes")
        sizes = None
        if isinstance(space, FiniteVolume):
            parts = self.pieces.degree
            own, grid = DEGREE + (FALL if space.walls == "far" else 0), space.grid
        else:
            sizes, parts, grid = Sizes.of(space, second[None]), 1, self.boxes
            own = max(points_of(sizes, axis, 0.5 * h, aim) for axis, h in enumerate(grid.spacing))
        panels = tuple(Panels(edges, np.full(len(edges) - 1, own)) for edges in grid.edges)
        smooth = Reconstruction.on(space, panels, 0, fall=isinstance(space, FiniteVolume)).value(second)
        total, moment = self._beside(smooth, own, parts, grid)
        if sizes is not None:
            between = 1 + largest_between(own) ** grid.dimension  # the polynomials are those through Gauss points
            rest = between * trigonometric(space, sizes, panels, fall=False)[0] * float(np.prod(grid.lengths))
            fallen, weighed = _fallen(space, second, sizes)
            far = float(squared_distance(panels).max())
            return total + rest + fallen, moment + rest * far + weighed
        return total, moment

    def _beside(self, smooth: Array, own: int, parts: int, grid: CartesianGrid) -> tuple[float, float]:
        """Return bounds of ∫|u − v| and ∫|x|²|u − v|, v a polynomial on every cell by so many Gauss points a side."""
        degree = 2 * max(own - 1, self.pieces.degree)
        at, weights = gauss(2, degree + 1)
        require_host_memory(24 * len(at) * len(self.pieces.corners), f"{len(at)} points a triangle")
        smooth = smooth.reshape(grid.cells[0], own, grid.cells[1], own).transpose(0, 2, 1, 3)
        nodes = 0.5 * (np.polynomial.legendre.leggauss(own)[0] + 1)
        cells, corners = self._places(parts, grid)
        shapes, which = np.unique(np.round(corners, 6).reshape(len(corners), -1), axis=0, return_inverse=True)
        spots = [origin + at @ edges for origin, edges in self.pieces.parts(parts)]
        triangle = np.tile(np.arange(len(self.pieces.corners)), len(spots))
        spot = np.repeat(np.arange(len(spots)), len(self.pieces.corners))
        total = moment = 0.0
        for n, points in enumerate(spots):
            for k in range(len(shapes)):
                of = np.flatnonzero((which.ravel() == k) & (spot == n))
                if not len(of):
                    continue
                low, *ends = np.mean(corners[of], axis=0)
                inside = low + at @ (np.stack(ends) - low)
                basis = np.einsum("qa,qb->qab", _lagrange(nodes, inside[:, 0]), _lagrange(nodes, inside[:, 1]))
                v = smooth[cells[of, 0], cells[of, 1]].reshape(len(of), -1) @ basis.reshape(len(at), -1).T
                gap = self.pieces.values(points, triangle[of]) - v
                area = self.pieces.measures[triangle[of]] / parts**2
                squares = 2 * area * (gap**2 @ weights)
                x = grid.lower + (cells[of][:, None] + inside) * grid.spacing
                fourth = 2 * area * (np.sum(x**2, axis=-1) ** 2 @ weights)
                total += float(np.sum(np.sqrt(area * squares)))
                moment += float(np.sum(np.sqrt(fourth * squares)))
        return total, moment


def _fallen(space: Any, second: Array, sizes: Sizes) -> tuple[float, float]:
    """Return bounds of what the fall to zero at far walls takes from an expansion, and of its second moment."""
    panels = tuple(panels_of(space, axis, 1, sizes) for axis in range(second.ndim))
    volume = outer([one.lengths for one in panels])
    at = Reconstruction.on(space, panels, 0, fall=False)
    each = np.sqrt(volume * at.squares(at.value(second)))
    inner = np.zeros(each.shape, dtype=bool)
    inner[(slice(1, -1),) * each.ndim] = True  # the outermost panels are those of the fall
    each, weights = np.where(inner, 0.0, each), weights_of_square(panels)
    rest = 2 * trigonometric(space, sizes, panels, fall=False)[0] * float(volume.sum())
    return float(np.sum(each)) + rest, float(np.sum(each * weights)) + rest * float(squared_distance(panels).max())


def _lagrange(nodes: Array, x: Array) -> Array:
    """Return the polynomials that are one at a node and zero at the others, at points (q, n)."""
    apart = nodes[:, None] - nodes
    np.fill_diagonal(apart, 1.0)
    off = x[:, None] - nodes
    return np.stack([np.prod(np.delete(off, k, 1), axis=1) / np.prod(apart[k]) for k in range(len(nodes))], axis=1)


def _distinct(x: Array, side: float) -> Array:
    """Return coordinates without those that are the same but for rounding, in order."""
    found = np.unique(x)
    return found[np.concatenate(([True], np.diff(found) > SAME * side))]


def _grid(lower: Array, upper: Array, cells: tuple[int, ...]) -> CartesianGrid:
    return CartesianGrid(tuple(map(float, lower)), tuple(map(float, upper)), cells)
