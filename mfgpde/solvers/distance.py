"""How far apart two reconstructions are, and what one has outside of a box: on panels on which both are polynomials.

By Cauchy and Schwarz ∫_K|u − v| ≤ (|K| ∫_K (u − v)²)^½, which Gauss's rule has exactly; what an expansion has beyond
polynomials is bounded and added.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mfgpde.core.arrays import Array
from mfgpde.discretisations import FiniteVolume
from mfgpde.grids import CartesianGrid
from mfgpde.solvers.bounded_residual import AIM, Sizes, panels_of, points_of, trigonometric
from mfgpde.solvers.reconstruction import (
    CUT,
    DEGREE,
    FALL,
    Panels,
    Reconstruction,
    outer,
    squared_distance,
    weights_of_square,
)

SAME = 1e-9
"""of a box: edges that are nearer are one"""


def bounded_gap(space: Any, second: Array, other: Any, first: Array, aim: float = AIM) -> tuple[float, float]:
    """Return bounds of ∫|u − v| and ∫|x|²|u − v| of the reconstructions of two solves, on grids of their own.

    In the box of the first, which does not fall to zero there. Points of expansions may leave out about `aim`, which is in
    the bounds.
    """
    spaces = tuple((one, Sizes.of(one, u[None])) for one, u in ((space, second), (other, first)))
    panels = tuple(common(spaces, axis, other.grid, aim=aim) for axis in range(second.ndim))
    volume = outer([one.lengths for one in panels])
    rest = sum(trigonometric(one, size, panels)[0] for one, size in spaces) * 2 * float(volume.sum())
    at = Reconstruction.on(space, panels, 0)
    gap = at.value(second) - Reconstruction.on(other, panels, 0, fall=False).value(first)
    each, most = np.sqrt(volume * at.squares(gap)), float(squared_distance(panels).max())
    return float(np.sum(each)) + rest, float(np.sum(each * weights_of_square(panels))) + rest * most


def beyond(space: Any, u: Array, grid: CartesianGrid, aim: float = AIM) -> tuple[float, float]:
    """Return bounds of ∫|u| and ∫|x|²|u| outside a grid's box, by its cells: tails are far from their mean squares."""
    if (space.grid.lower, space.grid.upper) == (grid.lower, grid.upper):
        return 0.0, 0.0
    sizes = Sizes.of(space, u[None])
    walls = [np.array([a, b]) for a, b in zip(grid.lower, grid.upper, strict=True)]
    panels = tuple(
        common([(space, sizes)], axis, space.grid, [walls[axis], _onward(grid, axis, space.grid)], aim=aim)
        for axis in range(u.ndim)
    )
    volume, inside = outer([one.lengths for one in panels]), np.ones([1] * u.ndim, dtype=bool)
    for axis, (one, (low, high)) in enumerate(zip(panels, walls, strict=True)):
        middles = 0.5 * (one.edges[1:] + one.edges[:-1])
        inside = inside & ((low < middles) & (middles < high)).reshape([-1 if k == axis else 1 for k in range(u.ndim)])
    at = Reconstruction.on(space, panels, 0)
    each = np.where(inside, 0.0, np.sqrt(volume * at.squares(at.value(u))))
    rest = 2 * trigonometric(space, sizes, panels)[0] * float(np.sum(np.where(inside, 0.0, volume)))
    far = float(squared_distance(panels).max())
    return float(np.sum(each)) + rest, float(np.sum(each * weights_of_square(panels))) + rest * far


def _onward(grid: CartesianGrid, axis: int, wide: CartesianGrid) -> Array:
    """Return the edges of cells as wide as a grid's, on to the ends of a wider one."""
    low, h = grid.lower[axis], grid.spacing[axis]
    below, above = np.floor((wide.lower[axis] - low) / h), np.ceil((wide.upper[axis] - low) / h)
    return low + h * np.arange(below, above + 1)


def common(
    spaces: Sequence[tuple[Any, Sizes]],
    axis: int,
    box: CartesianGrid,
    other: Sequence[Array] = (),
    least: int = 0,
    aim: float = AIM,
) -> Panels:
    """Return panels of a box on which reconstructions are polynomials: cells of splines, ends of falls, spans of waves.

    So are functions with `other` edges that `least` points see.
    """
    found, falls = [*other], []
    for space, _ in spaces:
        edges = space.grid.edges[axis]
        found.append(edges if isinstance(space, FiniteVolume) else panels_of(space, axis, 1, None).edges)
        if space.walls == "far" and not space.grid.periodic[axis]:
            falls.append(edges[[CUT, -CUT - 1]])
    edges = np.unique(np.clip(np.concatenate([*found, *falls]), box.lower[axis], box.upper[axis]))
    apart = np.diff(edges) > SAME * (edges[-1] - edges[0])
    edges = np.concatenate((edges[:-1][apart], edges[-1:]))
    middles, lengths = 0.5 * (edges[1:] + edges[:-1]), np.diff(edges)
    nodes = np.full(len(lengths), max(DEGREE if isinstance(space, FiniteVolume) else 0 for space, _ in spaces))
    waves = [size for space, size in spaces if not isinstance(space, FiniteVolume)]
    if waves:
        few, which = np.unique(np.ceil(lengths / lengths.min() * 16) / 16 * lengths.min(), return_inverse=True)
        each = [[points_of(size, axis, 0.5 * float(h), aim) for h in few] for size in waves]
        nodes = np.maximum(nodes, np.max(np.array(each), axis=0)[which])
    nodes = np.maximum(nodes, least)
    for low, high in falls:
        nodes = nodes + FALL * ((middles < low) | (middles > high)).astype(int)
    return Panels(edges, nodes)
