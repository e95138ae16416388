"""Values and rates at four times, and the polynomial of degree seven through them: C¹ from piece to piece."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mfgpde.core.arrays import Array

HERMITE = 7
"""the degree"""


def hermite(ends: Sequence[tuple[Array, Array]], times: Array, k: int, t: float) -> tuple[Array, Array]:
    """Return the polynomial with the values and rates at four times about the piece k, and its rate, at a time in it.

    It has the values and rates of both ends of the piece.
    """
    first = min(max(k - 1, 0), len(times) - 4)
    h, near = float(times[k + 1] - times[k]), slice(first, first + 4)
    s, x = (times[near] - times[k]) / h, (t - float(times[k])) / h
    j = np.arange(8)
    conditions = np.vstack((s[:, None] ** j, j * s[:, None] ** np.maximum(j - 1, 0)))
    wanted = np.stack((x**j, j * x ** np.maximum(j - 1, 0) / h))
    weights = np.linalg.solve(conditions.T, wanted.T).T
    weights[:, 4:] *= h
    states = [u for u, _ in ends[near]] + [rate for _, rate in ends[near]]
    value, rate = (sum(w * u for w, u in zip(row, states, strict=True)) for row in weights)
    return np.asarray(value), np.asarray(rate)
