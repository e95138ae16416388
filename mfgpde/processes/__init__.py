"""Forward processes: one family a file; adding one is a file and a line here."""

from typing import TYPE_CHECKING

from mfgpde.core.register import Register, opened
from mfgpde.processes.contract import ForwardProcess, IsotropicProcess, LinearProcess, Transition
from mfgpde.processes.generator import MarkovGenerator, clock
from mfgpde.processes.langevin import OverdampedLangevin, double_well
from mfgpde.processes.linear import Linear
from mfgpde.processes.ornstein_uhlenbeck import OrnsteinUhlenbeck
from mfgpde.processes.variance_exploding import Brownian, VarianceExploding
from mfgpde.processes.variance_preserving import SubVariancePreserving, VariancePreserving

__all__ = [
    "PROCESSES",
    "Brownian",
    "ForwardProcess",
    "IsotropicProcess",
    "Linear",
    "LinearProcess",
    "MarkovGenerator",
    "OrnsteinUhlenbeck",
    "OverdampedLangevin",
    "SubVariancePreserving",
    "Transition",
    "VarianceExploding",
    "VariancePreserving",
    "clock",
    "double_well",
]

PROCESSES = Register(__name__, ForwardProcess, "process")

if not TYPE_CHECKING:  # what else its files define
    __getattr__ = opened(__name__)
