"""What a march that ended early says: where, and what would help."""

from __future__ import annotations

import numpy as np

from mfgpde.core.errors import Status
from mfgpde.solvers.initial import between_real_walls, corner, needed_box
from mfgpde.solvers.solution import Solution


def advice(solution: Solution, reached: float, trouble: str = "") -> str:
    """Return a sentence on a solve that ended early at the time `reached`, and on what would help."""
    what, grid = solution.provenance["equation"], solution.discretisation.grid
    where = f"{what} on {grid.cells} cells: {solution.status} at t = {reached:g}"
    wall, least, mass = (solution.conserved[name] for name in ("wall", "minimum", "mass"))
    stored = "the fields stored until then are in `.partial`"
    because = f" ({trouble})" if trouble else ""
    match solution.status:
        case Status.MASS_AT_WALL:
            lower, upper = needed_box(solution.fields[-1].values, grid)
            lower, upper = between_real_walls(solution.discretisation, lower, upper)
            return f"{where} ({wall[-1]:.2g} of it); try a box from ({corner(lower)}) to ({corner(upper)})"
        case Status.UNRESOLVED:
            span = f"from {least[-1]:.2g} to {float(np.max(solution.fields[-1].values)):.2g}"
            return f"{where} ({span}): take more cells, or FiniteVolume(grid), which stays positive"
        case Status.OUT_OF_MEMORY:
            return f"{where}; {stored}, on the host. Try a coarser grid, or backend='numpy'{because}"
        case Status.DEVICE_FAILED:
            return f"{where}; {stored}, on the host. Try to go on from the last{because}"
        case Status.MASS_MOVED:
            return (
                f"{where}, from {mass[0]:.6g} to {mass[-1]:.6g}: does the drift jump at a periodic wall, or the equation "
                "take it? The fields up to there are in `.partial`"
            )
        case Status.TOO_MANY_STEPS:
            return f"{where}; {stored}. Give more max_steps, a larger rtol or wider cells{because}"
        case _:
            return (
                f"{where}; {stored}. The solution or a coefficient grows without bound there, or no stage can be solved: "
                f"end before, or look at the signs of what grows{because}"
            )
