"""Cells that a flow carries onto folded images: their negative mass comes off their nearest neighbours' excess.

A flow of a Lipschitz velocity does not fold; the polygon between the images of a cell's corners may, where the flow bends
within a cell. Signed masses of polygons add up: what one cell has below zero its neighbours have too much, and the mass of
a block is right up to the bends of its rim alone. Cutting off the negative part would leave the excess where it is not.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from mfgpde.core.arrays import Array
from mfgpde.discretisations import Field


@dataclass(frozen=True, eq=False)
class Unfolded:
    """A density without negative cells, the mass that was below zero, and how far, in W₂, putting it right can reach."""

    density: Field
    folded: float
    reach: float


def unfolded(density: Field) -> Unfolded:
    """Return a density whose negative cells are zero, the deficit taken off the smallest dyadic block that holds enough."""
    grid, values = density.grid, density.values
    folded = -float(grid.integrate(np.minimum(values, 0.0)))
    widths, square, size = np.asarray(grid.spacing), 0.0, 1
    while values.min() < 0 and size < 2 * max(grid.cells):
        size *= 2
        values, moved = _settled(values, size, last=size >= max(grid.cells))
        square += moved * grid.volume * size**2 * float(np.sum(widths**2))
    return Unfolded(replace(density, values=values), folded, float(np.sqrt(square)))


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
