"""Libraries that offer whole loops, not steps: taken apart where this changes nothing, else taken as one move.

A loop over a list of levels is run on two levels at a time. If all these runs in turn end where the whole loop does, with
its noise set to zero, it has no memory, and its steps are moves. If not, or if it cannot be run so, the whole loop is one
move: a map where it adds no noise; where it does, its law can only be sampled.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from mfgpde.core.arrays import Array
from mfgpde.densities import GaussianMixture, gaussian
from mfgpde.samplers.adapters.perfect import Exact
from mfgpde.samplers.black_box import Standing

SAME = 1e-9
"""of the state: differences below are rounding"""


@dataclass(frozen=True, eq=False)
class Loop:
    """A library's loop: levels (α, σ), and `go`, which takes states (n,) from one level to a later one.

    `go(x, first, last, noise)`: with `noise` (n,) in place of all that it draws; None: it draws, seeded by `first`.
    """

    levels: Sequence[tuple[float, float]]
    go: Callable[[Array, int, int, Array | None], Array]


class LoopRun:
    """One run of a loop, seen as a black box is."""

    def __init__(self, loop: Loop, data: GaussianMixture) -> None:
        self.loop, self.exact, self.place = loop, Exact(data), 0
        self.start = self.exact.law(*loop.levels[0])
        self.prior = gaussian(0.0, loop.levels[0][1] ** 2)
        last = len(loop.levels) - 1
        x = float(np.sqrt(self.start.covariances[:, 0, 0].max())) * np.linspace(-2, 2, 9)
        whole, parts = loop.go(x, 0, last, 0 * x), x
        try:
            for k in range(last):
                parts = loop.go(parts, k, k + 1, 0 * x)
            apart = float(np.abs(whole - parts).max())
        except Exception:  # a loop that runs, but not on two levels alone: it counts on steps before
            apart = np.inf
        self.moves = [(k, k + 1) for k in range(last)]
        if not apart <= SAME * (1 + float(np.abs(whole).max())):
            self.moves = [(0, last)]
        self.calls = len(self.moves)

    def call(self, x: Array, noise: Array | None) -> Array:
        """Return the next states."""
        first, last = self.moves[self.place]
        self.place += 1
        return self.loop.go(x, first, last, noise)

    def standing(self) -> Standing:
        """Return the level of the present state."""
        k = self.moves[self.place][0] if self.place < self.calls else len(self.loop.levels) - 1
        alpha, sigma = self.loop.levels[k]
        return Standing(1.0, self.exact.law(alpha, sigma), alpha, sigma)
