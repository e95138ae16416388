"""Fokker–Planck:  ∂_t p = −∇·(f p) + D Δp.

Exact solutions: for a linear process and a Gaussian mixture p_0, `densities.marginal(process, p_0, t)`;
for f = −D∇V the Gibbs density e^{−V}/∫e^{−V} does not change.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, cast

from mfgpde.core.arrays import Array, dot
from mfgpde.equations.contract import Diffusivity, Equation, ScalarField, Unknown, VectorField
from mfgpde.processes import ForwardProcess, IsotropicProcess, MarkovGenerator, OverdampedLangevin
from mfgpde.processes.contract import known_time_scale
from mfgpde.scores import DivergenceScore, PotentialScore, Score, offers


@dataclass(frozen=True, eq=False)
class FokkerPlanck(Equation):
    """∂_t p = −∇·(f p) + D Δp with drift f(x,t) and diffusivity D(t).

    `potential` V(x, t), if given, says that f = −D∇V: discretisations then take differences of V instead of f, which keeps
    e^{−V} to rounding and asks for fewer points.

    f maps points (..., d) and a time to (..., d), length per time; D maps a time to a number ≥ 0, length² per time.

    >>> equation = mfg.FokkerPlanck(lambda x, t: -x, lambda t: 0.5, time_dependent=False)  # Ornstein–Uhlenbeck
    >>> space = mfg.Spectral(mfg.CartesianGrid.cube(6.0, 64, 1))
    >>> law = mfg.solve(equation, space, mfg.gaussian(1.0, 0.5), (0.0, 1.0)).at(1.0)
    >>> print(f"{law.expectation(lambda x: x[..., 0]):.4f}")  # e⁻¹
    0.3679
    """

    drift: VectorField
    diffusivity: Diffusivity
    time_dependent: bool = True
    potential: ScalarField | None = None
    horizon: float = math.inf
    divergence: ScalarField | None = None
    """∇·f where it is known: residuals ask for it"""
    rates: VectorField | None = None
    """what of a drift that is dear to ask may jump in time, at points (n, d); the rest is taken to be smooth"""
    time_scale: float = 0.0
    unknown: ClassVar[Unknown] = Unknown.DENSITY
    conservative: ClassVar[bool] = True

    @classmethod
    def of(cls, process: ForwardProcess | MarkovGenerator) -> FokkerPlanck:
        """Return the equation of the marginals p_t of a forward process, in process time t; TypeError for anything else."""
        if not isinstance(process, ForwardProcess):
            raise TypeError(
                f"FokkerPlanck.of takes a process with a drift and a scalar diffusivity, got {type(process).__name__}; "
                "a generator e^V ∇·(e^{−V}∇) is the process OverdampedLangevin(V, ∇V, ΔV), one with a tensor has its "
                "expansion: FiniteElementBasis(generator, space, count)"
            )
        V = potential_of(process)
        return cls(
            process.drift,
            process.diffusivity,
            not process.autonomous,
            V,
            process.horizon,
            process.divergence,
            time_scale=known_time_scale(process),
        )

    @classmethod
    def reverse(cls, process: ForwardProcess, score: Score) -> FokkerPlanck:
        """Return the equation of the generating SDE, in generation time τ = T − t.

        ∂_τ q = −∇·((−f + 2D s) q) + D Δq, all coefficients at t = T − τ; the score is taken to be smooth in time.
        — arXiv:2011.13456, eq. (6).
        """
        back = ReverseDrift(process, score)
        potential = None
        if isinstance(process, IsotropicProcess) and offers(score, PotentialScore):
            potential = _ReversePotential(process, score)
        known = back.divergence if offers(score, DivergenceScore) else None
        scale = known_time_scale(process)
        return cls(back.drift, back.diffusivity, True, potential, process.horizon, known, back.rates, scale)


def potential_of(process: ForwardProcess) -> ScalarField | None:
    """Return V(x, t) with drift −D∇V where the process has one that is the same at all times."""
    return _Still(process) if isinstance(process, OverdampedLangevin) else None


@dataclass(frozen=True, eq=False)
class _Still:
    """V of a Langevin process as a function of time, too."""

    process: OverdampedLangevin

    def __call__(self, x: Array, t: float) -> Array:
        return self.process.potential(x)


@dataclass(frozen=True, eq=False)
class ReverseDrift:
    """Drift 2D s − f and diffusivity D at t = T − τ."""

    process: ForwardProcess
    score: Score

    def time(self, tau: float) -> float:
        """Return t."""
        return max(self.process.horizon - tau, 0.0)  # not below by a rounding

    def drift(self, x: Array, tau: float) -> Array:
        """Return 2D s − f."""
        t = self.time(tau)
        return 2 * float(self.process.diffusivity(t)) * self.score(x, t) - self.process.drift(x, t)

    def rates(self, x: Array, tau: float) -> Array:
        """Return f, which may jump in time where s is smooth."""
        return self.process.drift(x, abs(self.process.horizon - tau))  # not below zero by a rounding

    def divergence(self, x: Array, tau: float) -> Array:
        """Return the divergence of the drift."""
        t, score = self.time(tau), cast(DivergenceScore, self.score)
        return 2 * float(self.process.diffusivity(t)) * score.divergence(x, t) - self.process.divergence(x, t)

    def diffusivity(self, tau: float) -> Array:
        """Return D."""
        return self.process.diffusivity(abs(self.process.horizon - tau))


@dataclass(frozen=True, eq=False)
class _ReversePotential:
    """V = −2φ − a|x|²/2D at t = T − τ, for a process with drift −a x and a score ∇φ."""

    process: IsotropicProcess
    score: PotentialScore

    def __call__(self, x: Array, tau: float) -> Array:
        t = max(self.process.horizon - tau, 0.0)
        pull = 0.5 * float(self.process.relaxation(t) / self.process.diffusivity(t))
        return -2 * self.score.potential(x, t) - pull * dot(x, x)
