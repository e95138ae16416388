"""General linear processes dX = (A(t) X + c(t)) dt + g(t) dW with a matrix A: rotation, shear, anisotropy."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import expm  # pyright: ignore[reportMissingTypeStubs, reportUnknownVariableType]

from mfgpde.core.arrays import Array, beside
from mfgpde.core.initial_value import integrated
from mfgpde.core.time_structure import breaks, pieces
from mfgpde.processes.contract import LinearProcess, Transition, check_interval, positive


@dataclass(frozen=True, eq=False)
class Linear(LinearProcess):
    """Affine drift A x + c: `matrix(t)` is A (d, d), `offset(t)` is c (d,), `scale(t)` is g; constants are accepted.

    The noise g dW may differ by direction: a `scale` of shape (d,) is a diagonal, one of (d, m) a matrix, also of less
    than full rank. Then D = ½ggᵀ is a tensor, and the equation `ForwardKolmogorov.of(process)`; what needs one number D
    refuses such a process.

    Transition laws solve Φ̇ = AΦ, ḃ = Ab + c, Σ̇ = AΣ + ΣAᵀ + ggᵀ: of still coefficients by exponentials of a short time,
    doubled (Van Loan, IEEE TAC 23, 1978), to roundings of each; else to a relative 1e-12 (Dormand–Prince 8), steps ending
    where a coefficient jumps.

    >>> turning = mfg.Linear(np.array([[0.0, -1.0], [1.0, 0.0]]), horizon=2.0)
    >>> (turning.transition(0.0, np.pi / 2).factor.round(6) + 0.0).tolist()  # a quarter of a turn
    [[0.0, -1.0], [1.0, 0.0]]
    """

    matrix: Array | Callable[[float], Array]
    scale: float | Array | Callable[[float], float | Array] = 1.0
    offset: float | Array | Callable[[float], Array] = 0.0
    horizon: float = 1.0

    def __post_init__(self) -> None:
        positive(horizon=self.horizon)
        matrix = np.asarray(_at(self.matrix, 0.0))
        if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
            raise ValueError(f"matrix must be square, got shape {matrix.shape}")
        for name, values in (
            ("matrix", matrix),
            ("scale", _at(self.scale, 0.0)),
            ("offset", _at(self.offset, 0.0)),
        ):
            if not np.all(np.isfinite(values)):
                raise ValueError(f"{name} has entries that are not finite: {values.tolist()} at t = 0")
        scale = _at(self.scale, 0.0)
        if scale.ndim > 2 or (scale.ndim and scale.shape[0] != len(matrix)):
            raise ValueError(
                f"scale must be a number, one for each of {len(matrix)} axes, or a matrix with as many rows, or a "
                f"function of time that returns such, got shape {scale.shape}"
            )

    def drift(self, x: Array, t: ArrayLike) -> Array:
        """Return A(t) x + c(t)."""
        A, c = _at(self.matrix, t), _at(self.offset, t)
        c = c[..., None] if c.ndim and c.shape == np.shape(t) and callable(self.offset) else c  # a number at each time
        turned = x @ beside(A.T, x) if A.ndim == 2 else np.einsum("...ij,...j->...i", A, x)
        return turned + beside(c, x)

    def divergence(self, x: Array, t: ArrayLike) -> Array:
        """Return tr A(t)."""
        trace = np.trace(_at(self.matrix, t), axis1=-2, axis2=-1)
        return np.zeros_like(x[..., 0], dtype=float) + beside(trace, x)

    def drift_jacobian(self, x: Array, t: ArrayLike) -> Array:
        """Return A(t)."""
        return np.broadcast_to(beside(_at(self.matrix, t), x), (*x.shape, x.shape[-1]))

    def drift_vjp(self, x: Array, t: ArrayLike, v: Array) -> Array:
        """Return Aᵀ(t) v."""
        return np.einsum("...ij,...i->...j", beside(_at(self.matrix, t), v), v)

    @property
    def alike(self) -> bool:
        """Whether `scale` is a number."""
        return not _at(self.scale, 0.0).ndim

    def diffusion(self, t: ArrayLike) -> Array:
        """Return g(t)."""
        if not self.alike:
            raise TypeError(
                "the noise of this process differs by direction, so that there is no one number g(t): its density solves "
                "ForwardKolmogorov.of(process), its transition laws are exact; scores and games need noise that is alike "
                "along all axes"
            )
        scale = _at(self.scale, t)
        return np.broadcast_to(scale, np.broadcast_shapes(scale.shape, np.shape(t)))

    def diffusion_tensor(self, x: Array, t: ArrayLike) -> Array:
        """Return ½ggᵀ at points, shape (..., d, d)."""
        return np.broadcast_to(beside(0.5 * self.noise_covariance(t), x), (*x.shape, x.shape[-1]))

    def noise_covariance(self, t: ArrayLike) -> Array:
        """Return ggᵀ (..., d, d), length² per time; of a still g, (d, d) at any times."""
        scale = _at(self.scale, t)
        axes = scale.ndim - (np.ndim(t) if callable(self.scale) else 0)  # without those of the times
        if axes == 2:
            return scale @ np.swapaxes(scale, -1, -2)
        return (scale**2)[(..., *[None] * (2 - axes))] * self._identity

    @cached_property
    def _identity(self) -> Array:
        return np.eye(len(_at(self.matrix, 0.0)))

    def transition(self, s: float, t: float) -> Transition:
        """Return the law of X_t given X_s."""
        check_interval(s, t, self.horizon)
        return _transition(self, float(s), float(t))

    def prior(self) -> Transition:
        """Return the law of X_T started at zero."""
        end = self.transition(0.0, self.horizon)
        return Transition(0.0, end.offset, end.covariance)


def _length(process: Linear, s: float, t: float) -> float:
    """Return how far noise and offset carry from s to t, by 33 times between: the unit of absolute tolerances."""
    times = np.linspace(s, t, 33)
    noise = np.max([np.trace(process.noise_covariance(u)) for u in times]) / len(_at(process.matrix, s)) * (t - s)
    offset = np.max([np.abs(_at(process.offset, u)).max() for u in times]) * (t - s)
    return float(np.hypot(np.sqrt(noise), offset)) or 1.0


def _at(coefficient: object, t: ArrayLike) -> Array:
    """Return a coefficient at one time, or stacked at an array of times, whose axes come first."""
    if not callable(coefficient):
        return np.asarray(coefficient, dtype=float)
    if not np.ndim(t):
        return np.asarray(coefficient(t), dtype=float)
    values = np.stack([np.asarray(coefficient(float(u)), dtype=float) for u in np.ravel(t)])
    return values.reshape(np.shape(t) + values.shape[1:])


def _coefficients(process: Linear, t: float) -> Array:
    return np.concatenate([_at(part, t).ravel() for part in (process.matrix, process.offset, process.scale)])


def _many(process: Linear, times: Array) -> Array:
    """Return `_coefficients` at times (n,), a row each."""
    parts = [_stacked(part, times) for part in (process.matrix, process.offset, process.scale)]
    return np.concatenate([part.reshape(len(times), -1) for part in parts], axis=1)


def _stacked(coefficient: object, times: Array) -> Array:
    """Return a coefficient at many times (n,), which come first: from one call where it takes them, else from one a time.

    Times are given along an axis before its own, as A·(1 + t) takes them, then alone, as [cos t, sin t] does, with theirs
    last; four of the values from single calls, to the bit, say whether that is what is meant.
    """
    if not callable(coefficient):
        one = _at(coefficient, 0.0)
        return np.broadcast_to(one, (len(times), *one.shape))
    few = np.linspace(0, len(times) - 1, 4).astype(int)
    known = _at(coefficient, times[few])
    whole = (len(times), *known.shape[1:])
    for given in (times.reshape(-1, *[1] * (known.ndim - 1)), times):
        try:
            values = np.asarray(coefficient(given), dtype=float)
        except Exception:  # whatever a function of one time does with many
            continue
        values = np.moveaxis(values, -1, 0) if values.shape == (*whole[1:], whole[0]) else values
        if values.shape == whole and np.array_equal(values[few], known):
            return values
    return _at(coefficient, times)


def _check_finite(process: Linear, t: float) -> None:
    """Raise ValueError where a coefficient is infinite, or cannot be computed: a law at that time is a limit."""
    try:
        with np.errstate(all="ignore"):
            found = _coefficients(process, t)
    except ArithmeticError as problem:
        found, reason = np.array([np.nan]), f" ({problem})"
    else:
        reason = ""
    if not np.isfinite(found).all():
        raise ValueError(
            f"matrix, offset or scale is not finite at t = {t:g}{reason}, so that no law there can be integrated; end "
            f"before (horizon={0.999 * t:g}), or say the path itself, x_t = α x₀ + σ ε: processes.GaussianPath(α, σ)"
        )


@lru_cache(maxsize=256)
def _transition(process: Linear, s: float, t: float) -> Transition:
    if not any(map(callable, (process.matrix, process.scale, process.offset))):
        return _doubled(process, t - s)
    d = np.asarray(_at(process.matrix, 0.0)).shape[0]
    for u in {s, t}:
        _check_finite(process, u)

    def rate(u: float, y: Array) -> Array:
        A = _at(process.matrix, u)
        state = y.reshape(d, 2 * d + 1)
        factor, offset, covariance = state[:, :d], state[:, d], state[:, d + 1 :]
        found = np.empty_like(state)
        found[:, :d] = A @ factor
        found[:, d] = A @ offset + _at(process.offset, u)
        found[:, d + 1 :] = A @ covariance + covariance @ A.T + process.noise_covariance(u)
        return found.ravel()

    start = np.hstack((np.eye(d), np.zeros((d, d + 1))))
    unit = _length(process, s, t)
    least = 1e-14 * np.hstack((np.ones((d, d)), np.full((d, 1), unit), np.full((d, d), unit**2)))
    end = start.ravel()
    read, many = partial(_coefficients, process), partial(_many, process)
    for a, b in pieces(breaks(read, s, t, many, finer=1) if t > s else [], s, t):
        end = integrated(rate, a, b, end, 1e-12, least.ravel())
    end = end.reshape(start.shape)
    covariance = end[:, d + 1 :]
    return Transition(end[:, :d], end[:, d], 0.5 * (covariance + covariance.T))


def _doubled(process: Linear, time: float) -> Transition:
    """Return the law over a time: over 2^−k of it by exponentials, then Σ ← FΣFᵀ + Σ, b ← Fb + b, F ← F², k times."""
    matrix, noise = _at(process.matrix, 0.0), process.noise_covariance(0.0)
    d = len(matrix)
    constant = np.broadcast_to(_at(process.offset, 0.0), (d,))
    size = float(np.abs(matrix).sum(axis=1).max()) * time
    halvings = max(0, int(np.ceil(np.log2(2 * size)))) if size > 0 else 0
    short = time / 2**halvings
    moved = _exponential(short * np.block([[matrix, constant[:, None]], [np.zeros((1, d + 1))]]))
    factor, offset = moved[:d, :d], moved[:d, d]
    pair = _exponential(short * np.block([[matrix, noise], [np.zeros((d, d)), -matrix.T]]))
    covariance = pair[:d, d:] @ factor.T
    for _ in range(halvings):
        offset, covariance = factor @ offset + offset, factor @ covariance @ factor.T + covariance
        factor = factor @ factor
    return Transition(factor, offset, 0.5 * (covariance + covariance.T))


def _exponential(matrix: Array) -> Array:
    return np.asarray(expm(matrix), dtype=float)  # pyright: ignore[reportUnknownArgumentType]


def examples() -> Iterator[Linear]:
    """Yield members to hold the laws to: turning, anisotropic, changing in time, in nanometres and gigametres."""
    turning, narrow = np.array([[-1.0, 2.0], [-1.5, -0.5]]), np.diag([-0.1, -3.0, -1.0])
    yield Linear(turning, 0.7, np.array([0.3, -0.2]))
    yield Linear(narrow, 1.3, 0.4, horizon=2.7)
    yield Linear(_rising, _growing, _turning_offset, horizon=2.7)
    for length, time in ((1e-9, 1e9), (1e9, 1e-9)):
        offset = np.array([0.3, -0.2]) * length / time
        yield Linear(turning / time, 0.7 * length * time**-0.5, offset, 2.7 * time)
        yield Linear(-np.eye(2), partial(_breathing, length))


def _rising(t: float) -> Array:
    return np.array([[-1.0, 2.0], [-1.5, -0.5]]) * (1 + t)


def _growing(t: float) -> float:
    return 1 + 0.5 * t


def _breathing(length: float, t: float) -> float:
    return length * (1.5 + np.sin(12 * t))


def _turning_offset(t: float) -> Array:
    return np.array([np.cos(t), 0.3 * np.sin(2 * t)])
