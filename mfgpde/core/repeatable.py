"""Functions that give the same values each time: what is random from call to call has no law, no residual, no order."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mfgpde.core.arrays import Array

SAME = 1e-5
"""of the largest value: sums in single precision whose order a device leaves open differ by less; dropout by more"""


def require_repeatable(function: Callable[[Array, float], Array], x: Array, t: float, what: str) -> Array:
    """Return function(x, t) of points (..., d). Raises ValueError where the same call a second time gives other values.

    >>> from mfgpde.core.repeatable import require_repeatable
    >>> require_repeatable(lambda x, t: -x, np.array([[2.0]]), 0.5, "the score")
    array([[-2.]])
    """
    one, two = (np.asarray(function(x.copy(), t)) for _ in range(2))
    if one.shape != two.shape:
        raise ValueError(f"{what} gives shape {one.shape}, and {two.shape} when asked the same again")
    if np.array_equal(one, two, equal_nan=True):
        return one
    with np.errstate(invalid="ignore"):
        change = np.abs(two - one)
    size = float(np.abs(one).max(initial=0.0, where=np.isfinite(one)))
    moved = ~(change <= SAME * size) & ~(np.isnan(one) & np.isnan(two)) & (one != two)
    if moved.any():
        k = tuple(int(i[0]) for i in np.nonzero(moved))
        where = ", ".join(f"{c:.3g}" for c in x[k[: x.ndim - 1]])
        raise ValueError(
            f"{what} is random: at x = ({where}), t = {t:g} it gives {one[k]:.6g}, and {two[k]:.6g} when asked the same "
            "again, where one function of x and t is expected; switch dropout and sampling off (model.eval(), "
            "training=False), or draw with a fixed seed within each call"
        )
    return one
