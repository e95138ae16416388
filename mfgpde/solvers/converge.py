"""`converge`: run any quantity over a ladder of resolutions; the one source of numerical error bars."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from mfgpde.core.accuracy import UPWIND, noting_limits, sharpened
from mfgpde.core.estimate import Estimate, Kind
from mfgpde.discretisations import Discretisation
from mfgpde.solvers.beside import between, fewer, moved, widened

AITKEN, BETWEEN, FEWER, MOVED, SHARPENED, WIDENED = 1.5, 2.0, 3.0, 2.0, 3.0, 4.0
"""by how much a difference counts in a bar; the bars of 2000 random problems with known answers made them so"""
ROUGH = 2.0
"""the highest order at which what is off the power law, and what depends on the grid's place, is believed to fall"""
UNSEEN = 0.1
"""of an order, what three errors do not see: those of a limiter stood 0.14 above two while they moved by 0.01"""
LEAST = 0.02
"""of Richardson's correction: nobody knows it better"""
ON_A_POWER = 0.1
"""of the change that it divides, how far from a power a value lies at most that is taken to be on it"""
UNSURE = 1.5
"""of it, where part of the error is of first order and part of second: their mixture passes as a power"""


@dataclass(frozen=True)
class Beside:
    """What a quantity is off the ladder, and how far it moves there.

    `between` holds a number of cells between the third-last and the second-last rung, and the value on it; `moved` is the
    change of the second-last value when the grid moves by a part of a cell, `fewer` what it is where grids do not move,
    on one cell fewer along each axis, and how many that leaves; `sharpened` and `widened` are changes of the third-last
    with all tolerances divided by ten, and in a box half as wide again; `limited`: a scheme had a limiter; `steep`: on
    some rung cells were upwind ones, of order one, where the mass was.
    """

    between: tuple[float, float] | None = None
    moved: float = 0.0
    sharpened: float = 0.0
    widened: float = 0.0
    limited: bool = False
    steep: bool = False
    fewer: tuple[float, float] | None = None


@dataclass(frozen=True)
class Ladder:
    """A quantity on successively doubled grids: `cells` along the first axis, `values`, the scheme's `theory` order.

    >>> ladder = mfg.solvers.Ladder((8, 16, 32), (1.04, 1.01, 1.0025), theory=2.0, floor=0.0)
    >>> print(f"{ladder.limit.value:.4f}, {ladder.order.value:.2f}")
    1.0000, 2.00
    """

    cells: tuple[int, ...]
    values: tuple[float, ...]
    theory: float
    floor: float
    beside: Beside = field(default_factory=Beside)

    @property
    def limit(self) -> Estimate:
        """The quantity at infinite resolution, with its error bar.

        In the asymptotic range (changes of one sign, observed order within ½ of theory, no limiter) it is Richardson's
        value, the bar the largest of: what the last two extrapolations say of the next order, the distance from Aitken's
        value, which takes the order as observed, and what the values off the rungs, between two and on one cell fewer,
        are off the power law, carried to the finest grid. Outside it is the finest value, the bar the largest of the last
        change, what the one before leaves, the distances from those values, as if of first order, and half as much again
        as what a power leaves that all values lie on. Added are what the value owes to the grid's place, to tolerances,
        to the box, to rounding and to the `floor`. Spectral schemes: the last changes, and what such a power leaves.
        """
        *_, before, last = self.values
        change, beside = last - before, self.beside
        own = self.floor + 1e-13 * max(abs(v) for v in self.values)  # what sums of rounding errors reach
        own += SHARPENED * beside.sharpened + WIDENED * beside.widened
        off = [abs(beside.between[1] - before)] if beside.between else []
        if not np.isfinite(self.theory):
            earlier = [0.1 * abs(before - v) for v in self.values[-3:-2]]
            share = 0.1 if len(self.values) > 2 else 1.0
            slow = self._left_by_a_slow_power() if len(self.values) > 2 else 0.0
            bar = max(abs(change), slow, *(share * x for x in off), *earlier, 0.0)
            return Estimate(last, bar + own, Kind.EXTRAPOLATED, f"last change of {self._sizes}")
        earlier, ratio = before - self.values[-3], 2.0**self.theory
        seen = _log2(earlier, change) if earlier * change > 0 else np.inf
        if abs(seen - self.theory) < 0.5 and not beside.limited:
            value = last + change / (ratio - 1)
            aitken = last + change**2 / (earlier - change)
            bar = max(
                AITKEN * abs(aitken - value),
                (UNSURE if beside.steep else LEAST) * abs(change) / (ratio - 1),
                BETWEEN * self._off_the_power(value, seen),
                FEWER * self._off_on_fewer(value, seen),
            )
            own += MOVED * beside.moved / min(ratio, 2.0**ROUGH)
            return Estimate(value, bar + own, Kind.EXTRAPOLATED, f"Richardson over {self._sizes}")
        bar = max(abs(change), abs(earlier) / ratio, self._off(beside.between), FEWER / 2 * self._off(beside.fewer))
        bar = max(bar, self._left_by_a_slow_power())
        own += MOVED * beside.moved / 2
        why = "a scheme with limiters" if beside.limited else "not asymptotic"
        return Estimate(last, bar + own, Kind.EXTRAPOLATED, f"last changes over {self._sizes}, {why}")

    def _left_by_a_slow_power(self) -> float:
        """Return half as much again as a power leaves beyond the last value, if all values lie on one; else zero.

        At order one it leaves as much as the last change, at order ½ 2.4 times that. The value between tells it from what
        kinks happen to look like.
        """
        first, second, last = self.values[-3:]
        earlier, change = second - first, last - second
        if not (earlier * change > 0 and abs(change) < abs(earlier)):
            return 0.0
        left, seen = change**2 / (earlier - change), _log2(earlier, change)
        if self.beside.between is not None:
            number, value = self.beside.between
            on_it = last + left + (first - last - left) * (self.cells[-3] / number) ** seen
            if abs(value - on_it) > ON_A_POWER * abs(earlier):
                return 0.0
        return AITKEN * abs(left)

    def _off_the_power(self, limit: float, seen: float) -> float:
        """Return by how much the value between misses both power laws, as small as it is on the finest grid."""
        if self.beside.between is None:
            return 0.0
        number, value = self.beside.between
        first, second, last = self.cells[-3:]
        theory = limit + (self.values[-2] - limit) * (second / number) ** self.theory
        observed = limit + (self.values[-3] - limit) * (first / number) ** seen
        return min(abs(value - theory), abs(value - observed)) * (number / last) ** min(self.theory, ROUGH)

    def _off_on_fewer(self, limit: float, seen: float) -> float:
        """Return by how much the value on one cell fewer misses both power laws, as small as one of first order is."""
        if self.beside.fewer is None:
            return 0.0
        number, value = self.beside.fewer
        missed = (
            abs(value - limit - (self.values[-2] - limit) * (self.cells[-2] / number) ** p) for p in (self.theory, seen)
        )
        return min(missed) * number / self.cells[-1]

    def _off(self, point: tuple[float, float] | None) -> float:
        """Return how far a value off the rungs is from the last, as small as a distance of first order is there."""
        return 0.0 if point is None else abs(point[1] - self.values[-1]) * point[0] / self.cells[-1]

    @property
    def order(self) -> Estimate:
        """The observed order of convergence to a limit not assumed known; its bar is twice the last change."""
        changes = np.diff(self.values)
        return _order(changes, f"changes over {self._sizes}")

    def order_to(self, limit: float) -> Estimate:
        """Return the observed order of convergence to a known limit."""
        return _order(np.asarray(self.values) - limit, f"errors over {self._sizes}")

    @property
    def _sizes(self) -> str:
        return "/".join(map(str, self.cells)) + " cells"


