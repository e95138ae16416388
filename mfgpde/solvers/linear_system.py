"""Linear systems of ordinary differential equations with a bound of what their Taylor series leave.

y' = M(t) y, the entries of M formulas of t. On a step of length h let |·| be the largest component or row sum, m_j a bound
of the j-th Taylor coefficient of M (`core.taylor`), and y_0 = e^{h m_0}|y|, y_{k+1} = Σ_j m_j y_{k−j}/(k + 1). The series
of y cut off after h^{n−1} misses at most h^n y_n (Lagrange's remainder); what was missed before grows by e^{hλ},
λ = max_i (M_ii + Σ_{j≠i}|M_ij|), the logarithmic norm. — E. Hairer, S. P. Nørsett and G. Wanner, *Solving Ordinary
Differential Equations I* (1993), I.10.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from mfgpde.core.arrays import Array
from mfgpde.core.taylor import Jet, NotEnclosed, called

ORDER = 14
"""coefficients of a series"""
STEPS = 64
"""at equal lengths"""
ROUNDINGS = 16 * 2.0**-52
"""of the largest component, a step"""


def linear_system(
    matrix: Callable[..., Sequence[Sequence[Any]]],
    initial: ArrayLike,
    start: float,
    end: float,
    *,
    off: float = 0.0,
    steps: int = STEPS,
    order: int = ORDER,
) -> tuple[Array, float]:
    """Return y(end) of y' = M(t) y, y(start) = `initial` (m,), and how far off any component may be, up to rounding.

    `matrix(t)` returns the m rows of M: numbers and formulas of t, as of `certified_integral`. `off` says how far off
    components of `initial` may be; `end` may lie before `start`. What drives a system stands beside a component that is 1.

    Raises NotEnclosed for entries that are no formulas or have a pole, ValueError for shapes that do not fit.

    >>> y, missed = mfg.solvers.linear_system(lambda t: [[0.0, -2.0 * t], [2.0 * t, 0.0]], [1.0, 0.0], 0.0, 1.5)
    >>> bool(np.abs(y - [np.cos(2.25), np.sin(2.25)]).max() <= missed < 1e-11)  # turned by t²
    True
    """
    y = np.array(initial, dtype=float)
    if y.ndim != 1 or not np.isfinite(y).all():
        raise ValueError(f"a state is a finite vector, got shape {y.shape}")
    if not (np.isfinite(start) and np.isfinite(end) and steps > 0 and order > 1 and off >= 0):
        raise ValueError("ends are finite, steps positive, the order above one, and what is off not negative")
    edges = start + (end - start) * np.arange(steps + 1) / steps
    at, h = edges[:-1], (end - start) / steps
    lower, upper = (np.concatenate((at, pick(at, edges[1:]))) for pick in (np.minimum, np.maximum))
    found = _coefficients(matrix, lower, upper, order, len(y))  # at the begin of steps, and on all of each
    points, (centre, reach) = found[0, :, :steps], found[:, :, steps:]
    sizes = np.abs(centre) + reach  # (order + 1, steps, m, m)
    rows = sizes.sum(axis=-1).max(axis=-1)
    diagonal = np.sign(h) * np.einsum("sii->si", centre[0]) + np.einsum("sii->si", reach[0])
    norms = (diagonal + sizes[0].sum(axis=-1) - np.einsum("sii->si", sizes[0])).max(axis=-1)
    missed = float(off)
    for k in range(steps):
        series = [y]
        for n in range(order - 1):
            series.append(sum((points[j, k] @ series[n - j] for j in range(n + 1)), np.zeros_like(y)) / (n + 1))
        bounds = [float(np.abs(y).max() * np.exp(abs(h) * rows[0, k]))]
        for n in range(order):
            bounds.append(sum(float(rows[j, k]) * bounds[n - j] for j in range(n + 1)) / (n + 1))
        y = sum((term * h**n for n, term in reversed(list(enumerate(series)))), np.zeros_like(y))
        missed = missed * float(np.exp(abs(h) * norms[k])) + abs(h) ** order * bounds[order] + ROUNDINGS * bounds[0]
    return y, missed


def _coefficients(matrix: Callable[..., Any], lower: Array, upper: Array, order: int, size: int) -> Array:
    """Return centres and radii (2, order + 1, intervals, m, m) of the Taylor coefficients of M on intervals."""
    rows = called(matrix, Jet.variable(lower, upper, order))
    if len(rows) != size or any(len(row) != size for row in rows):
        raise ValueError(f"the matrix is to have {size} rows of {size} entries")
    found = np.zeros((2, order + 1, len(lower), size, size))
    for i, row in enumerate(rows):
        for j, entry in enumerate(row):
            if isinstance(entry, Jet):
                found[0, ..., i, j] = 0.5 * (entry.lower + entry.upper)
                found[1, ..., i, j] = 0.5 * (entry.upper - entry.lower)
            elif isinstance(entry, int | float | np.floating | np.integer):
                found[0, 0, :, i, j] = float(entry)
            else:
                raise NotEnclosed(f"an entry of the matrix is {type(entry).__name__}, no formula")
    if not np.isfinite(found).all():
        raise NotEnclosed("the matrix is not bounded on a step: a pole?")
    return found
