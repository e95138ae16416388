"""Which scheme stands for which equation, at which order."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from mfgpde.discretisations.contract import Semidiscrete
from mfgpde.discretisations.finite_volume.differences import Walls
from mfgpde.discretisations.finite_volume.driven_chain import DrivenChain
from mfgpde.discretisations.finite_volume.essentially_non_oscillatory import EssentiallyNonOscillatory
from mfgpde.discretisations.finite_volume.hamilton_jacobi import CentralDifferences
from mfgpde.discretisations.finite_volume.staggered import StaggeredScore
from mfgpde.discretisations.finite_volume.transport import LimitedUpwind
from mfgpde.equations import (
    BackwardKolmogorov,
    Continuity,
    Equation,
    FokkerPlanck,
    ScoreFokkerPlanck,
    ViscousHamiltonJacobi,
)
from mfgpde.grids import CartesianGrid

Scheme = Callable[[Any, CartesianGrid, Walls, Any], Semidiscrete]
"""of an equation of its kind, a grid, its walls, and the namespace whose arrays hold the unknowns"""


SCHEMES: Mapping[type, Mapping[int, Scheme]] = {
    FokkerPlanck: {k: lambda equation, grid, walls, xp, k=k: DrivenChain(equation, grid, k, xp) for k in (2, 4)},
    BackwardKolmogorov: {2: lambda equation, grid, walls, xp: DrivenChain(equation, grid, 2, xp)},  # its transpose
    Continuity: {2: lambda equation, grid, walls, xp: LimitedUpwind(equation, grid, xp)},
    ScoreFokkerPlanck: {2: StaggeredScore},
    ViscousHamiltonJacobi: {2: CentralDifferences, 5: EssentiallyNonOscillatory},
}


def scheme_for(equation: Equation, order: int) -> Scheme:
    """Return the scheme. Raises TypeError for an equation that has none, or none of this order, and says which it has."""
    name = type(equation).__name__
    for kind, schemes in SCHEMES.items():
        if isinstance(equation, kind):
            if order in schemes:
                return schemes[order]
            orders = " or ".join(f"order={known}" for known in schemes)
            raise TypeError(f"FiniteVolume has no scheme of order {order} for {name}; use {orders}")
    raise TypeError(f"FiniteVolume has no scheme for {name}")
