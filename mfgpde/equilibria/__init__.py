"""Solving games: three methods, one result, and what it costs in the continuum."""

from typing import TYPE_CHECKING

from mfgpde.core.register import opened
from mfgpde.equilibria.equilibrium import Equilibrium, load_equilibrium
from mfgpde.equilibria.populations import Populations, populations
from mfgpde.equilibria.proximal import Proximal, SampledProximal, proximal_by_sampling, wasserstein_proximal
from mfgpde.equilibria.refined import RefinedEquilibrium, optimal_cost, refined_equilibrium
from mfgpde.equilibria.solve import equilibrium

__all__ = [
    "Equilibrium",
    "Populations",
    "Proximal",
    "RefinedEquilibrium",
    "SampledProximal",
    "equilibrium",
    "load_equilibrium",
    "optimal_cost",
    "populations",
    "proximal_by_sampling",
    "refined_equilibrium",
    "wasserstein_proximal",
]

if not TYPE_CHECKING:  # what else its files define
    __getattr__ = opened(__name__)
