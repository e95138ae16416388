"""A density on a line as polynomials in time, by collocation: no steps, and a residual that is zero at so many times.

On a panel [a, b] of time u is the polynomial of degree s through u(a) for which u′ = A(t)u at the s Radau points, the last
of which is b: one banded system of n·s unknowns, since A reaches two cells on either side. What it misses of the scheme's
rate between these points is gψ, ψ the polynomial that vanishes there and g smooth, so that three looks say how much: panels
are as long as leaves no more than an aim. Laws that are smooth in time need one to five panels of degree six to twelve.
Where A does not depend on time the matrix of derivatives is brought to its eigenvalues, and each panel takes s/2 systems of
n complex unknowns. — Hairer, Wanner, Solving ordinary differential equations II (1996), IV.5 and IV.8.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from math import comb
from typing import Any

import numpy as np
from numpy.polynomial import legendre
from numpy.typing import NDArray
from scipy.linalg import solve_banded
from scipy.linalg.lapack import zgbtrf, zgbtrs

from mfgpde.core.arrays import Array
from mfgpde.discretisations import FiniteVolume
from mfgpde.discretisations.finite_volume.markov_chain import rates_on_a_line
from mfgpde.equations import FokkerPlanck
from mfgpde.solvers.clock import Clock, Paced
from mfgpde.solvers.hermite import APART, KEPT, InTime, Span, rule
from mfgpde.solvers.initial import initial_function

STAGES = 6, 12
"""collocation points of a panel, its degree, at least and at most: panels of degree ln 1/ε need fewest to miss ε"""
REACH = 2
"""cells on either side that a rate of order four depends on"""
HALF = 0.5
"""of what may still be missed, a panel at least: where a law is rough for a short time it is there that most is missed"""
SHARE = 0.9
"""of the length that a panel that missed too much, or little, says to be right"""
USUAL = 0.7
"""of the degree: the power of its length with which a panel misses, until another says so"""
SHORTER, LONGER = 0.2, 3.0
"""times the length of the one before, at least and at most"""
REACHED = 0.2
"""of the degree, times the first derivative over the second: as long a panel may be, until what it misses is seen"""
FIRST = 0.01
"""of the time to a break, the first panel that is tried, at least"""
SHORTEST = 1e-4
"""of a run: panels are no shorter, whatever they miss; the residual has it"""
TREMBLING = 10, 6, 0.1
"""how many rates say what they tremble by, in differences of which order, so much of the shortest panel apart"""
FLOOR = 4.0
"""times what a rate trembles by, over a panel, is what no shorter one takes away: three looks at it see 0.6 to 3 times"""
HIDDEN = 1e-3
"""of what may be missed, what is taken to be due to a panel's length where trembling hides it"""


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
        return _weights(self.pieces, np.asarray(s, dtype=float).tobytes())


