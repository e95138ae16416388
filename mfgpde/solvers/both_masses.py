"""No two laws are further apart in L¹ than both their masses: ∫|p_h − p| ≤ ∫|p_h| + 1, whatever a residual owes."""

from __future__ import annotations

from typing import Any

import numpy as np

from mfgpde.core.arrays import Array
from mfgpde.solvers.bounded_residual import FINE
from mfgpde.solvers.first_solve import FirstField

TWO = 2.0
"""what ∫|p_h| + 1 is at least, for mass one in the box: smaller bounds are not looked at"""
AIM = 1e-6
"""of it, what points may not see"""


def both_masses(
    field: FirstField, space: Any, like: Array, parts: dict[str, float], sampled: str
) -> tuple[dict[str, float], str]:
    """Return the parts of a bound, or both masses in their place and what the parts said, where those are less.

    `field` is p_h, `like` the array of another field on `space`. ∫|p_h| is bounded where the bound is, else at points.
    """
    said = sum(parts.values())
    if said <= TWO:
        return parts, ""
    nothing = np.zeros_like(like)
    size = field.apart(space, nothing, FINE, True) if sampled else field.bounded_gap(space, nothing, AIM)[0]
    if not said > size + 1.0:
        return parts, ""
    listed = ", ".join(f"{name} {part:.2g}" for name, part in parts.items() if part)
    words = f"the residual owes {said:.3g} ({listed}), more than both masses, which any two laws are apart at most"
    return {"mass of the solution": size, "mass of the law": 1.0}, words
