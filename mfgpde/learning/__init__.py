"""Learning scores: networks, objectives with penalties on the equations' residuals, and training that can be resumed."""

from typing import TYPE_CHECKING

from mfgpde.core.register import opened
from mfgpde.learning.control_variate import steadied_noise
from mfgpde.learning.kernel_model import KernelModel, fit_kernel_model, implicit_loss
from mfgpde.learning.objectives import Objective
from mfgpde.learning.train import Training, train

__all__ = ["KernelModel", "Objective", "Training", "fit_kernel_model", "implicit_loss", "steadied_noise", "train"]

if not TYPE_CHECKING:  # what else its files define
    __getattr__ = opened(__name__)
