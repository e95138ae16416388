"""The start of a solve: what a discretisation is given of it, and whether it is a density that the box holds."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mfgpde.core.arrays import Array
from mfgpde.densities import Density, Wrapped, cell_means, check_density
from mfgpde.discretisations import Discretisation, Field, FiniteVolume, coarsened, means_of
from mfgpde.discretisations.agreed import everywhere, together
from mfgpde.discretisations.contract import Domain
from mfgpde.discretisations.finite_volume.walls import Sides
from mfgpde.equations import Equation, Unknown
from mfgpde.grids import CartesianGrid

Initial = Density | Field | Callable[[Array], Array]
LARGEST_LOSS = 1e-4
"""by how much the mass of a start may differ from the one expected, relative"""
FAINT = 1e-10
"""of the mass: what is less is not spoken of"""
SEEN = 1.5
"""times the box: beyond it no ladder looks, which widens boxes by half"""
GROWTH = (1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0, 32.0, 64.0)


def carries_density(equation: Equation) -> bool:
    """Say whether the unknown is a density (positive, of mass one)."""
    return equation.unknown is Unknown.DENSITY


def holds_means(equation: Equation, discretisation: Discretisation) -> bool:
    """Say whether the fields of a solve are means over cells."""
    return carries_density(equation) and isinstance(discretisation, FiniteVolume)


def wall_share(discretisation: Discretisation, values: Array) -> float:
    """Return the share of the mass next to walls; where they differ by side, next to far ones."""
    sides: Any = getattr(discretisation, "sides", None)
    if sides is None or sides.plain is not None:
        return discretisation.grid.outer_share(values)
    if isinstance(discretisation, FiniteVolume):
        return sides.far_share(values)
    known: Any = discretisation
    return sides.far_share(known.space, values) if sides.far else 0.0


def reaches_infinity(discretisation: Discretisation) -> bool:
    """Say whether any wall stands for infinity."""
    sides: Any = getattr(discretisation, "sides", None)
    return discretisation.walls == "far" if sides is None else bool(sides.far)


def is_open(equation: Equation, discretisation: Discretisation) -> bool:
    """Say whether mass may go, or come: through walls, or inside."""
    sides: Any = getattr(discretisation, "sides", None)
    return not equation.closed or (sides is not None and sides.lets_out)


def initial_function(equation: Equation, initial: Initial, grid: Domain) -> Callable[[Array], Array]:
    """Return the initial condition as a function of points, reading a Density as the equation needs it.

    A density on a grid is wrapped along periodic axes, and knows its means over cells; so does a field.
    """
    if isinstance(initial, Field):
        return _Known(initial)
    if isinstance(initial, Density):
        if carries_density(equation) and isinstance(grid, CartesianGrid):
            return Wrapped(initial, grid)
        return equation.read(initial)
    if not callable(initial):
        raise TypeError(
            f"initial must be a Density, a Field or a function of points (..., d), got {type(initial).__name__}"
        )
    return initial


def what_may_be_missed(equation: Equation, initial: Initial, discretisation: Discretisation) -> str:
    """Return how finely a start that is given as a function is read, in a sentence; of a Density or a Field nothing."""
    if isinstance(initial, Density | Field):
        return ""
    share, grid = 0.5 if holds_means(equation, discretisation) else 1.0, discretisation.grid
    apart = f"({corner(share * _widths(grid))}) apart" if isinstance(grid, CartesianGrid) else "of quadrature"
    return f"a function, read at points {apart}: a spike between them may be missed, of a Density none is"


@dataclass(frozen=True, eq=False)
class _Known:
    """A field as a start: its own values where it is known, else what lies between."""

    field: Field

    def __call__(self, x: Array) -> Array:
        return self.field.at_points if x is self.field.grid.points else self.field(x)

    def cell_means(self, grid: CartesianGrid) -> Array:
        """Return the field's own means on its grid, means of blocks on one that is a part of it, else by quadrature."""
        source, values = self.field.grid, self.field.values
        if not isinstance(source, CartesianGrid) or replace(source, cells=grid.cells) != grid:
            return cell_means(self.field, grid)
        if any(m % n for n, m in zip(grid.cells, source.cells, strict=True)):
            return cell_means(self.field, grid)
        return coarsened(values if self.field.means else means_of(values, source), grid.cells)


