"""NumPy functions s(x, t) of points (n, d) and one time, whatever is inside."""

from __future__ import annotations

from typing import ClassVar, cast

import numpy as np

from mfgpde.core.arrays import Array
from mfgpde.scores.adapters.contract import Adapter, Brought
from mfgpde.scores.contract import DifferentiableScore
from mfgpde.scores.differences import Differenced
from mfgpde.scores.other_dimension import other_dimension


class NumpyFunction(Adapter):
    """Takes all that is left and can be called; derivatives by differences, which say how wrong they are."""

    rank: ClassVar[int] = 90

    def takes(self, found: object, dimension: int) -> bool:
        """Say whether it can be called."""
        return callable(found)

    def adapt(self, found: object, dimension: int, source: str) -> DifferentiableScore:
        """Return the function as a score. Raises ValueError unless it maps a few points to finite numbers."""
        function = cast(Brought, found)
        check(function, dimension, source)
        return Differenced(function, dimension)


def check(score: Brought, dimension: int, source: str, t: float = 0.5) -> None:
    """Raise ValueError unless score(x, t) maps a few points (n, d) to finite real numbers of the same shape."""
    x = _points(dimension)
    try:
        values = np.asarray(score(x, t))
    except Exception as problem:
        other = other_dimension(lambda d: np.shape(score(_points(d), t)) == (5, d), dimension)
        if other:
            raise ValueError(f"{source} {other}") from problem
        raise ValueError(
            f"{source} cannot be called as s(x, t) with x of shape (5, {dimension}), nor traced by JAX at one point "
            f"({dimension},): {problem}"
        ) from problem
    if values.shape != x.shape:
        other = other_dimension(lambda d: np.shape(score(_points(d), t)) == (5, d), dimension)
        raise ValueError(
            f"{source} must return shape (n, {dimension}) for n points in NumPy, or () or ({dimension},) for one in JAX; "
            f"got {values.shape} for n = 5{other and '; it '}{other}"
        )
    if not np.isrealobj(values) or values.dtype.kind not in "fiu":
        raise ValueError(f"{source} must return real numbers, got dtype {values.dtype}")
    if not np.isfinite(values).all():
        raise ValueError(f"{source} returned {values[~np.isfinite(values)][0]} at t = {t:g} near the origin")


def _points(dimension: int) -> Array:
    return np.random.default_rng(0).normal(size=(5, dimension))
