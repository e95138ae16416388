"""Means of Gaussian mixtures over cells: differences of Φ along the axes, Gauss points where components are correlated."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from mfgpde.core.arrays import Array
from mfgpde.densities.gauss_points import Resolved
from mfgpde.grids import CartesianGrid

REACH = 9.0
"""standard deviations beyond which a Gaussian holds 2e-19 of its mass"""


ROUNDING = 16 * float(np.finfo(float).eps)
"""of the correlation of two components: what products of matrices leave of zero"""


def aligned(covariances: Array) -> NDArray[np.bool_]:
    """Return which covariances (k, d, d) are diagonal up to rounding."""
    deviations = np.sqrt(np.diagonal(covariances, axis1=1, axis2=2))
    correlations = covariances / (deviations[:, :, None] * deviations[:, None, :])
    return np.all(np.abs(correlations - np.eye(covariances.shape[1])) <= ROUNDING, axis=(1, 2))


def separable_means(weights: Array, means: Array, deviations: Array, grid: CartesianGrid) -> Array:
    """Return Σ_k w_k ∏_i P(cell_i | k) / volume, (*cells), for components independent along the axes, (k, d)."""
    shares = [
        _shares(grid, axis, means[:, axis], deviations[:, axis]) / grid.spacing[axis] for axis in range(grid.dimension)
    ]
    first = weights[:, None] * shares[0]
    if grid.dimension == 1:
        return first.sum(axis=0)
    if grid.dimension == 2:
        return first.T @ shares[1]
    return np.stack([(column[:, None] * shares[1]).T @ shares[2] for column in first.T])


def _shares(grid: CartesianGrid, axis: int, means: Array, deviations: Array) -> Array:
    """Return the mass of N(m_k, σ_k²) in every cell of an axis, (k, n), wrapped if that is periodic."""
    edges = grid.edges[axis]
    if not grid.periodic[axis]:
        return _between(edges, means, deviations)
    side = grid.lengths[axis]
    deviations = np.minimum(deviations, 2 * side)  # flat from there on, up to 2e^{−8π²}
    means = grid.lower[axis] + np.mod(means - grid.lower[axis], side)
    images = int(np.ceil(REACH * float(deviations.max()) / side)) + 1
    return sum(_between(edges + k * side, means, deviations) for k in range(-images, images + 1))  # pyright: ignore[reportReturnType]


def _between(edges: Array, means: Array, deviations: Array) -> Array:
    z = (edges - means[:, None]) / deviations[:, None]
    low, high = z[:, :-1], z[:, 1:]
    mirrored = low + high > 0  # differences of small tails only
    low, high = np.where(mirrored, -high, low), np.where(mirrored, -low, high)
    return ndtr(high) - ndtr(low)


def resolving(means: Array, covariances: Array) -> Resolved:
    """Return whether parts of cells are smaller than the deviations of the components that reach them."""
    widths, axes = np.linalg.eigh(covariances)
    narrow = np.sqrt(widths[:, 0])

    def resolved(centres: Array, half: Array) -> NDArray[np.bool_]:
        found, radius = np.ones(len(centres), bool), float(np.linalg.norm(half))
        for m, width, axis, least in zip(means, widths, axes, narrow, strict=True):
            if 2 * half.max() > least:
                distance = np.linalg.norm((centres - m) @ axis / np.sqrt(width), axis=-1)
                found &= distance > REACH + radius / least
        return found

    return resolved
