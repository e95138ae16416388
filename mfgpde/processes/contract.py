"""What a forward (noising) process is: dX = f(X,t) dt + g(t) dW on [0, horizon], data at t = 0."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Protocol, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike

from mfgpde.core.arrays import Array, beside
from mfgpde.core.differences import gradient
from mfgpde.core.renamed import renamed

WIDTHS = 24
"""of differences, from the length that the noise goes to a ten-millionth of it"""


@dataclass(frozen=True)
class Transition:
    """The affine-Gaussian law X_t | X_s = factor · X_s + offset + N(0, covariance).

    Each entry is a number (a multiple of the identity, or of the vector of ones) or an array: factor (d, d),
    offset (d,), covariance (d, d). A factor of zero forgets the start: that is how a prior is written.

    >>> half = mfg.processes.Transition(0.5, 0.0, 0.75)
    >>> mfg.gaussian(2.0, 1.0).after(half).means.tolist(), mfg.gaussian(2.0, 1.0).after(half).covariances.tolist()
    ([[1.0]], [[[1.0]]])
    """

    factor: float | Array
    offset: float | Array
    covariance: float | Array

    def in_dimension(self, dimension: int) -> tuple[Array, Array, Array]:
        """Return factor (d, d), offset (d,) and covariance (d, d) as arrays."""
        unit = np.eye(dimension)
        factor, offset, covariance = map(np.asarray, (self.factor, self.offset, self.covariance))
        return (
            factor if factor.ndim else float(factor) * unit,
            offset if offset.ndim else np.full(dimension, float(offset)),
            covariance if covariance.ndim else float(covariance) * unit,
        )


class ForwardProcess(ABC):
    """A diffusion dX = f(X,t) dt + g(t) dW with scalar g > 0 on the time interval [0, horizon].

    Points have shape (..., d); times are numbers or broadcast against the leading shape of the points.
    """

    horizon: float
    autonomous: ClassVar[bool] = False
    """whether drift and diffusion are the same at all times"""

    @property
    def time_scale(self) -> float:
        """The time within which drift and noise change by their own size at most, at any instant; zero if it is not known.

        |c(t) − c(s)| ≤ max|c| |t − s|/τ on the horizon, for c the drift at any point and D. Coefficients that are known to
        change no faster need not be looked through for pulses. A subclass, whose formulas may be others, says it anew.
        """
        return 0.0

    @property
    def alike(self) -> bool:
        """Whether the noise is alike along all axes, one number g(t); of others D is a tensor alone."""
        return True

    @abstractmethod
    def drift(self, x: Array, t: ArrayLike) -> Array:
        """Return f(x,t), shape (..., d), length per time."""

    @abstractmethod
    def divergence(self, x: Array, t: ArrayLike) -> Array:
        """Return ∇·f(x,t), shape (...), per time."""

    @abstractmethod
    def diffusion(self, t: ArrayLike) -> Array:
        """Return g(t), length per square root of time."""

    def diffusivity(self, t: ArrayLike) -> Array:
        """Return D(t) = g(t)²/2, the one place where this factor ½ is written."""
        return 0.5 * self.diffusion(t) ** 2

    def diffusion_tensor(self, x: Array, t: ArrayLike) -> Array:
        """Return D(t) as a tensor at points, shape (..., d, d)."""
        D = np.asarray(self.diffusivity(t))
        return np.broadcast_to(
            (D[..., None, None] if D.ndim else float(D)) * np.eye(x.shape[-1]), (*x.shape, x.shape[-1])
        )

    def drift_jacobian(self, x: Array, t: ArrayLike) -> Array:
        """Return ∂_j f_i(x,t), shape (..., d, d), per time; here by differences over the length that the noise goes."""
        return gradient(lambda y: self.drift(y, t), x, self._noise_length, WIDTHS)[0]

    def drift_vjp(self, x: Array, t: ArrayLike, v: Array) -> Array:
        """Return (∇f)ᵀv, Σ_i v_i ∂_j f_i(x,t), for one direction v a point, shape (..., d)."""
        return np.einsum("...ij,...i->...j", self.drift_jacobian(x, t), v)

    def divergence_gradient(self, x: Array, t: ArrayLike) -> Array:
        """Return ∇(∇·f)(x,t), shape (..., d), per time and length; here by differences, too."""
        return gradient(lambda y: self.divergence(y, t), x, self._noise_length, WIDTHS)[0]

    @property
    def _noise_length(self) -> float:
        """The largest g√T at five times, the length over which drifts of its own kind vary."""
        return float(np.max(self.diffusion(self.horizon * np.linspace(0, 1, 5)))) * float(np.sqrt(self.horizon))


class LinearProcess(ForwardProcess):
    """A process whose drift is affine in x: all its transition laws are Gaussian."""

    def drift_jacobian(self, x: Array, t: ArrayLike) -> Array:
        """Return ∂_j f_i(t), shape (..., d, d): of an affine drift (f(ℓe_j) − f(0))/ℓ, whatever x is."""
        origin, moment, length = 0.0 * x[..., None, :], np.asarray(t), self._noise_length
        moment = moment[..., None] if moment.ndim else moment
        columns = self.drift(origin + beside(length * np.eye(x.shape[-1]), x), moment) - self.drift(origin, moment)
        return np.swapaxes(columns, -1, -2) / length

    def divergence_gradient(self, x: Array, t: ArrayLike) -> Array:
        """Return zero."""
        return np.zeros_like(x, dtype=float)

    @abstractmethod
    def transition(self, s: float, t: float) -> Transition:
        """Return the law of X_t given X_s, for 0 ≤ s ≤ t ≤ horizon."""

    @abstractmethod
    def prior(self) -> Transition:
        """Return the law from which generation starts at t = horizon (factor zero)."""


@renamed(contraction="mean_coefficient")
class IsotropicProcess(LinearProcess):
    """A linear process f(x,t) = −a(t) x: X_t | X_0 = m(t) X_0 + N(0, v(t) I)."""

    @abstractmethod
    def relaxation(self, t: ArrayLike) -> Array:
        """Return the relaxation rate a(t), per time."""

    @abstractmethod
    def mean_coefficient(self, t: ArrayLike) -> Array:
        """Return m(t) = exp(−∫₀ᵗ a)."""

    @abstractmethod
    def variance(self, t: ArrayLike) -> Array:
        """Return v(t) = ∫₀ᵗ g(u)² (m(t)/m(u))² du, length²."""

    @property
    @abstractmethod
    def prior_variance(self) -> float:
        """The variance of the prior, length²."""

    def drift(self, x: Array, t: ArrayLike) -> Array:
        """Return −a(t) x."""
        a = np.asarray(self.relaxation(t))
        return -(a[..., None] if a.ndim else float(a)) * x

    def divergence(self, x: Array, t: ArrayLike) -> Array:
        """Return −d a(t)."""
        rate = -x.shape[-1] * np.asarray(self.relaxation(t))
        return np.broadcast_to(rate, x.shape[:-1]) if rate.ndim else np.full_like(x[..., 0], float(rate), dtype=float)

    def drift_jacobian(self, x: Array, t: ArrayLike) -> Array:
        """Return −a(t) I."""
        a = np.asarray(self.relaxation(t))
        unit = beside(np.eye(x.shape[-1]), x)
        return np.broadcast_to(-(a[..., None, None] if a.ndim else float(a)) * unit, (*x.shape, x.shape[-1]))

    def drift_vjp(self, x: Array, t: ArrayLike, v: Array) -> Array:
        """Return −a(t) v."""
        return self.drift(v, t)

    def transition(self, s: float, t: float) -> Transition:
        """Return factor m(t)/m(s) and covariance v(t) − (m(t)/m(s))² v(s)."""
        check_interval(s, t, self.horizon)
        factor = (
            float(self.mean_coefficient(t) / self.mean_coefficient(s)) if s < t else 1.0
        )  # 0/0 where nothing is left
        return Transition(factor, 0.0, max(float(self.variance(t) - factor**2 * self.variance(s)), 0.0))

    def prior(self) -> Transition:
        """Return N(0, prior_variance · I)."""
        return Transition(0.0, 0.0, self.prior_variance)


def relaxation_of(drift: object) -> Callable[[float], Array] | None:
    """Return a(t) where a function is the drift −a(t) x of an isotropic process, as that class writes it; else None."""
    owner = getattr(drift, "__self__", None)
    own = getattr(drift, "__func__", None) is IsotropicProcess.drift
    return owner.relaxation if own and isinstance(owner, IsotropicProcess) else None


def check_interval(s: float, t: float, horizon: float) -> None:
    """Raise ValueError unless 0 ≤ s ≤ t ≤ horizon."""
    if not 0 <= s <= t <= horizon * (1 + 1e-12):  # times are often T − τ: a few roundings of T
        raise ValueError(f"times must satisfy 0 ≤ s ≤ t ≤ {horizon:g} (the horizon), got s = {s!r}, t = {t!r}")


def positive(**fields: float) -> None:
    """Raise ValueError for the first field that is not a positive finite number."""
    for name, value in fields.items():
        if not (np.isfinite(value) and value > 0):
            raise ValueError(f"{name} must be a positive finite number, got {value!r}")


def known_time_scale(process: ForwardProcess) -> float:
    """Return the time scale that a process's own class says, zero where only a class that it derives from says one."""
    return process.time_scale if "time_scale" in vars(type(process)) else 0.0


@runtime_checkable
class Broken(Protocol):
    """A process that says the times at which its coefficients jump: differences are taken in between."""

    @property
    def instants(self) -> Array:
        """The times, increasing."""
        ...
