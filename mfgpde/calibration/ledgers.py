"""Ledgers of Euler's scheme for a Gaussian and a score that is too steep or too flat: all laws are Gaussians."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from mfgpde.calibration.contract import Case
from mfgpde.core.arrays import Array
from mfgpde.densities import GaussianMixture, gaussian
from mfgpde.processes import Brownian
from mfgpde.samplers.adapters.step_function import StepRun
from mfgpde.samplers.black_box import Begin
from mfgpde.samplers.black_box_ledger import box_ledgers
from mfgpde.samplers.contract import Model
from mfgpde.samplers.euler import Euler
from mfgpde.samplers.ledger import ledger
from mfgpde.samplers.levels.uniform import Uniform
from mfgpde.scores import ExactScore

PARTS = ("stop", "score", "prior", "discretisation", "prior_in_turn", "discretisation_in_turn", "whole")


@dataclass(frozen=True)
class Scaled:
    """The score of N(mean, variance + t), times a factor."""

    mean: float
    variance: float
    factor: float

    def __call__(self, x: Array, t: float) -> Array:
        """Return it at points (n, 1)."""
        return -self.factor * (x - self.mean) / (self.variance + t)


class Ledgers:
    """What a generated law owes to stop, score, prior and steps, alone and in turn, and the sums of both."""

    covers = (
        "samplers.ledger",
        "samplers.ledgers",
        "samplers.box_ledgers",
        "samplers.Law.to",
        *(f"samplers.Ledger.{name}" for name in (*PARTS, "sum_alone", "sum_in_turn")),
    )
    remembered = ()

    def cases(self, rng: np.random.Generator) -> Iterator[Case]:
        """Draw a horizon, data, a score, a prior, a stop and a number of steps."""
        process = Brownian(horizon=float(rng.uniform(0.5, 4.0)))
        mean, variance, top = float(rng.normal()), float(rng.uniform(0.1, 1.0)), float(process.horizon)
        factor, stop = float(1 + rng.uniform(-0.4, 0.4)), float(rng.uniform(0.02, 0.1))
        prior = float(mean + rng.normal(0, 0.3)), float(np.sqrt(variance + top) * rng.uniform(0.7, 1.5))
        rule = Uniform(power=float(rng.uniform(1, 3)))
        times = rule.times(process, int(rng.integers(4, 20)), stop)
        start, data = gaussian(prior[0], prior[1] ** 2), gaussian(mean, variance)
        sampler: Any = Euler()
        model = Model(process, Scaled(mean, variance, factor))
        found = ledger(sampler, model, times, data, start)
        laws = ExactScore(process, data)

        def begin(one: Model) -> Begin:
            """Return the runs of the same scheme as a black box."""
            return lambda n: _Boxed(one, rule, n, stop, laws, start)

        boxed = box_ledgers(begin(Model(process, laws)), begin(model), model, [len(times) - 1], data, most=256)[0]
        right = _parts(times, mean, variance, factor, prior)
        right["sum_alone"] = sum(right[name] for name in PARTS[:4])
        right["sum_in_turn"] = sum(right[name] for name in ("stop", "score", "prior_in_turn", "discretisation_in_turn"))
        for name, truth in right.items():
            yield Case(f"{name}, {len(times) - 1} steps, score × {factor:.3g}", getattr(found, name), truth, 1e-11)
            yield Case(f"{name} of a box, {len(times) - 1} steps", getattr(boxed, name), truth, 1e-11)


class _Boxed(StepRun):
    """Euler's step as somebody would write it, from a prior of one's own."""

    def __init__(
        self, model: Model, rule: Uniform, steps: int, stop: float, laws: ExactScore, start: GaussianMixture
    ) -> None:
        def step(x: Array, t: float, s: float, score: Any) -> Array:
            return x - (s - t) * float(model.process.diffusivity(t)) * score(x, t)

        super().__init__(step, model, rule, steps, stop, laws)
        self.prior = start


def _parts(times: Array, mean: float, variance: float, factor: float, prior: tuple[float, float]) -> dict[str, float]:
    """Return all parts: maps x ↦ mean + k (x − mean), by Euler's factors or by ((V + δ)/(V + T))^(factor/2)."""
    t, s = times[:-1], times[1:]

    def euler(by: float) -> float:
        return float(np.prod(1 - 0.5 * (t - s) * by / (variance + t)))

    def flow(by: float) -> float:
        return float(((variance + times[-1]) / (variance + times[0])) ** (0.5 * by))

    def moved(law: tuple[float, float], k: float) -> tuple[float, float]:
        return mean + k * (law[0] - mean), abs(k) * law[1]

    def apart(a: tuple[float, float], b: tuple[float, float]) -> float:
        return float(np.hypot(a[0] - b[0], a[1] - b[1]))

    top = mean, float(np.sqrt(variance + times[0]))
    data, stopped = (mean, float(np.sqrt(variance))), (mean, float(np.sqrt(variance + times[-1])))
    learned, ours, whole = moved(top, flow(factor)), moved(prior, flow(factor)), moved(prior, euler(factor))
    return {
        "stop": apart(data, stopped),
        "score": apart(stopped, learned),
        "prior": apart(stopped, moved(prior, flow(1.0))),
        "discretisation": apart(stopped, moved(top, euler(1.0))),
        "prior_in_turn": apart(learned, ours),
        "discretisation_in_turn": apart(ours, whole),
        "whole": apart(data, whole),
    }
