"""Laws in the plane and in space carried by maps: weighted points of a lattice, with the map's Jacobians.

The law of T(X) has the density p(x)/|det DT(x)| at T(x). DT is had by central differences narrower than anything that T
does, of points that go along with those of the lattice: so it is right where T tears what lies between two modes, which
differences of neighbours are not. It needs nothing of the scheme but that points can be put through it, with memory or not.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mfgpde.core.arrays import Array
from mfgpde.densities import GaussianMixture
from mfgpde.grids import CartesianGrid
from mfgpde.kernels.deposit import deposit
from mfgpde.samplers.gridded import Gridded, start_grid

NARROW = 1e-5
"""of a deviation: half the width of differences, whose rounding is then 1e-11"""
WHOLE = 1e-6
"""by how much the masses of a lattice that resolves its law may differ from one"""
UNSEEN = 1e-3
"""of p, in a divergence: Gaussians have 1.2 times the log ratio of the last points there on average, other laws any"""
FOLDED = 1e-9
"""mass of points at which a map turns the other way round, above which its law has no density by change of variables"""


@dataclass(frozen=True, eq=False)
class Lattice:
    """The law of T(X), X of a mixture: masses p V and images of the lattice's points (*cells, d), and det DT (*cells).

    >>> start = mfg.gaussian(0.0, 1.0, 2)
    >>> law = mfg.samplers.Lattice.of(start, lambda x: 2 * x, 48)
    >>> print(f"{law.covariance[0, 0]:.6f}, {abs(law.divergences(mfg.gaussian(0.0, 4.0, 2))[1]) < 1e-8}")  # 4, no KL
    4.000000, True
    """

    start: GaussianMixture
    grid: CartesianGrid
    masses: Array
    images: Array
    determinants: Array

    @classmethod
    def of(cls, start: GaussianMixture, run: Callable[[Array], Array], cells: int) -> Lattice:
        """Return the law that a run, a map of points (n, d), makes of a mixture, on `cells` points an axis.

        Raises ValueError for dimensions other than two and three, images that are no finite numbers, and a lattice that
        does not resolve the mixture.
        """
        d = start.dimension
        if d not in (2, 3):
            raise ValueError(f"a lattice is for laws in the plane and in space, this one is in dimension {d}")
        grid = start_grid(start, cells)
        x = grid.points.reshape(-1, d)
        masses = start.density(x) * grid.volume
        if abs(float(masses.sum()) - 1) > WHOLE:
            raise ValueError(
                f"{cells} points an axis give the first law a mass of {masses.sum():.7g}: it is too narrow for them; "
                "ask for more cells"
            )
        width = NARROW * np.sqrt(np.diagonal(start.covariances, axis1=1, axis2=2).min(axis=0))
        shifts = np.concatenate((np.zeros((1, d)), np.diag(width), -np.diag(width)))
        y = np.asarray(run((x + shifts[:, None]).reshape(-1, d)), dtype=float)
        if y.shape != (len(shifts) * len(x), d) or not np.isfinite(y).all():
            wrong = int(np.sum(~np.isfinite(y).all(axis=-1))) if y.ndim == 2 else 0
            raise ValueError(f"{wrong} of {len(shifts) * len(x)} images are not finite, shape {y.shape}")
        y = y.reshape(len(shifts), *grid.cells, d)
        slopes = [(y[1 + k] - y[1 + d + k]) / (2 * width[k]) for k in range(d)]
        determinants = np.linalg.det(np.stack(slopes, axis=-1))
        return cls(start, grid, masses.reshape(grid.cells), y[0], determinants)

    def halved(self) -> Lattice:
        """Return the same law by every second point of every axis."""
        every = (slice(None, None, 2),) * self.grid.dimension
        low, h = np.asarray(self.grid.lower), np.asarray(self.grid.spacing)
        cells = self.masses[every].shape
        grid = CartesianGrid(tuple(low - 0.5 * h), tuple(low - 0.5 * h + 2 * h * cells), cells)
        masses = self.masses[every] * 2**self.grid.dimension
        return Lattice(self.start, grid, masses / masses.sum(), self.images[every], self.determinants[every])

    @property
    def folded(self) -> float:
        """The mass of the points where T turns the other way round than at most others: it is above zero where T folds."""
        up = float(self.masses[self.determinants > 0].sum())
        return min(up, max(float(self.masses.sum()) - up, 0.0))

    @property
    def mean(self) -> Array:
        """The mean (d,)."""
        return np.tensordot(self.masses, self.images, self.grid.dimension) / self.masses.sum()

    @property
    def covariance(self) -> Array:
        """The covariance (d, d)."""
        away = (self.images - self.mean).reshape(-1, self.grid.dimension)
        return (away * self.masses.reshape(-1, 1)).T @ away / self.masses.sum()

    def log_density(self) -> Array:
        """Return log q at the images, log p − log|det DT|, shape (*cells); infinite where the determinant is zero.

        Raises ValueError where the map folds: several points have one image, and their densities add up.
        """
        if self.folded > FOLDED:
            raise ValueError(f"the map folds on {self.folded:.2g} of the mass: its law's density is a sum over sheets")
        with np.errstate(divide="ignore"):
            return self.start.log_density(self.grid.points) - np.log(np.abs(self.determinants))

    def divergences(self, law: GaussianMixture) -> tuple[float, float, float]:
        """Return KL(p‖q) of a mixture p from this law q, KL(q‖p), and by how much the first may be off: what q misses of p.

        Both are sums over the lattice by change of variables, dy = |det DT| dx; infinite where the map folds. What is
        missing is taken to have no more than twice the log ratio of the least likely point; the first is infinite where
        that is more than `UNSEEN`, as of a law that is far narrower than p.
        """
        if self.folded > FOLDED:
            return np.inf, np.inf, np.inf
        log_p, log_q = law.log_density(self.images), self.log_density()
        share = np.exp(log_p) * np.abs(self.determinants) * self.grid.volume
        ratio = np.where(np.isfinite(log_q), log_p - log_q, 0.0)
        seen = (share > 1e-16) | (self.masses > 1e-16)
        missed = abs(1 - float(share.sum()))
        beyond = missed * (1 + 2 * float(np.abs(ratio[seen]).max())) if missed < UNSEEN else np.inf
        return float(np.sum(share * ratio)) if missed < UNSEEN else np.inf, -float(np.sum(self.masses * ratio)), beyond

    def apart(self, images: Array) -> tuple[float, float]:
        """Return (E|T(X) − S(X)|²)^½ of this map and another, which W₂ does not exceed, and by how much it may be off.

        The second number is how far the same sum over every second point of every axis, from either end, is from it.
        """
        squares = np.sum((self.images - images) ** 2, axis=-1)
        whole = float(np.sqrt(np.sum(self.masses * squares)))
        halves = [(slice(k, None, 2),) * self.grid.dimension for k in (0, 1)]
        parts = [float(np.sqrt(np.average(squares[each], weights=self.masses[each]))) for each in halves]
        return whole, max(abs(part - whole) for part in parts)

    def on(self, grid: CartesianGrid) -> Gridded:
        """Return the law on a grid: each point's mass shared over cells, sheets of a folded map added up."""
        points = np.ascontiguousarray(self.images.reshape(-1, grid.dimension))
        low, h = np.asarray(grid.lower), np.asarray(grid.spacing)
        return Gridded(grid, deposit(points, self.masses.ravel(), low, h, grid.cells) / grid.volume)

    @property
    def box(self) -> tuple[Array, Array]:
        """The least box that holds all images with a mass that counts."""
        seen = self.images[self.masses > 1e-13 * self.masses.max()]
        return seen.min(axis=0), seen.max(axis=0)
