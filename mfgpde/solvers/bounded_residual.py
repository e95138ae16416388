"""‖r‖₁ bounded on every cell in space and time, not sampled: r is a polynomial there, and its square is summed exactly.

By Cauchy and Schwarz ∫_K|r| ≤ (|K| ∫_K r²)^½, and Gauss's rule is exact for r² where its points outnumber the degree of r.
What keeps r from being a polynomial is bounded: coefficients that are none (`enclosed`), a trigonometric expansion.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import factorial
from typing import Any

import numpy as np

from mfgpde.core.arrays import Array, require_memory
from mfgpde.core.taylor import NotEnclosed
from mfgpde.densities import GaussianMixture
from mfgpde.discretisations import Field, FiniteVolume, Spectral
from mfgpde.solvers.enclosed import Boxes, Rests, affine, degree_in_time, lebesgue, rests, start_rest
from mfgpde.solvers.hermite import HERMITE, hermite
from mfgpde.solvers.initial import initial_function
from mfgpde.solvers.reconstruction import CUT, DEGREE, FALL, Panels, Reconstruction, coefficients, walls

WIDE, SPARE = 8, 8
"""cells of a panel on which an expansion is seen as a polynomial, and points beyond three a cell"""
NARROW = 16
"""degree to which an expansion is one on the panels of the cut"""
GAUSS = 8.0
"""Lebesgue's constant of up to sixteen Gauss–Legendre points, from above"""
CURVED = 5
"""degree to which a drift is one on a cell, where it is not affine"""
FINE = 12
"""points a cell at which starts and distances of two solves are looked at"""


@dataclass(frozen=True, eq=False)
class BoundedResidual:
    """What bounds the integral of |r| of a reconstruction: panels, the degrees on them, and the boxes that they make."""

    equation: Any
    space: Any
    degree: int
    """of the drift in x"""
    in_time: int
    at: Reconstruction
    panels: tuple[Panels, ...]
    left: tuple[Rests, ...]
    """what polynomials leave of the coefficients in each piece of time"""

    @classmethod
    def of(cls, equation: Any, space: Any, times: Array) -> BoundedResidual:
        """Return it. Raises NotEnclosed where coefficients are known by their values alone."""
        degree = 1 if affine(equation) else CURVED
        panels = tuple(_panels(space, axis, degree) for axis in range(space.grid.dimension))
        points = int(np.prod([int(one.nodes.sum()) for one in panels]))
        require_memory(np, 8 * points * (3 * len(panels) + 12), f"residuals at {points} points")
        middle = len(times) // 2
        span = float(times[middle - 1]), float(times[middle])
        in_time = degree_in_time(equation, span, _boxes(panels))
        spans = pairwise(map(float, times))
        left = tuple(rests(equation, one, _boxes(panels), degree, in_time) for one in spans)
        return cls(equation, space, degree, in_time, Reconstruction.on(space, panels), panels, left)

    @property
    def nodes(self) -> int:
        """Gauss points in time for which r² is summed exactly."""
        return HERMITE + self.in_time + 1

    def integral(self, work: Any, ends: Sequence[tuple[Array, Array]], times: Array) -> tuple[float, float]:
        """Return bounds of ∫∫|r| and of ∫∮|F·n| over real walls."""
        at, weight = np.polynomial.legendre.leggauss(self.nodes)
        inside = wall = 0.0
        volume = _outer([one.lengths for one in self.panels])
        measure = float(volume.sum())
        faces = list(_Face.of(self.space, self.panels)) if self.space.walls == "reflecting" else []
        for k, ((a, b), left) in enumerate(zip(pairwise(map(float, times)), self.left, strict=True)):
            sums, roots, beyond = np.zeros(volume.shape), _Roots(left, volume.shape), 0.0
            for face in faces:
                face.begin()
            for share, w in zip(0.5 * (at + 1), 0.5 * weight * (b - a), strict=True):
                t = a + share * (b - a)
                u, rate = hermite(ends, times, k, t)
                sums += w * self.at.squares(work.left(self.at, u, rate, t))
                roots.add(w, self.at, u)
                beyond = max(beyond, self._expansion(work, u, rate, t))
                for face in faces:
                    face.add(work, w, u, t)
            span = np.sqrt((b - a) * volume)
            inside += float(np.sum(span * (np.sqrt(sums) + 2 * roots.total)))
            inside += 2 * (b - a) * measure * beyond * GAUSS**2  # in time, for the expansion and for what multiplies it
            wall += sum(face.total(b - a, left) for face in faces)
        return inside, wall

    def _expansion(self, work: Any, u: Array, rate: Array, t: float) -> float:
        """Return how far the residual of an expansion is from one of polynomials, at one time; zero for splines."""
        if isinstance(self.space, FiniteVolume):
            return 0.0
        value, slopes, bend = _trigonometric(self.space, u, self.panels, self.degree)
        b, c, D = work.coefficients(self.at, t)
        moved, _, _ = _trigonometric(self.space, rate, self.panels, self.degree)
        sizes = [float(np.abs(b[..., k]).max()) for k in range(b.shape[-1])]
        return (
            moved + sum(x * y for x, y in zip(sizes, slopes, strict=True)) + float(np.abs(c).max()) * value + D * bend
        )

    def start(self, initial: Any, equation: Any, first: Field) -> float:
        """Return a bound of ∫|p_h(0) − p_0|, mass outside far walls included; NotEnclosed for starts without formula."""
        if isinstance(initial, Field):
            return 0.0
        if any(self.space.grid.periodic) and isinstance(initial, GaussianMixture):
            raise NotEnclosed("a mixture that is wrapped along an axis")
        fine, at, degrees = self._fine()
        left = np.broadcast_to(start_rest(initial, _boxes(fine), degrees), tuple(len(one.lengths) for one in fine))
        volume = _outer([one.lengths for one in fine])
        true = np.asarray(initial_function(equation, initial, self.space.grid)(at.points))
        off = float(np.sum(np.sqrt(volume * at.squares(at.value(first.values) - true)) + 2 * volume * left))
        off += 2 * float(volume.sum()) * _trigonometric(self.space, first.values, fine)[0]
        mass = float(np.sum(true * at.weights)) - 2 * float(np.sum(volume * left))
        return off + (max(0.0, 1.0 - mass) if self.space.walls == "far" and not all(self.space.grid.periodic) else 0.0)

    def apart(self, second: Array, other: Any, first: Array) -> float:
        """Return a bound of the distance of the reconstructions of two solves."""
        fine, at, _ = self._fine()
        gap = at.value(second) - Reconstruction.on(other, fine).value(first)
        volume = _outer([one.lengths for one in fine])
        rest = sum(_trigonometric(space, u, fine)[0] for space, u in ((self.space, second), (other, first)))
        return float(np.sum(np.sqrt(volume * at.squares(gap)))) + 2 * float(volume.sum()) * rest

    def _fine(self) -> tuple[tuple[Panels, ...], Reconstruction, list[int]]:
        """Return panels of one cell, the reconstruction on them, and the degree that their points see."""
        edges = self.space.grid.edges
        panels = tuple(Panels(e, np.full(len(e) - 1, FINE)) for e in edges)
        return panels, Reconstruction.on(self.space, panels), [FINE - 1] * len(panels)


