"""Optimal transport distances with known accuracy."""

from typing import TYPE_CHECKING

from mfgpde.core.register import opened
from mfgpde.transport.back_and_forth import Transport, back_and_forth
from mfgpde.transport.cells import wasserstein_cells
from mfgpde.transport.dual_certificate import dual_certificate, write_certificate
from mfgpde.transport.gaussian import wasserstein_gaussian
from mfgpde.transport.gradient_part import GradientPart, gradient_part
from mfgpde.transport.point_clouds import dual_potential, wasserstein_by_blocks, wasserstein_points
from mfgpde.transport.quantiles import wasserstein

__all__ = [
    "GradientPart",
    "Transport",
    "back_and_forth",
    "dual_certificate",
    "dual_potential",
    "gradient_part",
    "wasserstein",
    "wasserstein_by_blocks",
    "wasserstein_cells",
    "wasserstein_gaussian",
    "wasserstein_points",
    "write_certificate",
]

if not TYPE_CHECKING:  # what else its files define
    __getattr__ = opened(__name__)
