"""Losses of kernels whose precisions were corrected by training, at samples that had no part in it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from mfgpde.calibration import drawn
from mfgpde.calibration.contract import Case
from mfgpde.calibration.held_out_losses import left

NEW = 4000
"""samples by which the loss of a fit is known"""


class Corrections:
    """The implicit loss of corrected kernels at a mixture's samples, against the same kernels at new ones.

    They begin as kernels that are too narrow or too wide, so that there is something to correct. The number of steps is
    the best on the fold held out: the loss there is that of the luckiest of several states.
    """

    covers = ("learning.corrected",)
    remembered = ()

    def cases(self, rng: np.random.Generator) -> Iterator[Case]:
        """Draw a mixture, samples, a kind of corrections and how long they are trained."""
        from mfgpde.learning.corrections import LOOK, Corrector, corrected
        from mfgpde.learning.kernel_model import Search

        d, n = int(rng.integers(1, 3)), int(np.exp(rng.uniform(np.log(300), np.log(800))))
        law, parameters = drawn.mixture(rng, d, least=0.3), str(rng.choice(["network", "free"]))
        steps, seed = LOOK * int(rng.integers(2, 6)), int(rng.integers(1000))
        samples, new = law.sample(n, rng), law.sample(NEW, rng)
        search = Search(samples, np.full(n, 1 / n), "full" if d > 1 else "isotropic", d - 1, 0.0, seed)
        choice = (int(rng.choice([8, 16, 32])), 1.0, float(rng.choice([0.4, 1.2, 1.5])))
        _, loss, count = corrected(search.whole, search.folds, choice, search.loss(*choice), parameters, steps, seed)
        name = f"{parameters} loss at {n} samples in {d}D, {count} steps"
        if count == 0:
            yield Case(name, loss, *left(search, choice, new))
            return
        again = Corrector(search.whole, search.folds[1:], choice, parameters, seed)
        placed = np.concatenate(search.folds[1:])
        history = again.run(steps, lambda state: again.loss_at(placed, new, state))
        there = history[count // LOOK] / again.unit
        known = 3 * float(there.std()) / np.sqrt(NEW)
        yield Case(name, loss, float(there.mean()), known)
