"""What a first solve seems to owe: for its cells by differences of its fields, for its steps by its tolerance."""

from __future__ import annotations

from typing import Any

import numpy as np

from mfgpde.equations import FokkerPlanck
from mfgpde.solvers.wider_box import lost

STEPPED = 0.04, 2 / 3
"""times that power of its tolerance: what the steps of a first solve leave at least, on generated laws"""
KEPT = 0.3, 0.83
"""as `STEPPED`, beside order four where laws sharpen and steps end for what they miss: 1.7e-3 to 4.8e-3 at 2e-3, 3.3e-6 to
1.7e-5 at 1e-6"""
UNKNOWN = 1e-4
"""the tolerance of a solve of which none is known"""


def seen(solution: Any, last: int) -> tuple[float, float]:
    """Return what schemes of order two and four seem to owe for the cells, from differences of the field.

    On cells of size h a scheme of order m is off by about ∑_k ∫|δ_kᵐ u|, over 12 for order two and over 90 for order four.
    The second solve's residual is one of all times: at its first the field may be rougher.
    """
    second, fourth = differences(solution, last, 2) / 12, differences(solution, last, 4) / 90
    return second, max(fourth, differences(solution, 0, 4) / 90, np.finfo(float).tiny)


def sharpens(solution: Any, last: int) -> bool:
    """Say whether a density is smoother at its start than at its end, as generated ones are: no time is denser then."""
    return isinstance(solution.equation, FokkerPlanck) and (
        differences(solution, 0, 4) < differences(solution, last, 4)
    )


def differences(solution: Any, number: int, order: int) -> float:
    """Return ∑_k ∫|δ_kᵐ u| of a stored field."""
    grid, u = solution.discretisation.grid, solution.fields[number].values
    return grid.volume * float(sum(np.abs(np.diff(u, n=order, axis=k)).sum() for k in range(u.ndim)))


def seems_to_owe(solution: Any, last: int) -> float:
    """Return what a first solve seems to owe: for its cells, for its steps, and for what stands outside of its box."""
    order = getattr(solution.discretisation, "order", 4)
    return max(seen(solution, last)[int(order >= 4)], for_steps(solution), lost(solution, last))


def for_steps(solution: Any, kept: bool = False) -> float:
    """Return what its steps leave at least, or where all that they miss is `kept`."""
    factor, power = KEPT if kept else STEPPED
    return factor * asked(solution) ** power


def steps_of(solution: Any) -> float:
    """Return how many steps of second order the first solve would take at 1e-6, at least one."""
    count = getattr(solution, "cost", {}).get("steps", 0)
    return max(1.0, count * (asked(solution) / 1e-6) ** (1 / 3))


def asked(solution: Any) -> float:
    """Return the tolerance of the first solve."""
    return getattr(solution.again, "keywords", {}).get("rtol", UNKNOWN)
