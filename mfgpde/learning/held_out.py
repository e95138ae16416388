"""A loss at samples that were not fitted to: its mean with a bar, whose upper end is what choices are compared by."""

from __future__ import annotations

import numpy as np

from mfgpde.core.arrays import Array
from mfgpde.core.estimate import Estimate, Kind


def held_out(losses: Array, weights: Array | None = None) -> Estimate:
    """Return the mean of losses (n,) at samples that were not fitted to, with two standard errors.

    >>> from mfgpde.learning.held_out import held_out
    >>> print(held_out(np.array([1.0, 3.0])))  # 2 ± 2·√(2/2)
    2 ± 2.0e+00
    """
    share = np.full(len(losses), 1 / len(losses)) if weights is None else weights / weights.sum()
    mean = float(share @ losses)
    spread = share @ (losses - mean) ** 2 / (1 - share @ share)
    return Estimate(mean, 2 * float(np.sqrt(spread * (share @ share))), Kind.CONFIDENCE, "cross-fitted, two s.e.")