def converge(
    quantity: Callable[[Discretisation], float],
    discretisation: Discretisation,
    *,
    levels: int = 3,
    order: float | None = None,
    floor: float = 0.0,
) -> Ladder:
    """Evaluate one quantity on a ladder of grids; see `ladders`.

    Raises ValueError for fewer than three levels (two for spectral schemes).

    >>> space = mfg.FiniteVolume(mfg.CartesianGrid((0.0,), (1.0,), (8,)), walls="reflecting")
    >>> ladder = mfg.converge(lambda s: float(s.grid.integrate(s.grid.points[..., 0] ** 2)), space)
    >>> print(f"{ladder.limit.value:.6f}, {ladder.order.value:.2f}")  # the midpoint rule for ∫x²
    0.333333, 2.00
    """
    return ladders(lambda space: (quantity(space),), discretisation, levels=levels, order=order, floor=floor)[0]


def ladders(
    quantities: Callable[[Discretisation], Sequence[float]],
    discretisation: Discretisation,
    *,
    levels: int = 3,
    order: float | None = None,
    floor: float = 0.0,
) -> tuple[Ladder, ...]:
    """Evaluate several quantities at once on `levels` grids, each twice as fine as the one before.

    The first is `discretisation`. Beside the ladder they are evaluated on half as many cells again, on a grid that is
    moved by a part of a cell and in a box half as wide again (where walls are far; else on one cell fewer), and with
    every tolerance of solves and starts divided by ten, nodes in time (`time_rule`) half as many again: what that changes
    is in the bar, and no quantity needs to think of it. It costs a third of the ladder in two dimensions.

    `order` is the expected order in the cell width (default: the discretisation's own). `floor` is what the quantity
    owes to anything else; it is added to the bar.

    Raises ValueError for fewer than three levels (two for spectral schemes).

    >>> space = mfg.FiniteVolume(mfg.CartesianGrid((0.0,), (1.0,), (8,)), walls="reflecting")
    >>> both = mfg.ladders(lambda s: [float(s.grid.integrate(s.grid.points[..., 0] ** k)) for k in (2, 3)], space)
    >>> [f"{ladder.limit.value:.6f}" for ladder in both]  # the midpoint rule for ∫x², ∫x³
    ['0.333333', '0.250000']
    """
    if levels < (3 if np.isfinite(order or discretisation.order) else 2):
        raise ValueError(f"an error bar needs at least three resolutions (two for spectral schemes), got {levels}")

    def on(space: Discretisation) -> np.ndarray:
        return np.array([float(value) for value in quantities(space)])

    spaces = [discretisation.refined(k) if k else discretisation for k in range(levels)]
    coarse, middle = max(levels - 3, 0), levels - 2
    shifted, wide, half = moved(spaces[middle]), widened(spaces[coarse]), between(spaces[coarse])
    less = fewer(spaces[middle]) if len(spaces) > 2 else None
    off, wider, found, few = (None if space is None else on(space) for space in (shifted, wide, half, less))
    with sharpened():
        sharp = on(spaces[coarse])
    with noting_limits() as limits:
        rungs = np.array([on(space) for space in spaces])

    def change(values: np.ndarray | None, rung: int) -> np.ndarray:
        return np.zeros(rungs.shape[1]) if values is None else np.abs(values - rungs[rung])

    off, wider, sharp = change(off, middle), change(wider, coarse), change(sharp, coarse)
    cells = tuple(space.grid.cells[0] for space in spaces)

    def beside(k: int) -> Beside:
        point = (
            None if half is None or found is None else (_cells(half, spaces[coarse], cells[coarse]), float(found[k]))
        )
        alone = None if few is None or less is None else (float(less.grid.cells[0]), float(few[k]))
        limiter, steep = bool(set(limits) - {UPWIND}), UPWIND in limits
        return Beside(point, float(off[k]), float(sharp[k]), float(wider[k]), limiter, steep, alone)

    theory = order or discretisation.order
    return tuple(Ladder(cells, tuple(values.tolist()), theory, floor, beside(k)) for k, values in enumerate(rungs.T))