def _panels(space: FiniteVolume | Spectral, axis: int, degree: int) -> Panels:
    """Return the panels of an axis: cells for splines, several for an expansion, those of the cut with more points."""
    edges, n = space.grid.edges[axis], space.grid.cells[axis]
    cut = CUT if space.walls == "far" and not space.grid.periodic[axis] else 0
    if isinstance(space, FiniteVolume):
        nodes = np.full(n, DEGREE + degree)  # of the spline DEGREE − 1, and one more than the product's degree
        nodes[:cut] += FALL
        nodes[n - cut :] += FALL
        return Panels(edges, nodes)
    inner = list(range(cut, n - cut, WIDE))
    corners = ([0] if cut else []) + inner + ([n - cut, n] if cut else [n])
    counts = [3 * (b - a) + SPARE + degree for a, b in zip(corners[:-1], corners[1:], strict=True)]
    if cut:
        counts[0] = counts[-1] = NARROW + FALL + degree + 1
    return Panels(edges[corners], np.array(counts))


def _boxes(panels: Sequence[Panels]) -> Boxes:
    return Boxes(tuple(one.edges[:-1] for one in panels), tuple(one.edges[1:] for one in panels))


def _outer(lengths: Sequence[Array]) -> Array:
    found = lengths[0]
    for one in lengths[1:]:
        found = np.multiply.outer(found, one)
    return found


def _trigonometric(space: Any, u: Array, panels: Sequence[Panels], taken: int = 0) -> tuple[float, list[float], float]:
    """Return how far an expansion, its slopes and its Laplacian are from polynomials on panels, the cut included.

    Of Σ q̂ e^{ikx} on a half width H at most Σ|q̂| (kH)^(m+1)/(m+1)!/2^m, along each axis in turn; m is what the points of a
    panel see, less the degree that is `taken` by what multiplies it.
    """
    d = space.grid.dimension
    if isinstance(space, FiniteVolume):
        return 0.0, [0.0] * d, 0.0
    sizes, waves = coefficients(space, u)
    square, factor = sum(k**2 for k in waves), 1.0
    value, slopes, bend = 0.0, [0.0] * d, 0.0
    for axis, one in enumerate(panels):
        cut = CUT if space.walls == "far" and not space.grid.periodic[axis] else 0
        over = 1 / (CUT * space.grid.spacing[axis])
        worst = (0.0, [0.0] * d, 0.0)
        inside = {(int(n), float(h)) for n, h in zip(one.nodes, one.lengths, strict=True)}
        for n, length in inside:
            degree = n - 1 - taken - (FALL if cut else 0)
            share = (waves[axis] * 0.5 * length) ** (degree + 1) / factorial(degree + 1) / 2.0**degree
            a, b = float(np.sum(sizes * share)), [float(np.sum(sizes * share * wave)) for wave in waves]
            c = float(np.sum(sizes * share * square))
            if cut:  # χ and its derivatives, at most 1, 3/2 and 6 over the reach of the cut
                c += 3 * over * b[axis] + 6 * over**2 * a
                b[axis] += 1.5 * over * a
            worst = max(worst[0], a), [max(x, y) for x, y in zip(worst[1], b, strict=True)], max(worst[2], c)
        value, bend = value + factor * worst[0], bend + factor * worst[2]
        slopes = [x + factor * y for x, y in zip(slopes, worst[1], strict=True)]
        factor *= lebesgue(int(one.nodes.max()))
    return value, slopes, bend


