"""Wasserstein-2 distance of two Gaussians: W₂² = |m₁ − m₂|² + tr(C₁ + C₂ − 2(C₁^½ C₂ C₁^½)^½)."""

from __future__ import annotations

import numpy as np

from mfgpde.core.arrays import Array


def wasserstein_gaussian(mean1: Array, covariance1: Array, mean2: Array, covariance2: Array) -> float:
    """Return W₂ between N(mean1, covariance1) and N(mean2, covariance2). — Givens, Shortt, Michigan Math. J. 31 (1984).

    >>> distance = mfg.transport.wasserstein_gaussian(np.zeros(1), np.eye(1), np.full(1, 3.0), 4 * np.eye(1))
    >>> print(f"{distance:.6f}")  # √(3² + (2 − 1)²)
    3.162278
    """
    root = _root(np.atleast_2d(covariance1))
    cross = _root(root @ np.atleast_2d(covariance2) @ root)
    spread = np.trace(np.atleast_2d(covariance1)) + np.trace(np.atleast_2d(covariance2)) - 2 * np.trace(cross)
    return float(np.sqrt(np.sum((np.asarray(mean1) - np.asarray(mean2)) ** 2) + max(spread, 0.0)))


def moments(m: Array, x: Array) -> tuple[Array, Array]:
    """Return mean and covariance of masses m, of sum one, at points x (..., d)."""
    mean = np.tensordot(m, x, axes=m.ndim)
    y = x - mean
    flat = y.reshape(-1, y.shape[-1])
    return mean, (flat * m.reshape(-1, 1)).T @ flat


def _root(matrix: Array) -> Array:
    values, vectors = np.linalg.eigh(0.5 * (matrix + matrix.T))
    return (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
