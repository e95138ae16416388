"""Grids of one box for expansions, coarse to fine, and what of a law lies beyond the waves of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from mfgpde.discretisations import Spectral
from mfgpde.grids import CartesianGrid
from mfgpde.solvers.initial import initial_function
from mfgpde.solvers.reconstruction import coefficients
from mfgpde.solvers.wider_box import law_at

LAST = 0.9
"""of a grid's wave numbers: what lies above them says what lies beyond"""
GENTLE = 1.25
"""times as many cells, from one candidate to the next"""
FINER = {1: 6, 2: 3, 3: 1}
"""times `GENTLE`: how much finer than the first one's cells those of an expansion are, at most, by dimension"""
FEWEST = 16
"""cells an axis"""


def grids_of(grid: CartesianGrid, finer: int = 0) -> list[CartesianGrid]:
    """Return grids of the same box, coarsest first, with the cells of every axis in about the same ratio."""
    found, share = [grid], 1.0
    for _ in range(finer):
        share *= GENTLE
        found.insert(0, replace(grid, cells=tuple(even(n * share) for n in grid.cells)))
    share = 1.0
    while True:
        share /= GENTLE
        cells = tuple(even(n * share) for n in grid.cells)
        if min(cells) < FEWEST:
            return found[::-1]
        found.append(replace(grid, cells=cells))


def even(n: float) -> int:
    """Return the least even number above that is a product of 2, 3 and 5."""
    k = 2 * int(np.ceil(n / 2))
    while True:
        rest = k
        for p in (2, 3, 5):
            while rest % p == 0:
                rest //= p
        if rest == 1:
            return k
        k += 2


def tails(solution: Any, last: int, grids: Sequence[CartesianGrid]) -> list[float]:
    """Return what of start and end lies beyond each grid, |box|(Σ|q̂|²)^½; of the finest, beyond 9/10 of it.

    The end is that in closed form where it is known, else the first solve's on its own grid.
    """
    full: Any = grids[-1]
    own = solution.discretisation.grid
    start = np.asarray(initial_function(solution.equation, solution.start, full)(full.points), dtype=float)
    end = law_at(solution, float(solution.times[last]))
    if end is not None:
        looked = [(full, np.stack((start, np.exp(end.log_density(full.points)))))]
    else:
        looked = [(full, start[None]), (own, solution.fields[last].values[None])]
    found = np.zeros(len(grids))
    for one, fields in looked:
        sizes, waves = coefficients(Spectral(one), fields)
        for number, grid in enumerate(grids):
            beyond = np.zeros(sizes.shape, dtype=bool)
            for wave, h, finest in zip(waves, grid.spacing, one.spacing, strict=True):
                beyond = beyond | (wave >= np.pi * min((1 - 1e-12) / h, LAST / finest))
            tail = float(np.prod(one.lengths)) * float(np.sqrt(np.sum(sizes[beyond] ** 2)))
            found[number] = max(found[number], tail)
    return found.tolist()
