"""Orders and limits read off errors against steps: one-step schemes for the flow of a Gaussian, whose laws are known."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from mfgpde.calibration.contract import Case
from mfgpde.core.estimate import Estimate, Kind
from mfgpde.samplers.convergence import read

ROUNDING = 1e-12
"""of the errors, relative to the deviation"""


class Convergences:
    """W₂ from the data's law that Euler's, Heun's and Kutta's schemes leave, the score right or a multiple of it."""

    covers = ("samplers.read", "samplers.Convergence.limit", "samplers.Convergence.order")
    remembered = ()

    def cases(self, rng: np.random.Generator) -> Iterator[Case]:
        """Draw a Gaussian under x + √t ε, a scheme, a factor of the score, levels in log t, and numbers of steps.

        With the score −c x/(v + t) the flow is dx/dt = ½ c x/(v + t): deviations shrink by ((v + δ)/(v + T))^{c/2}.
        """
        v, horizon = float(np.exp(rng.uniform(-2, 1))), float(np.exp(rng.uniform(0, 2.5)))
        stop, order = float(np.exp(rng.uniform(-6, -3))), int(rng.integers(1, 4))
        factor = 1.0 if rng.random() < 0.6 else float(rng.uniform(0.85, 1.15))
        first = int(rng.integers(6, 24))
        counts = [first * 2**k for k in range(int(rng.integers(3, 6)))]
        prior, right = np.sqrt(v + horizon), np.sqrt(v + stop)
        bar = ROUNDING * right
        errors = []
        for n in counts:
            times = np.geomspace(horizon, stop, n + 1)
            deviation = prior * np.prod([_step(order, factor, v, t, s) for t, s in zip(times, times[1:], strict=False)])
            errors.append(Estimate(abs(float(deviation) - right), bar, Kind.BOUND, "in closed form"))
        limit = abs(prior * ((v + stop) / (v + horizon)) ** (0.5 * factor) - right)
        found = read(counts, errors, float(np.sqrt(v)))
        name = f"order {order}, factor {factor:.3g}, v = {v:.2g}, t from {horizon:.2g} to {stop:.2g}, {counts} steps"
        yield Case(f"limit, {name}", found.limit, float(limit), bar)
        if factor == 1.0 and found.order is not None:
            yield Case(f"order, {name}", found.order, float(order))


def _step(order: int, factor: float, v: float, t: float, s: float) -> float:
    """Return by what one step from t to s multiplies x."""
    h = s - t

    def rate(u: float) -> float:
        return 0.5 * factor / (v + u)

    first = rate(t)
    if order == 1:
        return 1 + h * first
    if order == 2:
        return 1 + 0.5 * h * (first + rate(s) * (1 + h * first))
    second = rate(t + 0.5 * h) * (1 + 0.5 * h * first)
    third = rate(s) * (1 - h * first + 2 * h * second)
    return 1 + h * (first + 4 * second + third) / 6
