"""How far a score is from solving its equations: ε of the score equation, R of the log-density equation, and its curl.

ε = ∂_t s − ∇[D∇·s + D|s|² − f·s − ∇·f] (arXiv:2210.04296), R = ∂_tφ − [DΔφ + D|∇φ|² − f·∇φ − ∇·f] (arXiv:2311.15996).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mfgpde.core.arrays import Array
from mfgpde.equations import LogDensity
from mfgpde.processes import ForwardProcess


def score_residual(process: ForwardProcess, score: Any, x: Array, t: float) -> Array:
    """Return ε(x, t), shape (..., d); the score brings Jacobian, ∂_t s and ∇(∇·s), the drift is affine in x.

    Written out: ε = ∂_t s − D∇(∇·s) − 2D Jᵀs + Jᵀf + (∇f)ᵀs, since ∇(∇·f) vanishes for affine drifts.
    """
    D = float(process.diffusivity(t))
    d = x.shape[-1]
    s, J = score(x, t), score.jacobian(x, t)
    f = process.drift(x, t)
    slope = process.drift(np.eye(d), t) - process.drift(np.zeros((1, d)), t)  # row i is ∂_i f
    transport = np.einsum("...ji,...j->...i", J, f - 2 * D * s) + s @ slope.T
    return score.rate(x, t) - D * score.divergence_gradient(x, t) + transport


def log_density_residual(process: ForwardProcess, score: Any, x: Array, t: float) -> Array:
    """Return R(x, t) of a score with a potential; a constant c(t) in the potential adds c′(t)."""
    return LogDensity.of(process).residual(score, x, t)


def rotation(score: Any, x: Array, t: float) -> Array:
    """Return the Frobenius norm of (J − Jᵀ)/2, which vanishes where the score is a gradient, shape (...)."""
    J = score.jacobian(x, t)
    return np.linalg.norm(0.5 * (J - np.swapaxes(J, -1, -2)), axis=(-2, -1))
