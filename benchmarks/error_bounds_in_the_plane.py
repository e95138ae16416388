"""What `error_bound` costs in the plane beside the solve whose error it bounds, and how much of the bound is true.

P1, P2 and P4 of the benchmark problems, a drift without potential and reverse SDEs of exact scores, by volumes of order two
and four and by expansions, at a tolerance of 1e-6, and as sharp as one asks for: of order two 1e-6, of others 1e-8. CPU
seconds of this process, a solve and its bound in turn. The truth is a closed form; of P4 the second solve, whose distance
is a part of the bound.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import mfgpde as mfg
from mfgpde.densities import GaussianMixture, four_blobs
from mfgpde.verify import load_module

bounds = load_module(Path(__file__).with_name("_bounds.py"))

POINTS = 4
TURNS, ENOUGH = 3, 4.0  # pairs of a solve and its bound, fewer where they take so many seconds in all
LOOSE, SHARP = 1e-6, 1e-8
SCHEMES = ("2", "4", "spectral")
LINE = GaussianMixture([0.3, 0.4, 0.3], [[-2.0], [0.0], [1.5]], [0.15, 0.2, 0.25])
PAIR = GaussianMixture([0.5, 0.5], [[-1.0, 0.5], [1.0, 0.0]], 0.3)


@dataclass(frozen=True)
class Problem:
    """A density in a box, what it ends in where that is known, and what it is solved on."""

    name: str
    equation: Any
    start: Any
    times: tuple[float, float]
    law: Any
    half: float
    cells: tuple[int, ...]
    schemes: tuple[str, ...] = SCHEMES

    def solve(self, cells: int, scheme: str, rtol: float) -> Any:
        """Return its solution."""
        grid = mfg.CartesianGrid.cube(self.half, cells, self.start.dimension)
        space: Any = (
            mfg.Spectral(grid) if scheme == "spectral" else mfg.FiniteVolume(grid, order=2 if scheme == "2" else 4)
        )
        return mfg.solve(self.equation, space, self.start, self.times, rtol=rtol)

    def off(self, solution: Any, bound: Any) -> float:
        """Return ∫|p_h − p|, or where nothing else is known the distance to the second solve."""
        if self.law is None:
            return float(bound.parts["second solve"])
        return float(bounds.off(solution, self.law, POINTS))


def problems() -> Iterator[Problem]:
    """Yield the problems of the table."""
    ou, vp = mfg.OrnsteinUhlenbeck(), mfg.VariancePreserving()
    forward: list[tuple[str, Any, Any, float, tuple[int, ...]]] = [
        ("P1", ou, four_blobs(), 5.0, (64, 128)),
        ("P1 on ±6", ou, four_blobs(), 6.0, (128,)),
        ("P2 on a line", vp, LINE, 7.0, (192,)),
        ("P2", vp, four_blobs(), 7.0, (64, 96, 128)),
        ("drift without potential", mfg.Linear(np.array([[-0.5, -1.0], [1.0, -0.7]])), PAIR, 6.5, (64,)),
    ]
    for name, process, data, half, cells in forward:
        law = mfg.marginal(process, data, 1.0)
        yield Problem(name, mfg.FokkerPlanck.of(process), data, (0.0, 1.0), law, half, cells)
    exact, data = mfg.ExactScore(vp, four_blobs()), four_blobs()

    def turning(x: Any, t: Any) -> Any:
        """Return the score, and what turns beside it."""
        return exact(x, t) + 0.3 * np.stack((-x[..., 1], x[..., 0]), -1) * np.exp(-np.sum(x**2, -1, keepdims=True) / 8)

    for name, process, score in (
        ("P4, a turning reverse SDE", vp, turning),
        ("reverse OU, exact score", ou, mfg.ExactScore(ou, data)),
        ("reverse VP to 20, exact score", vp, exact),
    ):
        start, end = (mfg.marginal(process, data, t) for t in (1.0, 0.1))
        equation, law = mfg.FokkerPlanck.reverse(process, score), None if score is turning else end
        horizon = process.horizon if np.isfinite(process.horizon) else 1.0
        yield Problem(name, equation, start, (horizon - 1.0, horizon - 0.1), law, 6.0, (64, 128), SCHEMES[:2])


def measured(problem: Problem, cells: int, scheme: str, rtol: float) -> tuple[float, float, float, Any]:
    """Return CPU seconds of a solve and of its bound, the least of pairs in turn, the error and the bound."""
    solving, bounding, solution, bound = bounds.in_turn(lambda: problem.solve(cells, scheme, rtol), TURNS, ENOUGH)
    return solving, bounding, problem.off(solution, bound), bound


def run(peers: bool) -> dict[str, Any]:
    """Return rows of problem, cells, scheme, tolerance, CPU seconds of both, their ratio, error, and bound over true."""
    rows = []
    for problem in problems():
        for cells in problem.cells:
            for scheme in problem.schemes:
                for rtol in (LOOSE,) if scheme == "2" else (LOOSE, SHARP):
                    solving, bounding, off, bound = measured(problem, cells, scheme, rtol)
                    cost = f"{solving:.3f}", f"{bounding:.3f}", f"{bounding / solving:.2f}"
                    error = f"{off:.1e}", f"{bound.value:.1e}", f"{bound.value / off:.2f}"
                    rows.append((problem.name, cells, scheme, f"{rtol:.0e}", *cost, *error))
    return {
        "title": "what bounds in the plane cost",
        "columns": (
            *("problem", "cells", "scheme", "rtol", "solve, CPU s", "bound, CPU s", "solves"),
            *("true ∫|error|", "bound", "bound/true"),
        ),
        "rows": rows,
        "goals": "solves ≤ 1, 1 ≤ bound/true ≤ 4; of expansions bounds ≤ 1e-6",
    }
