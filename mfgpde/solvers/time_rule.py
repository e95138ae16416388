"""Clenshaw and Curtis's rule for integrals over time, both ends included; a ladder asks for more nodes to see its error."""

from __future__ import annotations

import numpy as np

from mfgpde.core.accuracy import nodes
from mfgpde.core.arrays import Array


def time_rule(start: float, end: float, asked: int = 17) -> tuple[Array, Array]:
    """Return nodes, increasing from `start` to `end`, and weights exact for polynomials of degree asked − 1.

    Raises ValueError for fewer than two nodes.

    >>> times, weights = mfg.solvers.time_rule(0.0, 1.0, 9)
    >>> print(f"{weights @ np.exp(times):.8f}")  # e − 1
    1.71828183
    """
    count = nodes(asked)
    if count < 2:
        raise ValueError(f"a rule with both ends needs at least two nodes, got {asked}")
    x = -np.cos(np.pi * np.arange(count) / (count - 1))
    weights = np.linalg.solve(np.polynomial.legendre.legvander(x, count - 1).T, [2.0] + [0.0] * (count - 1))
    times = start + 0.5 * (end - start) * (x + 1)
    times[-1] = end
    return times, 0.5 * (end - start) * weights
