"""Somebody's own step function, `step(x, t, s, score)`, and what it may ask for besides."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from mfgpde.core.arrays import Array
from mfgpde.samplers.adapters.intercepted import state_of
from mfgpde.samplers.black_box import Standing
from mfgpde.samplers.contract import Levels, Model, checked_times
from mfgpde.samplers.generated import prior
from mfgpde.scores import ExactScore

GIVEN = ("x", "t", "s", "score", "rng", "k")
"""what a step function may take, by name: states (n, 1), time now and next, the score s(x, t), a generator, the step"""


class Answered:
    """In place of a NumPy generator: every standard normal number is the one given."""

    def __init__(self, noise: Array) -> None:
        self.noise = noise

    def standard_normal(self, size: Any = None, **_: Any) -> Array:
        """Return the noise. Raises ValueError for another number of values than there are states."""
        count = int(np.prod(size)) if size is not None else 1
        if count != self.noise.size:
            raise ValueError(
                f"{count} normal numbers were drawn for {self.noise.size} states; one for each is expected"
            )
        return self.noise.reshape(size)

    def normal(self, loc: float = 0.0, scale: float = 1.0, size: Any = None) -> Array:
        """Return loc + scale · noise."""
        return loc + scale * self.standard_normal(size)


class StepRun:
    """One run of a step function along a rule's levels, the score exact.

    Raises ValueError for a function that asks for another name than `GIVEN`, or does not return a state of the same shape.
    """

    def __init__(
        self,
        step: Callable[..., Any],
        model: Model,
        levels: Levels,
        steps: int,
        stop: float = 0.0,
        laws: ExactScore | None = None,
    ) -> None:
        if not callable(step):
            raise ValueError(f"a step is a function of x, t, s, score, this is {type(step).__name__}")
        names = list(inspect.signature(step).parameters)
        unknown = [name for name in names if name not in GIVEN]
        if unknown or "x" not in names:
            raise ValueError(
                f"a step function takes x and any of {', '.join(GIVEN[1:])}, this one takes {', '.join(names)}"
            )
        laws = laws or (model.score if isinstance(model.score, ExactScore) else None)
        if laws is None:
            raise ValueError("a step function is tried with the exact score of a mixture, or beside its laws")
        self.step, self.model, self.names = step, model, names
        self.times = checked_times(levels.times(model.process, steps, stop), model.process)
        self.laws, self.place, self.calls = laws, 0, steps
        self.start, self.prior = self.laws.at(float(self.times[0])), prior(model)

    def call(self, x: Array, noise: Array | None) -> Array:
        """Return the next states."""
        rng = np.random.default_rng(self.place) if noise is None else Answered(noise)
        t, s = (float(u) for u in self.times[self.place : self.place + 2])
        known = {"x": x[:, None], "t": t, "s": s, "score": self.model.score, "rng": rng, "k": self.place}
        found = np.asarray(state_of(self.step(**{name: known[name] for name in self.names})), dtype=float)
        if found.size != x.size:
            raise ValueError(f"a step took states of shape {x[:, None].shape} to shape {found.shape}")
        self.place += 1
        return found.reshape(-1)

    def standing(self) -> Standing:
        """Return the level of the present state."""
        t = float(self.times[self.place])
        return Standing(1.0, self.laws.at(t), self.model.alpha(t), self.model.sigma(t))
