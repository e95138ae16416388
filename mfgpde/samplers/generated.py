"""The law that a sampler generates, computed, not sampled: one front for lines, lattices and grids."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from mfgpde.core.arrays import Array
from mfgpde.densities import GaussianMixture
from mfgpde.samplers.contract import Model, Move, Sampler
from mfgpde.samplers.distances import Distances, on_the_line
from mfgpde.samplers.gridded import Gridded, start_grid
from mfgpde.samplers.line import Line

LEVELS_1D, CELLS_1D = 2049, 1536
"""points of a line; cells of a grid on it"""


@dataclass(frozen=True, eq=False)
class Generated:
    """A law on the line, twice: with all of its points or cells, and with half of them, which tells its bar.

    >>> process, data = mfg.VariancePreserving(), mfg.densities.bimodal()
    >>> model = mfg.samplers.Model(process, mfg.ExactScore(process, data))
    >>> times = mfg.samplers.LogSNR().times(process, 40, stop=1e-3)
    >>> law = mfg.samplers.generated_law(mfg.samplers.Heun(), model, times, model.score.at(1.0))
    >>> found = law.against(model.score.at(1e-3)).w2
    >>> print(f"{found.value:.1e}", found.half_width < 1e-5)
    1.1e-03 True
    """

    fine: Line
    coarse: Line
    method: str

    def against(self, law: GaussianMixture) -> Distances:
        """Return the distances to a mixture."""
        return on_the_line(self.fine, self.coarse, law, self.method)


def generated_law(sampler: Sampler, model: Model, times: Array, start: GaussianMixture, *, cells: int = 0) -> Generated:
    """Return the law that a sampler generates on the line from `start` at the first of `times`.

    Without noise by quantiles at `cells` levels (2049), a map of them; with noise on as many cells (1536), a push-forward
    and a blur a move. Raises ValueError for other dimensions, and for moves that leave finite numbers.
    """
    if start.dimension != 1:
        raise ValueError(f"this is for laws on the line, in dimension {start.dimension} use Lattice.of or Gridded.of")
    if not sampler.stochastic:
        fine = Line.of(start, cells or LEVELS_1D)
        fine = fine.moved(carried(fine.points[:, None], flat(sampler.run(model, times)))[:, 0])
        return Generated(fine, fine.halved(), f"quantiles at {len(fine.points)} levels")
    n = cells or CELLS_1D
    fine, coarse = (diffused(start, flat(sampler.run(model, times)), count).line() for count in (n, n // 2))
    return Generated(fine, coarse, f"push-forward and blur on {n} cells")


def flat(steps: Iterable[list[Move]]) -> Iterator[Move]:
    """Yield all moves in turn."""
    for moves in steps:
        yield from moves


def carried(x: Array, moves: Iterable[Move]) -> Array:
    """Return where moves without noise take points. Raises ValueError for a move that adds noise."""
    for move in moves:
        x, deviation = move(x)
        if deviation > 0:
            raise ValueError("this move adds noise: points have no images, laws have (Gridded)")
    return x


def diffused(start: GaussianMixture, moves: Iterable[Move], cells: int) -> Gridded:
    """Return the law of the last state on a grid of `cells` cells an axis, from a mixture."""
    law = Gridded.of(start, start_grid(start, cells))
    for move in moves:
        law = law.moved(move)
    return law


def prior(model: Model, dimension: int = 1) -> GaussianMixture:
    """Return the law from which generation starts in practice, N(0, σ²I)."""
    return GaussianMixture(np.ones(1), np.zeros((1, dimension)), model.process.prior_variance)
