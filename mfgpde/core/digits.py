"""Numbers for people: few digits, and no exponent where a number can be read without."""

from __future__ import annotations

PLAIN = (1e-4, 1e6)
"""what lies between is written without an exponent"""


def digits(value: float, count: int = 2) -> str:
    """Return a number rounded to so many significant digits.

    >>> from mfgpde.core.digits import digits
    >>> digits(99.7), digits(412.3), digits(-3141.6, 3), digits(0.0031415)
    ('100', '410', '-3140', '0.0031')
    >>> digits(2.54e-7), digits(4.2e12), digits(0.0)
    ('2.5e-07', '4.2e+12', '0')
    """
    short = f"{value:.{count}g}"
    return f"{float(short):.6g}" if PLAIN[0] <= abs(float(short)) < PLAIN[1] else short
