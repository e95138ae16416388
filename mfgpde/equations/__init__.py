"""Equations as records of their coefficients: formula first, exact solutions beside it."""

from typing import TYPE_CHECKING

from mfgpde.core.register import opened
from mfgpde.equations.continuity import Continuity
from mfgpde.equations.fokker_planck import BackwardKolmogorov, FokkerPlanck
from mfgpde.equations.hamilton_jacobi_bellman import HamiltonJacobiBellman, ViscousHamiltonJacobi
from mfgpde.equations.log_density import LogDensity
from mfgpde.equations.score_fokker_planck import ScoreFokkerPlanck

__all__ = [
    "BackwardKolmogorov",
    "Continuity",
    "FokkerPlanck",
    "HamiltonJacobiBellman",
    "LogDensity",
    "ScoreFokkerPlanck",
    "ViscousHamiltonJacobi",
]

if not TYPE_CHECKING:  # what else its files define
    __getattr__ = opened(__name__)
