"""Noise levels: rules for the times at which a sampler evaluates its model."""

from mfgpde.core.register import Register
from mfgpde.samplers.contract import Levels

__all__ = ["LEVELS"]

LEVELS = Register(__name__, Levels, "rule for noise levels")
