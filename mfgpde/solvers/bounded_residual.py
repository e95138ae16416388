"""‖r‖₁ bounded on every cell in space and time, not sampled: r is a polynomial there, and its square is summed exactly.

By Cauchy and Schwarz ∫_K|r| ≤ (|K| ∫_K r²)^½, and Gauss's rule is exact for r² where its points outnumber the degree of r.
What keeps r from being a polynomial is bounded: coefficients that are none (`enclosed`), a trigonometric expansion.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import factorial
from typing import Any

import numpy as np

from mfgpde.core.arrays import Array, require_host_memory
from mfgpde.core.taylor import NotEnclosed
from mfgpde.densities import GaussianMixture
from mfgpde.discretisations import Field, FiniteVolume, Spectral
from mfgpde.equations import Continuity
from mfgpde.solvers.enclosed import (
    STEP,
    WITH_PLACES,
    Boxes,
    Rests,
    affine,
    degree_in_time,
    lebesgue,
    moves,
    product_density,
    rests,
    start_rest,
)
from mfgpde.solvers.hermite import InTime, largest_between, rule
from mfgpde.solvers.initial import initial_function
from mfgpde.solvers.reconstruction import (
    CUT,
    DEGREE,
    FALL,
    Panels,
    Reconstruction,
    coefficients,
    outer,
    squared_distance,
    weights_of_square,
)
from mfgpde.solvers.wall_flux import Face

WIDE, CURVED_WIDE = 16, 8
"""cells of a panel on which an expansion is seen as a polynomial: with affine drifts, and with others"""
LEAST, MOST = 3, 80
"""points of such a panel"""
AIM = 1e-11
"""of the mass: what points may leave out of starts and distances, at least"""
LEFT = 0.01
"""of what a second solve may owe: what they may leave out of start, distance and residual, which is in the bound"""
ALL_LEFT = 1e-5
"""of the mass, at most: of what is left out where much is owed, bounds of residuals make some thousand times as much"""
CURVED = 5
"""degree to which a drift is one on a cell, where it is not affine"""
START = (4, 6, 8, 10, 12, 16)
"""points a cell at which starts are looked at: the first that leave out little enough"""
FINE = 12
"""points a cell at which means are taken"""


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
    """what polynomials leave of the coefficients in each span of time"""
    aim: float = np.inf
    """what it may owe"""

    @classmethod
    def of(cls, equation: Any, space: Any, parts: Sequence[InTime], aim: float) -> BoundedResidual:
        """Return it, for fields in time, and how much it may owe.

        Raises NotEnclosed where coefficients are known by their values alone.
        """
        degree = 1 if affine(equation) else CURVED
        in_time = degree_in_time(equation, [one.span for one in parts], within(space.grid), aim)
        sizes = _residual_sizes(equation, space, parts, in_time)
        panels = tuple(panels_of(space, axis, degree, sizes, left_out(aim)) for axis in range(space.grid.dimension))
        points = int(np.prod([int(one.nodes.sum()) for one in panels]))
        require_host_memory(8 * points * (3 * len(panels) + 12), f"residuals at {points} points")
        slices, boxes = max(2, WITH_PLACES // len(parts)), _boxes(panels)
        some = parts if moves(equation) else parts[:1]  # of coefficients that stay all spans have the same
        left = tuple(rests(equation, one.span, boxes, degree, in_time, slices) for one in some)
        left = left if len(left) == len(parts) else left * len(parts)
        return cls(equation, space, degree, in_time, Reconstruction.on(space, panels), panels, left, aim)

    def integral(self, work: Any, parts: Sequence[InTime]) -> tuple[float, float, float]:
        """Return bounds of ∫∫|r|, of ∫∮|F·n| over real walls, and of ∫∫|x|²|r|."""
        inside = wall = wide = moment = 0.0
        far, most = weights_of_square(self.panels), float(squared_distance(self.panels).max())
        volume = outer([one.lengths for one in self.panels])
        faces = list(Face.of(self.space, self.panels)) if self.space.walls == "reflecting" else []
        for part, left in zip(parts, self.left, strict=True):
            # in s the residual and its factor dt/ds are a polynomial of degree nodes − 1: its square is summed exactly
            at, weight = rule(part.span.degree + self.in_time + part.span.power)
            sums, roots = np.zeros(self.at.weights.shape), _Roots(left, self.at)
            for face in faces:
                face.begin()
            values, rates = part.at(at)
            times, slopes = part.span.time(at), part.span.slope(at)
            seen = self.at.all(values) if self.at.several else None
            found = work.lefts(self.at, values, rates, times, seen)
            shares = weight * slopes**2
            if seen is not None:  # all times at once
                sums = shares @ np.stack(list(found)) ** 2
                roots.add(shares, lambda _, seen=seen: seen, values)
            else:
                for u, left_over, share in zip(values, found, shares.tolist(), strict=True):
                    sums += share * left_over**2
                    roots.add(share, self.at.all, u)
            for face in faces:
                for u, t, share in zip(values, times.tolist(), shares.tolist(), strict=True):
                    face.add(work, share, u, t)
            rest = 2 * roots.total
            each = np.sqrt(volume) * (np.sqrt(self.at.over_panels(sums)) + rest)
            inside, moment = inside + float(np.sum(each)), moment + float(np.sum(each * far))
            wide += float(np.sum(np.sqrt(volume) * rest))
            beyond = self._expansion(work, values, rates, times, slopes)
            inside, moment = inside + beyond, moment + beyond * most
            wall += sum(face.total(1.0, left) for face in faces)
        if wide > max(self.aim, 0.5 * inside):
            raise NotEnclosed(f"the coefficients' derivatives are too large in intervals: they would add {wide:.1e}")
        return inside, wall, moment

    def _expansion(self, work: Any, values: Array, rates: Array, times: Array, slopes: Array) -> float:
        """Return what an expansion adds that is no polynomial in space; zero for splines.

        Twice: in ∫|r| itself, and in the sums of squares. Between the points in time, at which coefficients are looked at,
        both they and what multiplies them may be larger by Lebesgue's constant.
        """
        if isinstance(self.space, FiniteVolume):
            return 0.0
        value, along, bend = trigonometric(self.space, Sizes.of(self.space, values), self.panels, self.degree)
        moving = rates * slopes.reshape(-1, *[1] * (rates.ndim - 1))
        total = trigonometric(self.space, Sizes.of(self.space, moving), self.panels, self.degree)[0]
        looks = times if self.equation.time_dependent else times[:1]
        b, c, D = work.largest(self.at, looks)
        total += float(slopes.max()) * (float(b @ np.array(along)) + c * value + D * bend)
        measure = float(outer([one.lengths for one in self.panels]).sum())
        return 2 * measure * total * largest_between(len(times)) ** 2

    def start(self, initial: Any, equation: Any, first: Array) -> tuple[float, float]:
        """Return bounds of ∫|p_h(0) − p_0| and of ∫|x|²|p_h(0) − p_0|, what is outside far walls included.

        NotEnclosed for starts without formula. The second is infinite where the second moment of the start is not known.
        """
        if isinstance(initial, Field):
            return 0.0, np.inf
        grid = self.space.grid
        if any(grid.periodic) and isinstance(initial, GaussianMixture):
            raise NotEnclosed("a mixture that is wrapped along an axis")
        sizes = Sizes.of(self.space, first[None])
        fine, volume, left, rest = (), np.zeros(0), np.zeros(0), np.inf
        for nodes in START:
            fine = tuple(Panels(edges, np.full(len(edges) - 1, nodes)) for edges in grid.edges)
            volume = outer([one.lengths for one in fine])
            left = np.broadcast_to(start_rest(initial, _boxes(fine), [nodes - 1] * len(fine)), volume.shape)
            rest = (
                2 * float(np.sum(volume * left)) + 2 * float(volume.sum()) * trigonometric(self.space, sizes, fine)[0]
            )
            if rest < left_out(self.aim):
                break
        at = Reconstruction.on(self.space, fine, 0)
        if isinstance(initial, GaussianMixture):
            true = product_density(initial, at.places)
        else:
            true = np.asarray(initial_function(equation, initial, grid)(at.points))
        each, far = np.sqrt(volume * at.squares(at.value(first) - true)), squared_distance(fine)
        off, moment = float(np.sum(each)) + rest, np.inf
        weights = true * at.weights
        mass = float(np.sum(weights)) - 2 * float(np.sum(volume * left))
        if isinstance(initial, GaussianMixture):
            whole = float(
                initial.weights @ (np.sum(initial.means**2, axis=1) + np.trace(initial.covariances, axis1=1, axis2=2))
            )
            held = sum(
                float(np.tensordot(weights, x**2, axes=(axis, 0)).sum()) for axis, x in enumerate(at.places)
            ) - 2 * float(np.sum(volume * left * far))
            moment = float(np.sum(each * weights_of_square(fine))) + rest * float(far.max()) + max(0.0, whole - held)
        return off + (max(0.0, 1.0 - mass) if self.space.walls == "far" and not all(grid.periodic) else 0.0), moment


def left_out(aim: float) -> float:
    """Return what points may leave out beside what a second solve may owe: it is in the bound."""
    return max(AIM, min(LEFT * aim, ALL_LEFT)) if np.isfinite(aim) else AIM


def _residual_sizes(equation: Any, space: Any, parts: Sequence[InTime], in_time: int) -> Sizes:
    """Return the coefficients of an expansion times what its residual makes of them, of splines nothing.

    They are those of ∂_t u, and of u as often as |b|k + |∇·b| + Dk² says over the whole time, and the derivatives of the
    fall at far walls, the coefficients at three times and all cells; and Lebesgue's constant squared, twice, as what is
    left out is counted.
    """
    if isinstance(space, FiniteVolume):
        return Sizes(np.zeros(0), [])
    fields, rates = (np.concatenate([getattr(one, name) for one in parts]) for name in ("values", "rates"))
    found, moving = Sizes.of(space, fields), Sizes.of(space, rates)
    field = equation.velocity if isinstance(equation, Continuity) else equation.drift
    begin, end = parts[0].span.begin, parts[-1].span.end
    inside = [t + STEP * (end - begin) * sign for t, sign in ((begin, 1.0), (0.5 * (begin + end), 0.0), (end, -1.0))]
    b = np.max([np.abs(field(space.grid.points, t)).reshape(-1, len(found.waves)).max(axis=0) for t in inside], axis=0)
    D = 0.0 if isinstance(equation, Continuity) else max(float(equation.diffusivity(t)) for t in inside)
    over = [
        0.0 if periodic or space.walls != "far" else 1 / (CUT * h)
        for h, periodic in zip(space.grid.spacing, space.grid.periodic, strict=True)
    ]
    carried = sum((k + 1.5 * cut) * float(one) for one, k, cut in zip(b, found.waves, over, strict=True))
    spread = D * sum(k**2 + 3 * cut * k + 6 * cut**2 for k, cut in zip(found.waves, over, strict=True))
    narrow = float(np.sum(b / np.array(space.grid.lengths)))  # as a slope of the drift
    grows = (end - begin) * (carried + narrow + spread)
    between = 2 * largest_between(parts[0].span.degree + in_time + 2) ** 2
    return Sizes(between * (moving.sizes + grows * found.sizes), found.waves, found.measure)


@dataclass(frozen=True, eq=False)
class Sizes:
    """The largest coefficients of expansions, and their wave numbers; of splines nothing."""

    sizes: Array
    waves: list[Array]
    measure: float = 0.0
    """of the box"""

    @classmethod
    def of(cls, space: Any, fields: Array) -> Sizes:
        """Return those of fields (n, *cells)."""
        return (
            cls(np.zeros(0), [])
            if isinstance(space, FiniteVolume)
            else cls(*coefficients(space, fields), float(np.prod(space.grid.lengths)))
        )


def panels_of(space: FiniteVolume | Spectral, axis: int, degree: int, sizes: Sizes | None, aim: float = AIM) -> Panels:
    """Return the panels of an axis: cells for splines, several for an expansion, those of the cut apart."""
    edges, n = space.grid.edges[axis], space.grid.cells[axis]
    cut = CUT if space.walls == "far" and not space.grid.periodic[axis] else 0
    if isinstance(space, FiniteVolume):
        nodes = np.full(n, DEGREE + degree)  # of the spline DEGREE − 1, and one more than the product's degree
        nodes[:cut] += FALL
        nodes[n - cut :] += FALL
        return Panels(edges, nodes)
    parts = max(1, round((n - 2 * cut) / (WIDE if degree <= 1 else CURVED_WIDE)))
    inner = np.linspace(cut, n - cut, parts + 1).round().astype(int)
    corners = np.unique(np.concatenate(([0], inner, [n])))
    lengths = np.diff(edges[corners])
    if sizes is None:
        return Panels(edges[corners], np.ones(len(lengths)))
    cells, which = np.unique(np.diff(corners), return_inverse=True)  # but for their rounding as long
    counts = (
        np.array([points_of(sizes, axis, 0.5 * n * float(lengths.max() / cells[-1]), aim) for n in cells])[which]
        + degree
    )
    if cut:
        counts[[0, -1]] += FALL
    return Panels(edges[corners], counts)


def points_of(sizes: Sizes, axis: int, half: float, aim: float) -> int:
    """Return how many points of a panel see the values of an expansion but for `aim`, of a mean over the panels."""
    wave = sizes.waves[axis].ravel() * half
    weight = sizes.sizes.sum(axis=tuple(k for k in range(sizes.sizes.ndim) if k != axis)) * sizes.measure
    n = np.arange(1, MOST)[:, None]
    left = 2 * np.cumprod(wave / (2 * n), axis=0) @ weight  # Σ weight waveⁿ/n!/2^(n − 1)
    few = np.flatnonzero(left[LEAST - 1 :] < aim)
    return LEAST + int(few[0]) if len(few) else MOST


def within(grid: Any) -> list[float]:
    """Return a place in a box that is no centre of symmetry."""
    return [0.7 * a + 0.3 * b for a, b in zip(grid.lower, grid.upper, strict=True)]


def _boxes(panels: Sequence[Panels]) -> Boxes:
    return Boxes(tuple(one.edges[:-1] for one in panels), tuple(one.edges[1:] for one in panels))


def trigonometric(
    space: Any, found: Sizes, panels: Sequence[Panels], taken: int = 0, fall: bool = True
) -> tuple[float, list[float], float]:
    """Return how far expansions, their slopes and their Laplacians are from polynomials on panels, their `fall` included.

    Of Σ q̂ e^{ikx} on a half width H at most Σ|q̂| (kH)^(m+1)/(m+1)!/2^m, along each axis in turn; m is what the points of a
    panel see, less the degree that is `taken` by what multiplies it.
    """
    d = space.grid.dimension
    if isinstance(space, FiniteVolume):
        return 0.0, [0.0] * d, 0.0
    sizes, waves = found.sizes, found.waves
    square, factor = sum(k**2 for k in waves), 1.0
    value, slopes, bend = 0.0, [0.0] * d, 0.0
    for axis, one in enumerate(panels):
        cut = CUT if fall and space.walls == "far" and not space.grid.periodic[axis] else 0
        over = 1 / (CUT * space.grid.spacing[axis])
        worst = (0.0, [0.0] * d, 0.0)
        low, high = space.grid.edges[axis][[cut, -cut - 1]]
        middles = 0.5 * (one.edges[1:] + one.edges[:-1])
        falls = FALL * ((middles < low) | (middles > high)).astype(int)
        points, lengths = one.nodes - falls, one.lengths
        for n in np.unique(points):  # of panels with so many the longest leaves most
            degree, length = int(n) - 1 - taken, float(lengths[points == n].max())
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

    def __init__(self, left: Rests, at: Reconstruction) -> None:
        self.left, self.at = left, at
        self.sums: dict[str, Array] = {}

    def add(self, weights: float | Array, looked: Callable[[Array], Any], u: Array) -> None:
        """Add the squares at one time, or at many, of what is not multiplied by a polynomial."""
        if self.left.none:
            return
        value, slopes, bend = looked(u)
        for axis, one in enumerate(self.left.drift):
            if np.any(one):
                self._more(f"slope {axis}", weights, slopes[axis])
        if np.any(self.left.divergence):
            self._more("value", weights, value)
        if self.left.diffusivity:
            self._more("laplacian", weights, bend)

    def _more(self, name: str, weights: float | Array, values: Array) -> None:
        more = weights * values**2 if np.ndim(weights) == 0 else np.asarray(weights) @ values**2
        self.sums[name] = self.sums.get(name, 0.0) + more

    @property
    def total(self) -> Array | float:
        """The sum, panel by panel."""
        sizes = {"value": self.left.divergence, "laplacian": self.left.diffusivity}
        sizes |= {f"slope {axis}": one for axis, one in enumerate(self.left.drift)}
        found: Array | float = 0.0
        for name, values in self.sums.items():
            found = found + sizes[name] * np.sqrt(self.at.over_panels(values))
        return found
