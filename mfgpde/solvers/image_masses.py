"""What a law has in the images of cells under a flow: multilinear between the images of their corners, by Gauss points."""

from __future__ import annotations

import numpy as np

from mfgpde.core.arrays import Array
from mfgpde.densities import Density


def image_masses(corners: Array, prior: Density) -> Array:
    """Return the prior's mass of the multilinear image of every cell; negative where the image is folded over.

    >>> from mfgpde.solvers import image_masses
    >>> corners = np.stack(np.meshgrid(*[np.linspace(-6, 6, 25)] * 2, indexing="ij"), axis=-1)
    >>> print(f"{image_masses(corners, mfg.gaussian(0.0, 1.0, 2)).sum():.6f}")  # cells that stay where they are
    1.000000
    """
    d = corners.shape[-1]
    nodes, weights = np.polynomial.legendre.leggauss(3)
    nodes, weights = 0.5 * (nodes + 1), 0.5 * weights
    ends = [tuple(slice(k, (k - 1) or None) for k in bits) for bits in np.ndindex(*(2,) * d)]
    total = np.zeros(tuple(n - 1 for n in corners.shape[:-1]))
    for index in np.ndindex(*(3,) * d):
        s = nodes[list(index)]
        point = np.zeros((*total.shape, d))
        jacobian = np.zeros((*total.shape, d, d))
        for bits, end in zip(np.ndindex(*(2,) * d), ends, strict=True):
            factors = np.where(np.array(bits) == 1, s, 1 - s)
            signs = np.where(np.array(bits) == 1, 1.0, -1.0)
            point += np.prod(factors) * corners[end]
            for k in range(d):
                jacobian[..., k] += signs[k] * np.prod(np.delete(factors, k)) * corners[end]
        total += np.prod(weights[list(index)]) * np.exp(prior.log_density(point)) * np.linalg.det(jacobian)
    return total
