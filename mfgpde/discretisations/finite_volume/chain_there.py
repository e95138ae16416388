"""A chain of jumps whose rates lie on a device: computed on the host once an instant, sent, and stepped there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from mfgpde.core.arrays import Array, contiguous
from mfgpde.grids import CartesianGrid
from mfgpde.integrators.contract import Moving
from mfgpde.kernels import stencils


@dataclass(frozen=True, eq=False)
class ChainThere:
    """du/dt = Au + b of an instant of a `JumpChain`: the same kernels on the device."""

    grid: CartesianGrid
    shape: tuple[int, int, int]
    """the three axes"""
    transposed: bool
    parts: dict[str, Any]
    """what lies there by name: "offsets", "up" and "down" (exchanged for expectations), "leaving" each cell; where there
    are any "added", "transport 0" and on, "spreading", and of what is reset "column" and "row" """
    fastest: float = np.inf
    """Gershgorin's bound, known on the host"""

    @classmethod
    def sent(cls, instant: Any, xp: Any) -> Self:
        """Return an instant of a `JumpChain`, sent."""
        jumps, transposed = instant.jumps, instant.transposed
        up, down = (jumps.down, jumps.up) if transposed else (jumps.up, jumps.down)
        parts = {"up": up, "down": down, "leaving": instant.leaving}
        parts |= {name: part for name in ("added", "spreading") if np.ndim(part := getattr(instant, name))}
        parts |= {f"transport {axis}": v for axis, v in enumerate(instant.transport or ())}
        if instant.reset is not None:
            rate, law = instant.reset
            parts |= {"column": rate, "row": law} if transposed else {"column": law, "row": rate}
        there = {name: xp.asarray(np.ascontiguousarray(part, dtype=float)) for name, part in parts.items()}
        there["offsets"] = xp.asarray(np.ascontiguousarray(jumps.offsets, dtype=np.int32))
        return cls(instant.grid, jumps.shape, transposed, there, instant.spectral_radius(None, 0.0))

    def made_of(self, arrays: tuple[Any, ...]) -> ChainThere:
        """Return a chain of the same parts, others in their order."""
        return ChainThere(self.grid, self.shape, self.transposed, dict(zip(self.parts, arrays, strict=True)))

    def mean(self, other: ChainThere) -> ChainThere:
        """Return the means of all rates, of a chain that jumps along the same lattice vectors."""
        means = {name: 0.5 * (part + other.parts[name]) for name, part in self.parts.items() if name != "offsets"}
        return ChainThere(self.grid, self.shape, self.transposed, {**means, "offsets": self.parts["offsets"]})

    def rate(self, u: Array, t: float, out: Array | None = None) -> Array:
        """Return Au + b."""
        u, three, kernels, parts = contiguous(u), self.shape, stencils.on_device(), self.parts
        change: Array = np.empty_like(u) if out is None else out
        rates = parts["up"], parts["down"], parts["leaving"]
        kernels.jump(u.reshape(three), parts["offsets"], *rates, change.reshape(three))
        if "transport 0" in parts:
            for axis, n in enumerate(self.grid.cells):
                shape, v = (-1, n, int(np.prod(self.grid.cells[axis + 1 :]))), parts[f"transport {axis}"]
                kernels.limited_flux(u.reshape(shape), v, self.grid.periodic[axis], change.reshape(shape))
            if self.transposed:
                change -= u * parts["spreading"]
        if "row" in parts:
            change += parts["column"] * (np.sum(parts["row"] * u) * self.grid.volume)
        if "added" in parts:
            change += parts["added"]
        return change

    def frozen(self, t0: float, t1: float) -> ChainThere:
        """Return itself."""
        return self

    def spectral_radius(self, u: Array, t: float) -> float:
        """Return Gershgorin's bound."""
        return self.fastest

    def mass(self, u: Array) -> float:
        """Return ∫u."""
        return float(np.sum(u)) * self.grid.volume


def jumping_over(first: ChainThere, last: ChainThere) -> Moving:
    """Return the rates of both ends of a step, which have the same parts and lattice vectors; the mean is made there."""

    def made(_: Any, arrays: tuple[Any, ...]) -> tuple[Any, Any, Any]:
        half = len(arrays) // 2
        a, b = first.made_of(arrays[:half]), last.made_of(arrays[half:])
        return a, a.mean(b), b

    return Moving(np.empty(0), (*first.parts.values(), *last.parts.values()), made, ("jumps", tuple(first.parts)))
