"""Diagnostics: distances of fields, residuals of scores, and bounds."""

from typing import TYPE_CHECKING

from mfgpde.core.register import opened
from mfgpde.diagnostics.coupled import coupled
from mfgpde.diagnostics.distances import kl_divergence, l1_distance, weighted_error
from mfgpde.diagnostics.intervals import mean_interval
from mfgpde.diagnostics.likelihood import flow_log_density
from mfgpde.diagnostics.local_geometry import effective_dimension, held_out_log_likelihood, tangent_alignment
from mfgpde.diagnostics.memorisation import nearest_ratio, share_of_copies
from mfgpde.diagnostics.ode_sde_gap import GapBound, gap_bound
from mfgpde.diagnostics.path_divergences import mixture_divergence, path_divergence, projection_divergence
from mfgpde.diagnostics.score_residuals import log_density_residual, rotation, score_residual

__all__ = [
    "GapBound",
    "coupled",
    "effective_dimension",
    "flow_log_density",
    "gap_bound",
    "held_out_log_likelihood",
    "kl_divergence",
    "l1_distance",
    "log_density_residual",
    "mean_interval",
    "mixture_divergence",
    "nearest_ratio",
    "path_divergence",
    "projection_divergence",
    "rotation",
    "score_residual",
    "share_of_copies",
    "tangent_alignment",
    "weighted_error",
]

if not TYPE_CHECKING:  # what else its files define
    __getattr__ = opened(__name__)
