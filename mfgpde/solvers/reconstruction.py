"""A smooth function through a field on a grid, at points inside its cells: one matrix an axis and derivative.

Finite volumes: the derivative of the quintic spline through the cumulative integrals at the cells' edges, whose means are
those of the field. Spectral: the expansion. At far walls the function is brought to zero over the outermost two cells, so
that it is one on the whole space.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.fft import dct, idct
from scipy.interpolate import make_interp_spline

from mfgpde.core.arrays import Array
from mfgpde.discretisations import Discretisation, FiniteVolume, Spectral
from mfgpde.grids import CartesianGrid
from mfgpde.solvers.hermite import gauss
from mfgpde.solvers.line_splines import LineSplines, at_ends
from mfgpde.solvers.line_waves import LineWaves, powers

CUT = 2
"""cells at a far wall over which a reconstruction falls to zero"""
FALL = 3
"""the degree of that fall"""
DEGREE = 5
"""of splines through integrals, one more than that of densities"""

BLOCK = 1 << 13
"""scattered points that are looked at together"""

type Tables = tuple[Array, ...]
"""values, and where they are asked for slopes and curvatures, at points along an axis, from the numbers of its cells"""


@dataclass(frozen=True)
class Panels:
    """Intervals of an axis, between successive edges, and the number of Gauss points in each."""

    edges: Array
    nodes: Array

    @property
    def lengths(self) -> Array:
        """The lengths of the panels."""
        return np.diff(self.edges)

    @property
    def rule(self) -> tuple[Array, Array]:
        """Points and weights, panel after panel."""
        middles, halves = 0.5 * (self.edges[1:] + self.edges[:-1])[:, None], 0.5 * self.lengths[:, None]
        if self.nodes[0] > 0 and np.all(self.nodes == self.nodes[0]):
            x, w = gauss(int(self.nodes[0]))
            return (middles + halves * x).ravel(), (halves * w).ravel()
        starts, total = np.cumsum(self.nodes) - self.nodes, int(np.sum(self.nodes))
        places, weights = np.empty(total), np.empty(total)
        for n in np.unique(self.nodes[self.nodes > 0]):
            (x, w), some = gauss(int(n)), self.nodes == n
            here = starts[some, None] + np.arange(n)
            places[here], weights[here] = middles[some] + halves[some] * x, halves[some] * w
        return places, weights


@dataclass(frozen=True, eq=False)
class Reconstruction:
    """The points where a function is looked at, their weights as a product along the axes, and the tables of each axis."""

    space: FiniteVolume | Spectral
    derivatives: int
    fall: bool
    """to zero at far walls"""
    places: tuple[Array, ...]
    """where they look along each axis"""
    weights: Array
    starts: tuple[Array, ...]
    """where the points of each panel begin, by axis"""

    @cached_property
    def tables(self) -> tuple[Tables, ...]:
        """The tables of each axis."""
        return tuple(_tables(self.space, k, x, self.derivatives, self.fall) for k, x in enumerate(self.places))

    @cached_property
    def points(self) -> Array:
        """The points (*n, d)."""
        return np.stack(np.meshgrid(*self.places, indexing="ij"), axis=-1)

    @classmethod
    def of(cls, space: Discretisation, nodes: int, derivatives: int = 2, apart: int = 1) -> Reconstruction:
        """Return the reconstruction at `nodes` Gauss points a cell and axis, in every cell that is `apart` from the last.

        Raises TypeError for other discretisations.
        """
        cells = tuple(
            Panels(edges, np.where((np.arange(len(edges) - 1) - apart // 2) % apart == 0, nodes, 0))
            for edges in space.grid.edges
        )
        return cls.on(space, cells, derivatives)

    @classmethod
    def on(
        cls, space: Discretisation, panels: Sequence[Panels], derivatives: int = 2, fall: bool = True
    ) -> Reconstruction:
        """Return the reconstruction, and as many derivatives, at Gauss points of panels, one sequence an axis.

        Without its `fall` at far walls, if that is not wanted.
        """
        if not isinstance(space, FiniteVolume | Spectral):
            raise TypeError(f"fields of {type(space).__name__} have no reconstruction; take FiniteVolume or Spectral")
        places, weights = zip(*(one.rule for one in panels), strict=True)
        starts = tuple(np.cumsum(one.nodes) - one.nodes for one in panels)
        return cls(space, derivatives, fall, places, reduce(np.multiply.outer, weights), starts)

    def together(self, other: Reconstruction) -> Reconstruction:
        """Return one that looks on a line at the points of both, those of the other last."""
        (x,), (more,), (starts,), (begin,) = self.places, other.places, self.starts, other.starts
        weights = np.concatenate((self.weights, other.weights))
        return replace(
            self, places=(np.concatenate((x, more)),), weights=weights, starts=(np.append(starts, begin + len(x)),)
        )

    @property
    def several(self) -> bool:
        """Whether many fields (m, n) are looked at as one is."""
        return self._line is not None

    @cached_property
    def _line(self) -> LineSplines | LineWaves | None:
        """What takes the place of tables on a line with two ends, whose rows are as long as the line."""
        grid = self.space.grid
        if grid.dimension > 1 or grid.periodic[0]:
            return None
        own = grid.cells[0], grid.lower[0], grid.upper[0]
        (x,), volumes = self.places, isinstance(self.space, FiniteVolume)
        found = (
            LineSplines.of(*own, x, self.derivatives, DEGREE) if volumes else LineWaves.of(*own, x, self.derivatives)
        )
        if not (self.fall and _falls(self.space, 0)):
            return found
        near, *some = _fall(grid, 0, x)
        factors = np.ones(len(x)), np.zeros(len(x)), np.zeros(len(x))
        for whole, part in zip(factors, some, strict=True):
            whole[near] = part
        return found.cut(factors)

    def value(self, u: Array) -> Array:
        """Return u at the points."""
        if self._line is not None:
            return self._line(u, 0)[0]
        for axis, tables in enumerate(self.tables):
            u = _along(tables[0], u, axis)
        return u

    def integral(self, f: Callable[[Array], Array], u: Array) -> float:
        """Return ∫f u by the points."""
        return float(np.sum(np.asarray(f(self.points)) * self.value(u) * self.weights))

    def all(self, u: Array) -> tuple[Array, list[Array], Array]:
        """Return u, ∂_i u and Δu at the points; what tables of the first axes make is made once."""
        if self._line is not None:
            value, slope, bend = self._line(u)
            return value, [slope], bend
        made: dict[tuple[int, ...], Array] = {(): u}
        for axis, tables in enumerate(self.tables):
            made = {
                (*done, k): _along(tables[k], part, axis)
                for done, part in made.items()
                for k in ((0,) if any(done) else (0, 1, 2))
            }
        d = u.ndim
        single = [[tuple(k * int(axis == other) for other in range(d)) for axis in range(d)] for k in (1, 2)]
        return made[(0,) * d], [made[one] for one in single[0]], reduce(np.add, [made[one] for one in single[1]])

    def pulled(self, u: Array, rate: Array, a: float, D: float) -> Array:
        """Return ∂_t u − ∇·(a x u) − DΔu at the points, ∂_t u from its `rate`: two products an axis, of one sum.

        Each axis takes v to Vv and w to Vw + (−a ∂x − D∂²)v, V the values; w ends as what is asked for, from w = ∂_t u.
        """
        value, found = u, rate
        for axis, (own, slope, bend) in enumerate(self.tables):
            change = -a * (self.places[axis][:, None] * slope + own) - D * bend
            found = _along(own, found, axis) + _along(change, value, axis)
            value = _along(own, value, axis) if axis < u.ndim - 1 else value
        return found

    def norm(self, values: Array) -> float:
        """Return ∫|values|, sampled."""
        return float(np.sum(np.abs(values) * self.weights))

    def squares(self, values: Array) -> Array:
        """Return ∫values² over each panel: exact for polynomials of a degree below the number of its points."""
        return self.over_panels(values**2)

    def over_panels(self, values: Array) -> Array:
        """Return the integral over each panel: exact for polynomials of a degree below twice the number of its points."""
        found = values * self.weights
        for axis, starts in enumerate(self.starts):
            found = np.add.reduceat(found, starts.tolist(), axis=axis)
        return found


def at_points(space: FiniteVolume | Spectral, u: Array, x: Array) -> Array:
    """Return the reconstruction of u at points (n, d) anywhere in the box."""
    found = np.empty(len(x))
    for begin in range(0, len(x), BLOCK):
        some = slice(begin, begin + BLOCK)
        part: Any = u
        for axis, values in enumerate(x[some].T):
            table = _tables(space, axis, values, 0)[0]
            part = table @ part.reshape(len(u), -1) if axis == 0 else np.einsum("pi,pi...->p...", table, part)
            part = part.reshape(len(values), *u.shape[axis + 1 :])
        found[some] = part
    return found


def _tables(space: FiniteVolume | Spectral, axis: int, x: Array, derivatives: int, fall: bool = True) -> Tables:
    """Return the tables of an axis at points along it."""
    grid = space.grid
    found = (_splines if isinstance(space, FiniteVolume) else _expansion)(grid, axis, x, derivatives)
    return _cut(found, grid, axis, x) if fall and _falls(space, axis) else found


def _falls(space: Any, axis: int) -> bool:
    """Say whether an axis ends at far walls."""
    return space.walls == "far" and not space.grid.periodic[axis]


def _along(table: Array, u: Array, axis: int) -> Array:
    """Return a table applied along an axis."""
    if axis == u.ndim - 1:
        return np.asarray(u @ table.T)
    rest = u.shape[axis + 1 :]
    found = np.matmul(table, u.reshape(*u.shape[: axis + 1], -1)) if axis else table @ u.reshape(len(u), -1)
    return found.reshape(*u.shape[:axis], len(table), *rest)


def outer(lengths: Sequence[Array]) -> Array:
    """Return the volumes of all products of intervals."""
    found = lengths[0]
    for one in lengths[1:]:
        found = np.multiply.outer(found, one)
    return found


def weights_of_square(panels: Sequence[Panels]) -> Array:
    """Return the root of the mean of |x|⁴ on each product of panels: by Cauchy and Schwarz that is what |x|² weighs."""
    found, squares = np.zeros([1] * len(panels)), np.zeros([1] * len(panels))
    for axis, one in enumerate(panels):
        shape, (a, b) = [-1 if k == axis else 1 for k in range(len(panels))], (one.edges[:-1], one.edges[1:])
        square = ((a**2 + a * b + b**2) / 3).reshape(shape)
        fourth = ((a**4 + a**3 * b + a**2 * b**2 + a * b**3 + b**4) / 5).reshape(shape)
        found, squares = found + 2 * squares * square + fourth, squares + square
    return np.sqrt(found)


def squared_distance(panels: Sequence[Panels]) -> Array:
    """Return the largest |x|² on each product of panels."""
    found = np.zeros([1] * len(panels))
    for axis, one in enumerate(panels):
        most = np.maximum(one.edges[1:] ** 2, one.edges[:-1] ** 2)
        found = found + most.reshape([-1 if k == axis else 1 for k in range(len(panels))])
    return found


def walls(space: FiniteVolume, axis: int) -> Tables:
    """Return the tables of an axis at its two ends."""
    if not space.grid.periodic[axis]:
        return tuple(at_ends(space.grid.cells[axis], space.grid.lower[axis], space.grid.upper[axis], DEGREE))
    return _splines(space.grid, axis, np.array([space.grid.lower[axis], space.grid.upper[axis]]))


def _splines(grid: CartesianGrid, axis: int, x: Array, derivatives: int = 2) -> Tables:
    n, h, periodic = grid.cells[axis], grid.spacing[axis], grid.periodic[axis]
    mass = np.concatenate((np.zeros((1, n)), h * np.cumsum(np.eye(n), axis=0)))
    mean = mass[-1] / (n * h)
    edges = grid.edges[axis]
    if periodic:
        mass = mass - np.outer(edges - edges[0], mean)
        mass[-1] = mass[0]
    spline = make_interp_spline(edges, mass, k=DEGREE, bc_type="periodic" if periodic else None)
    found = [spline(x, nu=k) for k in range(1, derivatives + 2)]
    return (found[0] + mean if periodic else found[0]), *found[1:]


def _expansion(grid: CartesianGrid, axis: int, x: Array, derivatives: int = 2) -> Tables:
    """Return the tables of an expansion: rows of waves, transformed as the cells' numbers would be."""
    n, side, start = grid.cells[axis], grid.lengths[axis], grid.lower[axis]
    if grid.periodic[axis]:
        k = 2 * np.pi * np.fft.fftfreq(n, grid.spacing[axis])
        wave = np.exp(1j * np.outer(x - grid.axes[axis][0], k))
        if n % 2 == 0:
            wave[:, n // 2] = np.cos((x - grid.axes[axis][0]) * k[n // 2])
        slope = np.where(np.arange(n) == n // 2, 0.0, 1j * k) if n % 2 == 0 else 1j * k
        factors = (np.ones(n), slope, -(k**2))[: derivatives + 1]
        return tuple(np.real(np.fft.fft(wave * factor, axis=1)) / n for factor in factors)
    k = np.pi / side * np.arange(n)
    scale = np.where(np.arange(n) == 0, np.sqrt(1 / n), np.sqrt(2 / n))
    wave = powers(np.pi / side * (x - start), n)
    rows = [scale * wave.real, -scale * k * wave.imag, -scale * k**2 * wave.real][: derivatives + 1]
    return tuple(idct(one, axis=1, norm="ortho") for one in rows)


def _cut(tables: Tables, grid: CartesianGrid, axis: int, x: Array) -> Tables:
    """Return the tables of χu; of the same arrays."""
    near, *factors = _fall(grid, axis, x)
    chi, slope, bend = (one[:, None] for one in factors)
    parts = [table[near] for table in tables]
    tables[0][near] = chi * parts[0]
    if len(tables) > 1:
        tables[1][near] = slope * parts[0] + chi * parts[1]
        tables[2][near] = bend * parts[0] + 2 * slope * parts[1] + chi * parts[2]
    return tables


def _fall(grid: CartesianGrid, axis: int, x: Array) -> tuple[NDArray[np.intp], Array, Array, Array]:
    """Return which points are near walls, and χ, χ′ and χ″ there, χ = s²(3 − 2s), s the distance over CUT cells."""
    reach = CUT * grid.spacing[axis]
    low, high = x - grid.lower[axis], grid.upper[axis] - x
    near = np.flatnonzero(np.minimum(low, high) < reach)
    side = (np.where(low < high, 1.0, -1.0) / reach)[near]
    s = np.clip(np.minimum(low, high)[near] / reach, 0.0, 1.0)
    return near, s**2 * (3 - 2 * s), 6 * s * (1 - s) * side, (6 - 12 * s) * side**2


def coefficients(space: Spectral, fields: Array) -> tuple[Array, list[Array]]:
    """Return the largest sizes of the coefficients of fields (n, *cells), and the wave numbers along each axis.

    Wave numbers are shaped to broadcast.
    """
    found, grid = np.asarray(fields), space.grid  # axes are all periodic, or none is
    waves, d = [], len(grid.cells)
    for axis, n in enumerate(grid.cells):
        shape = [-1 if other == axis else 1 for other in range(d)]
        if grid.periodic[axis]:
            found, k = np.fft.fft(found, axis=axis + 1) / n, 2 * np.pi * np.abs(np.fft.fftfreq(n, grid.spacing[axis]))
        else:
            scale = np.where(np.arange(n) == 0, np.sqrt(1 / n), np.sqrt(2 / n))
            found = dct(found, axis=axis + 1, norm="ortho") * scale.reshape(shape)
            k = np.pi / grid.lengths[axis] * np.arange(n)
        waves.append(k.reshape(shape))
    return np.abs(found).max(axis=0), waves
