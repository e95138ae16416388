"""McKean–Vlasov: the drift of a particle depends on the law of all,  dX = [f(X, t) + ∫K(X − y) p(y, t) dy] dt + √(2D) dW.

Exact solutions: for f = −aX, K(z) = −b z Gaussian laws, mean m e^{−at}, a variance that relaxes at the rate 2(a + b);
Kuramoto's and Desai–Zwanzig's stationary laws from one self-consistent number.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from mfgpde.core.arrays import Array
from mfgpde.equations.contract import Equation, Unknown
from mfgpde.processes.diffusion import Diffusion, Dynamics


@dataclass(frozen=True, eq=False)
class McKeanVlasov(Equation):
    """∂_t p = −∇·((f + K∗p) p) + Σ_ij ∂_i∂_j(D_ij p): `interaction` K maps differences (..., d) to (..., d), length/time.

    On periodic axes K is taken at the shortest differences, and must be periodic with the box to be smooth.

    >>> pull = mfg.equations.McKeanVlasov(mfg.processes.Diffusion(lambda x, t: 0 * x, lambda x, t: 0.5), lambda z: -z)
    >>> space = mfg.FiniteVolume(mfg.CartesianGrid.cube(6.0, 120, 1))
    >>> law = mfg.solve(pull, space, mfg.gaussian(1.0, 0.25), (0.0, 0.5)).at(0.5)
    >>> mean = law.expectation(lambda x: x[..., 0])
    >>> print(f"{mean:.3f}, {law.expectation(lambda x: (x[..., 0] - mean) ** 2):.2f}")  # 1, ½ − ¼e⁻¹
    1.000, 0.41
    """

    diffusion: Diffusion
    interaction: Callable[[Array], Array]
    unknown: ClassVar[Unknown] = Unknown.DENSITY
    conservative: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not isinstance(self.diffusion, Diffusion):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"McKeanVlasov takes a Diffusion(drift, tensor), got {type(self.diffusion).__name__}")
        if not callable(self.interaction):
            raise TypeError(f"the interaction must be a function of differences, got {self.interaction!r}")
        object.__setattr__(self, "time_dependent", self.diffusion.time_dependent)
        object.__setattr__(self, "horizon", self.diffusion.horizon)

    def drift(self, x: Array, t: float) -> Array:
        """Return f, without the interaction."""
        return self.diffusion.drift(x, t)

    @classmethod
    def of(cls, process: Dynamics, interaction: Callable[[Array], Array] | None = None) -> McKeanVlasov:
        """Return the equation of a process with an interaction. Raises TypeError without one."""
        if interaction is None:
            raise TypeError("particles interact: McKeanVlasov.of(process, lambda z: …); without one take FokkerPlanck")
        return cls(Diffusion.of(process), interaction)
