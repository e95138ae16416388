"""The law that a sampler generates, computed, not sampled: one front for lines, lattices and grids."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from mfgpde.core.arrays import Array
from mfgpde.densities import GaussianMixture
from mfgpde.samplers.contract import Model, Move, Sampler, checked_times, require_repeatable_model
from mfgpde.samplers.distances import Distances, on_the_line
from mfgpde.samplers.gridded import Gridded, start_grid
from mfgpde.samplers.heun import Heun
from mfgpde.samplers.in_space import Flow, InSpace, same
from mfgpde.samplers.lattice import Lattice
from mfgpde.samplers.line import Line, Quantiles
from mfgpde.scores import ExactScore

LEVELS_1D, CELLS_1D = 2049, 1536
"""points of a line; cells of a grid on it"""
POINTS, CELLS = {2: 256, 3: 40}, {2: 256, 3: 64}
"""points of a lattice an axis; cells of a grid"""
NEAR, MOST_STEPS = 1e-5, 1024
"""of the spread: flows closer than this are not refined; steps of the finest list, or four times those of the scheme's"""


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
    images: Callable[[Array], Array] | None = None
    """the quantiles at any levels, of a map that does not fold, where the sampler can run again"""

    def against(self, law: GaussianMixture) -> Distances:
        """Return the distances to a mixture; the sampler runs again from levels between which quantiles leap."""
        return on_the_line(self.fine, self.coarse, law, self.method, self.images)


def generated_law(
    sampler: Sampler, model: Model, times: Array, start: GaussianMixture, *, cells: int = 0
) -> Generated | InSpace:
    """Return the law that a sampler generates from `start` at the first of `times`, in one to three dimensions.

    On the line without noise by quantiles at `cells` levels (2049), a map of them; in the plane and in space by a lattice
    of so many points an axis (256, 40) with the map's Jacobians. With noise on so many cells an axis (1536, 256, 64), a
    push-forward and a blur a move. Raises ValueError for other dimensions, for a score that is random from call to call,
    and for moves that leave finite numbers.
    """
    require_repeatable_model(model, start, float(checked_times(times, model.process)[0]))
    if start.dimension > 1:
        return _in_space(sampler, model, times, start, cells)
    return line_law(sampler, model, times, start, cells)


def line_law(sampler: Sampler, model: Model, times: Array, start: GaussianMixture, cells: int = 0) -> Generated:
    """Return the law that a sampler generates on the line, as `generated_law` does."""
    if not sampler.stochastic:
        fine = Line.of(start, cells or LEVELS_1D)

        def images(x: Array) -> Array:
            return carried(x[:, None], flat(sampler.run(model, times)))[:, 0]

        found, method = images(fine.points), f"quantiles at {len(fine.points)} levels"
        sense = -1.0 if np.all(np.diff(found) <= 0) else 1.0
        return Generated(*fine.moved_twice(found), method, lambda z: images(Quantiles(start)(sense * z)))
    n = cells or CELLS_1D
    fine, coarse = (diffused(start, flat(sampler.run(model, times)), count).line() for count in (n, n // 2))
    return Generated(fine, coarse, f"push-forward and blur on {n} cells")


def _in_space(sampler: Sampler, model: Model, times: Array, start: GaussianMixture, cells: int) -> InSpace:
    if start.dimension > 3:
        raise ValueError(f"laws are computed in one to three dimensions, this one is in dimension {start.dimension}")
    n = cells or (CELLS if sampler.stochastic else POINTS)[start.dimension]
    if sampler.stochastic:
        fine, *coarser = (diffused(start, flat(sampler.run(model, times)), k) for k in (n, 3 * n // 4, n // 2))
        return InSpace(fine, tuple(coarser), f"push-forward and blur on {n} cells an axis")
    fine = Lattice.of(start, lambda x: carried(x, flat(sampler.run(model, times))), n)
    return InSpace(fine, (fine.halved(),), f"a lattice of {n} points an axis", _flow(model, times, start, fine))


def _flow(model: Model, times: Array, start: GaussianMixture, lattice: Lattice) -> Flow | None:
    """Return the probability flow along the times, where its law at the end is known: from p_T with the exact score."""
    score = model.score
    if not (isinstance(score, ExactScore) and same(score.at(float(times[0])), start)):
        return None
    x, masses = lattice.grid.points.reshape(-1, start.dimension), lattice.masses.ravel()

    def images() -> tuple[Array, float]:
        """Refine Heun's scheme until extrapolations agree."""
        before, gap, k = None, np.inf, 1
        near = NEAR * float(np.sqrt(np.trace(lattice.covariance)))
        found = last = x
        while gap > near and k * (len(times) - 1) <= max(MOST_STEPS, 4 * (len(times) - 1)):
            now = carried(x, flat(Heun().run(model, split(times, k))))
            if before is not None:
                found = now + (now - before) / 3
                gap = float(np.sqrt(masses @ np.sum((found - last) ** 2, axis=1)))
            before, last, k = now, found, 2 * k
        return found.reshape(lattice.images.shape), gap

    return Flow(score.at(float(times[-1])), images)


def split(times: Array, parts: int) -> Array:
    """Return times with each interval in so many equal parts."""
    n = len(times) - 1
    return np.interp(np.arange(n * parts + 1) / parts, np.arange(n + 1), times)


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
