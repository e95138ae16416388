"""The force of all on each: ∫K(x − y) p(y) dy at the cell centres of a grid, by fast Fourier transforms."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from scipy import fft

from mfgpde.core.arrays import Array
from mfgpde.grids import CartesianGrid


@dataclass(frozen=True, eq=False)
class Force:
    """The sum over cells of K at differences of centres, without a particle's force on itself.

    It is of order two in means over cells, and of every order in values of smooth densities that are periodic, or vanish at
    the walls. Raises ValueError where K is not finite.
    """

    interaction: Callable[[Array], Array]
    grid: CartesianGrid

    @cached_property
    def _kernel(self) -> tuple[Array, tuple[int, ...]]:
        """The transform of K at differences of centres, on a box twice as wide where axes are not periodic."""
        grid = self.grid
        sizes = tuple(n if p else 2 * n for n, p in zip(grid.cells, grid.periodic, strict=True))
        along = [h * ((np.arange(m) + m // 2) % m - m // 2) for m, h in zip(sizes, grid.spacing, strict=True)]
        z = np.stack(np.meshgrid(*along, indexing="ij"), axis=-1)
        with np.errstate(all="ignore"):
            K = np.array(np.broadcast_to(self.interaction(np.asarray(z, dtype=float)), z.shape), dtype=float)
        K[(0,) * grid.dimension] = 0.0  # a particle does not act on itself
        if not np.isfinite(K).all():
            where = z[tuple(np.argwhere(~np.isfinite(K))[0][:-1])]
            raise ValueError(f"the interaction is not finite at the difference {where.tolist()}")
        for axis, (m, periodic) in enumerate(zip(sizes, grid.periodic, strict=True)):
            if periodic and m % 2 == 0:  # half way round both ways are as short
                opposite: list[Any] = [slice(None)] * grid.dimension
                opposite[axis] = m // 2
                K[(*opposite, axis)] = 0.0
        transform: Any = fft.rfftn(K, axes=range(grid.dimension))
        return transform, sizes

    def __call__(self, u: Array) -> Array:
        """Return the force of a density (*cells), (*cells, d)."""
        transform, sizes = self._kernel
        axes = tuple(range(self.grid.dimension))
        law: Any = fft.rfftn(u, s=sizes, axes=axes)[..., None]
        found = fft.irfftn(transform * law, s=sizes, axes=axes) * self.grid.volume
        return found[tuple(slice(0, n) for n in self.grid.cells)]
