"""Means of two to sixty values whose bounds are known, of laws whose samples seldom show what their mean owes to."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from mfgpde.calibration.contract import Case
from mfgpde.core.arrays import Array
from mfgpde.core.estimate import Estimate, Kind
from mfgpde.core.intervals import half_width
from mfgpde.diagnostics import mean_interval


class FewValues:
    """Rare far values, beta laws with poles at both ends, cut Pareto tails, all in bounds; events; normal values."""

    covers = ("core.half_width", "diagnostics.mean_interval")
    remembered = ()

    def cases(self, rng: np.random.Generator) -> Iterator[Case]:
        """Draw a size, a place and a unit, a level of at least 99 %, and values of every law."""
        n, level = int(np.exp(rng.uniform(np.log(2), np.log(60)))), float(rng.uniform(0.99, 0.999))
        at, unit = float(rng.normal()) * 10.0 ** int(rng.integers(0, 4)), float(np.exp(rng.uniform(-5, 5)))
        for name, values, mean in _bounded(rng, n):
            found = mean_interval(at + unit * values, level=level, within=(at, at + unit))
            yield Case(f"mean of {n} {name} in bounds, {level:.2%}", found, at + unit * mean, 1e-14 * (abs(at) + unit))
        share = float(rng.choice([0.003, 0.05, 0.5, 0.99]))
        yield Case(f"{n} events of {share:.3g}", mean_interval(rng.random(n) < share, level=level), share)
        values = at + unit * rng.normal(size=n)
        bar = Estimate(float(values.mean()), half_width(values, level, normal=True), Kind.CONFIDENCE, "Student's")
        yield Case(f"{n} normal, as such", bar, at, 1e-14 * (abs(at) + unit))


def _bounded(rng: np.random.Generator, n: int) -> Iterator[tuple[str, Array, float]]:
    """Yield laws on [0, 1] with n values and the mean."""
    rare, a, b = float(np.exp(rng.uniform(np.log(1e-3), np.log(0.3)))), *np.exp(rng.uniform(-3, 1, 2))
    yield (
        f"far with share {rare:.2g}",
        np.where(rng.random(n) < rare, 1.0, 0.1 * rng.random(n)),
        rare + 0.05 * (1 - rare),
    )
    yield f"beta({a:.2g}, {b:.2g})", rng.beta(a, b, n), float(a / (a + b))
    tail, least = float(rng.uniform(0.3, 1.9)), 1e-4  # density ~ x^(−1−tail) between `least` and 1
    u = rng.random(n)
    cut = (least**-tail + u * (1 - least**-tail)) ** (-1 / tail)
    mean = tail / (1 - tail) * (1 - least ** (1 - tail)) / (least**-tail - 1) if abs(tail - 1) > 1e-6 else np.nan
    if np.isfinite(mean):
        yield f"Pareto({tail:.2g}), cut", np.clip(cut, 0.0, 1.0), float(mean)
    yield f"of two ends, {rare:.2g}", (rng.random(n) < rare).astype(float), rare
