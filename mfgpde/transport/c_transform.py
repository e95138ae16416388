"""c-transforms on lattices, φᶜ(y) = min_x ½|x − y|² − φ(x), axis by axis, and where their minima lie."""

from __future__ import annotations

import numpy as np

from mfgpde.core.arrays import Array, contiguous
from mfgpde.kernels import stencils


def transform(phi: Array, h: float, *, refine: bool = True) -> Array:
    """Return φᶜ at the lattice points."""
    return traced(phi, h, refine)[0]


Trace = list[tuple[Array, Array]]


def traced(phi: Array, h: float, refine: bool = True) -> tuple[Array, Trace]:
    """Return φᶜ, and for each axis where its minima lie."""
    g, trace = -phi, []
    for axis in range(phi.ndim):
        lines = contiguous(np.moveaxis(g, axis, -1))
        out, place, offset = np.empty_like(lines), np.empty_like(lines, dtype=np.int32), np.empty_like(lines)
        n = lines.shape[-1]
        flat = (a.reshape(-1, n) for a in (out, place, offset))
        stencils.of(lines).envelope(lines.reshape(-1, n), h, refine, *flat)
        trace.append((place, offset))
        g = np.moveaxis(out, -1, axis)
    return contiguous(g), trace


def returned(mass: Array, trace: Trace) -> Array:
    """Return the mass at the places whence φᶜ comes: −∂/∂φ of ∫φᶜ d(mass), exactly."""
    for axis in reversed(range(mass.ndim)):
        lines = contiguous(np.moveaxis(mass, axis, -1))
        out, n = np.empty_like(lines), lines.shape[-1]
        place, offset = (a.reshape(-1, n) for a in trace[axis])
        stencils.of(lines).scatter(lines.reshape(-1, n), place, offset, out.reshape(-1, n))
        mass = np.moveaxis(out, -1, axis)
    return contiguous(mass)
