"""How accurately everything but the grid is computed: tolerances and nodes, which a ladder sharpens from outside."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

SHARPER = 0.1
"""of a tolerance: what it becomes where a ladder asks what it owes to tolerances"""
MORE = 1.5
"""times as many nodes of quadratures in time"""

_sharp: ContextVar[bool] = ContextVar("sharp", default=False)
_limited: ContextVar[list[str] | None] = ContextVar("limited", default=None)


@contextmanager
def sharpened() -> Iterator[None]:
    """Compute with tolerances of a tenth and half as many nodes again, whoever names them.

    >>> with sharpened():
    ...     tolerance(1e-6), nodes(8)
    (1e-07, 12)
    """
    token = _sharp.set(True)
    try:
        yield
    finally:
        _sharp.reset(token)


def tolerance(asked: float) -> float:
    """Return the tolerance to compute with."""
    return asked * SHARPER if _sharp.get() else asked


def nodes(asked: int) -> int:
    """Return the number of nodes to compute with."""
    return round(asked * MORE) if _sharp.get() else asked


UPWIND = "cells that are steeper than their noise"
"""what a solve calls itself where its order is between one and two"""


@contextmanager
def noting_limits() -> Iterator[list[str]]:
    """Collect the names of schemes whose error is no power of the cell width, as they are used."""
    found: list[str] = []
    token = _limited.set(found)
    try:
        yield found
    finally:
        _limited.reset(token)


def limited(scheme: str) -> None:
    """Say that a scheme with limiters, or for kinks, is used."""
    found = _limited.get()
    if found is not None and scheme not in found:
        found.append(scheme)


def noting() -> bool:
    """Say whether somebody collects such names."""
    return _limited.get() is not None
