"""Bars on trial: random problems whose answer is known in closed form, and how often bars hold it.

A family of cases is one file here. It draws a problem, asks a public function for a number with its bar, and says what the
number is in truth.
"""

from typing import TYPE_CHECKING

from mfgpde.calibration.contract import Case, Family
from mfgpde.calibration.trial import Calibration, Row, calibrate
from mfgpde.core.register import Register, opened

__all__ = ["FAMILIES", "Calibration", "Case", "Family", "Row", "calibrate"]

FAMILIES = Register(__name__, Family, "family of cases")

if not TYPE_CHECKING:  # what else its files define
    __getattr__ = opened(__name__)
