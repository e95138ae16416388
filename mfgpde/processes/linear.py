"""General linear processes dX = (A(t) X + c(t)) dt + g(t) dW with a matrix A: rotation, shear, anisotropy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike
from scipy.integrate import solve_ivp

from mfgpde.core.arrays import Array, beside
from mfgpde.processes.contract import LinearProcess, Transition, check_interval, positive


@dataclass(frozen=True, eq=False)
class Linear(LinearProcess):
    """Ȧ-affine drift: `matrix(t)` is A (d, d) per time, `offset(t)` is c (d,), `scale(t)` is g; constants are accepted.

    Transition laws integrate Φ̇ = AΦ, ḃ = Ab + c, Σ̇ = AΣ + ΣAᵀ + g²I to a relative 1e-12 (Dormand–Prince 8).
    """

    matrix: Array | Callable[[float], Array]
    scale: float | Callable[[float], float] = 1.0
    offset: float | Array | Callable[[float], Array] = 0.0
    horizon: float = 1.0

    def __post_init__(self) -> None:
        positive(horizon=self.horizon)
        matrix = np.asarray(self._at(self.matrix, 0.0))
        if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
            raise ValueError(f"matrix must be square, got shape {matrix.shape}")
        if not np.all(np.isfinite(matrix)):
            raise ValueError("matrix has entries that are not finite")

    @staticmethod
    def _at(coefficient: object, t: ArrayLike) -> Array:
        return np.asarray(coefficient(t) if callable(coefficient) else coefficient, dtype=float)

    def drift(self, x: Array, t: ArrayLike) -> Array:
        """Return A(t) x + c(t), for one time t."""
        return x @ beside(self._at(self.matrix, t).T, x) + beside(self._at(self.offset, t), x)

    def divergence(self, x: Array, t: ArrayLike) -> Array:
        """Return tr A(t)."""
        return np.full_like(x[..., 0], np.trace(self._at(self.matrix, t)), dtype=float)

    def diffusion(self, t: ArrayLike) -> Array:
        """Return g(t)."""
        scale = self._at(self.scale, t)
        return np.broadcast_to(scale, np.broadcast_shapes(scale.shape, np.shape(t)))

    def transition(self, s: float, t: float) -> Transition:
        """Return the law of X_t given X_s."""
        check_interval(s, t, self.horizon)
        return _transition(self, float(s), float(t))

    def prior(self) -> Transition:
        """Return the law of X_T started at zero."""
        end = self.transition(0.0, self.horizon)
        return Transition(0.0, end.offset, end.covariance)


@lru_cache(maxsize=256)
def _transition(process: Linear, s: float, t: float) -> Transition:
    d = np.asarray(process._at(process.matrix, s)).shape[0]

    def rate(u: float, y: Array) -> Array:
        A = process._at(process.matrix, u)
        state = y.reshape(d, 2 * d + 1)
        factor, offset, covariance = state[:, :d], state[:, d], state[:, d + 1 :]
        noise = float(process.diffusion(u)) ** 2 * np.eye(d)
        columns = (
            A @ factor,
            (A @ offset + process._at(process.offset, u))[:, None],
            A @ covariance + covariance @ A.T + noise,
        )
        return np.hstack(columns).ravel()

    start = np.hstack((np.eye(d), np.zeros((d, d + 1))))
    if t > s:
        end = (
            solve_ivp(rate, (s, t), start.ravel(), method="DOP853", rtol=1e-12, atol=1e-14)
            .y[:, -1]
            .reshape(start.shape)
        )
    else:
        end = start
    covariance = end[:, d + 1 :]
    return Transition(end[:, :d], end[:, d], 0.5 * (covariance + covariance.T))
