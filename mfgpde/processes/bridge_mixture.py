"""Mixtures of Brownian bridges between coupled ends, and their Markovian projection: its drift in closed form.

Draw (X_0, X_T) from a coupling and join them by a Brownian bridge of noise σ. Of all Markov processes with that noise the
one with drift b(x,t) = E[(X_T − x)/(T − t) | X_t = x] has the same marginals, and is the nearest in divergence of paths.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, cast, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike

from mfgpde.core.arrays import Array, beside
from mfgpde.processes.contract import ForwardProcess, positive

BLOCK = 2**20
"""numbers held at once, points times components times directions"""
SEMIDEFINITE = 1e-12
"""of the largest variance: how negative rounding may make an eigenvalue"""


@runtime_checkable
class Coupling(Protocol):
    """A law of pairs (X_0, X_T) in R^{2d}, a mixture of Gaussians or points: `GaussianMixture` is one, `Pairs` another."""

    @property
    def weights(self) -> Array:
        """The weights (k,), of sum one."""
        ...

    @property
    def means(self) -> Array:
        """Means (k, 2d): the start first."""
        ...

    @property
    def covariances(self) -> Array:
        """Covariances (k, 2d, 2d), at least 0."""
        ...


@dataclass(frozen=True, eq=False)
class Pairs:
    """Coupled points Σ w_i δ_{(x_i, y_i)}, `starts` and `ends` (n, d), or Gaussians about them.

    Equal weights if none; `spreads` (n, 2d, 2d) may have less than full rank, as where a start is known and its end is not.
    Raises ValueError for shapes that do not fit, what is not finite, weights below zero, spreads that are no covariances.

    >>> pairs = mfg.processes.Pairs(np.array([[0.0], [1.0]]), np.array([[2.0], [1.0]]))
    >>> pairs.means.tolist()
    [[0.0, 2.0], [1.0, 1.0]]
    """

    starts: Array
    ends: Array
    shares: Array | None = None
    spreads: Array | None = None

    def __post_init__(self) -> None:
        starts, ends = np.asarray(self.starts, float), np.asarray(self.ends, float)
        if starts.ndim != 2 or starts.shape != ends.shape or not len(starts):
            raise ValueError(f"starts and ends are pairs of points (n, d), got shapes {starts.shape} and {ends.shape}")
        if not (np.isfinite(starts).all() and np.isfinite(ends).all()):
            raise ValueError("coupled points must be finite")
        if self.shares is not None:
            w = np.asarray(self.shares, float)
            if w.shape != (len(starts),) or not np.isfinite(w).all() or w.min() < 0 or not w.sum() > 0:
                raise ValueError(f"shares need {len(starts)} finite values ≥ 0 with a positive sum")
        if self.spreads is not None:
            C, side = np.asarray(self.spreads, float), 2 * starts.shape[1]
            if C.shape != (len(starts), side, side) or not np.isfinite(C).all():
                raise ValueError(f"spreads must be ({len(starts)}, {side}, {side}), finite, got {C.shape}")
            scale = max(float(np.abs(C).max()), 1e-300)
            least = float(np.linalg.eigvalsh(C)[:, 0].min())
            if np.abs(C - np.swapaxes(C, 1, 2)).max() > SEMIDEFINITE * scale or least < -SEMIDEFINITE * scale:
                raise ValueError(f"spreads must be symmetric with no eigenvalue below zero, the least is {least:.2e}")

    @property
    def weights(self) -> Array:
        """The weights (n,), of sum one."""
        w = np.ones(len(self.starts)) if self.shares is None else np.asarray(self.shares, float)
        return w / w.sum()

    @property
    def means(self) -> Array:
        """Starts and ends side by side, (n, 2d)."""
        return np.concatenate((self.starts, self.ends), axis=1, dtype=float)

    @property
    def covariances(self) -> Array:
        """The spreads, or zeros, (n, 2d, 2d)."""
        n, side = len(self.starts), 2 * np.shape(self.starts)[1]
        return np.zeros((n, side, side)) if self.spreads is None else np.asarray(self.spreads, float)


@dataclass(frozen=True, eq=False)
class BridgeMixture(ForwardProcess):
    """The Markovian projection of a mixture of Brownian bridges: dX = b(X,t) dt + σ dW on [0, T], with its marginals.

    `scale` is σ, a length per √time; the coupling of the ends is a `GaussianMixture` in 2d dimensions, or `Pairs`. With
    u = t/T a component has the mean μ = (1 − u)m₀ + u m₁ and the covariance
        S(t) = (1 − u)²C₀₀ + u(1 − u)(C₀₁ + C₁₀) + u²C₁₁ + σ²T u(1 − u) I,
    and b is the mean, by the components' responsibilities at x, of
        b_k = (m₁ − m₀)/T + [(1 − u)(C₁₀ − C₀₀) + u(C₁₁ − C₀₁) − σ²T u I] S⁻¹(x − μ)/T,
    which is E[(X_T − x)/(T − t) | X_t = x] without its 0/0 at T. Logarithms of the responsibilities are shifted by the
    largest: far out the nearest component remains. — arXiv:2303.16852, definition of the Markovian projection.

    Raises TypeError for what is no coupling, ValueError for an odd number of columns; where a component has no spread, and
    so no density, as points at t = 0 and T, the drift raises ValueError, too: begin and end inside.

    >>> law = mfg.gaussian([0.0, 2.0], [[1.0, 0.0], [0.0, 1.0]])  # N(0, 1) and N(2, 1), independent
    >>> process = mfg.processes.BridgeMixture(law, scale=1.0)
    >>> process.drift(np.array([[1.0]]), 0.5)  # half-way between the means nothing pulls back
    array([[2.]])
    >>> weights, means, covariances = process.moments(0.5)
    >>> means.tolist(), covariances.tolist()  # ¼ + ¼, and the bridge's own ¼
    ([[1.0]], [[[0.75]]])
    """

    coupling: Coupling
    scale: float = 1.0
    horizon: float = 1.0

    def __post_init__(self) -> None:
        positive(scale=self.scale, horizon=self.horizon)
        given = cast(object, self.coupling)
        if not isinstance(given, Coupling):
            raise TypeError(
                f"a coupling is a GaussianMixture in twice the dimension, or Pairs(starts, ends); "
                f"got {type(given).__name__}"
            )
        if self.coupling.means.shape[1] % 2:
            raise ValueError(
                f"a coupling has starts and ends side by side, so an even dimension; got {self.coupling.means.shape[1]}"
            )

    @property
    def dimension(self) -> int:
        """The dimension d of X_t."""
        return self.coupling.means.shape[1] // 2

    @cached_property
    def _parts(self) -> tuple[Array, Array, Array, Array, Array, Array]:
        """Logarithms of weights, means of starts and ends, and the covariances' blocks, without components of no weight."""
        kept, d = self.coupling.weights > 0, self.dimension
        means, C = self.coupling.means[kept], self.coupling.covariances[kept]
        logs = np.log(self.coupling.weights[kept])
        return logs, means[:, :d], means[:, d:], C[:, :d, :d], C[:, :d, d:], C[:, d:, d:]

    def moments(self, t: float) -> tuple[Array, Array, Array]:
        """Return weights (k,), means (k, d) and covariances (k, d, d) of the law of X_t, a mixture of Gaussians."""
        means, S = self._gaussians(self._share(t))
        return np.exp(self._parts[0]), means, S

    def remembered_drift(self, start: Array, x: Array, t: float) -> Array:
        """Return E[(X_T − x)/(T − t) | X_0, X_t = x], the drift of the bridges themselves given their start, (..., d).

        Raises ValueError at t = 0, and where starts and places have no joint density.
        """
        d = self.dimension
        if start.shape[-1] != d or x.shape[-1] != d:
            raise ValueError(f"starts and points must have shape (..., {d}), got {start.shape} and {x.shape}")
        both = np.concatenate(np.broadcast_arrays(start, x), axis=-1)
        return self._averaged_at(both.reshape(-1, 2 * d), self._pulls_given_start(t), 0).reshape((*both.shape[:-1], d))

    def joint_moments(self, t: float) -> tuple[Array, Array, Array]:
        """Return weights (k,), means (k, 2d) and covariances (k, 2d, 2d) of the law of (X_0, X_t)."""
        logs, start, _, C00, C01, _ = self._parts
        u = self._share(t)
        means, S = self._gaussians(u)
        crossed = (1 - u) * C00 + u * C01
        upper = np.concatenate((C00, crossed), axis=2)
        lower = np.concatenate((np.swapaxes(crossed, 1, 2), S), axis=2)
        return np.exp(logs), np.concatenate((start, means), axis=1), np.concatenate((upper, lower), axis=1)

    def diffusion(self, t: ArrayLike) -> Array:
        """Return the constant σ."""
        return np.full(np.shape(t), self.scale)

    def drift(self, x: Array, t: ArrayLike) -> Array:
        """Return b(x, t)."""
        return self._evaluated(x, t, 0)

    def divergence(self, x: Array, t: ArrayLike) -> Array:
        """Return ∇·b(x, t)."""
        return self._evaluated(x, t, 1)

    def drift_jacobian(self, x: Array, t: ArrayLike) -> Array:
        """Return ∂_j b_i, E[B] and the covariance of b_k and ∇log N_k over the responsibilities."""
        return self._evaluated(x, t, 2)

    def divergence_gradient(self, x: Array, t: ArrayLike) -> Array:
        """Return ∇(∇·b)."""
        return self._evaluated(x, t, 3)

    def _gaussians(self, u: Array) -> tuple[Array, Array]:
        """Return means (…, k, d) and covariances (…, k, d, d) at shares u of the horizon: one, or an array (…, 1, 1, 1)."""
        _, start, end, C00, C01, C11 = self._parts
        v, noise = u[..., 0], self.scale**2 * self.horizon
        S = (1 - u) ** 2 * C00 + u * (1 - u) * (C01 + np.swapaxes(C01, 1, 2)) + u**2 * C11
        return (1 - v) * start + v * end, S + noise * u * (1 - u) * np.eye(self.dimension)

    def _share(self, t: ArrayLike) -> Array:
        """Return t/T with three axes for components and their covariances."""
        u = np.asarray(t, float) / self.horizon
        inside = (u >= -1e-12) & (u <= 1 + 1e-12)
        if not inside.all():
            first = float(np.asarray(t, float)[~inside].ravel()[0])
            raise ValueError(f"bridges run from t = 0 to {self.horizon:g}, got t = {first!r}")
        return np.clip(u, 0.0, 1.0)[..., None, None, None]

    def _evaluated(self, x: Array, t: ArrayLike, what: int) -> Array:
        """Return drift, divergence, Jacobian or ∇(∇·b) at times that may differ from point to point."""
        if x.shape[-1] != self.dimension:
            raise ValueError(f"points must have shape (..., {self.dimension}), got {x.shape}")
        shape = x.shape[:-1] + (x.shape[-1:], (), (x.shape[-1],) * 2, x.shape[-1:])[what]
        flat = x.reshape(-1, x.shape[-1])
        moments = np.asarray(t, float)
        if not moments.ndim:
            return self._averaged_at(flat, self._pulls(moments), what).reshape(shape)
        moments = np.broadcast_to(moments, x.shape[:-1]).ravel()
        size = max(1, BLOCK // self._parts[1].size)
        blocks = (slice(i, i + size) for i in range(0, max(len(flat), 1), size))
        found = [self._averaged_at(flat[one], self._pulls(moments[one]), what) for one in blocks]
        return np.concatenate(found).reshape(shape)

    def _turned(self, t: ArrayLike) -> Array:
        """Return Cov(X_T − X_t, X_t)/(1 − u), (…, k, d, d)."""
        _, _, _, C00, C01, C11 = self._parts
        u, noise = self._share(t), self.scale**2 * self.horizon
        return (1 - u) * (np.swapaxes(C01, 1, 2) - C00) + u * (C11 - C01) - noise * u * np.eye(self.dimension)

    def _pulls(self, t: ArrayLike) -> tuple[Array, Array, Array, Array, Array, Array]:
        """Return logarithms of weights, means, precisions, log-determinants, drifts at the means, and B (k, d, d).

        At an array of times (n,) all but the first and the fifth have an axis for them in front.
        """
        logs, start, end, *_ = self._parts
        means, S = self._gaussians(self._share(t))
        precision, halves = _inverted(S, t)
        return logs, means, precision, halves, (end - start) / self.horizon, self._turned(t) @ precision / self.horizon

    def _pulls_given_start(self, t: float) -> tuple[Array, Array, Array, Array, Array, Array]:
        """Return the same of (X_0, X_t): B is (k, d, 2d)."""
        logs, start, end, C00, C01, _ = self._parts
        _, means, J = self.joint_moments(t)
        precision, halves = _inverted(J, t)
        rows = np.concatenate((np.swapaxes(C01, 1, 2) - C00, self._turned(t)), axis=2)
        return logs, means, precision, halves, (end - start) / self.horizon, rows @ precision / self.horizon

    def _averaged_at(self, x: Array, pulls: tuple[Array, ...], what: int) -> Array:
        logs, means, precision, halves, speeds, turns = (beside(part, x) for part in pulls)
        size = max(1, BLOCK // means.size) if means.ndim == 2 else len(x)
        parts = [
            _averaged(x[i : i + size], logs, means, precision, halves, speeds, turns, what)
            for i in range(0, max(len(x), 1), size)
        ]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _inverted(S: Array, t: ArrayLike) -> tuple[Array, Array]:
    """Return precisions and halves of log-determinants. Raises ValueError where a component has no spread."""
    values, axes = np.linalg.eigh(S)
    narrow = ~(values[..., 0] > 0).all(axis=-1)
    if narrow.any():
        first = float(np.asarray(t, float)[narrow].ravel()[0])
        raise ValueError(
            f"at t = {first:g} a component of the bridges has no spread, and its law no density (points have none at their "
            "ends): begin later, end earlier, or give the coupling some spread"
        )
    return (axes / values[..., None, :]) @ np.swapaxes(axes, -1, -2), 0.5 * np.log(values).sum(axis=-1)


def _responsible(x: Array, logs: Array, means: Array, precision: Array, halves: Array) -> tuple[Array, Array]:
    """Return responsibilities (n, k), and ∇log N_k (n, k, d)."""
    away = x[:, None, :] - means
    slopes = -np.einsum("...kij,...kj->...ki", precision, away)
    exponents = logs - halves + 0.5 * np.einsum("nki,nki->nk", slopes, away)
    weights = np.exp(exponents - exponents.max(axis=1, keepdims=True))
    return weights / weights.sum(axis=1, keepdims=True), slopes


def _averaged(
    x: Array,
    logs: Array,
    means: Array,
    precision: Array,
    halves: Array,
    speeds: Array,
    turns: Array,
    what: int,
) -> Array:
    r, slopes = _responsible(x, logs, means, precision, halves)
    moves = speeds + np.einsum("...kij,...kj->...ki", turns, x[:, None, :] - means)
    if what == 0:
        return np.einsum("nk,nki->ni", r, moves)
    apart = slopes - np.einsum("nk,nki->ni", r, slopes)[:, None, :]
    if what == 2:
        return np.einsum("...k,...kij->...ij", r, turns) + np.einsum("nk,nki,nkj->nij", r, moves, apart)
    traces = np.einsum("...kii->...k", turns) + np.einsum("nki,nki->nk", moves, apart)
    if what == 1:
        return np.einsum("nk,nk->n", r, traces)
    mean_move = np.einsum("nk,nki->ni", r, moves)
    bend = -np.einsum("...k,...kij,...i->...j", r, precision, mean_move)  # ∇²log p b, p's own Hessian
    bend += np.einsum("nk,nki,nkj,ni->nj", r, apart, apart, mean_move)
    found = np.einsum("nk,nk,nki->ni", r, traces, apart) + np.einsum("...k,...kij,...ki->...j", r, turns, apart)
    return found - np.einsum("...k,...kij,...ki->...j", r, precision, moves) - bend


def examples() -> Iterator[BridgeMixture]:
    """Yield members to hold the laws to: turned Gaussians, points, and lengths of a nanometre in gigaseconds."""
    for length, time in ((1.0, 1.0), (1e-9, 1e9)):
        starts = length * np.array([[-0.5, 0.2], [0.4, -0.3], [0.1, 0.6]])
        ends = length * np.array([[0.8, 0.1], [-0.9, 0.5], [0.3, -0.7]])
        shares = np.array([0.5, 0.3, 0.2])
        root = length * np.array(
            [[0.6, 0.1, -0.2, 0.3], [0.0, 0.5, 0.2, -0.1], [0.3, 0.0, 0.7, 0.2], [-0.1, 0.4, 0.1, 0.5]]
        )
        spreads = np.stack([root @ root.T, root.T @ root, 0.2 * length**2 * np.eye(4)])
        scale = 0.8 * length * time**-0.5
        yield BridgeMixture(Pairs(starts, ends, shares, spreads), scale, 1.3 * time)
        yield BridgeMixture(Pairs(starts, ends), scale, 1.3 * time)
