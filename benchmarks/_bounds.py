"""Solves and the bounds on their errors in turn, and the errors, for the benchmarks of both."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from mfgpde.solvers.reconstruction import Panels, Reconstruction


def in_turn(solve: Callable[[], Any], turns: int, enough: float) -> tuple[float, float, Any, Any]:
    """Return CPU seconds of a solve and of its bound, the least of pairs in turn, and the last of both.

    There are at least two pairs, and no more than `turns`, fewer where they take `enough` seconds in all.
    """
    solution = solve()
    bound = solution.error_bound()  # what is compiled or kept is not counted, for neither
    solving, bounding = list[float](), list[float]()
    while len(bounding) < 2 or (len(bounding) < turns and sum(solving + bounding) < enough):
        clock = time.process_time()
        solution = solve()
        between = time.process_time()
        bound = solution.error_bound()
        solving.append(between - clock)
        bounding.append(time.process_time() - between)
    return min(solving), min(bounding), solution, bound


def off(solution: Any, law: Any, points: int) -> float:
    """Return ∫|p_h − p| on the whole space: p_h the reconstruction, without a fall at far walls, zero outside the box."""
    space = solution.discretisation
    panels = [Panels(edges, np.full(len(edges) - 1, points)) for edges in space.grid.edges]
    at = Reconstruction.on(space, panels, 0, fall=False)
    density = np.exp(law.log_density(at.points))
    return at.norm(at.value(solution.fields[-1].values) - density) + max(0.0, 1 - float(np.sum(density * at.weights)))
