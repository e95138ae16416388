"""Probability densities: closed forms, data sets, grids, and their marginals under a process."""

from typing import TYPE_CHECKING

from mfgpde.core.register import Register, opened
from mfgpde.densities.boxes import UniformBoxes
from mfgpde.densities.cell_means import Averaged, Wrapped, cell_means
from mfgpde.densities.contract import Density, Propagated, marginal
from mfgpde.densities.covariances import Dense, LowRank
from mfgpde.densities.datasets import (
    bimodal,
    checkerboard,
    digits,
    embedded,
    four_blobs,
    isometry,
    nine_blobs,
    spiral,
    swiss_roll,
    two_moons,
    two_rings,
)
from mfgpde.densities.gaussian_mixture import GaussianMixture, gaussian
from mfgpde.densities.on_grid import OnGrid, check_density, place
from mfgpde.densities.schroedinger_mixture import schroedinger_coupling

__all__ = [
    "DENSITIES",
    "Averaged",
    "Dense",
    "Density",
    "GaussianMixture",
    "LowRank",
    "OnGrid",
    "Propagated",
    "UniformBoxes",
    "Wrapped",
    "bimodal",
    "cell_means",
    "check_density",
    "checkerboard",
    "digits",
    "embedded",
    "four_blobs",
    "gaussian",
    "isometry",
    "marginal",
    "nine_blobs",
    "place",
    "schroedinger_coupling",
    "spiral",
    "swiss_roll",
    "two_moons",
    "two_rings",
]

DENSITIES = Register(__name__, Density, "data")

if not TYPE_CHECKING:  # what else its files define
    __getattr__ = opened(__name__)
