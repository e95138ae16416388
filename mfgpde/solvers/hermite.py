"""Values and rates at a few times, and the polynomial through them: in s, where t = a + (b − a) s² is denser at the start.

The times are those of Chebyshev and Lobatto in s, so that a polynomial of any degree is a good one. Between two breaks of
the coefficients there is one polynomial; where they meet it is continuous, and its rate may jump.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import pairwise

import numpy as np
from numpy.polynomial import chebyshev, legendre

from mfgpde.core.arrays import Array

KEPT = 32
"""sets of places whose rows are kept: all solves look at the same"""
APART = 1e-9
"""of a span, by which a rate is taken inside of it: coefficients may jump at its ends"""


@dataclass(frozen=True)
class Span:
    """Times between two breaks: t = begin + length·s², s in [0, 1], of which `pieces` + 1 are stored.

    >>> from mfgpde.solvers.hermite import Span
    >>> span = Span(0.0, 2.0, 4)
    >>> span.times.round(4).tolist(), span.degree
    ([0.0, 0.0429, 0.5, 1.4571, 2.0], 9)
    """

    begin: float
    end: float
    pieces: int
    power: int = 2
    """of s in time: one where nothing is denser at the start"""

    @property
    def length(self) -> float:
        """The length of the span."""
        return self.end - self.begin

    @property
    def shares(self) -> Array:
        """The stored s, from 0 to 1."""
        angles = np.pi * (np.arange(self.pieces + 1) / self.pieces)  # those of 2m hold those of m, to the bit
        return 0.5 - 0.5 * np.cos(angles)

    @property
    def times(self) -> Array:
        """The stored times; the last is the end to the last bit."""
        found = self.begin + self.length * self.shares**self.power
        found[-1] = self.end
        return found

    @property
    def degree(self) -> int:
        """The degree in s."""
        return 2 * self.pieces + 1

    @property
    def looks(self) -> int:
        """The number of times at which a residual is looked at that misses little in time: it is smooth then."""
        return self.pieces + 2

    def time(self, s: Array | float) -> Array:
        """Return the time at s."""
        return np.asarray(self.begin + self.length * np.asarray(s) ** self.power)

    def slope(self, s: Array | float) -> Array:
        """Return dt/ds."""
        return np.asarray(self.power * self.length * np.asarray(s) ** (self.power - 1))

    def weights(self, s: Array) -> tuple[Array, Array]:
        """Return the rows that make the polynomial and its derivative in s of values and of derivatives in s, (n, 2 J)."""
        return _weights(self.pieces, np.asarray(s, dtype=float).tobytes())


@dataclass(frozen=True, eq=False)
class InTime:
    """A function of time on a span: its stored values and, where it goes through them, derivatives in s, (J, *cells)."""

    span: Span
    values: Array
    rates: Array

    def at(self, s: Array) -> tuple[Array, Array]:
        """Return the polynomial and its derivative in time at many s > 0."""
        data = np.concatenate((self.values, self.rates)).reshape(len(self.values) + len(self.rates), -1)
        value, rate = ((rows @ data).reshape(len(s), *self.values.shape[1:]) for rows in self.span.weights(s))
        return value, rate / self.span.slope(s).reshape(-1, *[1] * (self.values.ndim - 1))


@lru_cache(maxsize=KEPT)
def _weights(pieces: int, places: bytes) -> tuple[Array, Array]:
    span, s = Span(0.0, 1.0, pieces), np.frombuffer(places)
    place, wanted, slope = 2 * span.shares - 1, 2 * s - 1, 2.0
    change = chebyshev.chebder(np.eye(span.degree + 1))  # of the j-th polynomial in column j
    conditions = np.vstack((chebyshev.chebvander(place, span.degree), slope * chebyshev.chebval(place, change).T))
    rows = np.hstack((chebyshev.chebvander(wanted, span.degree).T, slope * chebyshev.chebval(wanted, change)))
    value, rate = np.split(np.linalg.solve(conditions.T, rows).T, 2)
    return np.asarray(value, dtype=float), np.asarray(rate, dtype=float)


def spans(begin: float, end: float, breaks: Sequence[float], pieces: int, power: int = 2) -> list[Span]:
    """Return the spans between breaks."""
    inner = [t for t in breaks if begin < t < end]
    return [Span(a, b, pieces, power) for a, b in pairwise([begin, *inner, end])]


def interpolated(
    found: Sequence[Span], fields: dict[float, Array], rates_of: Callable[[Array, Array], Array]
) -> list[InTime]:
    """Return the polynomials of all spans, from the fields at their times and the scheme's rates at many."""
    made = []
    for span in found:
        values = np.stack([fields[float(t)] for t in span.times])
        inside = np.clip(span.times, span.begin + APART * span.length, span.end - APART * span.length)
        slopes = span.slope(span.shares).reshape(-1, *[1] * (values.ndim - 1))
        made.append(InTime(span, values, slopes * rates_of(values, inside)))
    return made


@cache
def gauss(nodes: int) -> tuple[Array, Array]:
    """Return Gauss's points and weights on [−1, 1]; few numbers are asked for often."""
    return legendre.leggauss(nodes)


def rule(nodes: int) -> tuple[Array, Array]:
    """Return Gauss's points and weights on [0, 1]."""
    at, weight = gauss(nodes)
    return 0.5 * (at + 1), 0.5 * weight


def largest_between(nodes: int) -> float:
    """Return Lebesgue's constant of Gauss–Legendre points from above: it is that at an end, below 2√n."""
    return 2 * float(np.sqrt(nodes))
