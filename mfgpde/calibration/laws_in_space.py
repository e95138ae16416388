"""Laws that samplers generate in the plane and in space from turned products: each factor's law is known on its line.

A scheme treats coordinates of products one by one, and turns with the data: W₂² and KL are sums of those of the factors.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np
from scipy.stats import special_ortho_group

from mfgpde.calibration import drawn
from mfgpde.calibration.contract import Case
from mfgpde.densities import GaussianMixture
from mfgpde.processes import IsotropicProcess, OrnsteinUhlenbeck, VariancePreserving
from mfgpde.samplers.contract import Model
from mfgpde.samplers.ddim import DDIM
from mfgpde.samplers.distances import Distances
from mfgpde.samplers.dpm_solver_multistep import DPMSolverMultistep
from mfgpde.samplers.euler_maruyama import EulerMaruyama
from mfgpde.samplers.generated import generated_law
from mfgpde.samplers.heun import Heun
from mfgpde.samplers.levels.log_snr import LogSNR
from mfgpde.scores import ExactScore


class LawsInSpace:
    """W₂ and KL between what a sampler generates and the data, on lattices with Jacobians and on grids."""

    covers = ("samplers.Distances.w2", "samplers.Distances.kl", "samplers.InSpace.against")
    remembered = ((0, 6), (0, 39), (0, 83), (0, 112))

    def cases(self, rng: np.random.Generator) -> Iterator[Case]:
        """Draw a process, one or two Gaussians an axis, a turn, a sampler with noise or without, and a number of steps."""
        horizon = float(rng.uniform(1.0, 4.0))
        process = OrnsteinUhlenbeck(horizon=horizon) if rng.random() < 0.5 else VariancePreserving(0.1, 6.0, horizon)
        d = 2 if rng.random() < 0.8 else 3
        factors = [drawn.mixture(rng, 1, least=0.3, most=2) for _ in range(d)]
        turn = special_ortho_group.rvs(d, random_state=rng)
        stop, steps = float(np.exp(rng.uniform(np.log(3e-3), np.log(0.1)))), int(rng.integers(5, 40))
        sampler: Any = (DDIM(), DPMSolverMultistep(), Heun(), DDIM(eta=0.7), EulerMaruyama())[rng.integers(5)]
        n = int(rng.integers(96, 145)) if d == 2 else int(rng.integers(30, 41))
        found = _found(sampler, process, turned(factors, turn), stop, steps, n)
        parts = [_found(sampler, process, one, stop, steps, 0) for one in factors]
        squares = [one.w2.value**2 for one in parts]
        square, other = sum(squares), sum((one.w2.value + one.w2.half_width) ** 2 for one in parts)
        name = f"{sampler!r}, {steps} steps, {process!r}, {n} an axis in dimension {d}"
        yield Case(f"W2, {name}", found.w2, float(np.sqrt(square)), float(np.sqrt(other) - np.sqrt(square)))
        kls = [one.kl for one in parts]
        if found.kl is not None and all(one is not None for one in kls):
            known = sum(one.half_width for one in kls if one is not None)
            yield Case(f"KL, {name}", found.kl, sum(one.value for one in kls if one is not None), known)


def turned(factors: list[GaussianMixture], turn: np.ndarray) -> GaussianMixture:
    """Return the law of R x, the coordinates of x independent."""
    picks = list(product(*(range(len(one.weights)) for one in factors)))
    weights = [np.prod([one.weights[k] for one, k in zip(factors, pick, strict=True)]) for pick in picks]
    means = [turn @ [one.means[k, 0] for one, k in zip(factors, pick, strict=True)] for pick in picks]
    spreads = [
        turn @ np.diag([one.covariances[k, 0, 0] for one, k in zip(factors, pick, strict=True)]) @ turn.T
        for pick in picks
    ]
    return GaussianMixture(weights, means, np.array(spreads))


def _found(
    sampler: Any, process: IsotropicProcess, law: GaussianMixture, stop: float, steps: int, cells: int
) -> Distances:
    exact = ExactScore(process, law)
    model = Model(process, exact)
    times = LogSNR().times(process, steps, stop=stop)
    start = exact.at(float(times[0]))
    return generated_law(sampler, model, times, start, cells=cells).against(exact.at(stop))
