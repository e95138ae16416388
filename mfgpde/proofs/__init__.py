"""Numbers that are proved: closed forms and integrals of Gaussian mixtures in one and two dimensions, in ball arithmetic.

Every rounding, every tail and every rest of a quadrature is inside the bar. It needs python-flint.
"""

from typing import TYPE_CHECKING

from mfgpde.core.register import opened
from mfgpde.proofs.ball import available, ball, estimate
from mfgpde.proofs.instant import Instant
from mfgpde.proofs.line import Line, affine, constant, mean
from mfgpde.proofs.moving_mixture import MovingMixture, relative_entropy
from mfgpde.proofs.plane import PlanarMixture, planar_entropy, planar_entropy_rate, planar_information

__all__ = [
    "Instant",
    "Line",
    "MovingMixture",
    "PlanarMixture",
    "affine",
    "available",
    "ball",
    "constant",
    "estimate",
    "mean",
    "planar_entropy",
    "planar_entropy_rate",
    "planar_information",
    "relative_entropy",
]

if not TYPE_CHECKING:  # what else its files define
    __getattr__ = opened(__name__)
