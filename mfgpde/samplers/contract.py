"""What a sampler is: moves x ↦ m(x) + s z along a decreasing list of times, from noise to data; and what levels are.

With an exact score the law of each state can be computed: that of m(X) by transport, that of + s z by a blur.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from scipy.optimize import brentq

from mfgpde.core.arrays import Array
from mfgpde.core.repeatable import require_repeatable
from mfgpde.densities import GaussianMixture
from mfgpde.processes import IsotropicProcess
from mfgpde.scores import Score

type Move = Callable[[Array], tuple[Array, float]]
"""x (n, d) ↦ the mean m(x), (n, d), and the deviation s ≥ 0 of what is added: m(x) + s z, z ~ N(0, I)"""

FEW = 16
"""points at which a model is asked twice"""
LEFT = 1e-6
"""of the data: where less of it is in the state, the prediction of the data is that of the last time with so much"""


@dataclass(frozen=True, eq=False)
class Model:
    """A score under a process X_t = α(t) X₀ + σ(t) ε, read as a prediction of noise, data or velocity.

    ε̂ = −σ s, x̂₀ = (x + σ² s)/α, û = f − D s; w = σ²/α² is the variance in units of the data, λ = log(α/σ).

    >>> model = mfg.samplers.Model(mfg.VariancePreserving(), score := mfg.ExactScore(
    ...     mfg.VariancePreserving(), mfg.gaussian(2.0, 1e-12)))
    >>> print(f"{model.data(np.array([[0.3]]), 0.5)[0, 0]:.6f}")  # a point mass is found from anywhere
    2.000000
    """

    process: IsotropicProcess
    score: Score

    def alpha(self, t: float) -> float:
        """Return α(t)."""
        return float(self.process.mean_coefficient(t))

    def sigma(self, t: float) -> float:
        """Return σ(t), a length."""
        return float(np.sqrt(self.process.variance(t)))

    def spread(self, t: float) -> float:
        """Return w(t) = σ²/α², length²."""
        a = self.alpha(t)
        return float(self.process.variance(t)) / a**2 if a > 0 else np.inf

    def log_snr(self, t: float) -> float:
        """Return λ(t) = log(α/σ), infinite at t = 0."""
        w = self.spread(t)
        return -0.5 * float(np.log(w)) if 0 < w < np.inf else np.inf if w == 0 else -np.inf

    def time_at(self, log_snr: float) -> float:
        """Return the time at which λ has a value. Raises ValueError for one that the process does not reach."""
        T = self.seen(self.process.horizon)
        least = self.log_snr(T)
        if log_snr < least - 1e-9 * (1 + abs(least)):
            raise ValueError(f"λ = {log_snr:.6g} is below {least:.6g}, its value at the last time, {T:g}")
        if log_snr <= least:
            return T
        low, high = T, T
        while self.log_snr(low) < log_snr:
            low, high = 0.5 * low, low
        return float(brentq(lambda t: self.log_snr(t) - log_snr, low, high, xtol=1e-300, rtol=8.9e-16))

    def noise(self, x: Array, t: float) -> Array:
        """Return ε̂ = −σ s, shape (n, d)."""
        return -self.sigma(t) * self.score(x, t)

    def data(self, x: Array, t: float) -> Array:
        """Return x̂₀ = (x + σ² s)/α, shape (n, d), a length."""
        t = self.seen(t)
        return (x + float(self.process.variance(t)) * self.score(x, t)) / self.alpha(t)

    def seen(self, t: float) -> float:
        """Return t, or the last time at which a millionth of the data is in the state."""
        if self.alpha(t) >= LEFT:
            return t
        return float(brentq(lambda u: self.alpha(u) - LEFT, 0.0, t))

    def widths(self, least: float, stop: float) -> tuple[float, float, float]:
        """Return the first time of a list of noise levels, and σ/α there and at the last level that is not zero.

        The first is the horizon, or where nothing of the data is left at the horizon the last time with a millionth of
        them. The last is that of the stop, or, where this is zero, `least` of the largest; of σ(T) where no data are left.
        """
        T = self.process.horizon
        first = self.seen(T)
        top = float(np.sqrt(self.spread(first)))
        if stop > 0:
            return first, top, float(np.sqrt(self.spread(stop)))
        return first, top, least * (top if first == T else self.sigma(T))

    def velocity(self, x: Array, t: float) -> Array:
        """Return û = f − D s, the velocity of the probability flow, length per time."""
        return self.process.drift(x, t) - float(self.process.diffusivity(t)) * self.score(x, t)


@runtime_checkable
class Sampler(Protocol):
    """A scheme: it yields one or more moves for each of `times[1:]`, each to be made once, in turn.

    `order` is that in which the generated law tends to p at the last time when levels are refined. A sampler whose moves
    remember earlier states is for trajectories only: `markov` is False, and it adds no noise.
    """

    @property
    def order(self) -> int:
        """The order of the law in the size of steps."""
        ...

    @property
    def stochastic(self) -> bool:
        """Whether noise is added."""
        ...

    @property
    def markov(self) -> bool:
        """Whether moves depend on the present state alone."""
        ...

    @property
    def reference(self) -> str:
        """Where it is published."""
        ...

    def run(self, model: Model, times: Array) -> Iterator[list[Move]]:
        """Yield for each of `times[1:]` the moves that lead there."""
        ...


@runtime_checkable
class Levels(Protocol):
    """A rule for the times at which a sampler evaluates its model."""

    def times(self, process: IsotropicProcess, steps: int, stop: float = 0.0) -> Array:
        """Return decreasing times (steps + 1,), the last one `stop`, the first at most the horizon."""
        ...


def require_repeatable_model(model: Model, start: GaussianMixture, t: float) -> None:
    """Raise ValueError where a model's score, asked the same twice, gives other values: no law is that of such a one."""
    x = start.sample(FEW, np.random.default_rng(0))
    require_repeatable(model.score, x, t, "the model's score")


def checked_times(times: Array, process: IsotropicProcess) -> Array:
    """Return times as an array. Raises ValueError unless they decrease, between the horizon and zero, at least two."""
    times = np.asarray(times, dtype=float)
    if times.ndim != 1 or len(times) < 2 or not np.isfinite(times).all():
        raise ValueError(f"a sampler needs at least two finite times in one list, got shape {times.shape}")
    rising = np.flatnonzero(np.diff(times) >= 0)
    if len(rising):
        k = int(rising[0])
        raise ValueError(
            f"times must decrease from noise to data, got times[{k}] = {times[k]:.6g} before "
            f"times[{k + 1}] = {times[k + 1]:.6g}; sort them, largest first, and leave out repetitions"
        )
    if times[-1] < 0 or times[0] > process.horizon * (1 + 1e-12):
        raise ValueError(f"times must lie in [0, {process.horizon:g}], got {times[-1]:.6g} … {times[0]:.6g}")
    return times


def checked_request(process: IsotropicProcess, steps: int, stop: float) -> None:
    """Raise ValueError for fewer than one step, or a stop outside [0, horizon)."""
    if not isinstance(steps, int | np.integer) or steps < 1:
        raise ValueError(f"steps must be a whole number ≥ 1, got {steps!r}")
    if not 0 <= stop < process.horizon:
        raise ValueError(f"stop must lie in [0, {process.horizon:g}), the times of the process, got {stop!r}")
