"""What a density offers: its logarithm, its score, samples, and a box that holds its mass."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import numpy as np

from mfgpde.core.arrays import Array
from mfgpde.processes import LinearProcess, Transition


@runtime_checkable
class Density(Protocol):
    """A probability density on R^d; points have shape (..., d)."""

    def log_density(self, x: Array) -> Array:
        """Return log p(x), shape (...)."""
        ...

    def score(self, x: Array) -> Array:
        """Return ∇log p(x), shape (..., d)."""
        ...

    def sample(self, n: int, rng: np.random.Generator) -> Array:
        """Return n independent points, shape (n, d)."""
        ...

    def box(self, mass: float) -> tuple[Array, Array]:
        """Return lower and upper corners of a box that holds at least `mass` of the law."""
        ...


@runtime_checkable
class Propagated(Density, Protocol):
    """A density whose image under every affine-Gaussian transition it supports is known in closed form."""

    def after(self, transition: Transition) -> Propagated:
        """Return the law of factor·X + offset + noise when X has this density."""
        ...


def marginal(process: LinearProcess, density: Propagated, t: float) -> Propagated:
    """Return the law p_t of X_t when X_0 has `density`, in closed form.

    Raises TypeError for a process without Gaussian transitions: solve its Fokker–Planck equation instead.

    >>> law = mfg.marginal(mfg.OrnsteinUhlenbeck(), mfg.gaussian(2.0, 0.1), 0.5)
    >>> print(f"{law.means[0, 0]:.4f}, {law.covariances[0, 0, 0]:.4f}")  # 2e^(−½), 0.1e⁻¹ + ½(1 − e⁻¹)
    1.2131, 0.3528
    """
    if not isinstance(process, LinearProcess):
        raise TypeError(
            f"{type(process).__name__} has no closed-form marginals; solve FokkerPlanck.of(process) instead"
        )
    return density.after(process.transition(0.0, t))
