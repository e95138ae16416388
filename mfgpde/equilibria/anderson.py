"""Anderson's acceleration of fixed-point iterations. — Walker, Ni, SIAM J. Numer. Anal. 49 (2011)."""

from __future__ import annotations

import numpy as np

from mfgpde.core.arrays import Array

DEPTH = 8  # results that it looks back on


class Mixer:
    """Remembers results and their steps; the norm may be weighted, as where tails carry no signal."""

    def __init__(self) -> None:
        self.before: list[Array] = []
        self.steps: list[Array] = []

    def mixed(self, before: Array, after: Array, weight: Array) -> Array:
        """Return the combination of recent results whose weighted steps cancel best."""
        self.before, self.steps = [*self.before, before][-DEPTH:], [*self.steps, after - before][-DEPTH:]
        if len(self.steps) < 3:
            return after
        weighted = [(weight * step).ravel() for step in self.steps]
        columns = np.stack([a - b for a, b in zip(weighted[1:], weighted, strict=False)], axis=1)
        shares = np.linalg.lstsq(columns, weighted[-1], rcond=1e-10)[0]
        result = after.copy()
        for k, share in enumerate(shares):
            result -= share * (self.before[k + 1] - self.before[k] + self.steps[k + 1] - self.steps[k])
        return result
