"""Fokker–Planck:  ∂_t p = −∇·(f p) + D Δp,  and its dual, Kolmogorov's backward equation  ∂_t u = f·∇u + D Δu.

Exact solutions: for a linear process and a Gaussian mixture p_0, `densities.marginal(process, p_0, t)`;
for f = −D∇V the Gibbs density e^{−V}/∫e^{−V} does not change.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from mfgpde.core.arrays import Array, dot
from mfgpde.processes import ForwardProcess, IsotropicProcess, OverdampedLangevin
from mfgpde.scores import Score

VectorField = Callable[[Array, float], Array]
"""A function of points (..., d) and one time, returning (..., d)."""
Diffusivity = Callable[[float], Any]
"""A function of time, returning a number ≥ 0, length² per time."""


@dataclass(frozen=True, eq=False)
class FokkerPlanck:
    """∂_t p = −∇·(f p) + D Δp with drift f(x,t) and diffusivity D(t).

    `potential` V(x, t), if given, says that f = −D∇V: discretisations then take differences of V instead of f, which keeps
    e^{−V} to rounding and asks for fewer points.
    """

    drift: VectorField
    diffusivity: Diffusivity
    time_dependent: bool = True
    potential: Callable[[Array, float], Array] | None = None
    horizon: float = math.inf
    linear: ClassVar[bool] = True
    conservative: ClassVar[bool] = True

    @classmethod
    def of(cls, process: ForwardProcess) -> FokkerPlanck:
        """Return the equation of the marginals p_t of a forward process, in process time t."""
        V = process.potential if isinstance(process, OverdampedLangevin) else None
        potential = None if V is None else (lambda x, t: V(x))
        return cls(process.drift, process.diffusivity, not process.autonomous, potential, process.horizon)

    @classmethod
    def reverse(cls, process: ForwardProcess, score: Score) -> FokkerPlanck:
        """Return the equation of the generating SDE, in generation time τ = T − t.

        ∂_τ q = −∇·((−f + 2D s) q) + D Δq, all coefficients at t = T − τ. — arXiv:2011.13456, eq. (6).
        """
        end = process.horizon

        def drift(x: Array, tau: float) -> Array:
            t = end - tau
            return 2 * float(process.diffusivity(t)) * score(x, t) - process.drift(x, t)

        def potential(x: Array, tau: float) -> Array:
            t = end - tau
            pull = 0.5 * float(process.relaxation(t) / process.diffusivity(t))  # pyright: ignore[reportAttributeAccessIssue]
            return -2 * score.potential(x, t) - pull * dot(x, x)  # pyright: ignore[reportAttributeAccessIssue]

        known = getattr(score, "has_potential", False) and isinstance(process, IsotropicProcess)
        return cls(
            drift, lambda tau: process.diffusivity(end - tau), potential=potential if known else None, horizon=end
        )


@dataclass(frozen=True, eq=False)
class BackwardKolmogorov:
    """∂_t u = f·∇u + D Δu: u(x,t) = E[u_0(X_t) | X_0 = x] for an autonomous process."""

    drift: VectorField
    diffusivity: Diffusivity
    time_dependent: bool = True
    potential: Callable[[Array, float], Array] | None = None
    horizon: float = math.inf
    linear: ClassVar[bool] = True
    conservative: ClassVar[bool] = False

    @classmethod
    def of(cls, process: ForwardProcess) -> BackwardKolmogorov:
        """Return the backward equation of a forward process."""
        forward = FokkerPlanck.of(process)
        return cls(forward.drift, forward.diffusivity, forward.time_dependent, forward.potential, forward.horizon)
