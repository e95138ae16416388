"""How far laws in the plane and in space are from mixtures: brackets of W₂ and divergences, each with its bar."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mfgpde.core.arrays import Array
from mfgpde.core.estimate import Estimate, Kind
from mfgpde.densities import GaussianMixture
from mfgpde.grids import CartesianGrid
from mfgpde.samplers.distances import Distances
from mfgpde.samplers.gridded import Gridded
from mfgpde.samplers.lattice import UNSEEN, Lattice
from mfgpde.transport import back_and_forth, wasserstein_gaussian

HELD = 1 - 1e-12
"""of a mixture, that the grid of a distance holds"""
UNEVEN = 3.0
"""times the largest gap between three grids, that a divergence may be off: where cells lie in the tails is by chance"""
LOBE = 4.0
"""cells within which a deposit's negative shares lie of what they belong to"""


@dataclass(frozen=True, eq=False)
class Flow:
    """The exact map from the first law: the law that it ends at, and where it takes the lattice's points, to what in L²."""

    end: GaussianMixture
    images: Callable[[], tuple[Array, float]]


@dataclass(frozen=True, eq=False)
class InSpace:
    """A law in the plane or in space, and on coarser lattices or grids, which tell its bar.

    >>> process = mfg.OrnsteinUhlenbeck(horizon=3.0)
    >>> data = mfg.GaussianMixture([1.0], [[0.5, 0.0]], [[0.2, 0.3]])
    >>> model = mfg.samplers.Model(process, mfg.ExactScore(process, data))
    >>> times = mfg.samplers.LogSNR().times(process, 20, stop=0.01)
    >>> law = mfg.samplers.generated_law(mfg.samplers.DDIM(), model, times, model.score.at(3.0), cells=64)
    >>> print(f"{law.against(model.score.at(0.01)).kl.value:.4f}")
    0.0073
    """

    fine: Lattice | Gridded
    coarser: tuple[Lattice | Gridded, ...]
    method: str
    flow: Flow | None = None

    @cached_property
    def folded(self) -> float:
        """The mass on which the map of a scheme without noise folds; zero with noise."""
        return self.fine.folded if isinstance(self.fine, Lattice) else 0.0

    def against(self, law: GaussianMixture) -> Distances:
        """Return W₂ and KL(p‖q) to a mixture p; KL is None where the map folds, and where p has what q does not show.

        W₂ lies between what grids, means and covariances say. Of a scheme without noise with the exact score, which starts
        from p_T, it is at most how far scheme and probability flow take the points of the lattice apart.
        """
        return Distances(w2=self._w2(law), kl=self._kl(law))

    def _kl(self, law: GaussianMixture) -> Estimate | None:
        (fine, beyond), *others = (_divergence(one, law) for one in (self.fine, *self.coarser))
        gap = max(abs(fine - other) for other, _ in others) * (1 if isinstance(self.fine, Lattice) else UNEVEN)
        return Estimate(fine, gap + beyond + 1e-12, Kind.EXTRAPOLATED, self.method) if np.isfinite(fine + gap) else None

    def _w2(self, law: GaussianMixture) -> Estimate:
        n, coarse = self.fine.grid.cells[0] // 2, self.coarser[-1]  # cells with several points each
        grids = [self._matching(law, k) for k in (n, n // 2)]
        (low, high, value, reach), (_, _, other, _) = (
            _matched(_on(one, grid), law) for one, grid in zip((self.fine, coarse), grids, strict=True)
        )
        bar = abs(value - other) + reach
        low, high = max(low - bar, 0.0), high + bar
        least, *others = (_by_moments(one, law) for one in (self.fine, *self.coarser))
        off = max(abs(least - one) for one in others) + 1e-9 * max(grids[0].lengths)
        low, how = max(low, least - off), f"{self.method}, matched on {n} cells an axis"
        if isinstance(self.fine, Lattice) and self.flow is not None and same(self.flow.end, law):
            images, radius = self.flow.images()
            whole, off = self.fine.apart(images)
            high, how = min(high, whole + off + radius), f"{how}, beside the flow"
        low, high = min(low, high), max(low, high)  # bounds that exclude each other are both off
        value = float(np.clip(value, low, high))
        return Estimate(value, max(value - low, high - value), Kind.EXTRAPOLATED, how)

    def _matching(self, law: GaussianMixture, cells: int) -> CartesianGrid:
        low, high = law.box(HELD)
        own = self.fine.box
        low, high = np.minimum(low, own[0]), np.maximum(high, own[1])
        middle, half = 0.5 * (low + high), 0.5 * float((high - low).max()) * cells / (cells - 6)
        return CartesianGrid(tuple(middle - half), tuple(middle + half), (cells,) * law.dimension)


def _on(one: Lattice | Gridded, grid: CartesianGrid) -> Gridded:
    return one.on(grid) if isinstance(one, Lattice) else one.moved(lambda x: (x, 0.0), grid)


def _matched(law: Gridded, other: GaussianMixture) -> tuple[float, float, float, float]:
    """Return a bracket of W₂, its value, and how far putting negative cells right can reach."""
    volume = law.grid.volume
    below = -float(np.minimum(law.density, 0.0).sum()) * volume
    found = back_and_forth(np.maximum(law.density, 0.0), other.density(law.grid.points), law.grid)
    reach = float(np.sqrt(below)) * LOBE * law.grid.spacing[0]
    return found.lower, found.upper, found.distance.value, reach


def _by_moments(one: Lattice | Gridded, law: GaussianMixture) -> float:
    mean, covariance = moments(law)
    return wasserstein_gaussian(one.mean, one.covariance, mean, covariance)


def same(one: GaussianMixture, other: GaussianMixture) -> bool:
    """Whether two mixtures are one: weights, means and covariances, to the last bit."""
    return all(
        np.array_equal(a, b)
        for a, b in ((one.weights, other.weights), (one.means, other.means), (one.covariances, other.covariances))
    )


def moments(law: GaussianMixture) -> tuple[Array, Array]:
    """Return mean (d,) and covariance (d, d) of a mixture."""
    mean = law.weights @ law.means
    away = law.means - mean
    return mean, np.tensordot(law.weights, law.covariances, 1) + (away * law.weights[:, None]).T @ away


def _divergence(one: Lattice | Gridded, law: GaussianMixture) -> tuple[float, float]:
    """Return KL(p‖q), and what it may owe to where q is not known."""
    if isinstance(one, Lattice):
        found, _, beyond = one.divergences(law)
        return found, beyond
    q, log_p = one.density, law.log_density(one.grid.points)
    known = q > max(1e-11 * float(q.max()), -4 * float(q.min()))
    share = np.where(known, np.exp(log_p), 0.0) * one.grid.volume
    ratio = np.where(known, log_p - np.log(np.where(known, q, 1.0)), 0.0)
    missed = abs(1 - float(share.sum()))
    if missed > UNSEEN:
        return np.inf, np.inf
    return float(np.sum(share * ratio)), missed * (1 + 2 * float(np.abs(ratio).max()))
