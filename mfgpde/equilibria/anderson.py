"""Anderson's acceleration of fixed-point iterations. — Walker, Ni, SIAM J. Numer. Anal. 49 (2011)."""

from __future__ import annotations

import numpy as np

from mfgpde.core.arrays import Array, to_host

DEPTH = 8  # results that it looks back on
DEPENDENT = 1e-10
"""squared sine of the angle below which a change of steps says nothing that later ones do not: √ of it is ten roundings"""


class Mixer:
    """Remembers results and their steps; the norm may be weighted, as where tails carry no signal.

    Least squares by normal equations over a few columns, newest first, each scaled to length one: fields may be as long as
    a device holds, and only numbers come to the host. A column that depends on newer ones, to rounding, is left out.
    """

    def __init__(self) -> None:
        self.before: list[Array] = []
        self.steps: list[Array] = []

    def mixed(self, before: Array, after: Array, weight: Array) -> Array:
        """Return the combination of recent results whose weighted steps cancel best."""
        self.before, self.steps = [*self.before, before][-DEPTH:], [*self.steps, after - before][-DEPTH:]
        if len(self.steps) < 3:
            return after
        weighted = [(weight * step).ravel() for step in self.steps]
        rows = np.stack([*(a - b for a, b in zip(weighted[1:], weighted, strict=False)), weighted[-1]])
        products = to_host(rows @ rows.T)
        result = after.copy()
        for k, share in enumerate(shares(products[:-1, :-1], products[:-1, -1])):
            if share:
                result -= share * (self.before[k + 1] - self.before[k] + self.steps[k + 1] - self.steps[k])
        return result


def shares(gram: Array, right: Array) -> Array:
    """Return the least-squares solution from columns' products, zero for columns that depend on later ones.

    Cholesky's factors, the last column first; a pivot is the squared sine of a column's angle to those before it.
    """
    size = np.sqrt(np.maximum(np.diag(gram), 0.0))
    scale = np.where(size > 0, size, 1.0)
    unit, scaled, found = gram / np.outer(scale, scale), right / scale, np.zeros(len(right))
    kept: list[int] = []
    for k in reversed(range(len(right))):
        if size[k] == 0:
            continue
        known = np.linalg.solve(unit[np.ix_(kept, kept)], unit[kept, k]) if kept else np.zeros(0)
        if unit[k, k] - unit[k, kept] @ known > DEPENDENT:
            kept.append(k)
    found[kept] = np.linalg.solve(unit[np.ix_(kept, kept)], scaled[kept])
    return found / scale
