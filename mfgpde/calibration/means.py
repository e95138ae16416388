"""Means of independent values: symmetric and skewed laws, heavy tails, rare events, few values and many."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from mfgpde.calibration.contract import Case
from mfgpde.core.arrays import Array
from mfgpde.densities import gaussian
from mfgpde.diagnostics import mean_interval
from mfgpde.diagnostics.local_geometry import held_out_log_likelihood


class Means:
    """Normal, uniform, χ², lognormal, rare, and mixed values, whose means are known; the mean log-density of a Gaussian."""

    covers = ("diagnostics.mean_interval", "diagnostics.held_out_log_likelihood")
    remembered = ()

    def cases(self, rng: np.random.Generator) -> Iterator[Case]:
        """Draw a size and values of every law."""
        n = int(np.exp(rng.uniform(np.log(30), np.log(3000))))
        for name, values, truth in drawn_laws(rng, n):
            yield Case(f"mean of {n} {name}", mean_interval(values), truth)
        d = int(rng.integers(1, 6))
        law = gaussian(np.zeros(d), float(np.exp(rng.normal())) * np.eye(d))
        truth = -0.5 * (d * (1 + np.log(2 * np.pi)) + np.linalg.slogdet(law.covariances[0])[1])
        yield Case(f"E log p of {n}", held_out_log_likelihood(law, law.sample(n, rng)), float(truth))


def drawn_laws(rng: np.random.Generator, n: int) -> Iterator[tuple[str, Array | NDArray[np.bool_], float]]:
    """Yield the name of a law, n values of it, and its mean."""
    freedom, sigma, rare = int(rng.integers(1, 6)), float(rng.uniform(0.3, 1.0)), float(rng.uniform(0.02, 0.5))
    yield "normal", rng.normal(1.0, 2.0, n), 1.0
    yield "uniform", rng.random(n), 0.5
    yield f"χ²({freedom})", rng.chisquare(freedom, n), float(freedom)
    yield f"lognormal({sigma:.2g})", rng.lognormal(0.0, sigma, n), float(np.exp(0.5 * sigma**2))
    yield f"events of share {rare:.2g}", rng.random(n) < rare, rare
    far = rng.random(n) < 0.1
    yield "mixed", np.where(far, rng.normal(5.0, 1.0, n), rng.normal(0.0, 0.3, n)), 0.5
