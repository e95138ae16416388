"""Scores written in JAX: all derivatives exact, by automatic differentiation of a function of one point.

Evaluated in blocks and in double precision whatever precision the weights were stored in.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np

from mfgpde.core.arrays import Array, contiguous, elsewhere, namespace_of
from mfgpde.core.renamed import renamed
from mfgpde.core.threads import granted
from mfgpde.scores.contract import FORMER
from mfgpde.scores.transformations import (
    Function,
    against,
    along,
    array,
    blockwise,
    gradient,
    jacobian,
    on_leaves,
    output,
    with_gradients,
)

MOST, MOST_THERE = 4096, 2**18  # points a call, on the host and on a device

Tree = object
"""any nesting of arrays"""


@dataclass(frozen=True, eq=False)
class _Alone:
    """A function that has no parameters, as one that does not read them."""

    function: Function

    def __call__(self, _: Tree, x: jax.Array, t: jax.Array) -> jax.Array:
        return self.function(x, t)


def _block(count: int) -> int:
    """Return how many points a call takes: of few sizes, each compiled once, that which leaves fewest idle.

    Four sizes between a power of two and the next, up to `MOST`.
    """
    if count > MOST:
        return min((MOST * k // 8 for k in (8, 7, 6, 5)), key=lambda size: -count % size)
    step = 1 << max(count.bit_length() - 3, 0)
    return max(-(-count // step) * step, 1)


@lru_cache(maxsize=1)
def _several() -> ThreadPoolExecutor:
    """Return threads that evaluate blocks side by side: JAX takes one core for a block of this size."""
    return ThreadPoolExecutor(granted(), "score")


os.register_at_fork(after_in_child=_several.cache_clear)  # threads do not survive a fork


@lru_cache(maxsize=64)
def _compiled(f: Function, dimension: int, is_potential: bool) -> dict[str, Callable[..., Any]]:
    """Return functions of parameters, a block of points and one time, compiled when first used."""
    s = gradient(f, 1) if is_potential else f
    slopes = jacobian(s, 1)

    def divergence(p: Tree, x: jax.Array, t: jax.Array) -> jax.Array:
        if is_potential:  # forward over forward: no tape

            def second(e: jax.Array) -> jax.Array:
                return along(lambda y: along(lambda z: f(p, z, t), y, e), x, e)

            return jnp.sum(jax.vmap(second)(array(np.eye(dimension))))
        return jnp.trace(slopes(p, x, t))

    def rate(p: Tree, x: jax.Array, t: jax.Array) -> jax.Array:
        return along(lambda u: s(p, x, u), t, 0 * t + 1)

    def pieces(p: Tree, x: jax.Array, t: jax.Array) -> tuple[jax.Array, ...]:
        value, slope = with_gradients(f, (1, 2))(p, x, t)
        return value, slope[1], slope[0], divergence(p, x, t)

    def products(p: Tree, x: jax.Array, t: jax.Array, v: jax.Array) -> tuple[jax.Array, ...]:
        def here(z: jax.Array) -> jax.Array:
            return s(p, z, t)

        def bent(y: jax.Array) -> jax.Array:  # vᵀJ(y)v
            return v @ along(here, y, v)

        return along(here, x, v), against(here, x, v), gradient(bent)(x)

    def form(p: Tree, x: jax.Array, t: jax.Array, v: jax.Array) -> tuple[jax.Array, jax.Array]:
        def here(z: jax.Array) -> jax.Array:
            return s(p, z, t)

        return here(x), v @ along(here, x, v)

    one: dict[str, Callable[..., Any]] = {
        "score": s,
        "divergence": divergence,
        "jacobian": slopes,
        "time_derivative": rate,
        "divergence_gradient": gradient(divergence, 1),
    }
    if is_potential:
        one |= {"potential": f, "potential_time_derivative": gradient(f, 2), "pieces": pieces}
    compiled = {name: blockwise(function, (None, 0, None)) for name, function in one.items()}
    directed = {"directional_derivatives": products, "with_form": form}
    return compiled | {name: blockwise(function, (None, 0, None, 0)) for name, function in directed.items()}


def _shape(function: Function, dimension: int) -> tuple[int, ...]:
    """Return () for a potential and (d,) for a vector field; ValueError for all else."""
    with jax.enable_x64(True):
        try:
            out = output(function, dimension)
        except Exception as problem:  # whatever a user's function meets
            raise ValueError(
                f"the JAX score does not accept one point of shape ({dimension},) and one time: {problem}"
            ) from problem
    shape = out.shape if out is not None else None
    if shape not in ((), (dimension,)):
        raise ValueError(f"a JAX score must return a scalar potential or a vector ({dimension},), got shape {shape}")
    return shape


@renamed(**FORMER)
class JaxScore:
    """s(x, t) from a JAX function of one point x (d,) and one time: a potential φ → () or a vector field → (d,).

    Which of both is read off its output: of a potential it is a `JaxPotential`. With `parameters` (any tree of arrays) the
    function is called as function(parameters, x, t), and scores that share it share what was compiled; they are read once,
    so that what is written into them later changes nothing. Offers what residuals need: divergence, Jacobian, ∂_t s,
    ∇(∇·s). Raises ValueError for a function that returns neither, or does not accept such arguments.

    >>> score = mfg.JaxScore(lambda x, t: -0.5 * x @ x / (1 + t), 1)  # a potential: its gradient is the score
    >>> x = np.array([[1.0]])
    >>> print(f"{score(x, 1.0)[0, 0]:.3f}, {score.time_derivative(x, 1.0)[0, 0]:.3f}")  # −x/(1 + t), x/(1 + t)²
    -0.500, 0.250
    """

    is_potential = False
    thread_safe = True

    def __new__(cls, function: Function, dimension: int, parameters: Tree = None) -> JaxScore:
        """Make a potential of a function that returns a number."""
        potential = _shape(function if parameters is None else partial(function, parameters), dimension) == ()
        if cls is JaxScore:
            return object.__new__(JaxPotential if potential else JaxScore)
        if potential != cls.is_potential:
            raise ValueError(
                f"{cls.__name__} is for a function that returns a {'scalar' if cls.is_potential else 'vector'}; "
                "JaxScore takes both"
            )
        return super().__new__(cls)

    def __init__(self, function: Function, dimension: int, parameters: Tree = None) -> None:
        self.dimension, self.parameters = dimension, parameters
        self.function = function if parameters is not None else _Alone(function)

    def __reduce__(self) -> tuple[type[JaxScore], tuple[Function, int, Tree]]:
        function = self.function.function if isinstance(self.function, _Alone) else self.function
        return type(self), (function, self.dimension, self.parameters)

    @cached_property
    def _held(self) -> Tree:
        """The parameters as JAX keeps them, handed over once: for few points that takes as long as the evaluation."""
        with jax.enable_x64(True):
            return on_leaves(array, self.parameters)

    def _evaluate(self, name: str, x: Array, t: float, *more: Array) -> Any:
        if x.shape[-1] != self.dimension:
            raise ValueError(f"this score lives in dimension {self.dimension}, got points of shape {x.shape}")
        if elsewhere(x):
            return self._evaluate_there(name, x, t, *more)
        flat = [np.ascontiguousarray(a, dtype=float).reshape(-1, self.dimension) for a in (x, *more)]
        count = len(flat[0])
        block_size = _block(count)
        pieces = max(-(-count // block_size), 1)
        compiled = _compiled(self.function, self.dimension, self.is_potential)[name]

        def evaluate(k: int) -> Any:
            block = [a[k * block_size : (k + 1) * block_size] for a in flat]
            short = block_size - len(block[0])
            if short:
                block = [np.concatenate((a, np.zeros((short, self.dimension)))) for a in block]
            with jax.enable_x64(True):  # a thread's own setting
                return on_leaves(np.asarray, compiled(self._held, block[0], float(t), *block[1:]))

        results = [evaluate(0)] if pieces == 1 else list(_several().map(evaluate, range(pieces)))

        def whole(*blocks: Array) -> Array:
            joined = np.concatenate(blocks)[:count]
            return joined.reshape(x.shape[:-1] + joined.shape[1:]).astype(float)

        return on_leaves(whole, *results)

    def _evaluate_there(self, name: str, x: Array, t: float, *more: Array) -> Any:
        """Do the same on a device: points and values change hands by DLPack, without copies; JAX must know the device."""
        xp, parts = namespace_of(x), _compiled(self.function, self.dimension, self.is_potential)
        flat = [contiguous(a).reshape(-1, self.dimension) for a in (x, *more)]
        results = list[Any]()
        with jax.enable_x64(True):
            time = array(float(t))
            for start in range(0, len(flat[0]), MOST_THERE):
                block = [cast(Any, jnp).from_dlpack(a[start : start + MOST_THERE]) for a in flat]
                results.append(on_leaves(xp.from_dlpack, parts[name](self.parameters, block[0], time, *block[1:])))

        def whole(*blocks: Array) -> Array:
            joined = np.concatenate(blocks) if blocks[1:] else blocks[0]
            return joined.reshape(x.shape[:-1] + joined.shape[1:])

        return on_leaves(whole, *results)

    def __call__(self, x: Array, t: float) -> Array:
        """Return s(x, t)."""
        return self._evaluate("score", x, t)

    def divergence(self, x: Array, t: float) -> Array:
        """Return ∇·s."""
        return self._evaluate("divergence", x, t)

    def jacobian(self, x: Array, t: float) -> Array:
        """Return ∂_j s_i, shape (..., d, d)."""
        return self._evaluate("jacobian", x, t)

    def time_derivative(self, x: Array, t: float) -> Array:
        """Return ∂_t s."""
        return self._evaluate("time_derivative", x, t)

    def divergence_gradient(self, x: Array, t: float) -> Array:
        """Return ∇(∇·s)."""
        return self._evaluate("divergence_gradient", x, t)

    def directional_derivatives(self, x: Array, t: float, v: Array) -> tuple[Array, Array, Array]:
        """Return Jv, Jᵀv and ∇(vᵀJv) for one direction v a point, shapes (..., d), without any full Jacobian."""
        return self._evaluate("directional_derivatives", x, t, v)

    def with_form(self, x: Array, t: float, v: Array) -> tuple[Array, Array]:
        """Return s and vᵀJv for one direction v a point."""
        return self._evaluate("with_form", x, t, v)


class JaxPotential(JaxScore):
    """s = ∇φ of a potential φ written in JAX."""

    is_potential = True

    def potential(self, x: Array, t: float) -> Array:
        """Return φ(x, t)."""
        return self._evaluate("potential", x, t)

    def potential_time_derivative(self, x: Array, t: float) -> Array:
        """Return ∂_tφ."""
        return self._evaluate("potential_time_derivative", x, t)

    def pieces(self, x: Array, t: float) -> tuple[Array, Array, Array, Array]:
        """Return φ, ∂_tφ, ∇φ and Δφ in one pass."""
        return self._evaluate("pieces", x, t)


def examples() -> Iterator[JaxScore]:
    """Yield members to hold the laws to: a potential and a field that is none."""
    yield JaxScore(_hill, 2)
    yield JaxScore(_turn, 2, array(np.array([0.3, 1.2])))


def _hill(x: jax.Array, t: jax.Array) -> jax.Array:
    return jnp.sin(x[0] + t) * jnp.cos(2 * x[1]) - 0.5 * jnp.sum(x**2) / (1 + t)


def _turn(parameters: jax.Array, x: jax.Array, t: jax.Array) -> jax.Array:
    return parameters * jnp.sin(jnp.roll(x, 1) + t) - 0.5 * x
