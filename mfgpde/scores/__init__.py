"""Scores: vector fields s(x, t) that stand for ∇log p_t(x)."""

from typing import TYPE_CHECKING

from mfgpde.core.register import opened
from mfgpde.scores.clocks import CLOCKS, Clock
from mfgpde.scores.contract import (
    DifferentiableScore,
    DirectionalScore,
    DivergenceScore,
    Eigenbasis,
    FlowFormScore,
    FlowScore,
    FormScore,
    PotentialScore,
    Score,
    Uncertain,
    offers,
    require_score,
    thread_safe,
    with_form,
)
from mfgpde.scores.differences import Differenced
from mfgpde.scores.eigenbasis import FourierBasis, HermiteBasis
from mfgpde.scores.exact import Bump, ExactScore, Sum, Swirl, empirical_score
from mfgpde.scores.files import Network, load_score
from mfgpde.scores.operator_informed import OperatorInformed
from mfgpde.scores.predictions import PREDICTIONS, Predicted, Turned, combination, converted, guided
from mfgpde.scores.semigroup import Embedding, Semigroup
from mfgpde.scores.tabulated import Tabulated

__all__ = [
    "CLOCKS",
    "PREDICTIONS",
    "Bump",
    "Clock",
    "Differenced",
    "DifferentiableScore",
    "DirectionalScore",
    "DivergenceScore",
    "Eigenbasis",
    "Embedding",
    "ExactScore",
    "FlowFormScore",
    "FlowScore",
    "FormScore",
    "FourierBasis",
    "HermiteBasis",
    "Network",
    "OperatorInformed",
    "PotentialScore",
    "Predicted",
    "Score",
    "Semigroup",
    "Sum",
    "Swirl",
    "Tabulated",
    "Turned",
    "Uncertain",
    "combination",
    "converted",
    "empirical_score",
    "guided",
    "load_score",
    "offers",
    "require_score",
    "thread_safe",
    "with_form",
]

if not TYPE_CHECKING:  # what else its files define
    __getattr__ = opened(__name__)
