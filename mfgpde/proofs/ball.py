"""Balls: a midpoint and a radius that holds all roundings, and the estimate that one is.

Arb's arithmetic: F. Johansson, IEEE Trans. Computers 66 (2017), arXiv:1611.02831.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from numbers import Integral
from typing import Any

import numpy as np

from mfgpde.core.estimate import Estimate, Kind

BITS = 96
"""of midpoints: 40 more than a double has, for what cancels"""

type Ball = Any
"""a real or complex ball of python-flint, which has no types of its own"""


def available() -> bool:
    """Say whether python-flint is installed.

    >>> mfg.proofs.available()
    True
    """
    return find_spec("flint") is not None


@contextmanager
def precision(bits: int = BITS) -> Iterator[None]:
    """Work with balls of so many bits inside the block."""
    import flint

    before = flint.ctx.prec
    flint.ctx.prec = bits
    try:
        yield
    finally:
        flint.ctx.prec = before


def ball(number: float | str | Ball) -> Ball:
    """Return a double as what it is, exactly, or a decimal as the ball around it.

    Raises ValueError for what is no finite number: nothing, a truth value, other words, a complex number, NaN.

    >>> mfg.proofs.ball(0.1).is_exact(), mfg.proofs.ball("0.1").is_exact()
    (True, False)
    """
    import flint

    known = (Integral, np.floating, float, str, flint.arb, flint.fmpz, flint.fmpq)
    if not isinstance(number, known) or isinstance(number, bool):
        raise ValueError(f"a ball is around a finite number, got {number!r}")
    plain: Any = number
    if isinstance(number, np.floating):  # the widest of them is no double
        plain = flint.fmpq(*number.as_integer_ratio()) if np.isfinite(number) else float(number)
    elif isinstance(number, Integral):
        plain = int(number)
    with precision():
        try:
            found = plain if isinstance(plain, flint.arb) else flint.arb(plain)
        except ValueError as trouble:
            raise ValueError(f"a ball is around a finite number, got {number!r}") from trouble
    if not found.is_finite():
        raise ValueError(f"a ball is around a finite number, got {number!r}")
    return found


def estimate(found: Ball, method: str) -> Estimate:
    """Return a real ball as an estimate: the nearest double, and a bar that holds the ball from there.

    Raises ValueError for what is no real ball, ArithmeticError for one that is not finite: then nothing was proved.

    >>> third = mfg.proofs.estimate(mfg.proofs.ball(1.0) / 3, "one third")
    >>> third.kind.name, third.half_width < 1e-16
    ('PROVED', True)
    """
    import flint

    if not isinstance(found, flint.arb):
        raise ValueError(f"what is proved of {method} is a real ball, got {found!r}")
    if not found.is_finite():
        raise ArithmeticError(f"nothing is proved of {method}: the ball is {found}; more bits, or a smaller problem")
    with precision():
        value = float(found.mid())
        reach = abs(found - flint.arb(value)).upper()
        bar = float(reach)
        while not flint.arb(bar) >= reach:
            bar = math.nextafter(bar, math.inf)
    return Estimate(value, bar, Kind.PROVED, method)
