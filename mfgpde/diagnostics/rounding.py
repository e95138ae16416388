"""What rounding of a score's values leaves in its residual, where derivatives are differences of these values."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mfgpde.core.arrays import Array
from mfgpde.diagnostics.score_residuals import score_residual
from mfgpde.grids import CartesianGrid
from mfgpde.processes import LinearProcess
from mfgpde.scores import Differenced, Score

SINGLE = 24
"""bits of a number in single precision: values of more are taken for double"""
DISTINCT = 32
"""values of few bits: fewer distinct ones are steps or constants of the score's own, and no rounding"""
POINTS = 512
LIKELY = 3.0
"""times the deviation that independent errors leave: what rounding may leave, since its errors are not independent"""


def bits(values: Array) -> int:
    """Return of how many bits numbers are, at most, from what is common to all; 53 in double precision.

    >>> from mfgpde.diagnostics.rounding import bits
    >>> third = np.array([1 / 3, 0.7])
    >>> bits(third), bits(third.astype(np.float32)), bits(third.astype(np.float16)), bits(np.array([0.75, 0.0]))
    (53, 24, 11, 2)
    """
    whole = np.ldexp(np.frexp(np.asarray(values, dtype=float))[0], 53).astype(np.int64)
    last = int(np.bitwise_or.reduce(np.abs(whole), axis=None))
    return 53 - ((last & -last).bit_length() - 1) if last else 0


def bits_kept(score: Score, grid: CartesianGrid, t: float) -> int | None:
    """Return the bits that a score's values are rounded to, at random points of a box; None where they are not."""
    x = np.random.default_rng(0).uniform(grid.lower, grid.upper, (POINTS, grid.dimension))
    values = np.asarray(score(x, t), dtype=float)
    found = bits(values)
    return found if found <= SINGLE and len(np.unique(values)) >= DISTINCT else None


def rounding_of_residual(process: LinearProcess, score: Differenced, x: Array, t: float, kept: int) -> Array:
    """Return how far the residual may be off at points, since values are rounded to so many bits, shape (..., d).

    Values are rounded once more, at random: what this changes is what the first rounding has left.
    """
    rng = np.random.default_rng(0)

    def again(y: Array, s: float) -> Array:
        values = score(y, s)
        return values + np.ldexp(rng.uniform(-0.5, 0.5, values.shape), np.frexp(values)[1] - kept)

    twice = replace(score, function=again, uncertainty={})
    return LIKELY * (score_residual(process, twice, x, t) - score_residual(process, score, x, t))
