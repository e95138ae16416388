"""Equations as records of their coefficients: formula first, exact solutions beside it."""

from typing import TYPE_CHECKING

from mfgpde.core.register import opened
from mfgpde.equations.backward_kolmogorov import BackwardKolmogorov
from mfgpde.equations.continuity import Continuity
from mfgpde.equations.contract import Diffusing, Equation, Unknown, ViscousHamiltonJacobi
from mfgpde.equations.fokker_planck import FokkerPlanck
from mfgpde.equations.hamilton_jacobi_bellman import HamiltonJacobiBellman
from mfgpde.equations.kolmogorov import FeynmanKac, ForwardKolmogorov, Kolmogorov, Resetting
from mfgpde.equations.log_density import LogDensity
from mfgpde.equations.mckean_vlasov import McKeanVlasov
from mfgpde.equations.score_fokker_planck import ScoreFokkerPlanck
from mfgpde.equations.score_kolmogorov import ScoreKolmogorov

__all__ = [
    "BackwardKolmogorov",
    "Continuity",
    "Diffusing",
    "Equation",
    "FeynmanKac",
    "FokkerPlanck",
    "ForwardKolmogorov",
    "HamiltonJacobiBellman",
    "Kolmogorov",
    "LogDensity",
    "McKeanVlasov",
    "Resetting",
    "ScoreFokkerPlanck",
    "ScoreKolmogorov",
    "Unknown",
    "ViscousHamiltonJacobi",
]

if not TYPE_CHECKING:  # what else its files define
    __getattr__ = opened(__name__)
