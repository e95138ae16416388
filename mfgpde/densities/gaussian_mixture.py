"""Gaussian mixtures in any dimension: log p, ∇log p, ∇²log p and ∂_t log p in closed form under linear processes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp, ndtri, softmax

from mfgpde.arrays import dot
from mfgpde.densities.base import Array
from mfgpde.processes import Transition


@dataclass(frozen=True, eq=False)
class GaussianMixture:
    """p(x) = Σ_k w_k N(x; m_k, C_k): weights (k,), means (k, d), covariances (k, d, d) or one variance each (k,)."""

    weights: Array
    means: Array
    covariances: Array

    def __post_init__(self) -> None:
        weights = np.atleast_1d(np.asarray(self.weights, dtype=float))
        means = np.atleast_2d(np.asarray(self.means, dtype=float))
        covariances = np.asarray(self.covariances, dtype=float)
        k, d = means.shape
        if covariances.ndim <= 1:
            covariances = np.broadcast_to(covariances, (k,))[:, None, None] * np.eye(d)
        if weights.shape != (k,) or covariances.shape != (k, d, d):
            raise ValueError(
                f"shapes must be weights (k,), means (k, d), covariances (k, d, d) or (k,); "
                f"got {weights.shape}, {means.shape}, {covariances.shape}"
            )
        if not (np.all(weights >= 0) and np.isfinite(weights).all() and weights.sum() > 0):
            raise ValueError(f"weights must be ≥ 0 with a positive sum, got {weights}")
        smallest = np.linalg.eigvalsh(covariances).min(axis=-1)
        if not np.all(smallest > 0):
            worst = int(np.argmin(smallest))
            raise ValueError(
                f"covariance of component {worst} is not positive definite (least eigenvalue {smallest[worst]:.2e})"
            )
        for name, value in (
            ("weights", weights / weights.sum()),
            ("means", means),
            ("covariances", covariances),
        ):
            object.__setattr__(self, name, value)
        object.__setattr__(self, "_precisions", np.linalg.inv(covariances))
        constant = np.log(weights / weights.sum(), where=weights > 0, out=np.full(k, -np.inf))
        object.__setattr__(self, "_constants", constant - 0.5 * np.linalg.slogdet(2 * np.pi * covariances)[1])

    @property
    def dimension(self) -> int:
        """The dimension d."""
        return self.means.shape[1]

    def _components(self, x: Array) -> tuple[Array, Array]:
        """Return log(w_k N_k(x)) (..., k) and C_k^{-1}(m_k − x) (..., k, d)."""
        if x.shape[-1] != self.dimension:
            raise ValueError(f"points must have shape (..., {self.dimension}), got {x.shape}")
        away = self.means - x[..., None, :]
        pull = np.einsum("kij,...kj->...ki", self._precisions, away)  # pyright: ignore[reportAttributeAccessIssue]
        return self._constants - 0.5 * dot(away, pull), pull  # pyright: ignore[reportAttributeAccessIssue]

    def log_density(self, x: Array) -> Array:
        """Return log p(x), shape (...)."""
        return logsumexp(self._components(x)[0], axis=-1)

    def density(self, x: Array) -> Array:
        """Return p(x), shape (...), per length^d."""
        return np.exp(self.log_density(x))

    def score(self, x: Array) -> Array:
        """Return ∇log p(x), shape (..., d)."""
        logs, pull = self._components(x)
        return np.einsum("...k,...ki->...i", softmax(logs, axis=-1), pull)

    def hessian(self, x: Array) -> Array:
        """Return ∇²log p(x), shape (..., d, d)."""
        logs, pull = self._components(x)
        share = softmax(logs, axis=-1)
        mean = np.einsum("...k,...ki->...i", share, pull)
        spread = pull - mean[..., None, :]
        curvature = np.einsum("...k,kij->...ij", share, self._precisions)  # pyright: ignore[reportAttributeAccessIssue]
        return np.einsum("...k,...ki,...kj->...ij", share, spread, spread) - curvature

    def laplacian(self, x: Array) -> Array:
        """Return Δlog p(x), shape (...)."""
        return np.trace(self.hessian(x), axis1=-2, axis2=-1)

    def log_density_rate(self, x: Array, matrix: Array, offset: Array, diffusivity: float) -> Array:
        """Return ∂_t log p(x) when means and covariances move by ṁ = A m + c, Ċ = AC + CAᵀ + 2D I.

        Differentiates the parameters of the components, not the Fokker–Planck equation: an independent route to ∂_t.
        """
        logs, pull = self._components(x)
        means_rate = self.means @ matrix.T + offset
        half = np.einsum("ij,kjl->kil", matrix, self.covariances)
        covariance_rate = half + np.swapaxes(half, -1, -2) + 2 * diffusivity * np.eye(self.dimension)
        precisions = self._precisions  # pyright: ignore[reportAttributeAccessIssue]
        rate = (
            -np.einsum("...ki,ki->...k", pull, means_rate)
            + 0.5 * np.einsum("...ki,kij,...kj->...k", pull, covariance_rate, pull)
            - 0.5 * np.einsum("kij,kji->k", precisions, covariance_rate)
        )
        return dot(softmax(logs, axis=-1), rate)

    def sample(self, n: int, rng: np.random.Generator) -> Array:
        """Return n independent points, shape (n, d)."""
        which = rng.choice(len(self.weights), size=n, p=self.weights)
        factors = np.linalg.cholesky(self.covariances)
        return self.means[which] + np.einsum("nij,nj->ni", factors[which], rng.standard_normal((n, self.dimension)))

    def box(self, mass: float) -> tuple[Array, Array]:
        """Return corners of a box that holds at least `mass` of every component."""
        reach = -ndtri((1 - mass) / (2 * self.dimension)) * np.sqrt(np.diagonal(self.covariances, axis1=-2, axis2=-1))
        return (self.means - reach).min(axis=0), (self.means + reach).max(axis=0)

    def after(self, transition: Transition) -> GaussianMixture:
        """Return the mixture of factor·X + offset + N(0, covariance)."""
        factor, offset, covariance = transition.in_dimension(self.dimension)
        covariances = factor @ self.covariances @ factor.T + covariance
        return GaussianMixture(
            self.weights,
            self.means @ factor.T + offset,
            0.5 * (covariances + np.swapaxes(covariances, -1, -2)),
        )


def gaussian(mean: Array | float, covariance: Array | float, dimension: int = 1) -> GaussianMixture:
    """Return N(mean, covariance) as a mixture of one; numbers are read as multiples of ones and identity."""
    mean = np.broadcast_to(np.asarray(mean, dtype=float), (np.size(mean) if np.ndim(mean) else dimension,))
    covariance = np.asarray(covariance, dtype=float)
    return GaussianMixture(np.ones(1), mean[None], covariance[None] if covariance.ndim else covariance)
