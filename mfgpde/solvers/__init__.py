"""Solving: march in time, climb the ladder of resolutions, follow characteristics."""

from typing import TYPE_CHECKING

from mfgpde.core.register import opened
from mfgpde.solvers.characteristics import flow, log_density
from mfgpde.solvers.converge import Beside, Ladder, converge, ladders, observed_order
from mfgpde.solvers.counted import Counted, CountedDirections, CountedPotential, counted, counted_directions
from mfgpde.solvers.error import SolutionError, solve_with_error
from mfgpde.solvers.error_bound import ErrorBound, error_bound
from mfgpde.solvers.first_passage import (
    FirstPassage,
    committor,
    exit_probability,
    first_passage,
    mean_first_passage_time,
)
from mfgpde.solvers.image_masses import image_masses
from mfgpde.solvers.in_time import Around, Seldom, seldom
from mfgpde.solvers.induced import (
    Induced,
    Room,
    induced_ode,
    induced_sde,
    on_half_grid,
    prior_of,
    room_of,
)
from mfgpde.solvers.march import solve
from mfgpde.solvers.particles import Twist, particle_constants, particle_expectation
from mfgpde.solvers.solution import Solution, grid_of, load
from mfgpde.solvers.stationary import probability_current, stationary
from mfgpde.solvers.time_rule import time_rule

__all__ = [
    "Around",
    "Beside",
    "Counted",
    "CountedDirections",
    "CountedPotential",
    "ErrorBound",
    "FirstPassage",
    "Induced",
    "Ladder",
    "Room",
    "Seldom",
    "Solution",
    "SolutionError",
    "Twist",
    "committor",
    "converge",
    "counted",
    "counted_directions",
    "error_bound",
    "exit_probability",
    "first_passage",
    "flow",
    "grid_of",
    "image_masses",
    "induced_ode",
    "induced_sde",
    "ladders",
    "load",
    "log_density",
    "mean_first_passage_time",
    "observed_order",
    "on_half_grid",
    "particle_constants",
    "particle_expectation",
    "prior_of",
    "probability_current",
    "room_of",
    "seldom",
    "solve",
    "solve_with_error",
    "stationary",
    "time_rule",
]

if not TYPE_CHECKING:  # what else its files define
    __getattr__ = opened(__name__)
