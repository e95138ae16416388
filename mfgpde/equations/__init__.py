"""Equations as records of their coefficients: formula first, exact solutions beside it."""

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
