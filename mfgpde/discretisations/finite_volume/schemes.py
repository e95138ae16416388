"""Which scheme stands for which equation, at which order."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from mfgpde.discretisations.contract import Semidiscrete
from mfgpde.discretisations.finite_volume.driven_chain import DrivenChain
from mfgpde.discretisations.finite_volume.essentially_non_oscillatory import EssentiallyNonOscillatory
from mfgpde.discretisations.finite_volume.hamilton_jacobi import CentralDifferences
from mfgpde.discretisations.finite_volume.interacting_chain import InteractingChain
from mfgpde.discretisations.finite_volume.jump_chain import JumpChain
from mfgpde.discretisations.finite_volume.staggered import StaggeredScore
from mfgpde.discretisations.finite_volume.transport import LimitedUpwind
from mfgpde.discretisations.finite_volume.walls import Sides
from mfgpde.equations import (
    BackwardKolmogorov,
    Continuity,
    Equation,
    FeynmanKac,
    FokkerPlanck,
    ForwardKolmogorov,
    Kolmogorov,
    McKeanVlasov,
    ScoreFokkerPlanck,
    ScoreKolmogorov,
    ViscousHamiltonJacobi,
)
from mfgpde.grids import CartesianGrid

Scheme = Callable[[Any, CartesianGrid, Sides, Any], Semidiscrete]
"""of an equation of its kind, a grid, its walls, and the namespace whose arrays hold the unknowns"""


SCHEMES: Mapping[type, Mapping[int, Scheme]] = {
    FokkerPlanck: {k: lambda equation, grid, sides, xp, k=k: DrivenChain(equation, grid, k, xp) for k in (2, 4)},
    BackwardKolmogorov: {2: lambda equation, grid, sides, xp: DrivenChain(equation, grid, 2, xp)},  # its transpose
    Continuity: {2: lambda equation, grid, sides, xp: LimitedUpwind(equation, grid, xp)},
    Kolmogorov: {2: lambda equation, grid, sides, xp: JumpChain(equation, grid, sides, xp)},
    McKeanVlasov: {2: lambda equation, grid, sides, xp: InteractingChain(equation, grid, sides, xp)},
    ScoreFokkerPlanck: {2: lambda equation, grid, sides, xp: StaggeredScore(equation, grid, sides.plain or "far", xp)},
    ScoreKolmogorov: {2: lambda equation, grid, sides, xp: StaggeredScore(equation, grid, sides.plain or "far", xp)},
    ViscousHamiltonJacobi: {
        2: lambda equation, grid, sides, xp: CentralDifferences(equation, grid, sides.plain or "far", xp),
        5: lambda equation, grid, sides, xp: EssentiallyNonOscillatory(equation, grid, sides.plain or "far", xp),
    },
}
"""of boxes whose walls are all far, or all closed"""
BY_SIDE: Mapping[type, Scheme] = {
    FokkerPlanck: lambda equation, grid, sides, xp: JumpChain(ForwardKolmogorov.of(equation), grid, sides, xp),
    BackwardKolmogorov: lambda equation, grid, sides, xp: JumpChain(FeynmanKac.of(equation), grid, sides, xp),
    McKeanVlasov: lambda equation, grid, sides, xp: InteractingChain(equation, grid, sides, xp),
    Kolmogorov: lambda equation, grid, sides, xp: JumpChain(equation, grid, sides, xp),
}
"""of any walls, at order two"""


def scheme_for(equation: Equation, order: int, sides: Sides) -> Scheme:
    """Return the scheme. Raises TypeError for an equation that has none, none of this order, or none with such walls."""
    name = type(equation).__name__
    if sides.plain is None:
        for kind, scheme in BY_SIDE.items():
            if isinstance(equation, kind) and order == 2:
                return scheme
        raise TypeError(
            f"{name} at order {order} has far walls or reflecting ones all round, got {sides.pairs!r}; walls by side are "
            "for Fokker–Planck and Kolmogorov's equations at order 2"
        )
    for kind, schemes in SCHEMES.items():
        if isinstance(equation, kind):
            if order in schemes:
                return schemes[order]
            orders = " or ".join(f"order={known}" for known in schemes)
            raise TypeError(f"FiniteVolume has no scheme of order {order} for {name}; use {orders}")
    raise TypeError(f"FiniteVolume has no scheme for {name}")
