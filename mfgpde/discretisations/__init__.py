"""Discretisations: an equation in, a system of ordinary differential equations out."""

from typing import TYPE_CHECKING

from mfgpde.core.register import Register, opened
from mfgpde.discretisations.contract import (
    Celled,
    Discretisation,
    Distributed,
    Inviscid,
    Limited,
    Semidiscrete,
    Working,
)
from mfgpde.discretisations.field import Field
from mfgpde.discretisations.finite_volume import FiniteVolume, Held, Inflow
from mfgpde.discretisations.means import centres_of, coarsened, means_of
from mfgpde.discretisations.resample import resample
from mfgpde.discretisations.spectral import Spectral, propagate

__all__ = [
    "DISCRETISATIONS",
    "Celled",
    "Discretisation",
    "Distributed",
    "Field",
    "FiniteVolume",
    "Held",
    "Inflow",
    "Inviscid",
    "Limited",
    "Semidiscrete",
    "Spectral",
    "Working",
    "centres_of",
    "coarsened",
    "means_of",
    "propagate",
    "resample",
]

DISCRETISATIONS = Register(__name__, Discretisation, "discretisation")

if not TYPE_CHECKING:  # what else its files define
    __getattr__ = opened(__name__)
