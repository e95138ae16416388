"""Less noise in the gradient of denoising score matching, by what is known of the noising process's eigenfunctions.

The gradient is a mean of λ Jᵀ(s + n), n = Z/√v(t) the noise, J the derivative of s in the weights. For an eigenfunction φ,
    r_φ = ∇φ(X_t)·(n + ∇log π(X_t)) + κ⁻¹ λ_φ e^{−λ_φ τ} φ(X_0)    has mean zero given X_0 and t,
by integration by parts and P_τ φ = e^{−λτ} φ: what operator-informed score matching is made of (arXiv:2406.09084). Least
squares write λJ in functions ∇φ_k(x) T_j(t) on one half of a batch, and the sum of their r over the other half is taken
off: halves are independent, so the gradient keeps its mean. In the loss it is another n; the network knows nothing of it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from mfgpde.learning.objectives import Coefficients, Objective, loss_weight
from mfgpde.processes import IsotropicProcess
from mfgpde.scores.eigenbasis import HermiteBasis
from mfgpde.scores.jax_operator_informed import jax_functions

POLYNOMIALS, RIDGE = 3, 1e-2  # of Chebyshev in log v; of the mean square of the columns


def steadied_noise(objective: Objective, process: IsotropicProcess, basis: HermiteBasis) -> Callable[..., Any]:
    """Return a function of X_0 (n, d), t (n,) and Z (n, d) to X_t and the noise to use for Z/√v, both (n, d), n even.

    Raises ValueError for a process whose eigenfunctions these are not.

    >>> from mfgpde.learning import Objective, steadied_noise
    >>> from mfgpde.scores import HermiteBasis
    >>> made = steadied_noise(Objective(control=3), mfg.OrnsteinUhlenbeck(), HermiteBasis(2, 3, 0.5))
    >>> rng = np.random.default_rng(1)
    >>> x, noise = made(rng.normal(size=(64, 2)), np.full(64, 0.5), rng.normal(size=(64, 2)))
    >>> x.shape, noise.shape
    ((64, 2), (64, 2))
    """
    basis.clock(process)
    variance, dimension = basis.variance, basis.dimension
    rates, functions = jnp.asarray(basis.eigenvalues[1:], jnp.float32), jax_functions(basis)
    roots, coefficients = jnp.sqrt(rates), Coefficients.of(process)
    low, high = (float(np.log(process.variance(t))) for t in (objective.start, process.horizon))

    def split(x0: Any, t: Any, z: Any) -> tuple[Any, Any]:
        m, sd = coefficients("mean_coefficient", t)[:, None], coefficients("deviation", t)[:, None]
        x, noise = m * x0 + sd * z, z / sd
        slopes = jax.vmap(jax.jacfwd(functions))(x)[:, 1:] / roots[:, None]  # (n, p, d)
        known = jax.vmap(functions)(x0)[:, 1:] * m**rates * roots / variance
        angle = jnp.arccos(jnp.clip(2 * (2 * jnp.log(sd) - low) / (high - low) - 1, -1.0, 1.0))
        shapes = jnp.cos(angle * jnp.arange(POLYNOMIALS)) * loss_weight(objective, coefficients, t)[:, None]
        left = jnp.einsum("npd,nd->np", slopes, noise - x / variance) + known
        columns = jnp.einsum("npd,nj->ndpj", slopes, shapes).reshape(*x.shape, -1)
        misses = jnp.einsum("np,nj->npj", left, shapes).reshape(len(x), -1)

        def corrected(own: Any, other: Any) -> Any:
            rows = (columns[own] / sd[own][..., None]).reshape(-1, columns.shape[-1])
            square = rows.T @ rows
            square += RIDGE * jnp.trace(square) / len(square) * jnp.eye(len(square))
            share = rows @ jnp.linalg.solve(square, misses[other].sum(axis=0))
            return noise[own] - share.reshape(-1, dimension) / sd[own]

        half = len(x) // 2
        first, second = slice(0, half), slice(half, 2 * half)
        return x, jnp.concatenate((corrected(first, second), corrected(second, first)))

    return split
