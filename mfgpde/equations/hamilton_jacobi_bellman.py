"""Hamilton–Jacobi–Bellman:  ∂_t u = D Δu − H(x, ∇u, t),  in the time in which it is well posed.

Backward equations are written in reversed time. Exact solutions: with H = D|p|² and no drift, u = −log η where
∂_tη = DΔη (Cole–Hopf); with H = D|p|² + f·p − ∇·f, u = −log p_t — the value function of a score-based model.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Protocol

from mfgpde.core.arrays import dot
from mfgpde.equations.fokker_planck import Array, Diffusivity
from mfgpde.processes import ForwardProcess


class ViscousHamiltonJacobi(Protocol):
    """Any scalar equation ∂_t u = D Δu − H(x, ∇u, t)."""

    @property
    def diffusivity(self) -> Diffusivity:
        """D(t) ≥ 0."""
        ...

    @property
    def hamiltonian(self) -> Callable[[Array, Array, float], Array]:
        """H(x, p, t): points (..., d), gradients (..., d) and a time to (...)."""
        ...


@dataclass(frozen=True, eq=False)
class HamiltonJacobiBellman:
    """∂_t u = D Δu − H(x, ∇u, t) with Hamiltonian H(x, p, t), running costs included, and diffusivity D(t)."""

    hamiltonian: Callable[[Array, Array, float], Array]
    diffusivity: Diffusivity
    horizon: float = math.inf
    linear: ClassVar[bool] = False
    conservative: ClassVar[bool] = False

    @classmethod
    def of(cls, process: ForwardProcess) -> HamiltonJacobiBellman:
        """Return the equation of U = −log p_t: ∂_tU = DΔU − D|∇U|² − f·∇U + ∇·f. — arXiv:2304.13534, section 3.2.

        The control enters as g v with cost ½|v|² + ∇·f; minimising over v gives H = D|p|² + f·p − ∇·f.
        """

        def hamiltonian(x: Array, p: Array, t: float) -> Array:
            control = float(process.diffusivity(t)) * dot(p, p)
            return control + dot(process.drift(x, t), p) - process.divergence(x, t)

        return cls(hamiltonian, process.diffusivity, process.horizon)
