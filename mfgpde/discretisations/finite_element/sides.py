"""What happens at each part of a mesh's boundary: by the sides of a box, or by functions that say where."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mfgpde.core.arrays import Array
from mfgpde.discretisations.agreed import agreed
from mfgpde.discretisations.finite_element._petsc import MPI, fem, mesh
from mfgpde.discretisations.finite_element.ranks import over_ranks
from mfgpde.discretisations.finite_volume.walls import NAMES, Held, Inflow, Wall

PLAIN = ("far", "reflecting", "absorbing")
ON_FACE = 1e-6
"""of the box: how far the middle of a facet may be from the side that it lies on"""
Where = Callable[[Array], NDArray[np.bool_]]


@dataclass(frozen=True, eq=False)
class On:
    """A wall on the part of a mesh's boundary where a function of points (..., d) to booleans is true.

    >>> mfg.finite_element.On(lambda x: x[..., 0] > 0, "absorbing").wall
    'absorbing'
    """

    where: Where
    wall: Wall


@dataclass(frozen=True, eq=False)
class Part:
    """Facets of the boundary with one wall: their numbers, and the rank's own unknowns on them."""

    facets: NDArray[np.int32]
    unknowns: NDArray[np.int32]
    wall: Wall
    name: Any
    """(axis, side) of a box, or the number of an `On`"""

    @property
    def held(self) -> bool:
        """Whether the unknown has a given value there."""
        return self.wall == "absorbing" or isinstance(self.wall, Held)


@dataclass(frozen=True, eq=False)
class ElementSides:
    """The walls of a mesh: `plain`, one name for all, or `listed`: a pair an axis of a box, or parts of the boundary."""

    plain: str | None
    listed: tuple[Any, ...] = ()

    @classmethod
    def of(cls, walls: Any, dimension: int) -> ElementSides:
        """Read a name, a pair (lower, upper) per axis, or a sequence of `On`; ValueError for anything else."""
        if isinstance(walls, str):
            if walls not in PLAIN:
                raise ValueError(f"walls must be 'far', 'reflecting' or 'absorbing', got {walls!r}")
            return cls(walls)
        if isinstance(walls, Held | Inflow):
            return cls(None, (On(lambda x: np.ones(x.shape[:-1], dtype=bool), walls),))
        if not isinstance(walls, Sequence) or not walls:
            raise ValueError(f"walls are a name, a pair (lower, upper) per axis, or a sequence of On, got {walls!r}")
        listed = tuple(walls)
        if all(isinstance(one, On) for one in listed):
            found = [one.wall for one in listed]
        else:
            if len(listed) == 2 and dimension == 1 and all(isinstance(w, str | Held | Inflow) for w in listed):
                listed = (listed,)
            listed = tuple((one, one) if isinstance(one, str | Held | Inflow) else one for one in listed)
            if len(listed) != dimension or any(isinstance(pair, On) or len(pair) != 2 for pair in listed):
                raise ValueError(
                    f"walls need a pair (lower, upper) for each of {dimension} axes, or On(where, wall), got {walls!r}"
                )
            listed = tuple(map(tuple, listed))
            found = [wall for pair in listed for wall in pair]
        for wall in found:
            if not isinstance(wall, Held | Inflow) and wall not in PLAIN:
                known = ", ".join(repr(n) for n in NAMES if n in PLAIN)
                raise ValueError(f"a wall of a mesh is {known}, Held(value) or Inflow(flux), got {wall!r}")
        return cls(None, listed)

    @property
    def walls(self) -> list[Wall]:
        """Every wall that is there."""
        if self.plain is not None:
            return [self.plain]
        return [w for one in self.listed for w in ((one.wall,) if isinstance(one, On) else one)]

    @property
    def far(self) -> bool:
        """Whether any of them stands for infinity."""
        return "far" in self.walls

    @property
    def lets_out(self) -> bool:
        """Whether mass may pass one."""
        return any(wall == "absorbing" or isinstance(wall, Held | Inflow) for wall in self.walls)

    def parts(self, space: Any) -> list[Part]:
        """Return the boundary part by part, a facet in the first that it lies in; what lies in none of `On` reflects.

        Raises ValueError for an `On` that nothing lies on, and, with walls by axis, for a boundary that is no box's.
        Collective.
        """
        domain, dim = space.domain, space.domain.topology.dim
        domain.topology.create_connectivity(dim - 1, dim)
        facets = mesh.exterior_facet_indices(domain.topology)
        if self.plain is not None:
            return [_part(space, facets, self.plain, None)]
        middles = mesh.compute_midpoints(domain, dim - 1, facets)[:, : space.gdim] if len(facets) else np.zeros((0, 1))
        middles = middles.reshape(-1, space.gdim)
        free, found = np.ones(len(facets), dtype=bool), []
        for name, where, wall in self._named(space):
            here = free & agreed(space.comm, lambda where=where: _asked(where, middles))
            if not isinstance(name, tuple) and not over_ranks(space.comm, here.sum(), MPI.SUM):
                raise ValueError(
                    f"nothing of the boundary lies on part {name} of the walls, On(…, {wall!r}): parts are looked at in "
                    "the middles of facets, and the first that holds one has it"
                )
            free &= ~here
            found.append(_part(space, facets[here], wall, name))
        if not isinstance(self.listed[0], On) and over_ranks(space.comm, free.sum(), MPI.SUM):
            raise ValueError(
                "walls by axis are for boxes along the axes, and this boundary has other parts; say which wall is where: "
                "walls=(On(lambda x: …, 'absorbing'), …)"
            )
        return found

    def _named(self, space: Any) -> list[tuple[Any, Where, Wall]]:
        if isinstance(self.listed[0], On):
            return [(k, one.where, one.wall) for k, one in enumerate(self.listed)]
        x = space.domain.geometry.x[:, : space.gdim]
        lower = over_ranks(space.comm, x.min(axis=0, initial=np.inf), MPI.MIN)
        upper = over_ranks(space.comm, x.max(axis=0, initial=-np.inf), MPI.MAX)
        near, named = ON_FACE * float((upper - lower).max()), []
        for axis, pair in enumerate(self.listed):
            for side, wall in enumerate(pair):
                end = float((lower, upper)[side][axis])
                named.append(((axis, side), lambda x, a=axis, e=end: np.abs(x[..., a] - e) < near, wall))
        return named

    def far_share(self, space: Any, values: Array) -> float:
        """Return the share of ∫|values| in the cells at far walls."""
        dim, grid = space.domain.topology.dim, space.grid
        facets = [part.facets for part in self.parts(space) if part.wall == "far"]
        cells = mesh.compute_incident_entities(space.domain.topology, np.concatenate(facets), dim - 1, dim)
        beside = np.isin(np.repeat(space.own_cells, len(grid.points) // max(len(space.own_cells), 1)), cells)
        total = float(grid.integrate(np.abs(values)))
        return float(grid.integrate(np.abs(values) * beside)) / total if total > 0 else 0.0


def _asked(where: Where, x: Array) -> NDArray[np.bool_]:
    found = np.asarray(where(x))
    if found.shape != x.shape[:-1] or found.dtype != bool:
        raise ValueError(f"where a wall is is a function of points to booleans of shape {x.shape[:-1]}, got {found!r}")
    return found


def _part(space: Any, facets: NDArray[np.int32], wall: Wall, name: Any) -> Part:
    unknowns = fem.locate_dofs_topological(space.V, space.domain.topology.dim - 1, facets)
    return Part(facets, unknowns[unknowns < space.own], wall, name)
