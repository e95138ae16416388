"""In how many dimensions a score can be called, where it cannot in those of its data: the first thing to be said."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

FEW = range(1, 9)
"""dimensions that are tried"""


def other_dimension(takes: Callable[[int], bool], dimension: int) -> str:
    """Return in words the first other dimension that a score takes, whatever it raises in others; nothing for none.

    >>> from mfgpde.scores.other_dimension import other_dimension
    >>> other_dimension(lambda d: d == 2, 3)
    'takes points of dimension 2, but the data (or --dimension) are 3-dimensional: is the score for other data?'
    >>> other_dimension(lambda d: d == 3, 3)
    ''
    """
    for other in FEW:
        with suppress(Exception):  # a user's code
            if other != dimension and takes(other):
                return misfit(other, dimension)
    return ""


def misfit(own: int, dimension: int) -> str:
    """Return what is said of a score of points of `own` dimensions where another number was asked for."""
    return (
        f"takes points of dimension {own}, but the data (or --dimension) are {dimension}-dimensional: is the score for "
        "other data?"
    )
