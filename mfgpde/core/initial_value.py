"""Initial-value problems by Dormand and Prince's method of order eight: SciPy's, which brings no types."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.integrate import solve_ivp

from mfgpde.core.arrays import Array


def integrated(
    rate: Callable[[float, Array], Array], start: float, end: float, y: Array, rtol: float, atol: Array
) -> Array:
    """Return y(end) of ẏ = rate(t, y) from y (n,) at `start`. Raises RuntimeError where the steps become too small."""
    run = solve_ivp(rate, (start, end), y, method="DOP853", rtol=rtol, atol=atol)
    if not run.success:
        raise RuntimeError(f"integration from {start:g} to {end:g} stopped at t = {run.t[-1]:g}: {run.message}")
    return np.asarray(run.y[:, -1], dtype=float)
