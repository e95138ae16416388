"""Log-density:  ∂_tφ = D Δφ + D|∇φ|² − f·∇φ − ∇·f,  solved by φ = log p_t when p_t solves Fokker–Planck.

arXiv:2210.04296, proposition 3.1 (its scalar form). Exact solution: φ = log p_t of a Gaussian mixture.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from mfgpde.core.arrays import Array, dot
from mfgpde.core.renamed import renamed
from mfgpde.equations.contract import Diffusivity, Equation, OfTime, ScalarField, Unknown, VectorField
from mfgpde.processes import ForwardProcess
from mfgpde.processes.contract import known_time_scale
from mfgpde.scores import PotentialScore


@renamed(square="quadratic_coefficient")
@dataclass(frozen=True, eq=False)
class LogDensity(Equation):
    """∂_tφ = D Δφ + Q|∇φ|² − f·∇φ − ∇·f with drift f, its divergence, D(t), and Q(t) (equal to D by the theorem).

    Coefficients as in `FokkerPlanck`; φ has no unit. — arXiv:2210.04296, proposition 3.1.

    >>> equation = mfg.LogDensity.of(mfg.Brownian())
    >>> space = mfg.FiniteVolume(mfg.CartesianGrid.cube(4.0, 64, 1))
    >>> phi = mfg.solve(equation, space, lambda x: -0.5 * x[..., 0] ** 2, (0.0, 1.0)).at(1.0)
    >>> print(f"{phi(np.array([[1.0]]))[0]:.3f}")  # −x²/(2(1 + t)) − ½log(1 + t)
    -0.597
    """

    drift: VectorField
    divergence: ScalarField
    diffusivity: Diffusivity
    quadratic_coefficient: Diffusivity
    horizon: float = math.inf
    time_scale: float = 0.0
    unknown: ClassVar[Unknown] = Unknown.LOGARITHM
    conservative: ClassVar[bool] = False

    def further(self, units: Array) -> tuple[Callable[[Array, float], Array], ...]:
        """Return Q where it is not D."""
        return () if self.quadratic_coefficient == self.diffusivity else (OfTime(self.quadratic_coefficient),)

    @classmethod
    def of(cls, process: ForwardProcess) -> LogDensity:
        """Return the equation of log p_t for a forward process."""
        D, scale = process.diffusivity, known_time_scale(process)
        return cls(process.drift, process.divergence, D, D, process.horizon, time_scale=scale)

    def hamiltonian(self, x: Array, p: Array, t: float) -> Array:
        """Return H = f·p + ∇·f − Q|p|², with which the equation reads ∂_tφ = DΔφ − H."""
        transport = dot(self.drift(x, t), p) + self.divergence(x, t)
        return transport - float(self.quadratic_coefficient(t)) * dot(p, p)

    def residual(self, score: PotentialScore, x: Array, t: float) -> Array:
        """Return R = ∂_tφ − [DΔφ + Q|∇φ|² − f·∇φ − ∇·f] at points (..., d), per time. — arXiv:2311.15996, eq. (8)."""
        right = float(self.diffusivity(t)) * score.divergence(x, t) - self.hamiltonian(x, score(x, t), t)
        return score.potential_time_derivative(x, t) - right
