"""Samplers on trial: schemes from noise to data, the laws that they generate, and what these laws owe to what."""

from typing import TYPE_CHECKING

from mfgpde.core.register import Register, opened
from mfgpde.samplers.contract import Levels, Model, Move, Sampler
from mfgpde.samplers.levels import LEVELS

__all__ = ["LEVELS", "SAMPLERS", "Levels", "Model", "Move", "Sampler"]

SAMPLERS = Register(__name__, Sampler, "sampler")

if not TYPE_CHECKING:  # what else its files define
    __getattr__ = opened(__name__)