def _cells(space: Discretisation, coarse: Discretisation, cells: int) -> float:
    """Return the number of cells of a rung that lies between, as the ladder counts them."""
    resolution = getattr(getattr(space, "mesh", None), "resolution", None)
    return float(space.grid.cells[0]) if resolution is None else cells * resolution / coarse.mesh.resolution  # pyright: ignore[reportAttributeAccessIssue]


def observed_order(
    errors: Sequence[float], ratio: float = 2.0, *, off: float | Sequence[float] | None = None
) -> Estimate:
    """Return the order seen in errors at parameters each `ratio` times smaller: log(e_{k−1}/e_k)/log(ratio).

    By default what it tends to, of which errors say something only in their asymptotic range: the last order, its bar twice
    the last change, or a tenth of the order. With `off`, by how much every error may be wrong, it is the order between the
    last two, no limit: a number that is known as well as they are.

    Raises ValueError for fewer than two errors, some that are zero or not finite, and, with `off`, some no larger than it.

    >>> print(f"{mfg.observed_order([0.4, 0.1, 0.025]).value:.2f}")
    2.00
    >>> print(mfg.observed_order([0.4, 0.1], off=[1e-5, 1e-5]))
    2 ± 1.8e-04 at the last two of 2, ratio 2
    """
    found = np.asarray(errors, dtype=float)
    if off is None:
        return _order(found, f"{len(errors)} errors, ratio {ratio:g}", np.log2(ratio))
    _enough(found)
    last = np.abs(found[-2:])
    wrong = np.broadcast_to(np.asarray(off, dtype=float), found.shape)[-2:]
    if not (np.all(wrong >= 0) and np.all(wrong < last)):
        raise ValueError(f"an order is known of errors larger than what they are off, got {last} off by {wrong}")
    order = _log2(found[-2], found[-1]) / np.log2(ratio)
    bar = float(np.sum(-np.log1p(-wrong / last)) / np.log(ratio)) + 2.0**-50 * (1 + abs(order))
    return Estimate(order, bar, Kind.BOUND, "log₂ of errors", f"the last two of {len(errors)}, ratio {ratio:g}")


def _enough(errors: np.ndarray) -> None:
    if errors.size < 2 or not np.all(np.isfinite(errors)) or np.any(errors == 0):
        raise ValueError(f"an observed order needs at least two non-zero errors, got {errors}")


def _order(errors: np.ndarray, method: str, step: float = 1.0) -> Estimate:
    _enough(errors)
    orders = [_log2(a, b) / step for a, b in zip(errors[:-1], errors[1:], strict=True)]
    # the order drifts like a power of h: twice its last change reaches the limit
    bar = max(2 * abs(orders[-1] - orders[-2]), UNSEEN * abs(orders[-1])) if len(orders) > 1 else np.inf
    return Estimate(float(orders[-1]), float(bar), Kind.EXTRAPOLATED, method)


def _log2(a: float, b: float) -> float:
    return float(np.log2(abs(a / b)))
