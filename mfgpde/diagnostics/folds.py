"""Cells that a flow carries onto folded images: their negative mass comes off their nearest neighbours' excess.

A flow of a Lipschitz velocity does not fold; the polygon between the images of a cell's corners may, where the flow bends
within a cell. Signed masses of polygons add up: what one cell has below zero its neighbours have too much, and the mass of
a block is right up to the bends of its rim alone. Cutting off the negative part would leave the excess where it is not.

What this may do in W₂ is at most the cost of the blocks' plan. The cost of bringing the excess to where it is missing from
the nearest cells that have it is far less, and hardly above the least; twice that has held the truth wherever it is known.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from mfgpde.core.arrays import Array
from mfgpde.discretisations import Field
from mfgpde.transport.nearest import by_nearest

LEAST = 2.0
"""times the root of a repair's cost, that it may be off"""


@dataclass(frozen=True, eq=False)
class Unfolded:
    """A density without negative cells, the mass that was below zero, and how far, in W₂, putting it right can reach.

    `estimated`: that is twice the cheapest repair, no bound.
    """

    density: Field
    folded: float
    reach: float
    estimated: bool = False


def unfolded(density: Field) -> Unfolded:
    """Return a density whose negative cells are zero, the deficit taken off the smallest dyadic block that holds enough."""
    grid, values = density.grid, density.values
    folded = -float(grid.integrate(np.minimum(values, 0.0)))
    widths, square, size = np.asarray(grid.spacing), 0.0, 1
    while values.min() < 0 and size < 2 * max(grid.cells):
        size *= 2
        values, moved = _settled(values, size, last=size >= max(grid.cells))
        square += moved * grid.volume * size**2 * float(np.sum(widths**2))
    reach = float(np.sqrt(square))
    cheapest = _least(density) if folded > 0 else np.inf
    return Unfolded(replace(density, values=values), folded, min(reach, cheapest), cheapest < reach)


def _least(density: Field) -> float:
    """Return twice the W₂ of putting negative masses right from the nearest cells; infinite where there is not enough."""
    masses: Array = density.values * density.grid.volume
    return LEAST * float(np.sqrt(by_nearest(np.maximum(-masses, 0.0), np.maximum(masses, 0.0), density.grid)))


def _settled(values: Array, size: int, *, last: bool) -> tuple[Array, float]:
    """Return values after one round over blocks of size^d cells, and the sum of what was moved."""
    wide = np.pad(values, [(0, -n % size) for n in values.shape])
    shape = [part for n in wide.shape for part in (n // size, size)]
    axes = tuple(range(1, 2 * values.ndim, 2))
    blocks = wide.reshape(shape)
    below, above = np.minimum(blocks, 0.0), np.maximum(blocks, 0.0)
    deficit, excess = -below.sum(axis=axes, keepdims=True), above.sum(axis=axes, keepdims=True)
    settled = (deficit > 0) & ((excess >= deficit) | last)
    share = np.maximum(excess - deficit, 0.0) / np.where(excess > 0, excess, 1.0)
    new = np.where(settled, above * share, blocks).reshape(wide.shape)
    return new[tuple(slice(n) for n in values.shape)], float(np.where(settled, deficit, 0.0).sum())
