"""A loss at samples that were not fitted to: its mean with a bar, and the upper end by which choices are compared."""

from __future__ import annotations

import numpy as np

from mfgpde.core.arrays import Array
from mfgpde.core.estimate import Estimate, Kind
from mfgpde.core.intervals import half_width


def held_out(losses: Array, weights: Array | None = None, shared: float = 0.0) -> Estimate:
    """Return the mean of losses (n,) at samples that were not fitted to, with its 99 % interval, skewness made up for.

    `shared` is the ratio of judged to fitted samples where every sample is judged once and fitted to otherwise, 1/(k − 1)
    of k folds: their fits have samples in common, and the variance of the mean is 1 + k·shared times that of independent
    losses (Nadeau and Bengio, Mach. Learn. 52 (2003)). Raises ValueError for fewer than two losses.

    >>> from mfgpde.learning.held_out import held_out
    >>> print(held_out(np.array([1.0, 2.0, 3.0])))  # 9.925/√3, 9.925 the quantile of Student's t
    2 ± 5.7e+00
    """
    share = np.full(len(losses), 1 / len(losses)) if weights is None else weights / weights.sum()
    alike = float(np.sqrt(len(losses) * (share @ share)))  # heavier samples count for fewer
    common = float(np.sqrt(2 + shared)) if shared else 1.0  # 1 + (1 + 1/shared)·shared
    bar = half_width(losses) * alike * common
    return Estimate(float(share @ losses), bar, Kind.CONFIDENCE, f"cross-fitted mean of {len(losses)}, 99%")


def cautious(losses: Array, weights: Array | None = None) -> float:
    """Return the mean of losses (n,) plus two standard errors, by which choices are compared.

    >>> from mfgpde.learning.held_out import cautious
    >>> cautious(np.array([1.0, 3.0]))  # 2 + 2·√(2/2)
    4.0
    """
    share = np.full(len(losses), 1 / len(losses)) if weights is None else weights / weights.sum()
    mean = float(share @ losses)
    spread = share @ (losses - mean) ** 2 / (1 - share @ share)
    return mean + 2 * float(np.sqrt(spread * (share @ share)))
