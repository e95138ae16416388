"""What local covariances know of the manifold that data lie on: tangent spaces, and dimension at each noise level."""

from __future__ import annotations

import numpy as np

from mfgpde.core.arrays import Array
from mfgpde.core.estimate import Estimate
from mfgpde.densities import GaussianMixture
from mfgpde.diagnostics.intervals import mean_interval
from mfgpde.processes import LinearProcess

BLOCK = 4096


def tangent_alignment(mixture: GaussianMixture, tangents: Array, level: float = 0.99) -> Estimate:
    """Return the mean squared cosine between the kernels' leading directions and known tangent spaces.

    `tangents` (k, d, m) has an orthonormal basis of the tangent space at each centre as its columns; the m leading
    eigenvectors V of each covariance are compared with it: ‖VᵀT‖²/m, one if both span the same space, m/d for directions
    at random. The interval is over the kernels. Raises ValueError for bases that are not orthonormal, or do not fit.

    >>> flat = mfg.GaussianMixture([0.5, 0.5], [[0.0, 0.0], [1.0, 0.0]], np.array([[1.0, 0.01], [1.0, 0.01]]))
    >>> tangents = np.full((2, 2, 1), np.sqrt(0.5))  # at 45° to the kernels
    >>> print(f"{mfg.diagnostics.tangent_alignment(flat, tangents).value:.4f}")
    0.5000
    """
    tangents = np.asarray(tangents, dtype=float)
    k, d = mixture.means.shape
    if tangents.ndim != 3 or tangents.shape[:2] != (k, d) or not 1 <= tangents.shape[2] < d:
        raise ValueError(f"tangents must have shape ({k}, {d}, m) with m < {d}, got {tangents.shape}")
    if not np.allclose(np.swapaxes(tangents, 1, 2) @ tangents, np.eye(tangents.shape[2]), atol=1e-8):
        raise ValueError("the columns of tangents must be orthonormal at each centre")
    m, values = tangents.shape[2], list[Array]()
    for start in range(0, k, BLOCK):
        leading = np.linalg.eigh(mixture.structure.part(slice(start, start + BLOCK)).dense())[1][:, :, -m:]
        overlap = np.swapaxes(leading, 1, 2) @ tangents[start : start + BLOCK]
        values.append((overlap**2).sum(axis=(1, 2)) / m)
    return mean_interval(np.concatenate(values), "kernels", level)


def effective_dimension(mixture: GaussianMixture, process: LinearProcess, times: Array) -> Array:
    """Return the mean over kernels of tr[F C Fᵀ (F C Fᵀ + Q)⁻¹] at each time, F and Q those of the transition.

    The number of directions along which a kernel still is wider than the noise: from the rank of its covariance at
    t → 0 down to zero. (The degrees of freedom of a ridge regression: Hastie, Tibshirani, Friedman, The Elements of
    Statistical Learning, 2009, eq. 3.50.)

    >>> law = mfg.gaussian(0.0, 1.0, dimension=2)
    >>> print(f"{mfg.diagnostics.effective_dimension(law, mfg.Brownian(), 1.0)[0]:.4f}")  # 2·1/(1 + t)
    1.0000
    """
    found, d = list[float](), mixture.dimension
    for t in np.atleast_1d(times):
        transition = process.transition(0.0, float(t))
        _, _, Q = transition.in_dimension(d)
        total = 0.0
        for start in range(0, len(mixture.weights), BLOCK):
            part = slice(start, start + BLOCK)
            factor, covariance = np.asarray(transition.factor), np.asarray(transition.covariance)
            precision = mixture.structure.part(part).after(factor, covariance).precision()
            noise = np.einsum("kir,ij,kjr->k", precision.factors, Q, precision.factors) * precision.sign
            noise = noise + precision.diagonal @ np.diagonal(Q)
            total += float(mixture.weights[part] @ (d - noise))
        found.append(total)
    return np.array(found)


def held_out_log_likelihood(mixture: GaussianMixture, fresh: Array, level: float = 0.99) -> Estimate:
    """Return the mean log-density of data (n, d) that a model has not seen, with its interval, in nats.

    >>> law, fresh = mfg.gaussian(0.0, 1.0), np.array([[-1.0], [1.0]])
    >>> print(f"{mfg.diagnostics.held_out_log_likelihood(law, fresh).value:.6f}")  # −½(1 + log 2π)
    -1.418939
    """
    return mean_interval(mixture.log_density(np.asarray(fresh, dtype=float)), "held-out samples", level)
