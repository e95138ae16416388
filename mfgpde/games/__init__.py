"""Games: what a density's control pays for, and the generative models that are such problems."""

from typing import TYPE_CHECKING

from mfgpde.core.register import Register, opened
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
    Potential,
    Power,
    RelativeEntropy,
    ReverseRelativeEntropy,
    Target,
    cross_entropy,
)
from mfgpde.games.landscapes import Landscape
from mfgpde.games.mean_field_game import MeanFieldGame, PowerCost, QuadraticCost, TabulatedCost
from mfgpde.games.nonlocal_cost import Nonlocal

__all__ = [
    "COSTS",
    "GAMES",
    "LANDSCAPES",
    "Capacity",
    "ChiSquared",
    "Functional",
    "Landscape",
    "MeanFieldGame",
    "Nonlocal",
    "Potential",
    "Power",
    "PowerCost",
    "QuadraticCost",
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

GAMES = Register(__name__, MeanFieldGame, "game")
COSTS = Register(__name__, Functional, "cost")
LANDSCAPES = Register(__name__, Landscape, "landscape", {"quadratic": "quadratic-well"})

if not TYPE_CHECKING:  # what else its files define
    __getattr__ = opened(__name__, Quadratic="QuadraticCost")
