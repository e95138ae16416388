"""JAX's transformations with types that a checker knows: its own leave open what a function takes and returns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, cast

import jax
import jax.numpy as jnp
from numpy.typing import ArrayLike

Function = Callable[..., jax.Array]
"""of one point and one time, of a tree of parameters before them where there is one"""
Curve = Callable[[jax.Array], jax.Array]
_jax, _numpy = cast(Any, jax), cast(Any, jnp)


def array(values: ArrayLike | jax.Array, dtype: object = None) -> jax.Array:
    """Return values as JAX has them, in the precision that it is set to or the given one."""
    return _numpy.asarray(values, dtype)


def gradient(f: Function, argument: int = 0) -> Function:
    """Return the gradient of a scalar function in one of its arguments."""
    return _jax.grad(f, argnums=argument)


def with_gradients(f: Function, arguments: Sequence[int]) -> Callable[..., tuple[jax.Array, tuple[jax.Array, ...]]]:
    """Return a scalar function that returns its gradients in some arguments too."""
    return _jax.value_and_grad(f, argnums=tuple(arguments))


def jacobian(f: Function, argument: int = 0) -> Function:
    """Return ∂_j f_i in one of the arguments, by forward derivatives."""
    return _jax.jacfwd(f, argnums=argument)


def along(f: Curve, x: jax.Array, v: jax.Array) -> jax.Array:
    """Return Jv at x, by one forward derivative."""
    return _jax.jvp(f, (x,), (v,))[1]


def against(f: Curve, x: jax.Array, v: jax.Array) -> jax.Array:
    """Return Jᵀv at x, by one backward derivative."""
    return _jax.vjp(f, x)[1](v)[0]


def blockwise[**P, T](f: Callable[P, T], axes: Sequence[int | None]) -> Callable[..., T]:
    """Return a function of blocks, stacked along the given axis of each argument or the same for all; compiled."""
    return _jax.jit(_jax.vmap(f, tuple(axes)), compiler_options=_wide())


@lru_cache(maxsize=1)
def _wide() -> dict[str, int]:
    """Return what has XLA use the whole width of a host's vectors, of which it takes half by itself; a third of the time.

    Nothing where it does not know the option.
    """
    options = {"xla_cpu_prefer_vector_width": 512}
    try:
        _jax.jit(jnp.negative, compiler_options=options)(0.0)
    except Exception:  # whatever another version says to a name it does not know
        return {}
    return options


def on_leaves[T](f: Callable[..., object], *trees: T) -> T:
    """Return a tree of what a function makes of the leaves of trees of one shape."""
    return _jax.tree.map(f, *trees)


def output(function: Callable[..., object], dimension: int) -> jax.ShapeDtypeStruct | None:
    """Return shape and type of what a function of one point (d,) and one time returns; None if it is no single array.

    Nothing is computed. Raises what the function raises when JAX traces it.
    """
    found: object = _jax.eval_shape(function, _numpy.zeros(dimension), _numpy.zeros(()))
    return found if isinstance(found, jax.ShapeDtypeStruct) else None
