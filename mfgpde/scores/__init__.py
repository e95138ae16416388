"""Scores: vector fields s(x, t) that stand for ∇log p_t(x)."""

from typing import TYPE_CHECKING

from mfgpde.core.register import opened
from mfgpde.scores.contract import (
    DifferentiableScore,
    DirectionalScore,
    DivergenceScore,
    Eigenbasis,
    PotentialScore,
    Score,
    Uncertain,
    offers,
    require_score,
)
from mfgpde.scores.differences import Differenced
from mfgpde.scores.eigenbasis import FourierBasis, HermiteBasis
from mfgpde.scores.exact import Bump, ExactScore, Sum, Swirl, empirical_score
from mfgpde.scores.files import Network, load_score
from mfgpde.scores.operator_informed import OperatorInformed
from mfgpde.scores.semigroup import Embedding, Semigroup
from mfgpde.scores.tabulated import Tabulated

__all__ = [
    "Bump",
    "Differenced",
    "DifferentiableScore",
    "DirectionalScore",
    "DivergenceScore",
    "Eigenbasis",
    "Embedding",
    "ExactScore",
    "FourierBasis",
    "HermiteBasis",
    "Network",
    "OperatorInformed",
    "PotentialScore",
    "Score",
    "Semigroup",
    "Sum",
    "Swirl",
    "Tabulated",
    "Uncertain",
    "empirical_score",
    "load_score",
    "offers",
    "require_score",
]

if not TYPE_CHECKING:  # what else its files define
    __getattr__ = opened(__name__)
