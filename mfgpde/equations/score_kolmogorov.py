"""Score Fokker–Planck with noise by direction:  ∂_t s = ∇[ tr(D∇s) + s·Ds − f·s − ∇·f ],  D(t) of any rank.

After arXiv:2210.04296, proposition 3.1, for tensors; solved by s = ∇log p_t of kinetic processes, such as critically damped
Langevin noising (arXiv:2112.07068), in all coordinates. The score along the velocities alone solves no equation of its own:
f·s has the places' part, too. Exact solution: the score of a Gaussian mixture under a linear process.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from mfgpde.core.arrays import Array, dot
from mfgpde.equations.contract import Equation, ScalarField, Unknown, VectorField
from mfgpde.processes import ForwardProcess, Linear


@dataclass(frozen=True, eq=False)
class ScoreKolmogorov(Equation):
    """∂_t s = ∇[ tr(D∇s) + s·Ds − f·s − ∇·f ] with drift f, its divergence, and a tensor D(t) (d, d), length² per time.

    Finite volumes solve it where D is diagonal, as it is where noise is on velocities alone.

    >>> process = mfg.processes.critically_damped(rate=1.0, mass=1.0)
    >>> equation = mfg.equations.ScoreKolmogorov.of(process)
    >>> space = mfg.FiniteVolume(mfg.CartesianGrid.cube(4.0, 32, 2))
    >>> s = mfg.solve(equation, space, lambda x: -x, (0.0, 0.5), rtol=1e-5).at(0.5)  # N(0, I) stays
    >>> s(np.array([[1.0, -0.5]])).round(3).tolist()
    [[-1.0, 0.5]]
    """

    drift: VectorField
    divergence: ScalarField
    tensor: Callable[[float], Array]
    horizon: float = math.inf
    time_dependent: bool = True
    unknown: ClassVar[Unknown] = Unknown.SCORE
    conservative: ClassVar[bool] = True

    def further(self, units: Array) -> tuple[Callable[[Array, float], Array], ...]:
        """Return the tensor."""
        return (self._tensor_at,)

    def _tensor_at(self, x: Array, t: float) -> Array:
        return self.tensor(t)

    @classmethod
    def of(cls, process: ForwardProcess) -> ScoreKolmogorov:
        """Return the equation of ∇log p_t. Raises TypeError for a process whose noise is one number: ScoreFokkerPlanck."""
        if process.alike or not isinstance(process, Linear):
            raise TypeError(
                f"the noise of {type(process).__name__} is alike along all axes: its score solves "
                "ScoreFokkerPlanck.of(process)"
            )
        return cls(process.drift, process.divergence, _Halved(process), process.horizon, not process.autonomous)

    def transport(self, x: Array, s: Array, t: float) -> Array:
        """Return s·Ds − f·s − ∇·f, the bracket without its diffusive part, shape (...)."""
        return dot(s, s @ self.tensor(t) - self.drift(x, t)) - self.divergence(x, t)


@dataclass(frozen=True, eq=False)
class _Halved:
    """D = ½ggᵀ of a linear process."""

    process: Linear

    def __call__(self, t: float) -> Array:
        return 0.5 * np.asarray(self.process.noise_covariance(t), dtype=float)
