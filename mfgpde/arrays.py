"""Array idioms shared by all rooms: component axes come last."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def dot(a: Array, b: Array) -> Array:
    """Return Σ_i a_i b_i over the last axis; several times faster than a sum over an axis of length one to three."""
    return np.einsum("...i,...i->...", a, b)
