"""What a solution is like: distances to a truth."""

from mfgpde.diagnostics.distances import kl_divergence, l1_distance, weighted_error

__all__ = ["kl_divergence", "l1_distance", "weighted_error"]
