"""Models judged by samples: Gaussians whose divergence and distance from a Gaussian law are known."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from mfgpde.calibration import drawn
from mfgpde.calibration.contract import Case
from mfgpde.densities import gaussian
from mfgpde.diagnostics.model_comparison import judge_model
from mfgpde.processes import OrnsteinUhlenbeck
from mfgpde.scores import ExactScore
from mfgpde.transport import wasserstein_gaussian


class Models:
    """KL and W₂ of two noised Gaussians, in one to three dimensions."""

    covers = ("diagnostics.judge_model", "diagnostics.Judged.kl", "diagnostics.Judged.w2")
    remembered = ()

    def cases(self, rng: np.random.Generator) -> Iterator[Case]:
        """Draw a law, a model, and how many points judge it."""
        d, process = int(rng.integers(1, 4)), OrnsteinUhlenbeck()
        law = gaussian(np.zeros(d), float(rng.uniform(0.3, 1.0)) * np.eye(d))
        model = gaussian(rng.normal(0, 0.5, d), float(rng.uniform(0.3, 1.0)) * np.eye(d))
        count, stop = int(rng.integers(400, 1500)), 1e-2
        found = judge_model(
            ExactScore(process, model),
            process,
            law,
            law.sample(50, rng),
            stop=stop,
            count=count,
            transport=300,
            seed=int(rng.integers(2**31)),
        )
        p, q = (drawn.noised(process, one, stop) for one in (law, model))
        (m, S), (n, C) = ((one.means[0], one.covariances[0]) for one in (p, q))
        off = m - n
        kl = np.trace(np.linalg.solve(C, S)) - d + off @ np.linalg.solve(C, off)
        kl += np.linalg.slogdet(C)[1] - np.linalg.slogdet(S)[1]
        yield Case(f"KL by {count} points in {d}D", found.kl, 0.5 * float(kl))
        if found.w2 is not None:
            yield Case(f"W2 by 300 points in {d}D", found.w2, wasserstein_gaussian(m, S, n, C))
