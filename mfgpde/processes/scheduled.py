"""Processes given by a schedule: x_t = α(t) x₀ + σ(t) ε, with the diffusion and the flow that have these laws.

As a diffusion the path has drift (α̇/α) x and g² = d(σ²)/dt − 2σ²α̇/α; its flow has the velocity E[α̇ x₀ + σ̇ ε given x_t].
arXiv:2303.08797, sections 2 and 4; arXiv:2206.00364, appendix B.
"""

from __future__ import annotations

from abc import abstractmethod
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from mfgpde.core.arrays import Array
from mfgpde.processes.contract import IsotropicProcess

LEFT = 1e-6
"""of the data: with less of it left, drift and diffusion, which grow as 1/α, are those of the time at which it was so"""


class Schedule(NamedTuple):
    """α, σ, their derivatives in time, and that of σ², which is finite where σ = 0 and σ̇ is not."""

    alpha: Array
    sigma: Array
    alpha_rate: Array
    sigma_rate: Array
    noise_rate: Array


def of_deviation(alpha: Array, sigma: Array, alpha_rate: Array, sigma_rate: Array) -> Schedule:
    """Return the schedule of σ and σ̇ that are finite."""
    return Schedule(alpha, sigma, alpha_rate, sigma_rate, 2 * sigma * sigma_rate)


def of_variance(alpha: Array, noise: Array, alpha_rate: Array, noise_rate: Array) -> Schedule:
    """Return the schedule of a variance σ² and its derivative; σ̇ is infinite where the variance starts with a slope."""
    sigma = np.sqrt(noise)
    with np.errstate(divide="ignore", invalid="ignore"):
        return Schedule(alpha, sigma, alpha_rate, noise_rate / (2 * sigma), noise_rate)


class ScheduledProcess(IsotropicProcess):
    """A process given by its schedule. X₀ are the data with the noise σ(0) that they may have at the start.

    Where α(T) = 0 nothing of the data is left: the prior is p_T, and drift and diffusion have a pole there. Within the last
    millionth of α they are kept at what they were at its beginning; the laws are not. What an SDE started from the prior
    gains or loses by that is below 1e-6 of the data's deviation at once, and is forgotten at the rate of the pole.
    """

    @abstractmethod
    def schedule(self, t: ArrayLike) -> Schedule:
        """Return α, σ and their derivatives at times t, each of the shape of t."""

    @cached_property
    def _start(self) -> tuple[float, float]:
        first = self.schedule(0.0)
        return float(first.alpha), float(first.sigma)

    @cached_property
    def _last(self) -> float:
        """The last time at which α is a millionth of what it was."""
        start, low, high = self._start[0], 0.0, self.horizon
        if float(self.schedule(high).alpha) >= LEFT * start:
            return high
        for _ in range(60):
            middle = 0.5 * (low + high)
            low, high = (middle, high) if float(self.schedule(middle).alpha) >= LEFT * start else (low, middle)
        return low

    def relaxation(self, t: ArrayLike) -> Array:
        """Return −α̇/α."""
        now = self.schedule(np.minimum(t, self._last))
        return -now.alpha_rate / now.alpha

    def diffusion(self, t: ArrayLike) -> Array:
        """Return √(d(σ²)/dt − 2σ²α̇/α)."""
        now = self.schedule(np.minimum(t, self._last))
        return np.sqrt(np.maximum(now.noise_rate - 2 * now.sigma**2 * now.alpha_rate / now.alpha, 0.0))

    def mean_coefficient(self, t: ArrayLike) -> Array:
        """Return α(t)/α(0)."""
        return self.schedule(t).alpha / self._start[0]

    def variance(self, t: ArrayLike) -> Array:
        """Return σ(t)² − (α(t)/α(0))²σ(0)²: the noise since the start."""
        now, (alpha, sigma) = self.schedule(t), self._start
        return now.sigma**2 - (now.alpha / alpha * sigma) ** 2


def schedule_of(process: IsotropicProcess, t: ArrayLike) -> Schedule:
    """Return α, σ and their derivatives of any isotropic process: its own schedule, or m, √v and what they solve.

    >>> now = mfg.processes.schedule_of(mfg.Brownian(), 0.25)
    >>> print(f"{now.alpha:.1f}, {now.sigma:.1f}, {now.sigma_rate:.1f}")  # 1, √t, 1/(2√t)
    1.0, 0.5, 1.0
    """
    if isinstance(process, ScheduledProcess):
        return process.schedule(t)
    a, m, v = process.relaxation(t), process.mean_coefficient(t), process.variance(t)
    return of_variance(m, v, -a * m, process.diffusion(t) ** 2 - 2 * a * v)
