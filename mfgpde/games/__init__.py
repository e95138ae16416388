"""Games: what a density's control pays for, and the generative models that are such problems."""

from typing import TYPE_CHECKING

from mfgpde.core.register import opened
from mfgpde.games.catalogue import (
    benamou_brenier,
    crowd_motion,
    gradient_flow,
    linear_quadratic,
    normalizing_flow,
    proximal_operator,
    schroedinger_bridge,
    score_based_model,
)
from mfgpde.games.contract import Functional, RunningCost
from mfgpde.games.functionals import (
    Capacity,
    ChiSquared,
    Nonlocal,
    Potential,
    Power,
    RelativeEntropy,
    ReverseRelativeEntropy,
    Target,
    cross_entropy,
)
from mfgpde.games.mean_field_game import MeanFieldGame, PowerCost, Quadratic, TabulatedCost

__all__ = [
    "Capacity",
    "ChiSquared",
    "Functional",
    "MeanFieldGame",
    "Nonlocal",
    "Potential",
    "Power",
    "PowerCost",
    "Quadratic",
    "RelativeEntropy",
    "ReverseRelativeEntropy",
    "RunningCost",
    "TabulatedCost",
    "Target",
    "benamou_brenier",
    "cross_entropy",
    "crowd_motion",
    "gradient_flow",
    "linear_quadratic",
    "normalizing_flow",
    "proximal_operator",
    "schroedinger_bridge",
    "score_based_model",
]

if not TYPE_CHECKING:  # what else its files define
    __getattr__ = opened(__name__)
