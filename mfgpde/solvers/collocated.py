"""A density on a line as polynomials in time, by collocation: no steps, and a residual that is zero at so many times.

On a panel [a, b] of time u is the polynomial of degree s through u(a) for which u′ = A(t)u at the s Radau points, the last
of which is b: one banded system of n·s unknowns, since A reaches two cells on either side. What it misses of the scheme's
rate between these points is gψ, ψ the polynomial that vanishes there and g smooth, so that three looks say how much: panels
are as long as leaves no more than an aim. Laws that are smooth in time need one to four panels of degree twelve. — Hairer,
Wanner, Solving ordinary differential equations II (1996), IV.5.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import numpy as np
from numpy.polynomial import legendre
from scipy.linalg import solve_banded

from mfgpde.core.arrays import Array
from mfgpde.discretisations import FiniteVolume
from mfgpde.equations import FokkerPlanck
from mfgpde.solvers.hermite import APART, InTime, Span, rule
from mfgpde.solvers.initial import initial_function

STAGES = 12
"""collocation points of a panel, its degree"""
REACH = 2
"""cells on either side that a rate of order four depends on"""
HALF = 0.5
"""of what may still be missed, a panel at least: where a law is rough for a short time it is there that most is missed"""
SHARE = 0.9
"""of the length that a panel that missed too much, or little, says to be right"""
SHORTER, LONGER = 0.2, 3.0
"""times the length of the one before, at least and at most"""
SHORTEST = 1e-4
"""of a run: panels are no shorter, whatever they miss; the residual has it"""


@dataclass(frozen=True)
class Panel(Span):
    """A panel of time, of which the values at its start and at `pieces` Radau points are stored; evenly in time.

    >>> from mfgpde.solvers.collocated import Panel
    >>> Panel(0.0, 3.0, 2).times.tolist()  # a third of the way, and the end
    [0.0, 1.0, 3.0]
    """

    power: int = 1

    @property
    def shares(self) -> Array:
        """The stored s, from 0 to 1."""
        return nodes(self.pieces)[0]

    @property
    def degree(self) -> int:
        """The degree in s."""
        return self.pieces

    @property
    def looks(self) -> int:
        """Two thirds of the degree: more see no more of a residual that misses little in time."""
        return max(4, (2 * self.pieces) // 3)

    def weights(self, s: Array) -> tuple[Array, Array]:
        """Return the rows that make the polynomial and its derivative in s of the values, (n, s + 1) each."""
        basis = legendre.legvander(2 * np.asarray(s) - 1, self.pieces) @ nodes(self.pieces)[2]
        return basis, basis @ nodes(self.pieces)[1]


@cache
def nodes(stages: int) -> tuple[Array, Array, Array]:
    """Return zero and Radau's points in [0, 1], the matrix of derivatives there, and that of Legendre coefficients.

    >>> from mfgpde.solvers.collocated import nodes
    >>> at, change, _ = nodes(2)
    >>> at.round(12).tolist(), np.allclose(change @ at**2, 2 * at)
    ([0.0, 0.333333333333, 1.0], True)
    """
    roots = np.sort(np.real(legendre.legroots([0.0] * (stages - 1) + [-1.0, 1.0])))  # of P_s − P_{s−1}
    at = np.concatenate(([0.0], 0.5 * (roots + 1)))
    at[-1] = 1.0
    coefficients = np.linalg.inv(legendre.legvander(2 * at - 1, stages))
    slopes = legendre.legval(2 * at - 1, legendre.legder(np.eye(stages + 1))).T
    return at, np.asarray(2 * slopes @ coefficients, dtype=float), np.asarray(coefficients, dtype=float)


@cache
def looks(stages: int) -> tuple[Array, Array]:
    """Return where in [0, 1] a rest gψ is looked at, ψ zero at Radau's points, and ∫|ψ|/|ψ(there)| over a third around.

    >>> from mfgpde.solvers.collocated import looks
    >>> at, weight = looks(12)
    >>> at.round(2).tolist(), weight.round(2).tolist()
    ([0.0, 0.53, 0.99], [0.06, 0.22, 0.44])
    """
    points, zeros = nodes(stages)[0], [0.0] * (stages - 1) + [-1.0, 1.0]
    middles = 0.5 * (points[1:] + points[:-1])
    at = np.array([0.0, middles[stages // 2], middles[-1]])
    inside, weight = rule(4 * stages)
    thirds = [float(np.abs(legendre.legval(2 * (k + inside) / 3 - 1, zeros)) @ weight) / 3 for k in range(3)]
    return at, np.array(thirds) / np.abs(legendre.legval(2 * at - 1, zeros))


def is_banded(space: Any, equation: Any) -> bool:
    """Say whether a second solve in this space can be found so: volumes of order four on a line with two ends."""
    return (
        isinstance(space, FiniteVolume)
        and isinstance(equation, FokkerPlanck)
        and space.order >= 4
        and space.backend == "numpy"
        and space.grid.dimension == 1
        and not space.grid.periodic[0]
    )


def collocated(
    equation: Any, space: Any, initial: Any, ends: Sequence[float], aim: float
) -> tuple[list[InTime], float]:
    """Return the density between successive ends, among them all breaks, as polynomials, and what they miss of its rate.

    In L¹ over space and time; it is to be no more than `aim`.

    >>> space = mfg.FiniteVolume(mfg.CartesianGrid.cube(6.0, 96, 1), order=4)
    >>> from mfgpde.solvers.collocated import collocated
    >>> equation = mfg.FokkerPlanck.of(mfg.OrnsteinUhlenbeck())
    >>> parts, missed = collocated(equation, space, mfg.gaussian(1.0, 0.5), (0.0, 1.0), 1e-6)
    >>> x, law = space.grid.axes[0], parts[-1].values[-1]
    >>> missed < 1e-6, print(f"{space.grid.spacing[0] * (law @ x):.4f}, {np.exp(-1):.4f}")
    0.3679, 0.3679
    (True, None)
    """
    system = space.semidiscretise(equation)
    u, run, made = system.start(initial_function(equation, initial, space.grid)), ends[-1] - ends[0], list[InTime]()
    total, before = 0.0, (0.0, 0.0, 0.0)
    for begin, end in zip(ends[:-1], ends[1:], strict=True):
        t, dt = begin, end - begin
        while t < end:
            dt = (end - t) / np.ceil((end - t) / dt * (1 - 1e-9))
            panel = Panel(t, end if dt >= (end - t) * (1 - 1e-9) else t + dt, STAGES)
            found = _solved(system, u, panel)
            missed = _missed(system, found, panel, space.grid.volume)
            left = (aim - total) * max(HALF, panel.length / (ends[-1] - t))
            allowed = left if left > 0 else aim * panel.length / run  # more is missed already: it is said, and ends
            power = _power(before, (t, panel.length, missed))
            factor = LONGER if missed == 0 else SHARE * (allowed / missed) ** (1 / power)
            if missed <= allowed or dt <= SHORTEST * run * (1 + 1e-8):  # parts of what is left may be as much longer
                made.append(InTime(panel, np.stack([system.values(one) for one in found]), np.empty((0, *u.shape))))
                u, t, factor, total = found[-1], panel.end, max(factor, SHARE), total + missed
            before = panel.begin, panel.length, missed
            dt = max(SHORTEST * run, dt * float(np.clip(factor, SHORTER, LONGER)))
    return made, total


def _power(before: tuple[float, float, float], now: tuple[float, float, float]) -> float:
    """Return with which power of its length a panel misses: its degree, or less where two that begin together say so."""
    (t, length, missed), (begin, shorter, less) = before, now
    if t != begin or not (shorter < length and 0 < less < missed):
        return STAGES
    return float(np.clip(np.log(missed / less) / np.log(length / shorter), 1.0, STAGES))


def _inside(panel: Panel, t: float) -> float:
    return float(np.clip(t, panel.begin + APART * panel.length, panel.end - APART * panel.length))


def _missed(system: Any, found: Array, panel: Panel, volume: float) -> float:
    """Return what the polynomial misses of the scheme's rate in L¹ over the panel, from three looks."""
    at, weight = looks(panel.pieces)
    values, slopes = (rows @ found for rows in panel.weights(at))
    owed = [
        float(np.abs(slope - panel.length * system.rate(u, _inside(panel, float(t)))).sum())
        for u, slope, t in zip(values, slopes, panel.time(at), strict=True)
    ]
    return volume * float(weight @ owed)


