"""Covariances of many components, as they are stored: diagonal plus low rank, or full matrices.

Both give what a mixture needs: precisions as diag(a) + sign·W Wᵀ, determinants, what becomes of them under an affine map
and noise, Gaussian samples, and spectra.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mfgpde.core.arrays import Array

SMALL = 20  # rows, up to which triangles are solved side by side: with 20 in a third of the time


@dataclass(frozen=True, eq=False)
class Precision:
    """P_k = diag(diagonal_k) + sign·W_k W_kᵀ: diagonal (k, d), W (k, d, r), and log det C_k = −log det P_k (k,)."""

    diagonal: Array
    factors: Array
    sign: float
    log_determinants: Array

    @property
    def trace(self) -> Array:
        """Return tr P_k, shape (k,)."""
        return self.diagonal.sum(axis=1) + self.sign * (self.factors**2).sum(axis=(1, 2))


@dataclass(frozen=True, eq=False)
class LowRank:
    """C_k = diag(diagonal_k) + U_k U_kᵀ: diagonal (k, d) positive, factors U (k, d, r), r may be zero.

    >>> factors = np.array([[[1.0], [1.0]]])  # C = I + UUᵀ
    >>> mfg.GaussianMixture([1.0], [[0.0, 0.0]], mfg.densities.LowRank.of(np.ones((1, 2)), factors)).score(np.ones(2))
    array([-0.33333333, -0.33333333])
    """

    diagonal: Array
    factors: Array

    @classmethod
    def of(cls, diagonal: Array, factors: Array | None = None) -> LowRank:
        """Check and complete: without factors the covariances are diagonal. Raises ValueError."""
        diagonal = np.asarray(diagonal, dtype=float)
        if diagonal.ndim != 2 or not (np.isfinite(diagonal).all() and diagonal.min(initial=np.inf) > 0):
            worst = diagonal.min(initial=np.inf)
            raise ValueError(f"diagonal must be positive, of shape (k, d): got {diagonal.shape}, least {worst:.2e}")
        factors = np.zeros((*diagonal.shape, 0)) if factors is None else np.asarray(factors, dtype=float)
        if factors.shape[:-1] != diagonal.shape or not np.isfinite(factors).all():
            raise ValueError(f"factors must be finite, of shape (*{diagonal.shape}, rank), got shape {factors.shape}")
        return cls(diagonal, factors)

    @property
    def dense_shape(self) -> tuple[int, ...]:
        """The shape (k, d, d) of the matrices."""
        return (*self.diagonal.shape, self.diagonal.shape[1])

    def precision(self) -> Precision:
        """Return P = D⁻¹ − W Wᵀ by Woodbury's formula: W = D⁻¹U L⁻ᵀ with L Lᵀ = I + UᵀD⁻¹U."""
        inverse = 1 / self.diagonal
        logs = np.log(self.diagonal).sum(axis=1)
        if not self.factors.shape[2]:
            return Precision(inverse, self.factors, -1.0, logs)
        scaled = inverse[:, :, None] * self.factors
        small = np.eye(self.factors.shape[2]) + np.swapaxes(self.factors, 1, 2) @ scaled
        lower = np.linalg.cholesky(small)
        W = np.swapaxes(_solved(lower, np.swapaxes(scaled, 1, 2)), 1, 2)
        logs += 2 * np.log(np.diagonal(lower, axis1=1, axis2=2)).sum(axis=1)
        return Precision(inverse, W, -1.0, logs)

    def part(self, which: slice) -> LowRank:
        """Return those of some components."""
        return LowRank(self.diagonal[which], self.factors[which])

    def dense(self) -> Array:
        """Return the matrices, shape (k, d, d)."""
        matrices = self.factors @ np.swapaxes(self.factors, 1, 2)
        index = np.arange(self.diagonal.shape[1])
        matrices[:, index, index] += self.diagonal
        return matrices

    def variances(self) -> Array:
        """Return the diagonals, shape (k, d)."""
        return self.diagonal + (self.factors**2).sum(axis=2)

    def noise(self, which: NDArray[np.int64], rng: np.random.Generator) -> Array:
        """Return one Gaussian vector of covariance C_k for each k in `which`, shape (n, d)."""
        n, (d, r) = len(which), self.factors.shape[1:]
        plain = np.sqrt(self.diagonal[which]) * rng.standard_normal((n, d))
        return plain + np.einsum("nij,nj->ni", self.factors[which], rng.standard_normal((n, r)))

    def after(self, factor: Array, covariance: Array) -> LowRank | Dense:
        """Return F C Fᵀ + Q; numbers are multiples of the identity, and keep the structure."""
        if factor.ndim or covariance.ndim:
            return Dense(self.dense()).after(factor, covariance)
        return LowRank(factor**2 * self.diagonal + covariance, factor * self.factors)


