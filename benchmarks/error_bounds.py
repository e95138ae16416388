"""What `error_bound` costs on a line beside the solve whose error it bounds, and how much of the bound is true.

Reverse SDEs of exact scores and of scores that are known by their values alone, a curved drift that stays, and a process
that keeps the variance in a box that is too small; on 96 to 768 cells, by volumes of order two and four, at tolerances of
1e-6 and 2e-3. CPU seconds of this process, a solve and its bound in turn. The truth is a closed form, else a solve of order
four on a thousand cells in steps of its own.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

import mfgpde as mfg
from mfgpde.solvers.first_solve import GridField
from mfgpde.verify import load_module

bounds = load_module(Path(__file__).with_name("_bounds.py"))

DATA = mfg.GaussianMixture([0.5, 0.3, 0.2], [[-1.5], [0.5], [2.0]], 0.2)
CELLS, MORE, ORDERS, TOLERANCES = (96, 768), (96, 384, 768), (2, 4), (1e-6, 2e-3)
FINE, SHARP, POINTS = 1000, 1e-9, 12
TURNS, ENOUGH = 7, 1.5  # pairs of a solve and its bound, fewer where they take so many seconds in all


@dataclass(frozen=True)
class Problem:
    """A density on a line, and where it is known what it ends in."""

    name: str
    equation: Any
    half: float
    start: Any
    times: tuple[float, float]
    law: Any = None
    cells: tuple[int, ...] = CELLS

    def space(self, cells: int, order: Any) -> mfg.FiniteVolume:
        """Return volumes in its box."""
        return mfg.FiniteVolume(mfg.CartesianGrid.cube(self.half, cells, 1), order=order)

    def solve(self, cells: int, order: int, rtol: float) -> Any:
        """Return its solution."""
        space = self.space(cells, order)
        return mfg.solve(self.equation, space, self.start, self.times, rtol=rtol, largest_wall_mass=1e-2)

    @cached_property
    def _sharp(self) -> Any:
        return self.solve(FINE, 4, SHARP)

    def off(self, solution: Any) -> float:
        """Return ∫|p_h − p|, over the box where the law is not known."""
        space, u = solution.discretisation, solution.fields[-1].values
        if self.law is None:
            return GridField(space, u).apart(self._sharp.discretisation, self._sharp.fields[-1].values, POINTS, True)
        return float(bounds.off(solution, self.law, POINTS))


def problems() -> Iterator[Problem]:
    """Yield the problems of the table."""
    ou, vp, ve = mfg.OrnsteinUhlenbeck(), mfg.VariancePreserving(), mfg.VarianceExploding(0.05, 2.0)
    exact: list[tuple[str, Any, float]] = [
        ("reverse OU", ou, 7.0),
        ("reverse VP to 20", vp, 7.0),
        ("reverse VE", ve, 12.0),
    ]
    for name, process, half in exact:
        equation = mfg.FokkerPlanck.reverse(process, mfg.ExactScore(process, DATA))
        start, end = (mfg.marginal(process, DATA, t) for t in (process.horizon, 0.1))
        yield Problem(f"{name}, exact score", equation, half, start, (0.0, process.horizon - 0.1), end)
    for name, process, half in exact[1:]:
        equation = mfg.FokkerPlanck.reverse(process, _disturbed(process))
        start = mfg.marginal(process, DATA, process.horizon)
        yield Problem(f"{name}, a score without formula", equation, half, start, (0.0, process.horizon - 0.1))
    curved = mfg.FokkerPlanck(lambda x, t: -(x**3) + 2 * np.sin(2 * x), lambda t: 0.5, time_dependent=False)
    yield Problem("drift −x³ + 2 sin 2x", curved, 3.0, mfg.gaussian(0.5, 0.1), (0.0, 1.0), cells=MORE)
    data = mfg.densities.bimodal(1)
    start, end = (mfg.marginal(vp, data, t) for t in (0.02, 1.0))
    yield Problem("P2 on ±6", mfg.FokkerPlanck.of(vp), 6.0, start, (0.02, 1.0), end, MORE)


def _disturbed(process: Any) -> Callable[[Any, Any], Any]:
    """Return a score that is not that of the data, and of which values alone are known."""
    exact = mfg.ExactScore(process, DATA)
    return lambda x, t: exact(x, t) + 0.2 * np.sin(2 * x) * np.exp(-(x**2) / 8)


def measured(problem: Problem, cells: int, order: int, rtol: float) -> tuple[float, float, float]:
    """Return CPU seconds of a solve and of its bound, the least of pairs in turn, and bound over true."""
    solving, bounding, solution, bound = bounds.in_turn(lambda: problem.solve(cells, order, rtol), TURNS, ENOUGH)
    return solving, bounding, bound.value / problem.off(solution)


def run(peers: bool) -> dict[str, Any]:
    """Return rows of problem, cells, order, tolerance, CPU milliseconds of both, their ratio, and bound over true."""
    rows = []
    for problem in problems():
        for cells in problem.cells:
            for order in ORDERS:
                for rtol in TOLERANCES:
                    solving, bounding, ratio = measured(problem, cells, order, rtol)
                    cost = f"{1e3 * solving:.1f}", f"{1e3 * bounding:.1f}", f"{bounding / solving:.2f}"
                    rows.append((problem.name, cells, order, f"{rtol:.0e}", *cost, f"{ratio:.2f}"))
    return {
        "title": "what bounds on a line cost",
        "columns": ("problem", "cells", "order", "rtol", "solve, CPU ms", "bound, CPU ms", "solves", "bound/true"),
        "rows": rows,
        "goals": "solves ≤ 1, 1 ≤ bound/true ≤ 4",
    }
