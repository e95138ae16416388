"""An operator-informed score as a JAX function: what a residual network is trained on top of."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from mfgpde.scores.eigenbasis import HermiteBasis
from mfgpde.scores.operator_informed import OperatorInformed
from mfgpde.scores.transformations import array


def jax_functions(basis: HermiteBasis) -> Callable[[jax.Array], jax.Array]:
    """Return the basis's functions, (p,), as a JAX function of one point (d,)."""
    indices, top, scale = basis.indices, int(basis.indices.max()), np.sqrt(basis.variance)

    def functions(x: jax.Array) -> jax.Array:
        y = x / scale.astype(x.dtype)
        columns = [0 * y + 1, y]
        for k in range(1, top):
            columns.append((y * columns[k] - np.sqrt(k) * columns[k - 1]) / np.sqrt(k + 1))
        hermite = jnp.stack(columns)
        return jnp.prod(jnp.stack([hermite[indices[:, i], i] for i in range(basis.dimension)]), axis=0)

    return functions


def jax_potential(
    score: OperatorInformed, start: float = 1e-3, nodes: int = 129
) -> Callable[[jax.Array, jax.Array], jax.Array]:
    """Return log π + Σ α_n(t) φ_n, without its constant, as a JAX function of one point (d,) and one time.

    Coefficients are tabulated at `nodes` times, equidistant in √t on [start, horizon], and linear in √t between them.
    Raises ValueError for other than Hermite functions.
    """
    basis = score.basis
    if not isinstance(basis, HermiteBasis):
        raise ValueError(f"only Hermite functions are known to JAX here, got {type(basis).__name__}")
    low, high = np.sqrt(start), np.sqrt(score.process.horizon)
    times = [float(low + (high - low) * k / (nodes - 1)) ** 2 for k in range(nodes)]
    alpha, functions = array(np.stack([score.coefficients(t) for t in times])), jax_functions(basis)
    reaches = array(np.stack([score.reach(t) for t in times]))

    def potential(x: jax.Array, t: jax.Array) -> jax.Array:
        place = jnp.clip((jnp.sqrt(t) - low) / (high - low), 0.0, 1.0) * (nodes - 1)
        before = jnp.clip(jnp.floor(place).astype(int), 0, nodes - 2)
        share = place - before
        reach = ((1 - share) * reaches[before] + share * reaches[before + 1]).astype(x.dtype)
        width = 0.25 * reach
        z = jnp.clip((jnp.abs(x) - reach) / width, 0.0, 1.0)
        far = jnp.sign(x) * (reach + width * (z - z**4 * (2.5 - 3 * z + z**2)))
        values = functions(jnp.where(jnp.abs(x) <= reach, x, far).astype(x.dtype))
        now = ((1 - share) * alpha[before] + share * alpha[before + 1]).astype(x.dtype)
        return values @ now - 0.5 * jnp.sum(x**2) / basis.variance

    return potential