@dataclass(frozen=True, eq=False)
class Dense:
    """C_k as symmetric matrices (k, d, d).

    >>> turned = mfg.densities.Dense.of(np.array([[[2.0, 1.0], [1.0, 2.0]]]))
    >>> mfg.GaussianMixture([1.0], [[0.0, 0.0]], turned).score(np.ones(2))  # −C⁻¹x
    array([-0.33333333, -0.33333333])
    """

    matrices: Array

    @classmethod
    def of(cls, matrices: Array) -> Dense:
        """Check that all are positive definite. Raises ValueError with the worst one."""
        smallest = np.linalg.eigvalsh(matrices).min(axis=-1)
        if not np.all(smallest > 0):
            worst = int(np.argmin(smallest))
            raise ValueError(
                f"covariance of component {worst} is not positive definite (least eigenvalue {smallest[worst]:.2e})"
            )
        return cls(matrices)

    @property
    def dense_shape(self) -> tuple[int, ...]:
        """The shape (k, d, d) of the matrices."""
        return self.matrices.shape

    def precision(self) -> Precision:
        """Return P = W Wᵀ with W = L⁻ᵀ, L Lᵀ = C."""
        lower = np.linalg.cholesky(self.matrices)
        k, d, _ = lower.shape
        W = np.swapaxes(_solved(lower, np.broadcast_to(np.eye(d), lower.shape)), 1, 2)
        logs = 2 * np.log(np.diagonal(lower, axis1=1, axis2=2)).sum(axis=1)
        return Precision(np.zeros((k, d)), W, 1.0, logs)

    def part(self, which: slice) -> Dense:
        """Return those of some components."""
        return Dense(self.matrices[which])

    def dense(self) -> Array:
        """Return the matrices."""
        return self.matrices

    def variances(self) -> Array:
        """Return the diagonals, shape (k, d)."""
        return np.diagonal(self.matrices, axis1=1, axis2=2)

    def noise(self, which: NDArray[np.int64], rng: np.random.Generator) -> Array:
        """Return one Gaussian vector of covariance C_k for each k in `which`, shape (n, d)."""
        lower = np.linalg.cholesky(self.matrices)
        return np.einsum("nij,nj->ni", lower[which], rng.standard_normal((len(which), lower.shape[1])))

    def after(self, factor: Array, covariance: Array) -> Dense:
        """Return F C Fᵀ + Q; numbers are multiples of the identity."""
        unit = np.eye(self.matrices.shape[1])
        F, Q = (a if a.ndim else float(a) * unit for a in (factor, covariance))
        moved = F @ self.matrices @ F.T + Q
        return Dense(0.5 * (moved + np.swapaxes(moved, 1, 2)))


def _solved(lower: Array, right: Array) -> Array:
    """Return L⁻¹B of many lower triangles L (k, r, r) and B (k, r, c); small ones row by row, all of them side by side."""
    r = lower.shape[1]
    if r > SMALL:
        return np.linalg.solve(lower, right)
    found = np.empty(right.shape)
    for i in range(r):
        left = right[:, i] if not i else right[:, i] - (lower[:, i, None, :i] @ found[:, :i])[:, 0]
        found[:, i] = left / lower[:, i, i, None]
    return found
