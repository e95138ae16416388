"""The drift that each meaning of the integral gives to a diffusion, in numbers, at three places of its domain."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from mfgpde.processes import Diffusion
from mfgpde.processes.diffusion import MEANINGS

PLACES = (0.25, 0.5, 0.75)
"""of the way through a box, or through the points of a mesh"""
DIGITS = 1e-10
"""of the largest drift, below which a number is a rounding of differences"""


def said(process: Any, discretisation: Any) -> Iterator[str]:
    """Yield what the integral means, and the Itô drift of all three meanings; nothing where noise is the same everywhere.

    A meaning that the coefficients do not determine says so: Stratonovich's drift needs σ, which a full D does not give.
    """
    if not isinstance(process, Diffusion):
        return
    x = _places(discretisation.grid)
    spread = process.tensor_divergence(x, 0.0)
    if process.noise is None and np.abs(spread).max() <= DIGITS * np.abs(process.diffusion_tensor(x, 0.0)).max():
        return
    yield MEANINGS[process.meaning]
    for place in x:
        drifts = [f"{name} {_drift(process, name, place)}" for name in MEANINGS]
        yield f"  Itô drift at {_shown(place)} if f is meant so: {', '.join(drifts)}"


def _drift(process: Diffusion, meaning: Any, place: Any) -> str:
    try:
        return _shown(replace(process, meaning=meaning).ito_drift(place, 0.0))
    except ValueError:  # σ is not known
        return "not determined by D"


def _places(grid: Any) -> Any:
    lower, upper = (np.asarray(end, dtype=float) for end in (grid.lower, grid.upper))
    return np.array([lower + share * (upper - lower) for share in PLACES])


def _shown(values: Any) -> str:
    size = float(np.abs(values).max())
    numbers = [f"{0.0 if abs(v) < DIGITS * size else v:.4g}" for v in values]
    return numbers[0] if len(numbers) == 1 else f"({', '.join(numbers)})"
