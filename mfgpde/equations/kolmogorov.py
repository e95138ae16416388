"""Kolmogorov's equations of any diffusion, with killing, sources and resetting.

Forward:   ∂_t p = −∇·(f p) + Σ_ij ∂_i∂_j(D_ij p) − k p + s + r̄ q − r p,   r̄ = ∫ r p.
Backward:  ∂_τ u = f·∇u + Σ_ij D_ij ∂_i∂_j u − k u + s + r (∫u q − u)     (Feynman–Kac), τ the time left.

f is the Itô drift, k ≥ 0 the killing, s a source, r ≥ 0 the rate of resetting to a law q. Exact solutions: geometric
Brownian motion is lognormal, Cox–Ingersoll–Ross noncentral χ², linear diffusions with correlated noise Gaussian.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from mfgpde.core.arrays import Array
from mfgpde.densities import Density
from mfgpde.equations.backward_kolmogorov import BackwardKolmogorov
from mfgpde.equations.contract import Diffusivity, Equation, ScalarField, Unknown
from mfgpde.equations.fokker_planck import FokkerPlanck
from mfgpde.processes.diffusion import Diffusion, Dynamics


@dataclass(frozen=True)
class Resetting:
    """At the rate r(x, t) ≥ 0, per time, a particle goes to a place drawn from `law`."""

    rate: ScalarField
    law: Density | Callable[[Array], Array]


@dataclass(frozen=True, eq=False)
class Kolmogorov(Equation, ABC):
    """What both directions have: a diffusion, killing k(x, t) ≥ 0, a source s(x, t), resetting, the potential V.

    `potential` V(x, t), if given, says that the Fickian drift (Itô drift less ∇·D) is −D∇V, as in `FokkerPlanck`.
    """

    diffusion: Diffusion
    killing: ScalarField | None = None
    source: ScalarField | None = None
    resetting: Resetting | None = None
    potential: ScalarField | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.diffusion, Diffusion):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(
                f"{type(self).__name__} takes a Diffusion(drift, tensor), got {type(self.diffusion).__name__}; a process "
                f"becomes its equation by {type(self).__name__}.of(process)"
            )
        for name in ("killing", "source", "potential"):
            function = getattr(self, name)
            if function is not None and not callable(function):
                raise TypeError(f"{name} must be a function of points and time, got {function!r}: write lambda x, t: …")
        self._settle()

    def _settle(self) -> None:
        object.__setattr__(self, "time_dependent", self.diffusion.time_dependent)
        object.__setattr__(self, "horizon", self.diffusion.horizon)

    def drift(self, x: Array, t: float) -> Array:
        """Return f as it was given, (..., d)."""
        return self.diffusion.drift(x, t)

    def further(self, units: Array) -> tuple[Callable[[Array, float], Array], ...]:
        """Return the tensor, killing, source, and the rate of resetting."""
        rate = None if self.resetting is None else self.resetting.rate
        given = (self.killing, self.source, rate)
        return (self.diffusion.diffusion_tensor, *(function for function in given if function is not None))

    @property
    @abstractmethod
    def backward(self) -> bool:
        """Whether it is the transpose, of expectations."""

    @property
    def closed(self) -> bool:
        """Whether nothing is killed or added inside."""
        return self.killing is None and self.source is None

    @classmethod
    def of(
        cls,
        process: Dynamics | FokkerPlanck | BackwardKolmogorov,
        *,
        killing: ScalarField | None = None,
        source: ScalarField | None = None,
        resetting: Resetting | None = None,
        potential: ScalarField | None = None,
    ) -> Self:
        """Return the equation of a process, a generator, a Diffusion, or an equation with D(t), with further terms.

        Coefficients of a process that change are in its own time: for expectations up to an `end`, give time left yourself.
        Raises TypeError for a potential beside that of an equation.
        """
        if not isinstance(process, FokkerPlanck | BackwardKolmogorov):
            return cls(Diffusion.of(process), killing, source, resetting, potential)
        if potential is not None:
            raise TypeError(
                f"{type(process).__name__} says its own potential: give it there, FokkerPlanck(…, potential=V)"
            )
        return cls(_as_diffusion(process), killing, source, resetting, process.potential)


@dataclass(frozen=True, eq=False)
class ForwardKolmogorov(Kolmogorov):
    """∂_t p = −∇·(f p) + Σ_ij ∂_i∂_j(D_ij p) − k p + s, and resetting: Fokker–Planck with a tensor D(x, t).

    >>> cir = mfg.processes.Diffusion(lambda x, t: 1.0 - x, lambda x, t: 0.25 * x)
    >>> space = mfg.FiniteVolume(mfg.CartesianGrid((0.0,), (6.0,), (192,)), walls=(("reflecting", "far"),))
    >>> equation = mfg.equations.ForwardKolmogorov(cir)
    >>> law = mfg.solve(equation, space, mfg.gaussian(2.0, 0.04), (0.0, 1.0)).at(1.0)
    >>> print(f"{law.expectation(lambda x: x[..., 0]):.3f}")  # 1 + e⁻¹
    1.368
    """

    @classmethod
    def reverse(cls, process: Dynamics, score: Callable[[Array, float], Array]) -> ForwardKolmogorov:
        """Return the equation of the generating SDE in generation time τ = T − t: drift −f + 2∇·D + 2D s at t = T − τ.

        `score` may be right along the noise alone: of a critically damped process, ∇_v log p. — arXiv:2112.07068, eq. (9).
        Raises ValueError for a process without an end.
        """
        diffusion = Diffusion.of(process)
        if not math.isfinite(diffusion.horizon):
            raise ValueError("a process that is reversed has an end: give its horizon")
        back = _Reverse(diffusion, score)
        return cls(Diffusion(back.drift, back.tensor, time_dependent=True, horizon=diffusion.horizon))

    unknown: ClassVar[Unknown] = Unknown.DENSITY
    conservative: ClassVar[bool] = True

    @property
    def backward(self) -> bool:
        """No."""
        return False


@dataclass(frozen=True, eq=False)
class FeynmanKac(Kolmogorov):
    """∂_τ u = f·∇u + Σ_ij D_ij ∂_i∂_j u − k u + s: u(x, τ) = E_x[e^{−∫k} u_0(X_τ) + ∫ e^{−∫k} s].

    >>> walk = mfg.processes.Diffusion(lambda x, t: 0 * x, lambda x, t: 0.5)
    >>> space = mfg.FiniteVolume(mfg.CartesianGrid.cube(5.0, 64, 1))
    >>> equation = mfg.equations.FeynmanKac(walk, killing=lambda x, t: 1.0)
    >>> u = mfg.solve(equation, space, lambda x: 1 + 0 * x[..., 0], (0.0, 1.0)).at(1.0)
    >>> print(f"{u(np.array([[0.0]]))[0]:.4f}")  # e⁻¹
    0.3679
    """

    unknown: ClassVar[Unknown] = Unknown.FUNCTION
    conservative: ClassVar[bool] = False

    @property
    def backward(self) -> bool:
        """Yes."""
        return True


@dataclass(frozen=True, eq=False)
class _Reverse:
    """A diffusion and a score at t = T − τ."""

    diffusion: Diffusion
    score: Callable[[Array, float], Array]

    def tensor(self, x: Array, tau: float) -> Array:
        return self.diffusion.diffusion_tensor(x, max(self.diffusion.horizon - tau, 0.0))

    def drift(self, x: Array, tau: float) -> Array:
        t = max(self.diffusion.horizon - tau, 0.0)
        D = self.diffusion.diffusion_tensor(x, t)
        spread = self.diffusion.tensor_divergence(x, t)
        return 2 * (spread + np.einsum("...ij,...j->...i", D, self.score(x, t))) - self.diffusion.ito_drift(x, t)


@dataclass(frozen=True, eq=False)
class _Times:
    """D(t) as a function of points and time."""

    diffusivity: Diffusivity

    def __call__(self, x: Array, t: float) -> float:
        return float(self.diffusivity(t))


def _as_diffusion(equation: FokkerPlanck | BackwardKolmogorov) -> Diffusion:
    return Diffusion(
        equation.drift,
        _Times(equation.diffusivity),
        meaning="haenggi-klimontovich",  # the same in every sense, and nothing to differentiate
        time_dependent=equation.time_dependent,
        horizon=equation.horizon,
    )
