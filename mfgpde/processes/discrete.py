"""Noise schedules that are lists β₁ … β_N, as diffusion models in discrete time have them, as processes in time.

ᾱ_n = Π_{k≤n} (1 − β_k) is exact at the list's instants t_n = nT/N, log ᾱ linear in between. A model that is called with the
index k = 0 … N − 1 of a list is called at the time t_{k+1}. arXiv:2006.11239, eq. (4).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mfgpde.core.arrays import Array
from mfgpde.processes.contract import positive
from mfgpde.processes.scheduled import Schedule, ScheduledProcess, of_variance


@dataclass(frozen=True, repr=False)
class DiscreteSchedule(ScheduledProcess):
    """The variance-preserving process of a list `betas` of N numbers in (0, 1), the last one at most 1.

    α = √ᾱ, σ² = 1 − ᾱ, with log ᾱ linear between the instants nT/N; where the last β is one (no signal left), α falls to
    zero along a straight line in the last step. Rates at the instants are the means of both sides.
    Raises ValueError for a list that is empty or holds another number, and for a horizon that is not positive.

    >>> process = mfg.processes.DiscreteSchedule([0.1, 0.2])
    >>> print(f"{process.mean_coefficient(0.5) ** 2:.2f}, {process.mean_coefficient(1.0) ** 2:.2f}")  # 0.9, 0.9 · 0.8
    0.90, 0.72
    """

    betas: Sequence[float]
    horizon: float = 1.0

    def __post_init__(self) -> None:
        positive(horizon=self.horizon)
        try:
            betas = np.asarray(self.betas, dtype=float)
        except (TypeError, ValueError):
            raise ValueError(f"betas must be a list of numbers, got {self.betas!r}") from None
        if betas.ndim != 1 or not betas.size:
            raise ValueError(f"betas must be a list of numbers, got shape {betas.shape}")
        wrong = ~((betas > 0) & (betas < 1))
        wrong[-1] = not 0 < betas[-1] <= 1
        if wrong.any():
            k = int(np.argmax(wrong))
            said = "; these look like ᾱ: cumulative(…) takes them" if _falls(betas) else ""
            raise ValueError(f"betas must lie in (0, 1), only the last may be 1; number {k} is {betas[k]!r}{said}")
        object.__setattr__(self, "betas", tuple(betas.tolist()))

    @property
    def steps(self) -> int:
        """The length N of the list."""
        return len(self.betas)

    @property
    def instants(self) -> Array:
        """The N + 1 times at which ᾱ is that of the list, and the rates jump."""
        return self.horizon * np.arange(self.steps + 1) / self.steps

    @cached_property
    def logarithms(self) -> Array:
        """The values of log ᾱ at the N + 1 instants; the last may be −∞."""
        with np.errstate(divide="ignore"):
            return np.concatenate(([0.0], np.cumsum(np.log1p(-np.asarray(self.betas)))))

    def schedule(self, t: ArrayLike) -> Schedule:
        """Return √ᾱ and √(1 − ᾱ)."""
        t = np.asarray(t, dtype=float)
        place = np.clip(t / self.horizon * self.steps, 0.0, self.steps)
        nearest = np.round(place)  # times are often n·T/N: a few roundings of it
        place = np.where(np.abs(place - nearest) <= 4 * np.spacing(nearest + 1), nearest, place)
        right = np.minimum(np.floor(place), self.steps - 1).astype(np.int64)
        left = np.maximum(np.ceil(place).astype(np.int64) - 1, 0)
        share = place - right.astype(float)
        parts = [self._piece(right, share), self._piece(left, place - left.astype(float))]
        alpha, noise = parts[0][0], -np.expm1(self._log(right, share))
        rate = 0.5 * (parts[0][1] + parts[1][1]) * self.steps / self.horizon
        return of_variance(alpha, noise, rate, -2 * alpha * rate)

    def _log(self, k: NDArray[np.int64], share: Array) -> Array:
        alpha, _ = self._piece(k, share)
        start, end = self.logarithms[k], self.logarithms[k + 1]
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(np.isfinite(end), start + share * (end - start), 2 * np.log(alpha))

    def _piece(self, k: NDArray[np.int64], share: Array) -> tuple[Array, Array]:
        """Return α and its derivative by the index on the step from instant k."""
        start, end = self.logarithms[k], self.logarithms[k + 1]
        ends = ~np.isfinite(end)
        slope = np.where(ends, 0.0, 0.5 * (np.where(ends, 0.0, end) - start))
        root = np.exp(0.5 * start)
        alpha = root * np.where(ends, np.maximum(1 - share, 0.0), np.exp(share * slope))
        return alpha, np.where(ends, -root, slope * alpha)

    @property
    def prior_variance(self) -> float:
        """One."""
        return 1.0

    def __repr__(self) -> str:
        last = float(np.exp(self.logarithms[-1]))
        return (
            f"DiscreteSchedule({self.steps} steps, β {self.betas[0]:.4g} … {self.betas[-1]:.4g}, ᾱ_N = {last:.3g}, "
            f"horizon={self.horizon!r})"
        )


def _falls(values: Array) -> bool:
    return bool(len(values) > 2 and (np.diff(values) < 0).all())


def cumulative(alphas_bar: Sequence[float], horizon: float = 1.0) -> DiscreteSchedule:
    """Return the process of a list ᾱ₁ … ᾱ_N, decreasing in (0, 1), the last one may be zero.

    Raises ValueError for a list that does not decrease.

    >>> print(", ".join(f"{beta:.1f}" for beta in mfg.processes.cumulative([0.9, 0.72]).betas))
    0.1, 0.2
    """
    values = np.asarray(alphas_bar, dtype=float)
    if values.ndim != 1 or not len(values) or not (np.diff(np.concatenate(([1.0], values))) < 0).all():
        raise ValueError("alphas_bar must be a list that decreases from below 1; betas are what DiscreteSchedule takes")
    return DiscreteSchedule((1 - values / np.concatenate(([1.0], values[:-1]))).tolist(), horizon)


def linear_betas(
    steps: int = 1000,
    beta_start: float = 1e-4,
    beta_end: float = 0.02,
    zero_terminal_snr: bool = False,
    horizon: float = 1.0,
) -> DiscreteSchedule:
    """Return β_n equally spaced, 1000 from 1e-4 to 0.02 as published. — arXiv:2006.11239, section 4.

    With `zero_terminal_snr` the √ᾱ_n are shifted and scaled so that the last is zero. — arXiv:2305.08891, algorithm 1.

    >>> mfg.processes.linear_betas()
    DiscreteSchedule(1000 steps, β 0.0001 … 0.02, ᾱ_N = 4.04e-05, horizon=1.0)
    """
    return _finished(np.linspace(beta_start, beta_end, _whole(steps)), zero_terminal_snr, horizon)


def scaled_linear_betas(
    steps: int = 1000,
    beta_start: float = 0.00085,
    beta_end: float = 0.012,
    zero_terminal_snr: bool = False,
    horizon: float = 1.0,
) -> DiscreteSchedule:
    """Return √β_n equally spaced, as latent diffusion has it. — arXiv:2112.10752.

    >>> mfg.processes.scaled_linear_betas(zero_terminal_snr=True)
    DiscreteSchedule(1000 steps, β 0.00085 … 1, ᾱ_N = 0, horizon=1.0)
    """
    roots: Array = np.linspace(float(np.sqrt(beta_start)), float(np.sqrt(beta_end)), _whole(steps))
    return _finished(roots**2, zero_terminal_snr, horizon)


def squared_cosine_betas(
    steps: int = 1000,
    offset: float = 0.008,
    max_beta: float = 0.999,
    zero_terminal_snr: bool = False,
    horizon: float = 1.0,
) -> DiscreteSchedule:
    """Return β_n = 1 − ᾱ(n/N)/ᾱ((n−1)/N), at most `max_beta`, ᾱ = cos²(½π (t + s)/(1 + s)). — arXiv:2102.09672, eq. (17).

    >>> mfg.processes.squared_cosine_betas()
    DiscreteSchedule(1000 steps, β 4.128e-05 … 0.999, ᾱ_N = 2.43e-09, horizon=1.0)
    """
    bar = np.cos(0.5 * np.pi * (np.linspace(0, 1, _whole(steps) + 1) + offset) / (1 + offset)) ** 2
    return _finished(np.minimum(1 - bar[1:] / bar[:-1], max_beta), zero_terminal_snr, horizon)


def _whole(steps: int) -> int:
    if isinstance(steps, bool) or int(steps) != steps or steps < 2:
        raise ValueError(f"steps must be a whole number, at least 2, got {steps!r}")
    return int(steps)


def _finished(betas: Array, zero_terminal_snr: bool, horizon: float) -> DiscreteSchedule:
    if not zero_terminal_snr:
        return DiscreteSchedule(betas.tolist(), horizon)
    start: Array = np.sqrt(np.cumprod(1 - betas))
    roots: Array = (start - start[-1]) * start[0] / (start[0] - start[-1])
    return cumulative((roots**2).tolist(), horizon)


def examples() -> Iterator[DiscreteSchedule]:
    """Yield members to hold the laws to: as published, few steps, no signal left, gigaseconds."""
    yield linear_betas()
    yield scaled_linear_betas(zero_terminal_snr=True)
    yield squared_cosine_betas(horizon=2.7e9)
    yield DiscreteSchedule([0.1, 0.3, 0.2, 0.9], 2.7)
