"""The family between the probability flow and the reverse diffusion, its linear part solved exactly."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

import numpy as np

from mfgpde.core.arrays import Array
from mfgpde.samplers.contract import Model, Move, checked_times


def denoised(model: Model, x: Array, t: float, s: float, noise: float) -> tuple[Array, float]:
    """Return mean and deviation of the λ-dynamics from t to s with the denoiser frozen at x̂₀(x, t).

    In y = x/α with w = σ²/α²: dy = −½(1 + λ²)(x̂₀ − y)/w dw + λ dW(w) backwards in w, so that
    y_s = x̂₀ + (y_t − x̂₀)(w_s/w_t)^{(1 + λ²)/2} + N(0, w_s(1 − (w_s/w_t)^{λ²})).
    """
    a, w, target = model.alpha(s), model.spread(s), model.data(x, t)
    ratio = w / model.spread(t)
    mean = target + (x / model.alpha(t) - target) * ratio ** (0.5 * (1 + noise**2))
    return a * mean, a * float(np.sqrt(max(w * (1 - ratio**noise**2), 0.0)))


@dataclass(frozen=True)
class Exponential:
    """dY = (−f + (1 + λ²) D s)dτ + λ g dW with the prediction of the data frozen over each step, for every Gaussian path.

    `noise` is λ ≥ 0: zero is DDIM, one is ancestral sampling. With the exact score all members share their marginals.
    Raises ValueError for a noise that is negative or not finite. — after arXiv:2206.00364, eq. (6), and arXiv:2211.01095.

    >>> model = mfg.samplers.Model(mfg.Brownian(), mfg.ExactScore(mfg.Brownian(), mfg.gaussian(0.0, 1.0)))
    >>> ((move,),) = mfg.samplers.Exponential(noise=1.0).run(model, np.array([1.0, 0.5]))
    >>> mean, deviation = move(np.array([[1.0]]))  # x̂₀ = ½: halfway there, variance ½(1 − ½)
    >>> float(mean[0, 0].round(12)), round(deviation, 12)
    (0.75, 0.5)
    """

    noise: float = 1.0
    order: ClassVar[int] = 1
    markov: ClassVar[bool] = True
    reference: ClassVar[str] = "after arXiv:2206.00364, eq. (6), and arXiv:2211.01095, section 4"

    def __post_init__(self) -> None:
        if not (np.isfinite(self.noise) and self.noise >= 0):
            raise ValueError(f"noise must be a finite number ≥ 0, got {self.noise!r}")

    @property
    def stochastic(self) -> bool:
        """Whether λ > 0."""
        return self.noise > 0

    def run(self, model: Model, times: Array) -> Iterator[list[Move]]:
        """Yield the moves. Raises ValueError for times that do not decrease within the horizon."""
        for t, s in pairwise(map(float, checked_times(times, model.process))):
            yield [lambda x, t=t, s=s: denoised(model, x, t, s, self.noise)]


def examples() -> Iterator[Exponential]:
    """Yield members to hold the laws to: flow, half the noise, the diffusion, more."""
    yield from map(Exponential, (0.0, 0.5, 1.0, 1.5))
