"""Where laws look at a process: points at its own length, times in its horizon, apart from jumps of its coefficients."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from mfgpde.core.arrays import Array
from mfgpde.processes.contract import Broken, ForwardProcess, LinearProcess

SHARES = (0.07, 0.4, 0.93)
"""of the horizon: the times at which laws look"""


def between(process: ForwardProcess, t: float, reach: float) -> tuple[float, float]:
    """Return a time near t and how far around it differences may reach: not across an instant of a jump."""
    if not isinstance(process, Broken):
        return t, reach
    k = int(np.clip(np.searchsorted(process.instants, t), 1, len(process.instants) - 1))
    a, b = (float(u) for u in process.instants[k - 1 : k + 1])
    t = float(np.clip(t, a + 0.3 * (b - a), b - 0.3 * (b - a)))
    return t, min(reach, 0.9 * (t - a), 0.9 * (b - t))


def dimension(process: ForwardProcess) -> int:
    """Return a dimension in which the process moves: two if it can. Raises ValueError if none of 1 … 8 will do."""
    for d in (2, 1, 3, 4, 5, 6, 7, 8):
        try:
            if np.shape(process.drift(np.zeros((3, d)), 0.5 * process.horizon)) == (3, d):
                return d
        except (ValueError, IndexError, TypeError):
            continue
    raise ValueError(f"{process!r} takes points (n, d) of no dimension d from 1 to 8")


def length(process: ForwardProcess) -> float:
    """Return the process's own length: √(∫g²) over the horizon, or that of its prior where this is shorter."""
    times = process.horizon * (np.arange(16) + 0.5) / 16
    spread = float(np.sqrt(np.mean([2 * strength(process, t) for t in times]) * process.horizon))
    if not isinstance(process, LinearProcess):
        return spread
    prior = np.trace(process.prior().in_dimension(dimension(process))[2]) / dimension(process)
    return min(spread, float(np.sqrt(prior))) if prior > 0 else spread


def tensor(process: ForwardProcess, t: float) -> Array:
    """Return D(t) (d, d)."""
    return process.diffusion_tensor(np.zeros((1, dimension(process))), t)[0]


def strength(process: ForwardProcess, t: float) -> float:
    """Return D(t), or the mean of it over the directions."""
    return float(process.diffusivity(t)) if process.alike else float(np.trace(tensor(process, t)) / dimension(process))


def points(process: ForwardProcess, rng: Generator, n: int = 12) -> Array:
    """Return points (n, d), normal with the process's own length."""
    return length(process) * rng.standard_normal((n, dimension(process)))


def times(process: ForwardProcess) -> list[float]:
    """Return the times at which laws look."""
    return [share * process.horizon for share in SHARES]
