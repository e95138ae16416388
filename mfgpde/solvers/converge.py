"""`converge`: run any quantity over a ladder of resolutions; the one source of numerical error bars."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from mfgpde.core.estimate import Estimate, Kind
from mfgpde.discretisations import Discretisation


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

    @property
    def limit(self) -> Estimate:
        """The quantity at infinite resolution, with its error bar.

        In the asymptotic range (observed order within ½ of theory) it is Richardson's value; its bar is twice what
        the difference of the last two extrapolations says about the next order, at least 2 % of the correction. Outside, it
        is the finest value; the bar is the last change where changes at least halve, else the largest recent one.
        Spectral schemes: the last change.
        """
        *_, before, last = self.values
        change = last - before
        noise = self.floor + 1e-13 * max(abs(v) for v in self.values)  # what sums of rounding errors reach
        if not np.isfinite(self.theory):
            return Estimate(last, abs(change) + noise, Kind.EXTRAPOLATED, f"last change of {self._sizes}")
        earlier = before - self.values[-3]
        ratio = 2.0**self.theory
        if abs(change) > noise and abs(earlier) > noise and abs(_log2(earlier, change) - self.theory) < 0.5:
            value, coarse = last + change / (ratio - 1), before + earlier / (ratio - 1)
            bar = max(2 * abs(value - coarse) / (2 * ratio - 1), 0.02 * abs(change) / (ratio - 1))
            return Estimate(value, bar + noise, Kind.EXTRAPOLATED, f"Richardson over {self._sizes}")
        if abs(change) <= 0.5 * abs(earlier):  # at least halving: what is left is at most the last change
            return Estimate(
                last, abs(change) + noise, Kind.EXTRAPOLATED, f"last change over {self._sizes}, order not seen"
            )
        bar = max(abs(change), abs(earlier)) + noise
        return Estimate(last, bar, Kind.EXTRAPOLATED, f"largest change over {self._sizes}, not asymptotic")

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

    >>> space = mfg.FiniteVolume(mfg.CartesianGrid((0.0,), (1.0,), (8,)))
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

    The first is `discretisation`.

    `order` is the expected order in the cell width (default: the discretisation's own). `floor` is what the quantity
    owes to anything else than the cell width, such as the time tolerance; it is added to the bar.

    Raises ValueError for fewer than three levels (two for spectral schemes).

    >>> space = mfg.FiniteVolume(mfg.CartesianGrid((0.0,), (1.0,), (8,)))
    >>> both = mfg.ladders(lambda s: [float(s.grid.integrate(s.grid.points[..., 0] ** k)) for k in (2, 3)], space)
    >>> [f"{ladder.limit.value:.6f}" for ladder in both]  # the midpoint rule for ∫x², ∫x³
    ['0.333333', '0.250000']
    """
    if levels < (3 if np.isfinite(order or discretisation.order) else 2):
        raise ValueError(f"an error bar needs at least three resolutions (two for spectral schemes), got {levels}")
    spaces = [discretisation.refined(k) if k else discretisation for k in range(levels)]
    rungs = [tuple(map(float, quantities(space))) for space in spaces]
    cells = tuple(space.grid.cells[0] for space in spaces)
    return tuple(Ladder(cells, values, order or discretisation.order, floor) for values in zip(*rungs, strict=True))


def observed_order(errors: Sequence[float], ratio: float = 2.0) -> Estimate:
    """Return the order seen in errors at parameters each `ratio` times smaller; its bar is twice the last change.

    Raises ValueError for fewer than two errors, or some that are zero or not finite.

    >>> print(f"{mfg.observed_order([0.4, 0.1, 0.025]).value:.2f}")
    2.00
    """
    return _order(np.asarray(errors, dtype=float), f"{len(errors)} errors, ratio {ratio:g}", np.log2(ratio))


def _order(errors: np.ndarray, method: str, step: float = 1.0) -> Estimate:
    if errors.size < 2 or not np.all(np.isfinite(errors)) or np.any(errors == 0):
        raise ValueError(f"an observed order needs at least two non-zero errors, got {errors}")
    orders = [_log2(a, b) / step for a, b in zip(errors[:-1], errors[1:], strict=True)]
    # the order drifts like a power of h: twice its last change reaches the limit; below 0.05 three grids cannot see
    bar = max(2 * abs(orders[-1] - orders[-2]), 0.05) if len(orders) > 1 else np.inf
    return Estimate(float(orders[-1]), float(bar), Kind.EXTRAPOLATED, method)


def _log2(a: float, b: float) -> float:
    return float(np.log2(abs(a / b)))
