"""Half widths of confidence intervals for the mean of independent values, skewed ones too.

Student's statistic T = (m − μ)/(s/√n) of a law of skewness γ has the quantiles t ∓ γ(2t² + 1)/6√n (Johnson, J. Am. Stat.
Assoc. 73 (1978); Hall, J. R. Stat. Soc. B 54 (1992)). The skewness of a sample is too small by a share that falls like
1/√n; `UNSEEN` of it makes up for that. True and false are events: Clopper and Pearson, Biometrika 26 (1934); where values
happen to be two numbers they may be, and the wider of both intervals is taken. Where bounds are known: Maurer and Pontil,
COLT 2009, theorem 4, for every law. Without bounds no interval holds for every law (Bahadur and Savage, Ann. Math. Stat. 27
(1956)). Squares are of values in units of a power of two near the largest: none is lost to the range of doubles.
"""

from __future__ import annotations

import numpy as np
from scipy.stats import beta
from scipy.stats import t as student

from mfgpde.core.arrays import Array

UNSEEN = 6.0
"""over √n, of the skewness that a sample does not show: lognormal and χ² values at n = 20 to 1000 ask for four to six"""


def half_width(
    values: Array, level: float = 0.99, within: tuple[float, float] | None = None, normal: bool = False
) -> float:
    """Return by how much the mean of independent values may be off at this level; `within` are bounds of all values.

    `normal` says that they are taken as normal: Student's interval. Values that are true or false are events, also where
    all are the same.

    Raises ValueError for fewer than two values, a level outside (0, 1), values that are not finite or out of their bounds.
    """
    n = len(values)
    if n < 2:
        raise ValueError(f"an interval needs at least two values, got {n}")
    if not 0 < level < 1:
        raise ValueError(f"the level must lie in (0, 1), got {level}")
    if values.dtype == bool:
        return _share(int(values.sum()), n, level)
    if not np.isfinite(values).all():
        raise ValueError(f"{np.sum(~np.isfinite(values))} of {n} values are not finite: they have no mean")
    least, most = float(values.min()), float(values.max())
    if within is not None and (least < within[0] or most > within[1]):
        raise ValueError(f"values lie in [{least:g}, {most:g}], not within the bounds {within}")
    unit = int(np.frexp(max(abs(least), abs(most)))[1])
    reach = None if within is None else float(np.ldexp(within[1], -unit) - np.ldexp(within[0], -unit))
    return float(np.ldexp(_of_order_one(np.ldexp(values, -unit), level, reach, normal), unit))


def mean(values: Array) -> float:
    """Return the mean of values, whose sum may be beyond the range of doubles.

    >>> from mfgpde.core.intervals import mean
    >>> mean(np.array([1.5e308, 1.5e308])), mean(np.array([True, False]))
    (1.5e+308, 0.5)
    """
    if values.dtype == bool or not np.isfinite(values).all():
        return float(values.mean())
    unit = int(np.frexp(np.abs(values).max())[1])
    return float(np.ldexp(np.ldexp(values, -unit).mean(), unit))


def _of_order_one(values: Array, level: float, reach: float | None, normal: bool) -> float:
    """Return the half width of values the largest of which is of order one; `reach` is how far apart they may be."""
    n = len(values)
    if reach is not None:
        return _bernstein(values, level, reach)
    t = float(student.ppf(0.5 + level / 2, n - 1))
    if normal:
        return t * float(values.std(ddof=1)) / np.sqrt(n)
    deviation = values.std()
    if not deviation > 0:
        return 0.0
    skewness = abs(float(np.mean(((values - values.mean()) / deviation) ** 3))) * (1 + UNSEEN / np.sqrt(n))
    skewed = (t + skewness * (2 * t * t + 1) / (6 * np.sqrt(n))) * float(values.std(ddof=1)) / np.sqrt(n)
    least, most = float(values.min()), float(values.max())
    events = int(np.sum(values == most))
    if events + int(np.sum(values == least)) < n:
        return skewed
    return max(skewed, (most - least) * _share(events, n, level))


def _bernstein(values: Array, level: float, reach: float) -> float:
    n, log = len(values), np.log(4 / (1 - level))
    return float(np.sqrt(2 * values.var(ddof=1) * log / n) + 7 * reach * log / (3 * (n - 1)))


def _share(events: int, n: int, level: float) -> float:
    """Return by how much the share of events may be off, to the farther end of the exact interval."""
    tail = (1 - level) / 2
    lower = beta.ppf(tail, events, n - events + 1) if events else 0.0
    upper = beta.ppf(1 - tail, events + 1, n - events) if events < n else 1.0
    return float(max(upper - events / n, events / n - lower))
