"""Means of Gaussian mixtures over cells: differences of Φ along the axes, a series or Gauss points for correlated ones."""

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


SMOOTH = 0.5
"""cells over conditional deviations up to which `smooth_means` is good to 1e-7 of a component's largest mean"""


def smooth(covariances: Array, grid: CartesianGrid) -> NDArray[np.bool_]:
    """Return which components cells resolve so finely that their means are a series; none on periodic boxes."""
    if any(grid.periodic):
        return np.zeros(len(covariances), bool)
    sharpest = np.diagonal(np.linalg.inv(covariances), axis1=1, axis2=2)
    return np.max(sharpest * np.square(grid.spacing), axis=1) <= SMOOTH**2


def smooth_means(weights: Array, means: Array, covariances: Array, grid: CartesianGrid) -> Array:
    """Return Σ_k w_k of means over cells, (*cells), by one value a cell: the mean is a differential operator.

    Over a cell of sides h it is ∏sinh(h_i∂_i/2)/(h_i∂_i/2) = exp Σ (h_i²∂_i²/24 − h_i⁴∂_i⁴/2880 + h_i⁶∂_i⁶/181440 − …):
    the first term adds h_i²/12 to the variances, others multiply by Hermite polynomials of the slopes (C + h²/12)⁻¹(x − m).
    What is left out is h⁸∂⁸/9676800. No mean is negative.
    """
    found, h = np.zeros(grid.cells), np.asarray(grid.spacing)
    for w, m, C in zip(weights, means, covariances, strict=True):
        P = np.linalg.inv(C + np.diag(h**2 / 12))
        log_size = np.log(w) + 0.5 * (np.linalg.slogdet(P)[1] - len(m) * np.log(2 * np.pi)) if w > 0 else -np.inf
        p, scale = np.diag(P), h**2
        for slab in range(grid.cells[0]):
            z = grid.points[slab] - m
            slopes = z @ P
            squares = slopes**2
            fourth = squares * (squares - 6 * p) + 3 * p**2
            sixth = squares * (squares * (squares - 15 * p) + 45 * p**2) - 15 * p**3
            factor = 1 + (sixth * (scale**3 / 181440) - fourth * (scale**2 / 2880)).sum(axis=-1)
            found[slab] += np.exp(log_size - 0.5 * np.einsum("...i,...i->...", slopes, z)) * factor
    return found


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
