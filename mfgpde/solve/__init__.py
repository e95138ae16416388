"""Solving: march in time, climb the ladder of resolutions, follow characteristics."""

from mfgpde.solve.characteristics import flow, log_density
from mfgpde.solve.converge import Ladder, converge, observed_order
from mfgpde.solve.march import solve
from mfgpde.solve.solution import Solution, grid_of, load

__all__ = ["Ladder", "Solution", "converge", "flow", "grid_of", "load", "log_density", "observed_order", "solve"]
