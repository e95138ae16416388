"""Learning scores: networks, objectives with penalties on the equations' residuals, and training that can be resumed."""

from mfgpde.learning.objectives import Objective
from mfgpde.learning.train import Training, train

__all__ = ["Objective", "Training", "train"]
