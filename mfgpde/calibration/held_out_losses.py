"""Losses at samples that were not fitted to: means of known laws, and what kernel models leave at new samples."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from mfgpde.calibration import drawn
from mfgpde.calibration.contract import Case
from mfgpde.calibration.means import drawn_laws
from mfgpde.core.arrays import Array
from mfgpde.core.estimate import Estimate
from mfgpde.learning.held_out import held_out
from mfgpde.learning.kernel_model import Search, implicit_losses

NEW = 8000
"""samples by which the loss of a fit is known"""


class HeldOutLosses:
    """Losses of every law, weighted or not; the implicit loss of kernels fitted to four fifths of a mixture's samples."""

    covers = ("learning.held_out", "learning.KernelModel.loss", "learning.Search.loss", "learning.Search.best")
    remembered = ()

    def cases(self, rng: np.random.Generator) -> Iterator[Case]:
        """Draw a number of losses, their laws and weights; a mixture and samples of it."""
        n = int(np.exp(rng.uniform(np.log(30), np.log(3000))))
        weights = rng.integers(1, 4, n).astype(float) if rng.random() < 0.5 else None
        for name, values, truth in drawn_laws(rng, n):
            yield Case(f"loss, {n} {name}", held_out(np.asarray(values, dtype=float), weights), truth)
        d, few = int(rng.integers(1, 4)), int(np.exp(rng.uniform(np.log(60), np.log(250))))
        law = drawn.mixture(rng, d, least=0.3)
        found, truth, known = kernels(law.sample(few, rng), law.sample(NEW, rng))
        yield Case(f"loss of kernels at {few} samples in {d} dimensions", found, truth, known)


def kernels(samples: Array, new: Array) -> tuple[Estimate, float, float]:
    """Return the loss of the best choice, what its fits leave at new samples in the mean, and how well that is known."""
    n, d = samples.shape
    search = Search(samples, np.full(n, 1 / n), "full" if d > 1 else "isotropic", d - 1, 0.0, 0)
    choice, found = search.best()
    return found, *left(search, choice, new)


def left(search: Search, choice: tuple[int, float, float], new: Array) -> tuple[float, float]:
    """Return what the fits of a search leave at new samples in the mean, and how well that is known."""
    fits: list[Any] = [mixture for joined in search.joined for mixture in joined.each(*choice)]
    mean = np.mean([implicit_losses(fit, new) for fit in fits], axis=0)
    return float(mean.mean()), 3 * float(mean.std()) / np.sqrt(len(new))
