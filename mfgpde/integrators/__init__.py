"""Time integrators: they see a system's rate, solve and mass, and know no equation."""

from typing import TYPE_CHECKING

from mfgpde.core.register import Register, opened
from mfgpde.integrators.chebyshev import RungeKuttaChebyshev
from mfgpde.integrators.contract import Implicit, Integrator, Split, Stabilised, System, size, sizes
from mfgpde.integrators.controller import Controller
from mfgpde.integrators.etdrk4 import ETDRK4
from mfgpde.integrators.runge_kutta import SSPRK43
from mfgpde.integrators.tr_bdf2 import TRBDF2, BackwardEuler

__all__ = [
    "ETDRK4",
    "INTEGRATORS",
    "SSPRK43",
    "TRBDF2",
    "BackwardEuler",
    "Controller",
    "Implicit",
    "Integrator",
    "RungeKuttaChebyshev",
    "Split",
    "Stabilised",
    "System",
    "size",
    "sizes",
]

INTEGRATORS = Register(__name__, Integrator, "integrator")

if not TYPE_CHECKING:  # what else its files define
    __getattr__ = opened(__name__)
