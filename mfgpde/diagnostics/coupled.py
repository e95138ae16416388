"""W₂² of two laws from above, by samples of both: batches are coupled as well as they can be.

W₂² is convex in both laws together, so that the mean of W₂² between batches of samples, whatever their size, is at least
that between the laws themselves (Villani, Optimal Transport (2009), theorem 4.8); larger batches are closer to it.
"""

from __future__ import annotations

from typing import cast

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment  # pyright: ignore[reportMissingTypeStubs, reportUnknownVariableType]
from scipy.spatial.distance import cdist

from mfgpde.core.arrays import Array
from mfgpde.core.estimate import Estimate
from mfgpde.diagnostics.intervals import mean_interval

BATCHES = 8
LARGEST = 1024
"""points of a batch: an assignment takes the third power of them"""


def coupled(a: Array, b: Array, batches: int = BATCHES) -> Estimate:
    """Return an upper bound of W₂² of the laws of samples (n, d) and (m, d), in expectation, with its 99 % interval.

    Raises ValueError for fewer samples than two a batch.

    >>> rng = np.random.default_rng(0)
    >>> found = mfg.diagnostics.coupled(rng.normal(size=(4096, 1)), 1 + rng.normal(size=(4096, 1)))
    >>> 1.0 <= found.value + found.half_width < 1.3
    True
    """
    size = min(len(a), len(b), batches * LARGEST) // batches
    if size < 2:
        raise ValueError(f"{batches} batches need two samples each of both laws, got {len(a)} and {len(b)}")
    costs = [_assigned(p, q) for p, q in zip(_split(a, size, batches), _split(b, size, batches), strict=True)]
    return mean_interval(costs, f"optimal coupling of {size} samples with {size}, mean", normal=True)


def _split(x: Array, size: int, batches: int) -> list[Array]:
    return [x[k * size : (k + 1) * size] for k in range(batches)]


def _assigned(p: Array, q: Array) -> float:
    squares = cdist(p, q, "sqeuclidean")
    _, partner = cast(tuple[Array, NDArray[np.intp]], linear_sum_assignment(squares))
    return float(np.mean(np.take_along_axis(squares, partner[:, None], axis=1)))
