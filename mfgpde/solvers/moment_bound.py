"""What the second moment of an error can grow to: ∫|x|²|p_h − p| from one solve.

With e = p_h − p and r the residual, by Kato's inequality
    d/dt ∫|e| ≤ ∫|r|,   d/dt ∫|x|²|e| ≤ ∫(2 x·b + 2dD)|e| + ∫|x|²|r|,
so that x·b ≤ λ|x|² + μ for all x bounds it by Gronwall's inequality. A linear drift a + Ax has λ = λ_max(½(A + Aᵀ)) + ½|a|
and μ = ½|a|. The distance W₂ follows by C. Villani, Optimal transport: old and new (2009), theorem 6.15:
W₂²(p, q) ≤ 2 ∫|x|²|p − q|.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mfgpde.processes import IsotropicProcess, Linear
from mfgpde.processes.own_drift import linear_process_of
from mfgpde.solvers.enclosed import upper_in_time

UNKNOWN = (
    "no bound on the second moment is known: it needs a bound on the residual, far walls, a Gaussian mixture as the start "
    "and a drift that is linear"
)


def grown(equation: Any, grid: Any, begin: float, end: float, first: float, second: float) -> float:
    """Return a bound of ∫|x|²|e| at the end, from what ∫|e| and ∫|x|²|e| and their residuals add up to before growing.

    Infinite where the drift is not known to be linear.
    """
    process = linear_process_of(getattr(equation, "drift", None) or getattr(equation, "velocity", None))
    if process is None or any(grid.periodic):
        return np.inf
    if isinstance(process, IsotropicProcess):
        rate, offset = 2 * max(0.0, upper_in_time(lambda t: -1.0 * process.relaxation(t), begin, end)), 0.0
    elif isinstance(process, Linear) and not any(callable(one) for one in (process.matrix, process.offset)):
        A, a = process.matrix, process.offset
        matrix, shift = np.atleast_2d(np.asarray(A, float)), float(np.linalg.norm(np.asarray(a, float)))  # pyright: ignore
        rate = 2 * max(0.0, float(np.linalg.eigvalsh(0.5 * (matrix + matrix.T)).max())) + shift
        offset = shift
    else:
        return np.inf
    noise = 0.0 if not hasattr(equation, "diffusivity") else upper_in_time(equation.diffusivity, begin, end)
    span = end - begin
    return float(np.exp(rate * span) * (second + (offset + 2 * grid.dimension * noise) * span * first))
