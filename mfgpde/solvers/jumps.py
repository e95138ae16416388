"""Whether a field that is read on a grid jumps between neighbours: where it rises by more than beside, one halves."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mfgpde.core.arrays import Array

MORE = 1.2
"""times what a field rises by on both sides, beyond which one looks closer"""
APART = 2
"""pairs of points from one to those beside it: a jump at a point is half in the pair before and half in the one after"""
SMALL = 1e-3
"""of a field's largest value: what rises by less is not looked at"""
FEW = 64
"""places an axis, where the field rises most beyond what it does beside"""
HALVINGS = 24
"""of a cell: what still rises by half then has a front thinner than all points"""


def jump(field: Callable[[Array], Array], points: Array) -> tuple[Array, float] | None:
    """Return where b_k jumps along its own axis between two of `points` (*cells, d), and by how much; None where none does.

    `field` takes points (n, d) and returns vectors. A front is halved: what rises by ε/h of itself within ε is smooth.

    >>> from mfgpde.solvers.jumps import jump
    >>> x = np.linspace(-2, 2, 41)[:, None]
    >>> place, size = jump(lambda x: np.sign(x - 0.123) - x**3, x)
    >>> round(float(place[0]), 6), round(size, 6)
    (0.123, 2.0)
    >>> jump(lambda x: np.tanh(50 * x), x) is None
    True
    """
    d = points.shape[-1]
    vectors = np.asarray(field(points.reshape(-1, d)), dtype=float).reshape(points.shape)
    found = [_along(field, np.moveaxis(points, k, 0), np.moveaxis(vectors[..., k], k, 0), k) for k in range(d)]
    return max((one for one in found if one), key=lambda one: one[1], default=None)


def _along(field: Callable[[Array], Array], lines: Array, values: Array, axis: int) -> tuple[Array, float] | None:
    rise = np.abs(np.diff(values, axis=0))
    if len(rise) < 5:
        return None
    beside = np.zeros_like(rise)
    beside[APART:] = rise[:-APART]
    beside[:-APART] = np.maximum(beside[:-APART], rise[APART:])
    excess = np.where(rise > np.maximum(MORE * beside, SMALL * float(np.abs(values).max())), rise - beside, 0.0)
    chosen = np.argsort(excess, axis=None)[::-1][:FEW]
    chosen = chosen[excess.ravel()[chosen] > 0]
    if not len(chosen):
        return None
    here = np.unravel_index(chosen, rise.shape)
    low, high = lines[here], lines[here[0] + 1, *here[1:]]
    below, above, least = values[here], values[here[0] + 1, *here[1:]], excess[here]
    for _ in range(HALVINGS):
        middle = 0.5 * (low + high)
        between = np.asarray(field(middle), dtype=float)[:, axis]
        left = np.abs(between - below) >= np.abs(above - between)
        low, below = np.where(left[:, None], low, middle), np.where(left, below, between)
        high, above = np.where(left[:, None], middle, high), np.where(left, between, above)
        steep = np.abs(above - below) > 0.5 * least
        low, high, below, above, least = (of[steep] for of in (low, high, below, above, least))
        if not len(low):
            return None
    sizes = np.abs(above - below)
    k = int(sizes.argmax())
    return 0.5 * (low[k] + high[k]), float(sizes[k])
