"""How far a score is from solving its equations: ε of the score equation, R of the log-density equation, and its curl.

ε = ∂_t s − ∇[D∇·s + D|s|² − f·s − ∇·f] (arXiv:2210.04296), R = ∂_tφ − [DΔφ + D|∇φ|² − f·∇φ − ∇·f] (arXiv:2311.15996).
"""

from __future__ import annotations

from typing import cast

import numpy as np

from mfgpde.core.arrays import Array
from mfgpde.equations import LogDensity
from mfgpde.processes import ForwardProcess
from mfgpde.scores import DifferentiableScore, DirectionalScore, PotentialScore, require_score


def score_residual(process: ForwardProcess, score: DifferentiableScore, x: Array, t: float) -> Array:
    """Return ε(x, t), shape (..., d), per length and time.

    Written out: ε = ∂_t s − D∇(∇·s) + Jᵀ(f − 2D s) + (∇f)ᵀs + ∇(∇·f), J the Jacobian of s. Where noise
    differs by direction, D is a tensor and its term −∇tr(DJ); the score is that in all coordinates.

    Zero for ∇log p_t of any law that the process noises. — arXiv:2210.04296, proposition 3.1.
    Raises TypeError for a score without these derivatives.

    >>> score = mfg.ExactScore(mfg.OrnsteinUhlenbeck(), mfg.gaussian(0.0, 0.5))  # s = −2x at all times
    >>> residual = mfg.score_residual(mfg.Brownian(), score, np.array([[2.0]]), 0.5)
    >>> print(f"{residual[0, 0]:.6f}")  # of another process: −½∇(∇·s + |s|²) = −4x
    -8.000000
    """
    require_score(score, DifferentiableScore)
    if not process.alike:
        return _by_directions(process, score, x, t)
    D, s, f = float(process.diffusivity(t)), score(x, t), process.drift(x, t)
    pulled = np.einsum("...ij,...i->...j", score.jacobian(x, t), f - 2 * D * s)
    drift = process.drift_vjp(x, t, s) + process.divergence_gradient(x, t)
    return score.time_derivative(x, t) - D * score.divergence_gradient(x, t) + pulled + drift


def _by_directions(process: ForwardProcess, score: DifferentiableScore, x: Array, t: float) -> Array:
    """Return ε where D is a tensor: ∇tr(DJ) direction by direction of its noise."""
    require_score(score, DirectionalScore)
    along = cast(DirectionalScore, score)
    s, f, D = score(x, t), process.drift(x, t), process.diffusion_tensor(x.reshape(-1, x.shape[-1])[:1], t)[0]
    if s.shape != x.shape:
        raise ValueError(
            f"the score equation is that of the score in all {x.shape[-1]} coordinates, got values of shape {s.shape}; "
            "the part along the velocities alone solves none"
        )
    values, vectors = np.linalg.eigh(D)
    spread = np.zeros(s.shape)
    for value, v in zip(values, vectors.T, strict=True):
        if value > 0:
            spread += value * along.directional_derivatives(x, t, np.broadcast_to(v, x.shape))[2]
    pulled = np.einsum("...ij,...i->...j", score.jacobian(x, t), f - 2 * s @ D)
    drift = process.drift_vjp(x, t, s) + process.divergence_gradient(x, t)
    return score.time_derivative(x, t) - spread + pulled + drift


def log_density_residual(process: ForwardProcess, score: PotentialScore, x: Array, t: float) -> Array:
    """Return R(x, t) of a score with a potential; a constant c(t) in the potential adds c′(t).

    R = ∂_tφ − [DΔφ + D|∇φ|² − f·∇φ − ∇·f], shape (...), per time. — arXiv:2311.15996, eq. (8). Raises TypeError for a
    score without a potential.

    >>> score = mfg.ExactScore(mfg.OrnsteinUhlenbeck(), mfg.gaussian(0.0, 0.5))  # s = −2x at all times
    >>> R = mfg.log_density_residual(mfg.Brownian(), score, np.array([[2.0]]), 0.5)
    >>> print(f"{R[0]:.6f}")  # of another process: −½(∇·s + |s|²) = 1 − 2x²
    -7.000000
    """
    require_score(score, PotentialScore)
    return LogDensity.of(process).residual(score, x, t)


def rotation(score: DifferentiableScore, x: Array, t: float) -> Array:
    """Return the Frobenius norm of (J − Jᵀ)/2, which vanishes where the score is a gradient, shape (...).

    Raises TypeError for a score without derivatives.

    >>> turning = mfg.scores.Differenced(lambda x, t: np.stack((-x[..., 1], x[..., 0]), axis=-1), 2)
    >>> print(f"{mfg.diagnostics.rotation(turning, np.ones((1, 2)), 0.5)[0]:.6f}")  # √(1² + 1²)
    1.414214
    """
    require_score(score, DifferentiableScore)
    J = score.jacobian(x, t)
    return np.linalg.norm(0.5 * (J - np.swapaxes(J, -1, -2)), axis=(-2, -1))