@dataclass(frozen=True, eq=False)
class Start:
    """A density before the first step: as it was given, as a function, and as the discretisation holds it."""

    initial: Initial
    function: Callable[[Array], Array]
    discretisation: Discretisation
    values: Array
    mass: float

    def check(self, largest: float, expected: float | None) -> None:
        """Raise ValueError for what is no density, what the box cuts off, and what has another mass; say what would help.

        `largest` is the share of the mass allowed in the outermost cells of far walls, `expected` the mass that the start
        must have up to `LARGEST_LOSS`, None for any.
        """
        grid = self.discretisation.grid
        means = isinstance(self.discretisation, FiniteVolume)
        values = self.values if means else together(grid, lambda: np.asarray(self.function(grid.points)))
        size = float(np.max(everywhere(grid, float(np.abs(values).max(initial=0.0)))))
        rounding = np.abs(values) < 1e-15 * size  # from centres back to means, in far tails
        here = np.where(rounding, np.abs(values), values)
        known = size == 0 or np.any(here)  # some processes may have cells without mass
        if expected is not None or size != 0:  # what is fed may begin with nothing
            together(grid, lambda: check_density(here, grid) if known else None)
        share = wall_share(self.discretisation, self.values) if reaches_infinity(self.discretisation) else 0.0
        off = 0.0 if expected is None else abs(self.mass - expected) / expected
        if share <= largest and off <= LARGEST_LOSS:
            self._warn_of_what_is_far(off)
            return
        cut = self._sticks_out()
        if cut or share > largest:
            raise ValueError(
                f"the initial density reaches the wall of [{corner(grid.lower)}] × [{corner(grid.upper)}]: {share:.2g} "
                f"of its mass in the outermost cells (allowed {largest:.0e}), its integral {self.mass:.4g}; "
                + self._box(largest)
            )
        raise ValueError(
            f"the initial density has mass {self.mass:.4g} on {grid.cells} cells, expected {expected:g}; "
            + self._cure(expected or 1.0)
        )

    def _warn_of_what_is_far(self, off: float) -> None:
        """Warn of mass so far outside that a ladder, which looks into a box half as wide again, cannot see it."""
        grid = self.discretisation.grid
        if not isinstance(self.initial, Density) or not isinstance(grid, CartesianGrid) or off < FAINT:
            return
        lower, upper = map(np.asarray, self.initial.box(1 - 1e-6))
        if not _beyond(lower, upper, _widened(grid, SEEN)):
            return
        middle = 0.5 * (np.asarray(grid.lower) + np.asarray(grid.upper))
        far = float(np.sqrt(np.sum(np.where(grid.periodic, 0, np.maximum(middle - lower, upper - middle)) ** 2)))
        warnings.warn(
            f"{off:.1e} of the law lies outside the box, as far as from ({corner(lower)}) to ({corner(upper)}): it is in "
            f"`leak` and in no mean, of |x|² up to {off * far**2:.1e}; take a box that holds it",
            UserWarning,
            stacklevel=4,
        )

    def _sticks_out(self) -> bool:
        if not isinstance(self.initial, Density) or not isinstance(self.discretisation.grid, CartesianGrid):
            return False
        lower, upper = self.initial.box(1 - LARGEST_LOSS)
        return _beyond(lower, upper, self.discretisation.grid) and self.mass < 1 - LARGEST_LOSS

    def _box(self, largest: float) -> str:
        grid = self.discretisation.grid
        if isinstance(self.initial, Density):
            lower, upper = map(np.asarray, self.initial.box(1 - 1e-9))
            if isinstance(grid, CartesianGrid) and not _beyond(lower, upper, grid):
                return f"the box holds the law, its outermost cells of {corner(_widths(grid))} are too wide: more cells"
            lower, upper = between_real_walls(self.discretisation, lower, upper)
            return f"a box from ({corner(lower)}) to ({corner(upper)}) would do"
        found = box_that_does(self.function, grid, largest) if isinstance(grid, CartesianGrid) else None
        if found is None:
            return (
                f"no box up to {GROWTH[-1]:g} times as wide would do, its tails are too heavy for far walls: "
                "take walls='reflecting' (they are real), or a larger largest_wall_mass"
            )
        lower, upper = between_real_walls(self.discretisation, np.asarray(found.lower), np.asarray(found.upper))
        return f"a box from ({corner(lower)}) to ({corner(upper)}) would do"

    def _cure(self, expected: float) -> str:
        if isinstance(self.initial, Density):
            lower, upper = map(np.asarray, self.initial.box(0.9))
            return (
                f"9/10 of the law lie from ({corner(lower)}) to ({corner(upper)}), which cells of "
                f"({corner(_widths(self.discretisation.grid))}) do not resolve: take more cells, or FiniteVolume"
            )
        return (
            f"divide it by {self.mass / expected:.6g} if it is not normalised, or take more cells if it is; "
            "for an unknown that is no probability say mass=None"
        )


