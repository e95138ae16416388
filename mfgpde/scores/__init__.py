"""Scores: vector fields s(x, t) that stand for ∇log p_t(x)."""

from mfgpde.scores.exact import Bump, DivergenceScore, ExactScore, PotentialScore, Score, Sum, Swirl
from mfgpde.scores.tabulated import Tabulated

__all__ = ["Bump", "DivergenceScore", "ExactScore", "PotentialScore", "Score", "Sum", "Swirl", "Tabulated"]
