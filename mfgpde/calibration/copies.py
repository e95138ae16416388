"""Samples some of which are copies of training points: of the others a twentieth is as near by chance, whatever the law."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from mfgpde.calibration import drawn
from mfgpde.calibration.contract import Case
from mfgpde.diagnostics.memorisation import NEAREST, share_of_copies


class Copies:
    """Shares of copies, from none to all, of training points in one to eight dimensions."""

    covers = ("diagnostics.share_of_copies",)
    remembered = ()

    def cases(self, rng: np.random.Generator) -> Iterator[Case]:
        """Draw a mixture, training points, and samples that repeat them at a known rate."""
        d = int(rng.choice([1, 2, 3, 8]))
        law = drawn.mixture(rng, d)
        n, m, known = (int(np.exp(rng.uniform(np.log(200), np.log(4000)))) for _ in range(3))
        share = float(rng.choice([0.0, 0.01, 0.1, 0.5, 0.9, 1.0]))
        training, samples = law.sample(known, rng), law.sample(n, rng)
        copied = rng.random(n) < share
        samples[copied] = training[rng.integers(known, size=int(copied.sum()))]
        found, _ = share_of_copies(samples, training, law.sample(m, rng))
        what = f"{n} samples in {d} dimensions, {share:.0%} copies of {known} points, {m} fresh ones"
        yield Case(what, found, share + (1 - share) * NEAREST, 0.0)
