"""JAX functions and Equinox modules of one point (d,) and one time."""

from __future__ import annotations

import inspect
from functools import partial
from typing import Any, ClassVar, cast

import jax.numpy as jnp
import numpy as np

from mfgpde.core.arrays import Array
from mfgpde.core.repeatable import require_repeatable
from mfgpde.scores.adapters.contract import Adapter, Brought
from mfgpde.scores.contract import DifferentiableScore
from mfgpde.scores.jax_score import JaxScore
from mfgpde.scores.other_dimension import other_dimension
from mfgpde.scores.transformations import output

POINTS = 40
"""at which a function is asked twice: of each value a fifth may be lost, and all be lost alike in one case of millions"""


class JaxFunction(Adapter):
    """Takes what JAX can trace; derivatives by JAX."""

    rank: ClassVar[int] = 20

    def takes(self, found: object, dimension: int) -> bool:
        """Say whether this is an Equinox module, or a function that JAX traces at one point."""
        family = {cls.__module__.split(".")[0] for cls in inspect.getmro(type(found))}
        return callable(found) and ("equinox" in family or traceable(found, dimension))

    def adapt(self, found: object, dimension: int, source: str) -> DifferentiableScore:
        """Return the function as a score. Raises ValueError for one of points of another dimension, or random ones."""
        function = cast(Brought, found)
        if not traceable(function, dimension):
            other = other_dimension(lambda d: traceable(function, d), dimension)
            if other:
                raise ValueError(f"{source} {other}")
        else:  # before a trace keeps one draw of NumPy's for good
            require_repeatable(partial(_one_by_one, function), _points(dimension), 0.5, source)
        return JaxScore(function, dimension)


def _points(dimension: int) -> Array:
    return np.random.default_rng(0).normal(size=(POINTS, dimension))


def _one_by_one(function: Brought, x: Array, t: float) -> Array:
    """Return the values at points (n, d), (n, d) or (n, 1), without a trace."""
    library: Any = jnp
    return np.stack([np.asarray(function(one, t)).reshape(-1) for one in library.asarray(x)])


def traceable(function: Brought, dimension: int) -> bool:
    """Say whether JAX can trace a function of one point and one time that returns a potential or a vector.

    What uses operators alone is such a function as well as one of many points; both mean the same.
    """
    try:
        out = output(function, dimension)
    except Exception:  # a user's code: it may refuse a tracer in any way
        return False
    if out is None:
        return False
    return out.shape in ((), (dimension,)) and bool(jnp.issubdtype(out.dtype, jnp.floating))