def _solved(system: Any, u: Array, panel: Panel) -> Array:
    """Return u at the start of the panel and at its Radau points, (s + 1, n).

    With D the matrix of derivatives: Σ_k D_jk u_k − L A(t_j) u_j = −D_j0 u_0, cells outermost, so that 2s bands hold it.
    """
    (n,), s = u.shape, panel.pieces
    change, wide = nodes(s)[1][1:], REACH * s
    table, right = np.zeros((2 * wide + 1, n * s)), np.empty((n, s))
    for j, t in enumerate(panel.times[1:]):
        for k in range(s):
            table[wide + j - k, k::s] += change[j, k + 1]
        now = _inside(panel, float(t))
        bands = banded(partial(system.at(now).rate, t=now), n)
        for d in range(-REACH, REACH + 1):
            columns = np.arange(max(0, -d), min(n, n - d))
            table[wide + d * s, columns * s + j] -= panel.length * bands[REACH + d, columns]
        right[:, j] = -change[j, 0] * u
    found = solve_banded((wide, wide), table, right.ravel(), overwrite_ab=True, overwrite_b=True, check_finite=False)
    return np.vstack((u, found.reshape(n, s).T))


def banded(rate: Callable[[Array], Array], n: int) -> Array:
    """Return the bands of a linear rate that reaches `REACH` cells: entry (i, j) in row REACH + i − j, column j.

    >>> from mfgpde.solvers.collocated import banded
    >>> banded(lambda u: np.diff(np.pad(u, 1), n=2), 4)[1:4].tolist()  # of second differences
    [[0.0, 1.0, 1.0, 1.0], [-2.0, -2.0, -2.0, -2.0], [1.0, 1.0, 1.0, 0.0]]
    """
    width = 2 * REACH + 1
    bands, found = np.zeros((width, n)), np.zeros(n + 2 * REACH)
    for first in range(width):
        comb = np.zeros(n)
        comb[first::width] = 1.0
        found[REACH : n + REACH] = rate(comb)
        for d in range(width):
            bands[d, first::width] = found[first + d : n + d : width]
    return bands
