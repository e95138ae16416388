"""Learning scores: networks, objectives with penalties on the equations' residuals, and training that can be resumed."""

from mfgpde.learning.control_variate import steadied_noise
from mfgpde.learning.kernel_model import KernelModel, fit_kernel_model, implicit_loss
from mfgpde.learning.objectives import Objective
from mfgpde.learning.train import Training, train

__all__ = ["KernelModel", "Objective", "Training", "fit_kernel_model", "implicit_loss", "steadied_noise", "train"]
