"""Whether a function that is read at points has a pole between them: one looks closer and closer around the largest."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mfgpde.core.arrays import Array

CLOSER = 8.0
"""times nearer from look to look"""
LOOKS = 8
"""after which a function that still grows has a pole"""
GROWS = 2.0
"""times from look to look on the average, at least"""
BETWEEN = 3, 6
"""looks at whose distances from the pole, once it is found, its power is read"""
SIDE = 17
"""points a side of a look"""
LARGE = 5.0
"""times what nine in ten points do not exceed: below nobody looks closer"""
SURE = 0.1
"""of an exponent, what looks leave open"""


def pole(
    size: Callable[[Array, float], Array], points: Array, values: Array, reach: Array
) -> tuple[Array, float] | None:
    """Return where a function grows without end and like which power of 1/distance; None where it does not.

    `size(x, step)` is its size at points (n, d), where derivatives are differences over a `step` of the distance to the
    next point; `values` is that at `points` (*n, d), which are `reach` (d,) apart.

    >>> from mfgpde.solvers.singular import pole
    >>> x = np.linspace(-1, 1, 41)[:, None]
    >>> def grows(x, step):
    ...     return np.abs(x[..., 0] - 0.0123) ** -1.5
    >>> place, power = pole(grows, x, grows(x, 0), np.array([0.05]))
    >>> round(float(place[0]), 6), round(power, 1)
    (0.0123, 1.5)
    """
    values = np.abs(values)
    largest = float(values.max())
    if largest <= LARGE * float(np.quantile(values, 0.9)):
        return None
    d, x = points.shape[-1], points[np.unravel_index(int(values.argmax()), values.shape)]
    around = np.stack(np.meshgrid(*[np.linspace(-1, 1, SIDE)] * d, indexing="ij"), axis=-1).reshape(-1, d)
    for look in range(LOOKS):
        near = reach * CLOSER**-look
        with np.errstate(all="ignore"):
            found = np.abs(size(x + near * around, float(np.min(near)) / SIDE / 10))
        found = np.where(np.isfinite(found), found, np.inf)
        x, now = x + near * around[int(found.argmax())], float(found.max())
        if now < largest * GROWS ** (look + 1):  # of all looks: a point that is near by chance leaves less to the next
            return None
    ways = np.concatenate((np.eye(d), -np.eye(d))) * reach
    with np.errstate(all="ignore"):
        far, near = (
            np.mean(np.abs(size(x + CLOSER**-k * ways, float(np.min(reach)) * CLOSER**-k / 100))) for k in BETWEEN
        )
    return x, float(np.log(near / far) / np.log(CLOSER) / (BETWEEN[1] - BETWEEN[0]))
