"""Means of independent values with their confidence interval: seeds, samples, groups."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import t as student

from mfgpde.core.estimate import Estimate, Kind


def mean_interval(values: ArrayLike, what: str = "mean", level: float = 0.99) -> Estimate:
    """Return the mean of independent values with Student's two-sided interval; ValueError for fewer than two.

    >>> print(mfg.diagnostics.mean_interval([1.0, 2.0, 3.0]))  # 9.925/√3, 9.925 the quantile of Student's t
    2 ± 5.7e+00
    """
    numbers = np.asarray(values, dtype=float).ravel()
    if len(numbers) < 2:
        raise ValueError(f"an interval needs at least two values, got {len(numbers)}")
    width = float(student.ppf(0.5 + level / 2, len(numbers) - 1)) * numbers.std(ddof=1) / np.sqrt(len(numbers))
    return Estimate(float(numbers.mean()), float(width), Kind.CONFIDENCE, f"{what} of {len(numbers)}, {level:.0%}")
