"""Means of independent values with their confidence interval: seeds, samples, groups."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from mfgpde.core.estimate import Estimate, Kind
from mfgpde.core.intervals import half_width, mean


def mean_interval(
    values: ArrayLike,
    what: str = "mean",
    level: float = 0.99,
    *,
    within: tuple[float, float] | None = None,
    normal: bool = False,
) -> Estimate:
    """Return the mean of independent values with a two-sided interval that makes up for skewness.

    Of true and false the interval is that of the share of events, also if all are the same. Numbers that take two values
    may be events, or too few to show a third: the wider interval is taken. With bounds `within` which all values lie it
    holds for every law (empirical Bernstein) and is wider; without, rare values that no sample shows are in no bar.
    `normal` is the caller's assumption that the values are normal, as logarithms of ratios over a few repetitions are often
    taken to be: Student's interval, which covers too seldom if they are skewed.

    Raises ValueError for fewer than two values, some that are not finite, and some out of their bounds.

    >>> print(mfg.diagnostics.mean_interval([1.0, 2.0, 3.0]))  # 9.925/√3, 9.925 the quantile of Student's t
    2 ± 5.7e+00
    >>> print(mfg.diagnostics.mean_interval([False] * 99 + [True]))  # one event of 100 may have a share of 7 %
    0.01 ± 6.2e-02
    >>> print(mfg.diagnostics.mean_interval([False] * 100))  # none of 100: up to 5 %
    0 ± 5.2e-02
    """
    numbers = np.asarray(values).ravel()
    numbers = numbers if numbers.dtype == bool else numbers.astype(float)
    width = half_width(numbers, level, within, normal)
    return Estimate(mean(numbers), width, Kind.CONFIDENCE, f"{what} of {len(numbers)}, {level:.0%}")
