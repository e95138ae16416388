"""Slopes and bends of a function of position by central differences of order four, a fixed share of the box wide."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from mfgpde.core.arrays import Array

SHARE = 1 / 8000
"""of a side of the box: rounding leaves 1e-12 of a slope and 1e-9 of a bend, in any unit of length"""


def slopes(V: Callable[[Array], Array], x: Array, lengths: Sequence[float]) -> Array:
    """Return ∇V at points x (..., d) of a box with these sides."""
    found = []
    for axis, side in enumerate(lengths):
        far2, far1, near1, near2, h = _around(V, x, axis, SHARE * side)
        found.append((8 * (near1 - far1) - (near2 - far2)) / (12 * h))
    return np.stack(found, axis=-1)


def laplacian(V: Callable[[Array], Array], x: Array, lengths: Sequence[float]) -> Array:
    """Return ΔV at points x (..., d) of a box with these sides."""
    middle = np.asarray(V(x), dtype=float)
    total = np.zeros(x.shape[:-1])
    for axis, side in enumerate(lengths):
        far2, far1, near1, near2, h = _around(V, x, axis, SHARE * side)
        total = total + (16 * (near1 + far1) - (near2 + far2) - 30 * middle) / (12 * h * h)
    return total


def _around(V: Callable[[Array], Array], x: Array, axis: int, h: float) -> tuple[Array, Array, Array, Array, float]:
    """Return V at −2, −1, 1, 2 steps along an axis, and the step, a power of two near h: points move by it exactly."""
    h = 2.0 ** np.round(np.log2(h))
    e = np.eye(x.shape[-1])[axis]
    far2, far1, near1, near2 = (np.asarray(V(x + k * h * e), dtype=float) for k in (-2, -1, 1, 2))
    return far2, far1, near1, near2, float(h)
