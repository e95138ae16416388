"""The time that a network is called with, at the time of the process: its own clock, by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mfgpde.processes import DiscreteSchedule, IsotropicProcess, schedule_of

CLOCKS = {
    "process": "t itself, data at t = 0",
    "reversed": "1 − t/T: noise at 0, data at 1",
    "share": "t/T",
    "thousandths": "1000 t/T",
    "step": "the index k of a list of betas, t = (k + 1) T/N",
    "sigma": "σ(t)/α(t), the noise of x/α",
    "log-sigma": "log(σ/α)",
    "c-noise": "¼ log(σ/α), as preconditioned networks have it",
}
"""what can be said, and what it means"""


@dataclass(frozen=True)
class Clock:
    """A clock by its name, on a process; called with t it returns the network's time.

    Raises ValueError for a name that is none, and for the index of a list on a process that is none.

    >>> mfg.scores.Clock("reversed", mfg.processes.Straight())(0.25)
    0.75
    >>> round(mfg.scores.Clock("step", mfg.processes.linear_betas())(0.7), 9)
    699.0
    """

    name: str
    process: IsotropicProcess

    def __post_init__(self) -> None:
        if self.name not in CLOCKS:
            said = "; ".join(f"{name}: {meaning}" for name, meaning in CLOCKS.items())
            raise ValueError(f"the time of a network is one of {said}; got {self.name!r}")
        if self.name == "step" and not isinstance(self.process, DiscreteSchedule):
            raise ValueError(
                f"{self.process!r} has no list of steps; say a schedule that has (linear-betas, scaled-linear-betas, "
                "squared-cosine-betas), or another time"
            )

    @property
    def turns(self) -> bool:
        """Whether the network's time runs from noise to data, so that its velocities are the negative ones."""
        return self.name == "reversed"

    @property
    def earliest(self) -> float:
        """The first time of the process that the network knows."""
        return self.process.horizon / self.process.steps if isinstance(self.process, DiscreteSchedule) else 0.0

    def __call__(self, t: float) -> float:
        """Return the network's time."""
        return READ[self.name](self.process, t)


def _sigma(process: IsotropicProcess, t: float) -> float:
    now = schedule_of(process, t)
    return float(now.sigma / now.alpha)


def _step(process: IsotropicProcess, t: float) -> float:
    assert isinstance(process, DiscreteSchedule), "a clock was made of one"
    return t / process.horizon * process.steps - 1


READ: dict[str, Callable[[IsotropicProcess, float], float]] = {
    "process": lambda process, t: t,
    "reversed": lambda process, t: 1 - t / process.horizon,
    "share": lambda process, t: t / process.horizon,
    "thousandths": lambda process, t: 1000 * t / process.horizon,
    "step": _step,
    "sigma": _sigma,
    "log-sigma": lambda process, t: float(np.log(_sigma(process, t))),
    "c-noise": lambda process, t: 0.25 * float(np.log(_sigma(process, t))),
}
