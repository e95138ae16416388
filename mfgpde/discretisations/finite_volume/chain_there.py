"""A chain of jumps whose rates lie on a device: computed on the host once an instant, sent, and stepped there."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from mfgpde.core.arrays import Array, contiguous
from mfgpde.grids import CartesianGrid
from mfgpde.kernels import stencils


@dataclass(frozen=True, eq=False)
class ChainThere:
    """du/dt = Au + b of an instant of a `JumpChain`: the same kernels on the device. Numbers of it stay on the host."""

    instant: Any
    xp: Any

    @property
    def grid(self) -> CartesianGrid:
        """The grid."""
        return self.instant.grid

    @cached_property
    def _rates(self) -> tuple[Array, Array, Array, Array]:
        """Offsets, up and down (exchanged for expectations), and what leaves each cell."""
        jumps = self.instant.jumps
        up, down = (jumps.down, jumps.up) if self.instant.transposed else (jumps.up, jumps.down)
        send = self._sent
        return self.xp.asarray(np.ascontiguousarray(jumps.offsets, dtype=np.int32)), send(up), send(down), send(
            self.instant.leaving
        )  # fmt: skip

    @cached_property
    def _added(self) -> Any:
        added = self.instant.added
        return self._sent(added) if np.ndim(added) else float(added)

    @cached_property
    def _transport(self) -> list[Array] | None:
        transport = self.instant.transport
        return None if transport is None else [self._sent(v) for v in transport]

    @cached_property
    def _spreading(self) -> Any:
        spreading = self.instant.spreading
        return self._sent(spreading) if np.ndim(spreading) else float(spreading)

    @cached_property
    def _reset(self) -> tuple[Array, Array] | None:
        """The column and the row of what is reset."""
        if self.instant.reset is None:
            return None
        rate, law = (self._sent(part) for part in self.instant.reset)
        return (rate, law) if self.instant.transposed else (law, rate)

    def _sent(self, values: Array) -> Any:
        return self.xp.asarray(np.ascontiguousarray(values, dtype=float))

    def rate(self, u: Array, t: float, out: Array | None = None) -> Array:
        """Return Au + b."""
        u, three, kernels = contiguous(u), self.instant.jumps.shape, stencils.on_device()
        change: Array = np.empty_like(u) if out is None else out
        kernels.jump(u.reshape(three), *self._rates, change.reshape(three))
        if self._transport is not None:
            for axis, v in enumerate(self._transport):
                shape = (-1, self.grid.cells[axis], int(np.prod(self.grid.cells[axis + 1 :])))
                kernels.limited_flux(u.reshape(shape), v, self.grid.periodic[axis], change.reshape(shape))
            if self.instant.transposed:
                change -= u * self._spreading
        if self._reset is not None:
            column, row = self._reset
            change += column * (np.sum(row * u) * self.grid.volume)
        if not isinstance(self._added, float) or self._added:
            change += self._added
        return change

    def frozen(self, t0: float, t1: float) -> ChainThere:
        """Return itself."""
        return self

    def spectral_radius(self, u: Array, t: float) -> float:
        """Return Gershgorin's bound."""
        return self.instant.spectral_radius(u, t)

    def mass(self, u: Array) -> float:
        """Return ∫u."""
        return float(np.sum(u)) * self.grid.volume