class _Roots:
    """Σ E·‖q‖ over panels, E what polynomials leave of a coefficient and q what it multiplies."""

    def __init__(self, left: Rests, shape: tuple[int, ...]) -> None:
        self.left = left
        self.shape = shape
        self.sums: dict[str, Array] = {}

    def add(self, weight: float, at: Reconstruction, u: Array) -> None:
        """Add the squares at one time of what is not multiplied by a polynomial."""
        if self.left.none:
            return
        for axis, one in enumerate(self.left.drift):
            if np.any(one):
                self._more(f"slope {axis}", weight * at.squares(at.slopes(u)[axis]))
        if np.any(self.left.divergence):
            self._more("value", weight * at.squares(at.value(u)))
        if self.left.diffusivity:
            self._more("laplacian", weight * at.squares(at.laplacian(u)))

    def _more(self, name: str, values: Array) -> None:
        self.sums[name] = self.sums.get(name, 0.0) + values

    @property
    def total(self) -> Array:
        """The sum, panel by panel."""
        sizes = {"value": self.left.divergence, "laplacian": self.left.diffusivity}
        sizes |= {f"slope {axis}": one for axis, one in enumerate(self.left.drift)}
        found = np.zeros(self.shape)
        for name, values in self.sums.items():
            found = found + sizes[name] * np.sqrt(values)
        return found


class _Face:
    """A real wall: the flux through it, squared and summed over time on each panel along it."""

    def __init__(self, axis: int, side: int, space: Any, panels: Sequence[Panels]) -> None:
        self.axis, self.side, self.space = axis, side, space
        along = [one for k, one in enumerate(panels) if k != axis]
        self.rule = [one.rule for one in along]
        self.starts = [np.cumsum(one.nodes) - one.nodes for one in along]
        self.volume = _outer([one.lengths for one in along]) if along else np.ones(())
        places = [x for x, _ in self.rule]
        places.insert(axis, space.grid.edges[axis][[0, -1][side] : [1, None][side]])
        self.points = np.stack(np.meshgrid(*places, indexing="ij"), axis=-1).take(0, axis=axis)
        self.weights = _outer([w for _, w in self.rule]) if along else np.ones(())
        value, slope, _ = walls(space, axis)
        self.normal = value[side], slope[side]
        self.tables = Reconstruction.on(space, panels).tables
        self.begin()

    @classmethod
    def of(cls, space: Any, panels: Sequence[Panels]) -> Any:
        """Yield the real walls of a box."""
        for axis in range(space.grid.dimension):
            if not space.grid.periodic[axis]:
                yield from (cls(axis, side, space, panels) for side in (0, 1))

    def begin(self) -> None:
        """Forget the piece of time before."""
        self.sums, self.values, self.slopes = (np.zeros(self.volume.shape) for _ in range(3))

    def add(self, work: Any, weight: float, u: Array, t: float) -> None:
        """Add the squares at one time."""
        p, dp = (self._along(np.asarray(np.tensordot(row, u, axes=(0, self.axis)), float)) for row in self.normal)
        flux = work.drift_at(self.points, t)[..., self.axis] * p - work.diffusivity(t) * dp
        self.sums = self.sums + weight * self._squares(flux)
        self.values, self.slopes = self.values + weight * self._squares(p), self.slopes + weight * self._squares(dp)

    def total(self, span: float, left: Rests) -> float:
        """Return a bound of the integral of |F·n| over the wall and a piece of time."""
        off = float(np.max(left.drift[self.axis])) * np.sqrt(self.values) + left.diffusivity * np.sqrt(self.slopes)
        return float(np.sum(np.sqrt(span * self.volume) * (np.sqrt(self.sums) + 2 * off)))

    def _along(self, u: Array) -> Array:
        others = [table for k, table in enumerate(self.tables) if k != self.axis]
        for axis, table in enumerate(others):
            u = np.moveaxis(np.tensordot(table[0], u, axes=(1, axis)), 0, axis)
        return u

    def _squares(self, values: Array) -> Array:
        found = values**2 * self.weights
        for axis, starts in enumerate(self.starts):
            found = np.add.reduceat(found, starts.astype(int).tolist(), axis=axis)
        return found
