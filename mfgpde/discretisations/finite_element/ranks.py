"""What all ranks share: numbers that are the same bits everywhere, and complaints that every rank hears."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from mfgpde.core.arrays import Array
from mfgpde.discretisations.agreed import agreed
from mfgpde.discretisations.checks import checked
from mfgpde.discretisations.finite_element._petsc import MPI as MPI


def over_ranks(comm: Any, value: Any, operation: Any) -> Array:
    """Return the sum, least or greatest of all ranks' numbers or arrays, the same bits on every rank."""
    mine = np.array(value, dtype=float)
    everyone = np.empty_like(mine)
    comm.Allreduce(mine, everyone, op=operation)
    return everyone


def read_values(function: Callable[[Array], Array], x: Array, what: str, comm: Any) -> Array:
    """Return function(x) if on every rank it is one finite number a point; else say where not. Collective."""
    return agreed(comm, lambda: checked(function(x), x.shape[:-1], what))


def read_drift(function: Callable[[Array, float], Array], x: Array, t: float, what: str, comm: Any) -> Array:
    """Return function(x, t) if on every rank it has the shape of x and is finite; else say where not. Collective."""

    def read() -> Array:
        values = np.asarray(function(x, t), dtype=float)
        if values.shape != x.shape:
            shapes = f"shape {x.shape} on points of that shape, got {values.shape}"
            raise ValueError(f"{what} at t = {t:g} must return {shapes}")
        bad = ~np.isfinite(values).all(axis=-1)
        if bad.any():
            where = ", ".join(f"{c:.4g}" for c in x[np.argmax(bad)])
            raise ValueError(f"{what} at t = {t:g} returned {values[np.argmax(bad)]} at x = ({where})")
        return values

    return agreed(comm, read)
