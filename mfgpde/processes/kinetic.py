"""Motion with momentum: linear processes of places and velocities whose noise acts on velocities alone."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from mfgpde.processes.contract import positive
from mfgpde.processes.linear import Linear


def underdamped(
    stiffness: float = 1.0, friction: float = 1.0, temperature: float = 1.0, horizon: float = 1.0
) -> Linear:
    """Return underdamped Langevin dynamics in a harmonic well, (x, v): dx = v dt, dv = −(kx + γv)dt + √(2γT) dW.

    >>> mfg.processes.underdamped(horizon=40.0).prior().covariance.diagonal().round(6).tolist()  # T/k and T
    [1.0, 1.0]
    """
    positive(stiffness=stiffness, friction=friction, temperature=temperature)
    pull = np.array([[0.0, 1.0], [-stiffness, -friction]])
    return Linear(pull, np.array([0.0, np.sqrt(2 * friction * temperature)]), horizon=horizon)


def critically_damped(rate: float = 4.0, mass: float = 0.25, dimension: int = 1, horizon: float = 1.0) -> Linear:
    """Return critically damped Langevin noising of (x, v): dx = βv/M dt, dv = −β(x + Γv/M)dt + √(2Γβ) dW, Γ² = 4M.

    The first `dimension` coordinates are x, the others v; the noise is on v alone. — arXiv:2112.07068, eqs. (5), (6).

    >>> process = mfg.processes.critically_damped()
    >>> process.diffusion_tensor(np.zeros((1, 2)), 0.0).round(12).tolist()
    [[[0.0, 0.0], [0.0, 4.0]]]
    """
    positive(rate=rate, mass=mass)
    one, none, damping = np.eye(dimension), np.zeros((dimension, dimension)), 2 * np.sqrt(mass)
    matrix = rate * np.block([[none, one / mass], [-one, -damping / mass * one]])
    return Linear(matrix, np.vstack((none, np.sqrt(2 * damping * rate) * one)), horizon=horizon)


def examples() -> Iterator[Linear]:
    """Yield members to hold the laws to: both kinds, other parameters, two places."""
    yield underdamped(1.3, 0.8, 0.6, 2.7)
    yield critically_damped(2.0, 0.4, 1, 1.7)
    yield critically_damped(3.0, 0.25, 2)
