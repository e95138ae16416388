"""Optimal transport distances with known accuracy."""

from mfgpde.transport.gaussian import wasserstein_gaussian
from mfgpde.transport.quantiles import wasserstein

__all__ = ["wasserstein", "wasserstein_gaussian"]
