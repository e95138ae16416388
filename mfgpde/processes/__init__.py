"""Forward processes: one family a file; adding one is a file."""

from typing import TYPE_CHECKING

from mfgpde.core.register import Register, opened
from mfgpde.processes.bridge_mixture import BridgeMixture, Coupling, Pairs
from mfgpde.processes.contract import ForwardProcess, IsotropicProcess, LinearProcess, Transition
from mfgpde.processes.cosine import Cosine
from mfgpde.processes.diffusion import Diffusion
from mfgpde.processes.discrete import (
    DiscreteSchedule,
    cumulative,
    linear_betas,
    scaled_linear_betas,
    squared_cosine_betas,
)
from mfgpde.processes.edm import EDM
from mfgpde.processes.gaussian_path import GaussianPath
from mfgpde.processes.generator import MarkovGenerator, clock
from mfgpde.processes.kinetic import critically_damped, underdamped
from mfgpde.processes.langevin import OverdampedLangevin, double_well
from mfgpde.processes.linear import Linear
from mfgpde.processes.ornstein_uhlenbeck import OrnsteinUhlenbeck
from mfgpde.processes.scheduled import Schedule, ScheduledProcess, schedule_of
from mfgpde.processes.straight import Straight, flow_matching, rectified_flow
from mfgpde.processes.trigonometric import Trigonometric
from mfgpde.processes.variance_exploding import Brownian, VarianceExploding
from mfgpde.processes.variance_preserving import SubVariancePreserving, VariancePreserving

__all__ = [
    "EDM",
    "PROCESSES",
    "BridgeMixture",
    "Brownian",
    "Cosine",
    "Coupling",
    "Diffusion",
    "DiscreteSchedule",
    "ForwardProcess",
    "GaussianPath",
    "IsotropicProcess",
    "Linear",
    "LinearProcess",
    "MarkovGenerator",
    "OrnsteinUhlenbeck",
    "OverdampedLangevin",
    "Pairs",
    "Schedule",
    "ScheduledProcess",
    "Straight",
    "SubVariancePreserving",
    "Transition",
    "Trigonometric",
    "VarianceExploding",
    "VariancePreserving",
    "clock",
    "critically_damped",
    "cumulative",
    "double_well",
    "flow_matching",
    "linear_betas",
    "rectified_flow",
    "scaled_linear_betas",
    "schedule_of",
    "squared_cosine_betas",
    "underdamped",
]

PROCESSES = Register(__name__, ForwardProcess, "process")

if not TYPE_CHECKING:  # what else its files define
    __getattr__ = opened(__name__)
