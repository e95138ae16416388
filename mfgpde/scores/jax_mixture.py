"""Gaussian mixtures as JAX functions of one point: for gradients, vmap, other transformations, and accelerators."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np

from mfgpde.densities import GaussianMixture
from mfgpde.scores.transformations import array

Tile = tuple[jax.Array, ...]
"""means, constants, diagonals and factors of components, by tiles or of one"""
Pair = tuple[jax.Array, jax.Array]
TILE = 1024  # components a step: what a gradient keeps of each is made anew


def jax_log_density(mixture: GaussianMixture) -> tuple[Callable[[Tile, jax.Array], jax.Array], Tile]:
    """Return log p as function(parameters, x) of one point (d,), and its parameters, any tree of arrays.

    Sums run over tiles of components against a running maximum, also under `jax.grad`, in memory that does not grow with
    their number. Arrays have the precision that JAX is set to; parameters may be put on any device.
    """
    precision = mixture.structure.precision()
    count = len(mixture.weights)
    tile = min(TILE, count)
    pad = -count % tile
    with np.errstate(divide="ignore"):
        logs = np.log(mixture.weights) - 0.5 * (precision.log_determinants + mixture.dimension * np.log(2 * np.pi))
    arrays = (mixture.means, np.maximum(logs, -1e30), precision.diagonal, precision.factors)
    filled = [np.concatenate((a, np.repeat(a[-1:], pad, axis=0))) for a in arrays]
    filled[1][count:] = -1e30  # what fills the last tile weighs nothing
    tiles = tuple(array(a.reshape((count + pad) // tile, tile, *a.shape[1:])) for a in filled)
    sign = precision.sign

    einsum: Callable[..., jax.Array] = cast(Any, jnp).einsum

    def step(carry: Pair, tile: Tile, x: jax.Array) -> tuple[Pair, None]:
        top, total = carry
        means, constants, diagonal, factors = tile
        away = x - means
        along: jax.Array = einsum("kir,ki->kr", factors, away)
        logs = constants - 0.5 * (jnp.sum(diagonal * away**2, axis=1) + sign * jnp.sum(along**2, axis=1))
        best = jnp.maximum(top, jax.lax.stop_gradient(jnp.max(logs)))
        return (best, total * jnp.exp(top - best) + jnp.sum(jnp.exp(logs - best))), None

    remade: Callable[[Pair, Tile, jax.Array], tuple[Pair, None]] = cast(Any, jax).checkpoint(step)
    scan: Callable[..., tuple[Pair, None]] = jax.lax.scan

    def log_density(parameters: Tile, x: jax.Array) -> jax.Array:
        def next_tile(carry: Pair, tile: Tile) -> tuple[Pair, None]:
            return remade(carry, tile, x)

        start = (array(-1e30, x.dtype), array(0.0, x.dtype))
        top, total = scan(next_tile, start, parameters)[0]
        return top + jnp.log(total)

    return log_density, tiles
