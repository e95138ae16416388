"""Score Fokker–Planck:  ∂_t s = ∇[ D ∇·s + D|s|² − f·s − ∇·f ],  solved by s = ∇log p_t.

arXiv:2210.04296, proposition 3.1. Exact solution: the score of a Gaussian mixture under a linear process.
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


@renamed(square="quadratic_coefficient")
@dataclass(frozen=True, eq=False)
class ScoreFokkerPlanck(Equation):
    """∂_t s = ∇[ D ∇·s + Q|s|² − f·s − ∇·f ] with drift f, its divergence, D(t), and Q(t) (equal to D by the theorem).

    Coefficients as in `FokkerPlanck`; s (..., d) is per length. — arXiv:2210.04296, proposition 3.1.

    >>> equation = mfg.ScoreFokkerPlanck.of(mfg.Brownian())
    >>> space = mfg.FiniteVolume(mfg.CartesianGrid.cube(4.0, 64, 1))
    >>> s = mfg.solve(equation, space, lambda x: -x, (0.0, 1.0)).at(1.0)
    >>> print(f"{s(np.array([[1.0]]))[0, 0]:.3f}")  # −x/(1 + t)
    -0.500
    """

    drift: VectorField
    divergence: ScalarField
    diffusivity: Diffusivity
    quadratic_coefficient: Diffusivity
    horizon: float = math.inf
    time_dependent: bool = True
    time_scale: float = 0.0
    unknown: ClassVar[Unknown] = Unknown.SCORE
    conservative: ClassVar[bool] = True

    def further(self, units: Array) -> tuple[Callable[[Array, float], Array], ...]:
        """Return Q where it is not D."""
        return () if self.quadratic_coefficient == self.diffusivity else (OfTime(self.quadratic_coefficient),)

    @classmethod
    def of(cls, process: ForwardProcess) -> ScoreFokkerPlanck:
        """Return the equation of ∇log p_t for a forward process."""
        D, end, scale = process.diffusivity, process.horizon, known_time_scale(process)
        return cls(process.drift, process.divergence, D, D, end, not process.autonomous, scale)

    def transport(self, x: Array, s: Array, t: float) -> Array:
        """Return Q|s|² − f·s − ∇·f, the bracket without its diffusive part, shape (...)."""
        quadratic = float(self.quadratic_coefficient(t)) * dot(s, s)
        return quadratic - dot(self.drift(x, t), s) - self.divergence(x, t)
