"""What a bound asks of the solve whose error is bounded: how far its last field is from that of a second solve."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np

from mfgpde.core.arrays import Array
from mfgpde.core.taylor import NotEnclosed
from mfgpde.discretisations import Field, FiniteVolume, Spectral
from mfgpde.discretisations.simplices import Piecewise
from mfgpde.equations import Continuity, FokkerPlanck
from mfgpde.grids import CartesianGrid
from mfgpde.solvers.distance import bounded_gap
from mfgpde.solvers.element_gap import ElementField
from mfgpde.solvers.enclosed import Boxes
from mfgpde.solvers.means_of import Cells, Rule, Sampled, waves_left
from mfgpde.solvers.reconstruction import Panels, Reconstruction, coefficients, outer
from mfgpde.solvers.solved import Solved
from mfgpde.solvers.stands_for import StandsFor


class FirstField(Protocol):
    """The field whose error is bounded, as the function that it stands for, zero outside its box."""

    @property
    def dimension(self) -> int:
        """The dimension of the box."""
        ...

    @property
    def box(self) -> CartesianGrid:
        """A grid of the box."""
        ...

    def bounded_gap(self, space: Any, second: Array, aim: float) -> tuple[float, float]:
        """Return bounds of ∫|u − v| and ∫|x|²|u − v| over the box; NotEnclosed where they can be sampled only.

        About `aim` of them may be what points do not see of an expansion.
        """
        ...

    def apart(self, space: Any, second: Array, nodes: int, density: bool) -> float:
        """Return the norm of u − v in the box, sampled: in L¹ for densities, else the largest value."""
        ...

    def integral(self, f: Callable[[Array], Array], nodes: int) -> float:
        """Return ∫f u by Gauss points."""
        ...

    def sampled(self, f: Callable[[Array], Array], rule: Rule) -> Sampled:
        """Return f and u at the points of a rule on every cell."""
        ...

    def cells(self) -> Cells:
        """Return where u is smooth; NotEnclosed where that is not in boxes, or points are too few for a bound."""
        ...

    @property
    def negative(self) -> float:
        """What ∫u⁻ is at least: the negative part of its means over cells, or at their points."""
        ...


@dataclass(frozen=True, eq=False)
class GridField:
    """A field on a grid: its reconstruction, which does not fall to zero at far walls."""

    space: Any
    u: Array

    @property
    def dimension(self) -> int:
        """As in `FirstField`."""
        return self.space.grid.dimension

    @property
    def box(self) -> CartesianGrid:
        """As in `FirstField`."""
        return self.space.grid

    def bounded_gap(self, space: Any, second: Array, aim: float) -> tuple[float, float]:
        """As in `FirstField`."""
        return bounded_gap(space, second, self.space, self.u, aim)

    def apart(self, space: Any, second: Array, nodes: int, density: bool) -> float:
        """As in `FirstField`."""
        places = tuple(Panels(edges, np.full(len(edges) - 1, nodes)) for edges in self.space.grid.edges)
        at = Reconstruction.on(self.space, places, 0, fall=False)
        change = Reconstruction.on(space, places, 0).value(second) - at.value(self.u)
        return at.norm(change) if density else float(np.abs(change).max())

    def integral(self, f: Callable[[Array], Array], nodes: int) -> float:
        """As in `FirstField`."""
        places = tuple(Panels(edges, np.full(len(edges) - 1, nodes)) for edges in self.space.grid.edges)
        return Reconstruction.on(self.space, places, 0, fall=False).integral(f, self.u)

    def sampled(self, f: Callable[[Array], Array], rule: Rule) -> Sampled:
        """As in `FirstField`."""
        (x, w), d, grid = rule, self.dimension, self.space.grid
        nodes, half = len(x), [0.5 * np.diff(edges)[:, None] for edges in grid.edges]
        places = tuple(  # ends of a rule may be beyond those of the box by a rounding
            np.clip((0.5 * (e[1:] + e[:-1])[:, None] + h * x).ravel(), e[0], e[-1])
            for e, h in zip(grid.edges, half, strict=True)
        )
        weights = outer([(h * w).ravel() for h in half])
        starts = tuple(nodes * np.arange(n) for n in grid.cells)
        at = Reconstruction(self.space, 0, False, places, weights, starts)

        def by_cells(values: Array, parts: int = 1) -> Array:
            split = values.reshape(*(n for cells in grid.cells for n in (cells, nodes)), parts)
            return split.transpose(*range(0, 2 * d, 2), *range(1, 2 * d, 2), 2 * d).reshape(-1, nodes**d, parts)

        of = np.broadcast_to(np.asarray(f(at.points), dtype=float), at.weights.shape)
        values, u, weight = (by_cells(one)[..., 0] for one in (of, at.value(self.u), weights))
        return Sampled(values, u, weight, by_cells(at.points, d))

    def cells(self) -> Cells:
        """As in `FirstField`."""
        grid = self.space.grid
        if grid.dimension > 2:
            raise NotEnclosed("points are too few in space")
        boxes = Boxes(tuple(e[:-1] for e in grid.edges), tuple(e[1:] for e in grid.edges))
        left = 0.0
        if isinstance(self.space, Spectral):
            sizes, waves = coefficients(self.space, self.u[None])
            left = waves_left(sizes, waves, grid.spacing)
        return Cells(boxes, outer([np.diff(e) for e in grid.edges]).ravel(), left)

    @property
    def negative(self) -> float:
        """As in `FirstField`."""
        return self.space.grid.volume * float(np.sum(np.maximum(-self.u, 0.0)))


@dataclass(frozen=True, eq=False)
class OnGrid(StandsFor):
    """A solution by elements, as one by volumes on a grid of the same box: by it the second solve is chosen."""

    field: ElementField
    last: int

    @property
    def equation(self) -> Any:
        """The equation."""
        return self.solution.equation

    @property
    def discretisation(self) -> FiniteVolume:
        """Volumes in the same walls."""
        return FiniteVolume(self.field.grid, walls=self.solution.discretisation.walls)

    @property
    def fields(self) -> tuple[Field, ...]:
        """The field that is asked about, at the centres of the grid's cells."""
        return (Field(self.discretisation, self._centres),) * len(self.times)

    @cached_property
    def _centres(self) -> Array:
        return np.nan_to_num(self.solution.fields[self.last](self.field.grid.points))

    @property
    def start(self) -> Any:
        """What the solve began with."""
        return self.solution.start


def gridded(solution: Solved, last: int) -> tuple[Solved, FirstField]:
    """Return a solution as one on a grid, and its field at a time.

    TypeError for equations other than those of densities by elements, and meshes that fill no interval or rectangle.
    """
    space, values = solution.discretisation, solution.fields[last].values
    if not isinstance(solution.discretisation, Piecewise):
        return solution, GridField(space, values)
    if not isinstance(solution.equation, FokkerPlanck | Continuity):
        name = type(solution.equation).__name__
        raise TypeError(f"errors of elements are bounded for FokkerPlanck and Continuity equations, got {name}")
    if space.walls not in ("far", "reflecting"):
        raise TypeError(f"errors are bounded where walls are far or reflecting all around, got walls={space.walls!r}")
    field = ElementField.of(space, values)
    return OnGrid(solution, field, last), field
