"""Probability densities: closed forms, data sets, grids, and their marginals under a process."""

from mfgpde.densities.base import Density, Propagated, marginal
from mfgpde.densities.boxes import UniformBoxes
from mfgpde.densities.covariances import Dense, LowRank
from mfgpde.densities.datasets import (
    bimodal,
    checkerboard,
    four_blobs,
    nine_blobs,
    spiral,
    swiss_roll,
    two_rings,
)
from mfgpde.densities.gaussian_mixture import GaussianMixture, gaussian
from mfgpde.densities.on_grid import OnGrid, check_density, place

__all__ = [
    "Dense",
    "Density",
    "GaussianMixture",
    "LowRank",
    "OnGrid",
    "Propagated",
    "UniformBoxes",
    "bimodal",
    "check_density",
    "checkerboard",
    "four_blobs",
    "gaussian",
    "marginal",
    "nine_blobs",
    "place",
    "spiral",
    "swiss_roll",
    "two_rings",
]