def box_that_does(function: Callable[[Array], Array], grid: CartesianGrid, largest: float) -> CartesianGrid | None:
    """Return a wider box, as many cells on it, in whose outermost ones a function has at most `largest` of ∫|.|.

    The next wider box must not hold more. None if there is no such box, or the function is not finite there.
    """
    last: CartesianGrid | None = None
    for factor in GROWTH:
        wide = _widened(grid, factor)
        with np.errstate(all="ignore"):
            values = np.abs(np.asarray(function(wide.points)))
        if values.shape != grid.cells or not np.isfinite(values).all():
            return None
        if last is not None:
            beyond = np.any((wide.points < last.lower) | (wide.points > last.upper), axis=-1)
            if float(wide.integrate(values * beyond)) <= LARGEST_LOSS * float(wide.integrate(values)):
                return last
        last = wide if wide.outer_share(values) <= largest else None
    return None


def _widened(grid: CartesianGrid, factor: float) -> CartesianGrid:
    ends = zip(grid.lower, grid.upper, grid.periodic, strict=True)
    pads = [0.0 if periodic else 0.5 * (factor - 1) * (b - a) for a, b, periodic in ends]
    lower = tuple(a - pad for a, pad in zip(grid.lower, pads, strict=True))
    return replace(grid, lower=lower, upper=tuple(b + pad for b, pad in zip(grid.upper, pads, strict=True)))


def needed_box(values: Array, grid: Domain) -> tuple[Array, Array]:
    """Return mean ± 7 standard deviations per axis, a Gaussian's mass up to 3e-12; if that is here, half as wide again."""
    mass = np.abs(values)[..., None] / float(grid.integrate(np.abs(values)))
    mean = grid.integrate(mass * grid.points)
    deviation = np.sqrt(grid.integrate(mass * (grid.points - mean) ** 2))
    lower, upper = np.asarray(grid.lower), np.asarray(grid.upper)
    pad = 0.25 * (upper - lower)
    if not _beyond(mean - 7 * deviation, mean + 7 * deviation, grid):
        return lower - pad, upper + pad
    return np.minimum(mean - 7 * deviation, lower), np.maximum(mean + 7 * deviation, upper)


def between_real_walls(discretisation: Discretisation, lower: Array, upper: Array) -> tuple[Array, Array]:
    """Return the corners of a box with those ends that are real walls, or seams, of a grid left where they are."""
    grid, sides = discretisation.grid, getattr(discretisation, "sides", None)
    if not isinstance(grid, CartesianGrid):
        return lower, upper
    far = sides.far if isinstance(sides, Sides) else [(a, s) for a in range(grid.dimension) for s in (0, 1)]
    ends = np.array([lower, upper], dtype=float)
    for axis in range(grid.dimension):
        for side, own in enumerate((grid.lower, grid.upper)):
            if (axis, side) not in far or grid.periodic[axis]:
                ends[side, axis] = own[axis]
    return ends[0], ends[1]


def _beyond(lower: Array, upper: Array, grid: Any) -> bool:
    """Say whether a box reaches beyond a wall that is not periodic."""
    periodic = np.asarray(grid.periodic or (False,) * len(lower), dtype=bool)
    return bool(np.any(((lower < grid.lower) | (upper > grid.upper)) & ~periodic))


def _widths(grid: Any) -> Array:
    return np.asarray(grid.spacing) if isinstance(grid, CartesianGrid) else np.array([])


def corner(numbers: Any) -> str:
    """Return numbers as a message says them."""
    return ", ".join(f"{x:.3g}" for x in numbers)
