"""Any Gaussian path x_t = α(t) x₀ + σ(t) ε whose two functions somebody writes down."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import ArrayLike

from mfgpde.core.arrays import Array
from mfgpde.core.differences import slope
from mfgpde.processes.contract import positive
from mfgpde.processes.scheduled import Schedule, ScheduledProcess, of_deviation

Function = Callable[[Array], Array]
LOOKS = 65
TINY = 1e-100
"""of the horizon: a complex step, whose square is lost"""


@dataclass(frozen=True)
class GaussianPath(ScheduledProcess):
    """x_t = α(t) x₀ + σ(t) ε: `alpha` and `sigma` are functions of an array of times in [0, horizon], σ a length.

    Their derivatives may be given as `alpha_rate` and `sigma_rate`. Else they are taken by a complex step, exact to
    rounding for functions that are analytic in NumPy (Squire & Trapp, SIAM Rev. 40 (1998)); for others they must be given.
    The prior is N(0, σ(T)² I).

    Raises ValueError where α(0) ≤ 0, where data come back or noise goes away (ασ̇ < σα̇), for values that are not finite,
    and for functions without a complex step.

    >>> straight = mfg.processes.GaussianPath(lambda t: 1 - t, lambda t: t)
    >>> law = straight.transition(0.0, 0.25)
    >>> law.factor, law.covariance
    (0.75, 0.0625)
    """

    alpha: Function
    sigma: Function
    alpha_rate: Function | None = None
    sigma_rate: Function | None = None
    horizon: float = 1.0

    def __post_init__(self) -> None:
        positive(horizon=self.horizon)
        for name, function, rate in (("alpha", self.alpha, self.alpha_rate), ("sigma", self.sigma, self.sigma_rate)):
            if rate is None:
                _check_step(name, function, self.horizon)
        t = self.horizon * np.linspace(0, 1, LOOKS)
        now = self.schedule(t)
        for name, values in zip(("alpha", "sigma", "alpha's rate", "sigma's rate"), now, strict=False):
            if np.shape(values) != t.shape or not np.isfinite(values).all():
                raise ValueError(f"{name} must be finite, of the shape of the times, on [0, {self.horizon:g}]")
        if now.alpha[0] <= 0 or now.alpha.min() < 0 or now.sigma.min() < 0:
            raise ValueError(
                "alpha must be > 0 at t = 0, where the data are, and neither alpha nor sigma negative later"
            )
        gain = now.alpha * now.sigma_rate - now.sigma * now.alpha_rate
        if gain.min() < -1e-9 * np.abs(gain).max() or now.sigma[-1] <= now.sigma[0]:
            worst = float(t[int(np.argmin(gain))])
            raise ValueError(
                f"sigma/alpha must grow with time, from data at t = 0 to noise at the horizon; it falls at t = {worst:g}: "
                "for a path with data at its end give alpha(T − t), sigma(T − t)"
            )

    def schedule(self, t: ArrayLike) -> Schedule:
        """Return both functions and their derivatives."""
        t = np.asarray(t, dtype=float)
        rates = [
            rate(t) if rate is not None else _step(function, t, self.horizon)
            for function, rate in ((self.alpha, self.alpha_rate), (self.sigma, self.sigma_rate))
        ]
        values = [np.asarray(one, dtype=float) + 0 * t for one in (self.alpha(t), self.sigma(t), *rates)]
        return of_deviation(*values)

    @property
    def prior_variance(self) -> float:
        """σ(T)²."""
        return float(self.schedule(self.horizon).sigma) ** 2


def _step(function: Function, t: Array, horizon: float) -> Array:
    beside = cast(Array, t + 1j * TINY * horizon)  # complex: a path is a function of real times, and analytic
    return np.imag(function(beside)) / (TINY * horizon)


def _check_step(name: str, function: Function, horizon: float) -> None:
    """Raise ValueError unless the complex step gives what differences give, at three times."""
    for share in (0.21, 0.5, 0.83):
        t = share * horizon
        with np.errstate(all="ignore"):
            found, error = slope(lambda h, t=t: np.asarray(function(np.asarray(t + h))), 0.15 * horizon)
            size = abs(found) + float(np.abs(function(np.asarray(t)))) / horizon
            try:
                wrong = abs(float(_step(function, np.asarray(t), horizon)) - found)
            except Exception:  # whatever somebody's function does with complex numbers
                wrong = np.inf
        if not wrong <= error + 1e-6 * size:
            raise ValueError(
                f"the derivative of {name} cannot be taken by a complex step (interpolation, absolute values and the like "
                f"have none); give {name}_rate, its derivative in time"
            )


def examples() -> Iterator[GaussianPath]:
    """Yield members to hold the laws to: a straight and a bent path, with and without noise at the start."""
    yield GaussianPath(_falling, _rising, _fall, _rise)
    yield GaussianPath(_bent, _bending, horizon=2.7)


def _falling(t: Array) -> Array:
    return 1 - t


def _rising(t: Array) -> Array:
    return 0.1 + 0.9 * t


def _fall(t: Array) -> Array:
    return -np.ones_like(t)


def _rise(t: Array) -> Array:
    return np.full_like(t, 0.9)


def _bent(t: Array) -> Array:
    return 0.9 * np.exp(-(t**2))


def _bending(t: Array) -> Array:
    return np.sin(0.5 * t) * (1 + t)