@lru_cache(maxsize=KEPT)
def _weights(pieces: int, places: bytes) -> tuple[Array, Array]:
    basis = legendre.legvander(2 * np.frombuffer(places) - 1, pieces) @ nodes(pieces)[2]
    return basis, basis @ nodes(pieces)[1]


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
    equation: Any, space: Any, initial: Any, ends: Sequence[float], aim: float, clock: Clock | None = None
) -> tuple[list[InTime], float]:
    """Return the density between successive ends, among them all breaks, as polynomials, and what they miss of its rate.

    In L¹ over space and time; it is to be no more than `aim`. By a `clock` panels are as long as it says, and
    then as what the last one missed does; without one they begin as long as derivatives say.

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
    # where tries cost next to nothing panels are as long as can be: looks at a residual are fewer
    still = None if equation.time_dependent else _bands(system, [ends[0]], u.size)[0]
    stages = STAGES[1] if still is not None else 2 * round(0.5 * float(np.clip(-np.log(aim), *STAGES)))
    paced = None if clock is None or still is not None else Paced(clock, ends[-1], STAGES)
    clock, dt = (Clock.even(ends[0], ends[-1]) if paced is None else paced.clock), np.inf
    if paced is not None:
        dt, stages = paced.panels(ends[0], HALF * aim)
    total, spent, floor, trend, tried = 0.0, 0.0, 0.0, 1.0, (np.nan, 0.0, 0.0)
    for begin, end in zip(ends[:-1], ends[1:], strict=True):
        t, inside = begin, begin + APART * (end - begin)
        rate, rough = system.rate(u, inside), 0.0
        if paced is None:
            dt = end - begin
            if still is None:
                dt = max(_reach(rate, system.rate(rate, inside), stages, dt), FIRST * dt)
        while t < end:
            counted, ahead = clock.count(t), clock.count(end) - clock.count(t)
            parts = max(1.0, np.ceil(ahead / dt * (1 - 1e-9)))
            dt = ahead / parts
            panel = Panel(t, end if parts == 1 else clock.time(counted + dt), stages)
            found = _solved(system, u, panel) if still is None else _solved_still(still, u, panel)
            missed = _missed(system, still, found, rate, panel, space.grid.volume)
            left = (aim - spent) * max(HALF, panel.length / (ends[-1] - t))
            allowed = left if left > 0 else aim * panel.length / run  # more is missed already: it is said, and ends
            if missed - floor * panel.length > allowed and still is None:
                trembles = FLOOR * space.grid.volume * _trembles(system, u, panel, SHORTEST * run)
                spent, floor = max(0.0, spent - max(0.0, trembles - floor) * (t - ends[0])), trembles
            seen = max(missed - floor * panel.length, HIDDEN * min(missed, allowed))  # what its length can change
            good = seen <= allowed or panel.length <= SHORTEST * run * (1 + 1e-8)
            power, now = _power(tried, (t, dt, seen), stages, good), seen / dt**stages
            factor = LONGER if seen == 0 else SHARE * (allowed / seen) ** (1 / power)
            tried = t, dt, seen
            if good:
                made.append(InTime(panel, np.ascontiguousarray(system.values(found.T).T), np.empty((0, *u.shape))))
                u, t, total, spent = found[-1], panel.end, total + missed, spent + seen
                slopes = nodes(stages)[1] @ found / panel.length
                rate, after = slopes[-1], nodes(stages)[1][-1] @ slopes / panel.length
                trend, rough = min(1.0, (rough / now) ** (1 / stages)) if rough > 0 < now else 1.0, now
                # what becomes rough as fast as it did will miss so much more; what becomes smooth may have longer panels
                smooth = _reach(rate, after, stages, end - begin) if trend == 1.0 and seen <= allowed else 0.0
                longer = max(smooth, dt * float(np.clip(factor * trend, SHARE, LONGER)))
            else:
                longer = dt * float(np.clip(factor, SHORTER, LONGER))
            if paced is None:
                dt = longer
            else:
                rest = aim - spent if aim > spent else aim * (ends[-1] - t) / run
                dt, stages = paced.after(dt, stages, seen, good, t, HALF * rest)
            dt = max(clock.count(min(t + SHORTEST * run, end)) - clock.count(t), dt)
    return made, total


def _reach(first: Array, second: Array, stages: int, longest: float) -> float:
    """Return how long a panel may be, from the first two derivatives in time."""
    sizes = [float(np.abs(one).sum()) for one in (first, second)]
    return min(longest, REACHED * stages * sizes[0] / sizes[1]) if sizes[1] > 0 else longest


def _power(before: tuple[float, float, float], now: tuple[float, float, float], stages: int, good: bool) -> float:
    """Return with which power of its length a panel misses: what two tries that begin together say, or the usual one."""
    (t, length, missed), (begin, shorter, less) = before, now
    if t != begin or not (shorter < length and 0 < less < missed):
        return stages if good else USUAL * stages
    return float(np.clip(np.log(missed / less) / np.log(length / shorter), 1.0, stages))


def _inside(panel: Panel, t: float) -> float:
    return float(np.clip(t, panel.begin + APART * panel.length, panel.end - APART * panel.length))


def _missed(system: Any, still: Array | None, found: Array, first: Array, panel: Panel, volume: float) -> float:
    """Return what the polynomial misses of the scheme's rate in L¹ over the panel, from three looks.

    The rate at the first of them is known: a panel before this one ended in it. Bands that stay know all.
    """
    at, weight = looks(panel.pieces)
    values, slopes = (rows @ found for rows in panel.weights(at))
    if still is not None:
        rates = _applied(still, values)
    else:
        later = zip(values[1:], panel.time(at[1:]), strict=True)
        rates = np.stack([first, *(system.rate(u, _inside(panel, float(t))) for u, t in later)])
    return volume * float(weight @ np.abs(slopes - panel.length * rates).sum(axis=1))


def _trembles(system: Any, u: Array, panel: Panel, shortest: float) -> float:
    """Return the sum over cells by how much the rate of a field is uncertain from time to time, at both ends the least.

    As that of a network in single precision is: in high differences over a time so short the smooth part is nothing, and
    values with independent errors of deviation σ have σ√C(2k, k) left. A jump is at one end alone. — Moré, Wild, Estimating
    computational noise, SIAM J. Sci. Comput. 33 (2011).
    """
    count, order, apart = TREMBLING
    steps = apart * min(shortest, panel.length) * np.arange(1, count + 1)
    found = list[float]()
    for times in (panel.begin + steps, panel.end - steps):
        left: Array = np.diff(np.stack([system.rate(u, float(t)) for t in times]), order, axis=0)
        found.append(float(np.sqrt(np.mean(left**2, axis=0) / comb(2 * order, order)).sum()))
    return min(found)


def _solved(system: Any, u: Array, panel: Panel) -> Array:
    """Return u at the start of the panel and at its Radau points, (s + 1, n).

    With D the matrix of derivatives: Σ_k D_jk u_k − L A(t_j) u_j = −D_j0 u_0, cells outermost, so that 2s bands hold it.
    """
    (n,), s = u.shape, panel.pieces
    change, wide = nodes(s)[1][1:], REACH * s
    table = np.zeros((2 * wide + 1, n, s))
    for j in range(s):
        table[wide + j - np.arange(s), :, np.arange(s)] = change[j, 1:, None]
    bands = _bands(system, [_inside(panel, float(t)) for t in panel.times[1:]], n)
    for d in range(-REACH, REACH + 1):
        table[wide + d * s] -= panel.length * bands[:, REACH + d].T
    right, table = np.outer(u, -change[:, 0]), table.reshape(-1, n * s)
    found = solve_banded((wide, wide), table, right.ravel(), overwrite_ab=True, overwrite_b=True, check_finite=False)
    return np.vstack((u, found.reshape(n, s).T))


def _bands(system: Any, times: Sequence[float], n: int) -> Array:
    """Return the bands of the rate, which is linear and reaches `REACH` cells, at many times, (s, 2 REACH + 1, n).

    Entry (i, j) is in row REACH + i − j, column j.
    """
    chains = [system.at(t) for t in times]
    combs, teeth, rows = _combs(n)
    found = np.zeros((len(chains), len(combs), n + 2 * REACH))
    found[..., REACH : n + REACH] = rates_on_a_line(chains, combs)
    return found[:, teeth, rows]


def _solved_still(bands: Array, u: Array, panel: Panel) -> Array:
    """Return the same where A does not depend on time: D = VΛV⁻¹ makes it s/2 systems of n complex unknowns.

    V has condition 7e5 for twelve points, so that what rounding leaves is solved for once more.
    """
    s, change = panel.pieces, nodes(panel.pieces)[1][1:]
    roots, there, back = _roots(s)
    factors = [_factored(root, -panel.length * bands) for root in roots]

    def solved(right: Array) -> Array:
        each = zip(factors, there @ right, strict=True)
        return np.real(back @ np.stack([zgbtrs(lu, REACH, REACH, one, pivots)[0] for (lu, pivots), one in each]))

    right = np.outer(-change[:, 0], u)
    found = solved(right)
    found = found + solved(right - change[:, 1:] @ found + panel.length * _applied(bands, found))
    return np.vstack((u, found))


@cache
def _roots(stages: int) -> tuple[NDArray[np.complex128], NDArray[np.complex128], NDArray[np.complex128]]:
    """Return the eigenvalues of the matrix of derivatives, one of each conjugate pair, the rows of V⁻¹, and of V twice."""
    roots, vectors = np.linalg.eig(nodes(stages)[1][1:, 1:])
    some = roots.imag >= 0
    return roots[some], np.linalg.inv(vectors)[some], np.where(roots[some].imag > 0, 2, 1) * vectors[:, some]


def _factored(root: complex, bands: Array) -> tuple[NDArray[np.complex128], NDArray[np.intc]]:
    """Return the factors of a matrix of bands, a root added to its diagonal."""
    table = np.zeros((3 * REACH + 1, bands.shape[1]), dtype=complex)
    table[REACH:] = bands
    table[2 * REACH] += root
    return zgbtrf(table, REACH, REACH, overwrite_ab=True)[:2]


def _applied(bands: Array, fields: Array) -> Array:
    """Return the matrix of bands applied to every field (s, n)."""
    n = fields.shape[1]
    found = np.zeros((len(fields), n + 2 * REACH))
    for d in range(2 * REACH + 1):
        found[:, d : n + d] += bands[d] * fields
    return found[:, REACH : n + REACH]


@lru_cache(maxsize=8)
def _combs(n: int) -> tuple[Array, NDArray[np.intp], NDArray[np.intp]]:
    """Return fields that are one in every fifth cell, which of them each band and column reads, and where."""
    width, columns = 2 * REACH + 1, np.arange(n)
    combs = (columns % width == np.arange(width)[:, None]).astype(float)
    return combs, columns % width, columns + np.arange(width)[:, None]
