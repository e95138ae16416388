"""Gaussian mixtures in any dimension, of a few components or tens of thousands: log p and its derivatives, exactly."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri

from mfgpde.core.arrays import Array
from mfgpde.core.renamed import renamed
from mfgpde.densities.cell_means import Wrapped
from mfgpde.densities.covariances import Dense, LowRank
from mfgpde.densities.gauss_points import averages
from mfgpde.densities.gaussian_cells import aligned, resolving, separable_means, smooth, smooth_means
from mfgpde.grids import CartesianGrid
from mfgpde.processes import Transition


@renamed(products="directional_derivatives")
class GaussianMixture:
    """p(x) = Σ_k w_k N(x; m_k, C_k): weights (k,), means (k, d), covariances of one of these kinds.

    One variance for all, or each (k,): multiples of the identity; variances (k, d): diagonal; matrices (k, d, d); or
    `LowRank.of(diagonal (k, d), factors (k, d, r))`, C = diag + U Uᵀ, for high dimensions. Sums over components run in
    memory that does not depend on their number.

    Raises ValueError for shapes that do not fit, weights that are negative, covariances that are not positive definite.

    >>> pair = mfg.GaussianMixture([0.5, 0.5], [[-1.0], [1.0]], 0.25)
    >>> print(f"{np.exp(pair.log_density(np.zeros(1))):.6f}")  # e⁻² / √(2π·0.25)
    0.107982
    """

    def __init__(self, weights: ArrayLike, means: ArrayLike, covariances: ArrayLike | LowRank | Dense) -> None:
        weights = np.atleast_1d(np.asarray(weights, dtype=float))
        self.means = np.atleast_2d(np.asarray(means, dtype=float))
        k, d = self.means.shape
        shape = np.shape(covariances) if not isinstance(covariances, LowRank | Dense) else covariances.dense_shape
        if weights.shape != (k,) or shape not in ((), (1,), (k,), (k, d), (k, d, d)):
            raise ValueError(
                f"shapes must be weights (k,), means (k, d), covariances (k,), (k, d) or (k, d, d); "
                f"got {weights.shape}, {self.means.shape}, {shape}"
            )
        if not (np.all(weights >= 0) and np.isfinite(weights).all() and weights.sum() > 0):
            raise ValueError(f"weights must be ≥ 0 with a positive sum, got {weights}")
        if not np.isfinite(self.means).all():
            raise ValueError("means must be finite")
        self.weights = weights / weights.sum()
        self.structure = _structure(covariances, k, d)

    def __repr__(self) -> str:
        return f"GaussianMixture({len(self.weights)} components in dimension {self.dimension})"

    @property
    def dimension(self) -> int:
        """The dimension d."""
        return self.means.shape[1]

    @property
    def covariances(self) -> Array:
        """The covariances as matrices (k, d, d)."""
        return self.structure.dense()

    @cached_property
    def _stored(self) -> tuple[Array, Array, Array, Array, float, Array]:
        """Centres (d, k), constants (k,), diagonal (d, k), factors (r, d, k), sign and traces of the precisions."""
        precision = self.structure.precision()
        constants = np.log(self.weights, where=self.weights > 0, out=np.full(len(self.weights), -np.inf))
        constants -= 0.5 * (precision.log_determinants + self.dimension * np.log(2 * np.pi))
        turned = np.ascontiguousarray(precision.factors.transpose(2, 1, 0))
        columns = (np.ascontiguousarray(a.T) for a in (self.means, precision.diagonal))
        centres, diagonal = columns
        return centres, constants, diagonal, turned, precision.sign, precision.trace

    def _flat(self, x: Array) -> Array:
        if x.shape[-1] != self.dimension:
            raise ValueError(f"points must have shape (..., {self.dimension}), got {x.shape}")
        return np.ascontiguousarray(x, dtype=float).reshape(-1, self.dimension)

    def _averages(self, x: Array, slopes: bool) -> tuple[Array, Array, Array]:
        from mfgpde.kernels.mixtures import mixture_averages

        points = self._flat(x)
        n = len(points)
        values, score, laplacian = np.empty(n), np.empty((n if slopes else 0, self.dimension)), np.empty(n)
        centres, constants, diagonal, factors, sign, trace = self._stored
        mixture_averages(points, centres, constants, diagonal, factors, sign, trace, slopes, values, score, laplacian)
        return (
            values.reshape(x.shape[:-1]),
            score.reshape(x.shape) if slopes else score,
            laplacian.reshape(x.shape[:-1]),
        )

    def log_density(self, x: Array) -> Array:
        """Return log p(x), shape (...)."""
        return self._averages(x, False)[0]

    def density(self, x: Array) -> Array:
        """Return p(x), shape (...), per length^d."""
        return np.exp(self.log_density(x))

    def score(self, x: Array) -> Array:
        """Return ∇log p(x), shape (..., d)."""
        return self._averages(x, True)[1]

    def laplacian(self, x: Array) -> Array:
        """Return Δlog p(x), shape (...)."""
        return self._averages(x, True)[2]

    def pieces(self, x: Array) -> tuple[Array, Array, Array]:
        """Return log p, ∇log p and Δlog p in one pass."""
        return self._averages(x, True)

    def directional_derivatives(self, x: Array, v: Array) -> tuple[Array, Array]:
        """Return Hv and ∇(vᵀHv), H = ∇²log p, for one direction v a point, shapes (..., d)."""
        from mfgpde.kernels.mixtures import mixture_products

        points, directions = self._flat(x), self._flat(np.broadcast_to(v, x.shape))
        product, slope = np.empty_like(points), np.empty_like(points)
        mixture_products(points, directions, *self._stored[:5], product, slope)
        return product.reshape(x.shape), slope.reshape(x.shape)

    def hessian(self, x: Array) -> Array:
        """Return ∇²log p(x), shape (..., d, d)."""
        return np.stack([self.directional_derivatives(x, e)[0] for e in np.eye(self.dimension)], axis=-1)

    def cell_means(self, grid: CartesianGrid) -> Array:
        """Return the means of p over the cells of a grid, wrapped along periodic axes, shape (*cells)."""
        if self.dimension != grid.dimension:
            raise ValueError(f"a law in dimension {self.dimension} has no means over cells in {grid.dimension}")
        along, C = aligned(self.covariances), self.covariances
        deviations = np.sqrt(self.structure.variances())
        means = np.zeros(grid.cells)
        if along.any():
            means += separable_means(self.weights[along], self.means[along], deviations[along], grid)
        fine = ~along & smooth(C, grid)
        if fine.any():
            means += smooth_means(self.weights[fine], self.means[fine], C[fine], grid)
        coarse = ~(along | fine)
        if coarse.any():
            share = self.weights[coarse].sum()
            rest = GaussianMixture(self.weights[coarse] / share, self.means[coarse], C[coarse])
            means += share * averages(Wrapped(rest, grid), grid, resolving(rest.means, rest.covariances))
        return means

    def sample(self, n: int, rng: np.random.Generator) -> Array:
        """Return n independent points, shape (n, d)."""
        which = rng.choice(len(self.weights), size=n, p=self.weights)
        return self.means[which] + self.structure.noise(which, rng)

    def groups(self, sizes: Sequence[int]) -> list[GaussianMixture]:
        """Return the mixtures of the first so many components, of the next, …; their precisions are those of the whole.

        Raises ValueError where sizes do not add up to the number of components.

        >>> pair = mfg.GaussianMixture([0.2, 0.3, 0.5], [[0.0], [1.0], [2.0]], 1.0)
        >>> [one.weights.tolist() for one in pair.groups([2, 1])]
        [[0.4, 0.6], [1.0]]
        """
        if sum(sizes) != len(self.weights):
            raise ValueError(f"groups are of all {len(self.weights)} components, got sizes {list(sizes)}")
        centres, constants, diagonal, factors, sign, trace = self._stored
        found, start = list[GaussianMixture](), 0
        for size in sizes:
            of = slice(start, start := start + size)
            one, share = object.__new__(GaussianMixture), self.weights[of].sum()
            one.weights, one.means, one.structure = self.weights[of] / share, self.means[of], self.structure.part(of)
            columns = (np.ascontiguousarray(a[..., of]) for a in (centres, diagonal, factors))
            near, along, turned = columns
            one._stored = near, constants[of] - np.log(share), along, turned, sign, trace[of]
            found.append(one)
        return found

    def box(self, mass: float) -> tuple[Array, Array]:
        """Return corners of a box that holds at least `mass` of every component."""
        reach = -ndtri((1 - mass) / (2 * self.dimension)) * np.sqrt(self.structure.variances())
        return (self.means - reach).min(axis=0), (self.means + reach).max(axis=0)

    def after(self, transition: Transition) -> GaussianMixture:
        """Return the mixture of factor·X + offset + N(0, covariance)."""
        factor, offset, covariance = map(np.asarray, (transition.factor, transition.offset, transition.covariance))
        means = (self.means @ factor.T if factor.ndim else factor * self.means) + offset
        return GaussianMixture(self.weights, means, self.structure.after(factor, covariance))


def _structure(covariances: ArrayLike | LowRank | Dense, k: int, d: int) -> LowRank | Dense:
    if isinstance(covariances, LowRank | Dense):
        return covariances
    values = np.asarray(covariances, dtype=float)
    if values.ndim == 3:
        return Dense.of(values)
    if values.ndim < 2:
        if not (np.isfinite(values).all() and np.all(values > 0)):
            raise ValueError(f"variances must be positive: covariance not positive definite (least {values.min():.2e})")
        values = np.repeat(np.broadcast_to(values, (k,))[:, None], d, axis=1)
    return LowRank.of(values)


def gaussian(mean: ArrayLike, covariance: ArrayLike, dimension: int = 1) -> GaussianMixture:
    """Return N(mean, covariance) as a mixture of one; numbers are read as multiples of ones and identity.

    The mean is (d,), a length, the covariance (d, d), length².
    Raises ValueError for a covariance that is not positive definite.

    >>> print(f"{mfg.gaussian(0.0, 0.5, dimension=2).log_density(np.zeros(2)):.6f}")  # −log(2π·0.5)
    -1.144730
    """
    mean = np.broadcast_to(np.asarray(mean, dtype=float), (np.size(mean) if np.ndim(mean) else dimension,))
    covariance = np.asarray(covariance, dtype=float)
    return GaussianMixture(np.ones(1), mean[None], covariance[None] if covariance.ndim else covariance)


def examples() -> Iterator[GaussianMixture]:
    """Yield members to hold the laws to: every kind of covariance, one to three dimensions, nanometres and gigametres."""
    means = np.array([[0.4, -1.0], [1.5, 0.3], [-1.2, 0.8]])
    shares, turned = np.array([0.5, 0.3, 0.2]), np.array([[0.5, 0.3], [0.3, 0.4]])
    for unit in (1.0, 1e-9, 1e9):
        yield gaussian(0.7 * unit, 0.3 * unit**2)
        yield GaussianMixture(shares, unit * means, unit**2 * np.array([turned, 0.2 * np.eye(2), turned[::-1, ::-1]]))
    yield GaussianMixture(shares, means, np.array([[0.3, 0.05], [0.1, 0.4], [0.2, 0.2]]))
    yield GaussianMixture([0.7, 0.3], [[0.0, 0.0, 0.0], [1.0, -1.0, 0.5]], LowRank.of(*_crossed()))


def _crossed() -> tuple[Array, Array]:
    return np.full((2, 3), 0.1), np.array([[[0.5], [0.2], [0.0]], [[0.0], [-0.4], [0.3]]])
