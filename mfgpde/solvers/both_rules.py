"""Two rules of Gauss beside each other on a line: all of its cells, and more points in some of them, from one look."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mfgpde.core.arrays import Array
from mfgpde.solvers.reconstruction import Reconstruction


@dataclass(frozen=True, eq=False)
class BothRules:
    """Gauss points of all cells of a line and of a denser rule in some of them."""

    all: Reconstruction
    weights: Array
    """of the points of all cells"""
    few: Array
    """of those in the same cells as the denser ones, else zero"""
    many: Array
    """of the denser ones"""

    @classmethod
    def of(cls, at: Reconstruction, denser: Reconstruction, nodes: int) -> BothRules | None:
        """Return it; None where fields are looked at by tables."""
        if not at.several:
            return None
        inside = np.repeat(np.diff(np.append(denser.starts[0], len(denser.weights))) > 0, nodes)
        return cls(at.together(denser), at.weights, at.weights * inside, denser.weights)

    def norms(self, left: Array) -> tuple[float, float]:
        """Return ∫|r| by the points of all cells, and by what factor the denser rule raises it where it looks."""
        sizes = np.abs(left)
        usual, denser = np.split(sizes, [len(self.weights)])
        few = float(usual @ self.few)
        return float(usual @ self.weights), float(denser @ self.many) / few if few > 0 else 1.0
