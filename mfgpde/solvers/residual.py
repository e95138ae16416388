"""What an equation leaves of a reconstruction, at points: its norm, sampled, and what goes with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, reduce
from typing import Any

import numpy as np

from mfgpde.core.arrays import Array, require_host_memory
from mfgpde.core.time_structure import Break
from mfgpde.discretisations import Field, FiniteVolume, Spectral
from mfgpde.discretisations.spectral.systems import SpectralDensity
from mfgpde.equations import BackwardKolmogorov, Continuity, FokkerPlanck, Unknown, ViscousHamiltonJacobi
from mfgpde.grids import CartesianGrid
from mfgpde.processes import IsotropicProcess
from mfgpde.processes.own_drift import linear_process_of
from mfgpde.solvers.both_rules import BothRules
from mfgpde.solvers.bounded_residual import BoundedResidual
from mfgpde.solvers.hermite import InTime, rule
from mfgpde.solvers.initial import initial_function
from mfgpde.solvers.jumps import jump
from mfgpde.solvers.reconstruction import Reconstruction, walls
from mfgpde.solvers.singular import SURE, pole
from mfgpde.solvers.through_density import CURE

NODES = {1: 3, 2: 2, 3: 2}
"""Gauss points a cell and axis at which residuals are sampled, by dimension"""
DENSER = 2
"""times as many points, at which a sampled norm is looked at again"""
APART = 3
"""cells along each axis from one that is looked at again to the next"""
INSIDE = 1e-9
"""of a run: so far inside its ends drifts are looked at, which may grow beyond all there"""
BETWEEN = 16
"""breaks of a drift, between which jumps are looked for, about"""
STEP = 1e-3
"""of a cell, over which drifts are differenced"""


@dataclass(frozen=True, eq=False)
class Residual:
    """What the equation leaves of a reconstruction."""

    solution: Any
    space: Any
    nodes: int
    at: Reconstruction

    @classmethod
    def of(cls, solution: Any, space: Any, looked_at: bool = False, breaks: Sequence[Break] = ()) -> Residual:
        """Return it, once there is room, and the drift is `looked_at`, where it was not, also between its breaks.

        Raises TypeError for equations without contraction or maximum principle.
        """
        equation: Any = solution.equation
        known = (FokkerPlanck, Continuity, BackwardKolmogorov, ViscousHamiltonJacobi)
        if not isinstance(equation, known) or not isinstance(space, FiniteVolume | Spectral):
            raise TypeError(
                f"no bound from the residual of {type(equation).__name__} by {type(space).__name__}; there is one for "
                "FokkerPlanck, Continuity, BackwardKolmogorov and Hamilton–Jacobi equations on grids"
                + (f"; {CURE}" if getattr(equation, "unknown", None) in (Unknown.SCORE, Unknown.LOGARITHM) else "")
            )
        grid: CartesianGrid = space.grid
        if not all(grid.periodic) and space.walls not in ("far", "reflecting"):
            raise TypeError(
                f"errors are bounded where walls are far or reflecting all around, got walls={space.walls!r}"
            )
        density = isinstance(equation, FokkerPlanck | Continuity)
        if not density and not (all(grid.periodic) or isinstance(space, Spectral)):
            raise TypeError(
                f"{type(equation).__name__} has a bound on periodic axes, or by Spectral; got walls"
                + (f"; {CURE}" if getattr(equation, "unknown", None) is Unknown.LOGARITHM else "")
            )
        nodes = NODES[grid.dimension]
        room = 8 * (nodes * DENSER) ** grid.dimension * int(np.prod(grid.cells)) * (3 * grid.dimension + 8)
        require_host_memory(room, f"residuals at {nodes * DENSER} points a side of {grid.cells} cells")
        found = cls(solution, space, nodes, Reconstruction.of(space, nodes))  # pyright: ignore[reportArgumentType]
        if looked_at:
            return found
        if not isinstance(equation, ViscousHamiltonJacobi):
            found.check_finite()
        if density:
            found.check_jumps(breaks)
        return found

    @property
    def density(self) -> bool:
        """Whether the unknown is one, and its error is measured in L¹."""
        return isinstance(self.solution.equation, FokkerPlanck | Continuity)

    @property
    def name(self) -> str:
        """The norm."""
        return "L1" if self.density else "the largest value"

    @cached_property
    def _system(self) -> Any:
        return self.space.semidiscretise(self.solution.equation)

    def rates(self, fields: Array, times: Array) -> Array:
        """Return ∂_t of the scheme at the cells, of many fields (m, *cells), each at its time."""
        system = self._system
        if isinstance(system, SpectralDensity):
            return system.rates(fields, times)
        found = (system.rate(system.start(_Held(u)), float(t)) for u, t in zip(fields, times, strict=True))
        return np.stack([np.asarray(system.values(one)) for one in found])

    def _norm(self, at: Reconstruction, left: Array) -> float:
        """Return the norm of the residual."""
        return at.norm(left) if self.density else float(np.abs(left).max())

    def missed(self, parts: Sequence[InTime]) -> float:
        """Return what the polynomials in time miss of the scheme's own rate, at the cells and a few times between."""
        total, volume = 0.0, self.space.grid.volume
        for part in parts:
            stored = part.span.shares
            at = 0.5 * (stored[1:] + stored[:-1])[[0, len(stored) // 2, -1]]
            values, rates = part.at(at)
            off = np.abs(rates - self.rates(values, part.span.time(at))).reshape(len(at), -1).sum(axis=1)
            total += float(np.max(off * part.span.slope(at))) * volume
        return total

    def bounded(self, parts: Sequence[InTime], aim: float) -> BoundedResidual:
        """Return what bounds the norm of the residual on cells; NotEnclosed where it can be sampled only."""
        return BoundedResidual.of(self.solution.equation, self.space, parts, aim)

    def sampled(self, parts: Sequence[InTime], *, smooth: bool = False) -> tuple[float, float]:
        """Return the integral of the sampled norm, raised by what a denser rule adds, and what crosses real walls.

        At fewer times where the residual is `smooth` in time, since polynomials miss little there.
        """
        total, wall, worst, both = 0.0, 0.0, 1.0, self._both
        for number, part in enumerate(parts):
            at, weight = rule(part.span.looks if smooth else part.span.degree)
            values, rates = part.at(at)
            times, weights = part.span.time(at), weight * part.span.slope(at)
            wall += float(sum(w * self._walls(u, float(t)) for u, t, w in zip(values, times, weights, strict=True)))
            denser = np.zeros(len(at), dtype=bool)
            if both is not None:  # one call of the drift
                denser[[-1] if number else [0, (2 * len(at)) // 3, -1]] = True
                looks = self.lefts(both.all, values[denser], rates[denser], times[denser])
                for left, w in zip(looks, weights[denser], strict=True):
                    norm, raised = both.norms(left)
                    total, worst = total + w * norm, max(worst, raised)
            some = ~denser
            looks = self.lefts(self.at, values[some], rates[some], times[some])
            total += sum(w * self._norm(self.at, left) for left, w in zip(looks, weights[some], strict=True))
        return float(total * (self.excess(parts) if both is None else worst)), wall

    @cached_property
    def _both(self) -> BothRules | None:
        """The points and those of a denser rule beside them, where many fields are looked at as one is."""
        return BothRules.of(self.at, Reconstruction.of(self.space, self.nodes * DENSER, apart=APART), self.nodes)

    def excess(self, parts: Sequence[InTime]) -> float:
        """Return by what factor a denser rule raises the norm, at most, at two times of the first span and all ends."""
        worst = 1.0
        rules = [Reconstruction.of(self.space, nodes, apart=APART) for nodes in (self.nodes, self.nodes * DENSER)]
        for number, part in enumerate(parts):
            at = np.array([1.0] if number else [0.1, 0.7, 1.0])
            given = *part.at(at), part.span.time(at)
            for pair in zip(*(self.lefts(one, *given) for one in rules), strict=True):
                few, many = (self._norm(one, left) for one, left in zip(rules, pair, strict=True))
                worst = max(worst, many / few) if few > 0 else worst
        return worst

    def start(self, first: Array) -> float:
        """Return how far the reconstruction of the start is from the start."""
        initial, grid = self.solution.start, self.space.grid
        value = self.at.value(first)
        if isinstance(initial, Field):
            return 0.0
        true = np.asarray(initial_function(self.solution.equation, initial, grid)(self.at.points))
        if not self.density:
            return float(np.abs(value - true).max())
        outside = max(0.0, 1.0 - float(np.sum(true * self.at.weights))) if self.space.walls == "far" else 0.0
        return self.at.norm(value - true) + outside

    def diffusivity(self, t: float) -> float:
        """Return D, zero for flows."""
        equation = self.solution.equation
        return 0.0 if isinstance(equation, Continuity) else float(equation.diffusivity(t))  # pyright: ignore

    def drift_at(self, x: Array, t: float) -> Array:
        """Return b."""
        return np.asarray(self._field(x, t), dtype=float)

    def lefts(self, at: Reconstruction, values: Array, rates: Array, times: Array, seen: Any = None) -> Iterator[Array]:
        """Yield what the equation leaves of a reconstruction at the points, time after time; on a line splines are one.

        `seen`: values, slopes and the Laplacian there, if they are known.
        """
        if not at.several:
            yield from (self.left(at, u, rate, float(t)) for u, rate, t in zip(values, rates, times, strict=True))
            return
        value, (slope,), bend = at.all(values) if seen is None else seen
        if self._pull is not None:  # by numbers alone
            pull, D = (np.array([[float(of(float(t)))] for t in times]) for of in (self._pull, self.diffusivity))
            yield from at.value(rates) - pull * (at.places[0] * slope + value) - D * bend
            return
        if not self.solution.equation.time_dependent:
            yield from self._left(at, value, [slope], bend, at.value(rates), float(times[0]))
            return
        for number, (moved, t) in enumerate(zip(at.value(rates), times, strict=True)):
            yield self._left(at, value[number], [slope[number]], bend[number], moved, float(t))

    def left(self, at: Reconstruction, u: Array, rate: Array, t: float) -> Array:
        """Return what the equation leaves of a reconstruction at the points."""
        if self._pull is not None and len(at.places) > 1:
            return at.pulled(u, rate, float(self._pull(t)), self.diffusivity(t))
        return self._left(at, *at.all(u), at.value(rate), t)

    def _left(
        self, at: Reconstruction, value: Array, slopes: Sequence[Array], bend: Array, moved: Array, t: float
    ) -> Array:
        """Return the same of values, slopes, the Laplacian and ∂_t at the points."""
        equation, D = self.solution.equation, self.diffusivity(t)
        spread = D * bend if D else 0.0
        if isinstance(equation, ViscousHamiltonJacobi):
            return moved - spread + equation.hamiltonian(at.points, np.stack(slopes, axis=-1), t)
        along, divergence = self._carried(at, slopes, t)
        if isinstance(equation, BackwardKolmogorov):
            return moved - along - spread
        return moved + along + divergence * value - spread

    def _carried(self, at: Reconstruction, slopes: Sequence[Array], t: float) -> tuple[Array, Array | float]:
        """Return b·∇u and ∇·b; a drift −a(t) x is no field of d numbers a point, but one number."""
        pull = self._pull
        if pull is None:
            b, divergence = self._drift(at, t)
            return reduce(np.add, (b[..., k] * slope for k, slope in enumerate(slopes))), divergence
        a, d = float(pull(t)), len(slopes)
        axes = (x.reshape([-1 if k == axis else 1 for k in range(d)]) for axis, x in enumerate(at.places))
        return reduce(np.add, ((-a * x) * slope for x, slope in zip(axes, slopes, strict=True))), -d * a

    def largest(self, at: Reconstruction, times: Array) -> tuple[Array, float, float]:
        """Return the largest |b_k| along each axis, the largest |∇·b| and D at the points, at all times."""
        D = max(self.diffusivity(float(t)) for t in times)
        if self._pull is not None:
            a = max(abs(float(self._pull(float(t)))) for t in times)
            return np.array([a * float(np.abs(x).max()) for x in at.places]), len(at.places) * a, D
        found = [self._drift(at, float(t)) for t in times]
        each = [np.abs(b).reshape(-1, b.shape[-1]).max(axis=0) for b, _ in found]
        return np.max(each, axis=0), max(float(np.abs(one).max()) for _, one in found), D

    @cached_property
    def _pull(self) -> Callable[[float], Any] | None:
        """a(t) of a density's drift −a(t) x, where it is known to be that."""
        process = linear_process_of(self._field) if self.density else None
        if not isinstance(process, IsotropicProcess):
            return None
        own = getattr(self._divergence, "__self__", None) is process  # or it is another's, and is asked
        return process.relaxation if own and type(process).divergence is IsotropicProcess.divergence else None

    @cached_property
    def _field(self) -> Callable[[Array, float], Array]:
        equation: Any = self.solution.equation
        return equation.velocity if isinstance(equation, Continuity) else equation.drift

    @property
    def _divergence(self) -> Callable[[Array, float], Array] | None:
        return getattr(self.solution.equation, "divergence", None)

    @cached_property
    def _still(self) -> dict[Any, tuple[Array, Array]]:
        return {}

    def _drift(self, at: Reconstruction, t: float) -> tuple[Array, Array]:
        """Return b and ∇·b at the points; what does not depend on time is computed once."""
        key = id(at) if not self.solution.equation.time_dependent else None
        if key is not None and key in self._still:
            return self._still[key]
        if self._divergence is None and self.density and len(at.places) == 1:
            found = self._with_slope(at.points, t)
            if key is not None:
                self._still[key] = found
            return found
        b = np.asarray(self._field(at.points, t), dtype=float)
        if isinstance(self.solution.equation, BackwardKolmogorov):
            found = b, np.zeros(())
        elif self._divergence is not None:
            found = b, np.asarray(self._divergence(at.points, t), dtype=float)
        else:
            found = b, sum(self._slope(at.points, t, k) for k in range(b.shape[-1]))
        if key is not None:
            self._still[key] = found  # pyright: ignore[reportArgumentType]
        return found  # pyright: ignore[reportReturnType]

    def _with_slope(self, x: Array, t: float) -> tuple[Array, Array]:
        """Return b and ∂_x b on a line, from one call."""
        step = STEP * self.space.grid.spacing[0]
        b, above, below = np.split(np.asarray(self._field(np.concatenate((x, x + step, x - step)), t), dtype=float), 3)
        return b, (above - below)[..., 0] / (2 * step)

    def _slope(self, x: Array, t: float, axis: int) -> Array:
        """Return ∂_k b_k by central differences."""
        step = np.zeros(x.shape[-1])
        step[axis] = STEP * self.space.grid.spacing[axis]
        rise = self._field(x + step, t)[..., axis] - self._field(x - step, t)[..., axis]
        return np.asarray(rise) / (2 * step[axis])

    def check_finite(self) -> None:
        """Raise ValueError where drift or divergence are not finite at the points, at the first time or the last.

        A divergence by differences is finite where the drift is.
        """
        begin, end = float(self.solution.times[0]), float(self.solution.times[-1])
        ends = begin + INSIDE * (end - begin), end - INSIDE * (end - begin)
        for t in ends if self.solution.equation.time_dependent else ends[:1]:
            with np.errstate(all="ignore"):
                b, divergence = self._field(self.at.points, t), self._divergence
                b, values = np.asarray(b), 0.0 if divergence is None else np.asarray(divergence(self.at.points, t))
            for name, one in (("drift", b.sum(axis=-1)), ("divergence of the drift", values)):
                bad = np.argwhere(~np.isfinite(np.broadcast_to(one, b.shape[:-1])))
                if len(bad):
                    place = ", ".join(f"{c:.3g}" for c in self.at.points[tuple(bad[0])])
                    raise ValueError(
                        f"the {name} is not finite at x = ({place}), t = {t:g}, where the residual reads it: a bound needs "
                        "one that is, on the whole box; move the box, or cut the drift off"
                    )
            if self.density and divergence is not None and self._pull is None:
                self._check_integrable(values, t)

    def _check_integrable(self, divergence: Any, t: float) -> None:
        """Raise ValueError where the drift's divergence has a pole that is not integrable between the points."""
        known, spacing = self._divergence, np.asarray(self.space.grid.spacing)

        def size(x: Array, step: float) -> Array:
            if known is not None:
                return np.asarray(known(x, t), dtype=float)
            total = np.zeros(x.shape[:-1])
            for k, ahead in enumerate(np.eye(x.shape[-1]) * step):
                total += (self.drift_at(x + ahead, t)[..., k] - self.drift_at(x - ahead, t)[..., k]) / (2 * step)
            return total

        points = self.at.points
        found = pole(size, points, np.broadcast_to(divergence, points.shape[:-1]), spacing / self.nodes)
        if found is not None and found[1] >= points.shape[-1] - SURE:
            place = ", ".join(f"{c:.3g}" for c in found[0])
            raise ValueError(
                f"the divergence of the drift grows like |x − c|^−{found[1]:.2g} near c = ({place}), t = {t:g}, and so "
                "does the residual, which is not integrable there: a bound needs a drift that is cut off; or take it "
                "from `solve_with_error`"
            )

    def check_jumps(self, breaks: Sequence[Break] = ()) -> None:
        """Raise ValueError where the drift jumps along its own axis between cells: ∇·(bp) has a part on a surface.

        At the first time, half-way, at the last and between breaks; a divergence that is given has no part on surfaces
        either.
        """
        begin, end = float(self.solution.times[0]), float(self.solution.times[-1])
        ends = np.array([begin, *(0.5 * (a + b) for a, b in breaks), end])
        between = 0.5 * (ends[1:] + ends[:-1])[:: max(1, len(breaks) // BETWEEN)]
        times = [*(begin + (end - begin) * np.array([INSIDE, 0.5, 1 - INSIDE])), *(between if breaks else ())]
        for k, t in enumerate(times if self.solution.equation.time_dependent else times[:1]):
            if self._divergence is None and not k:  # slopes at all points cost six times as much
                slopes = [self._slope(self.at.points, t, axis) for axis in range(self.space.grid.dimension)]
                self._check_integrable(sum(slopes), t)
            found = jump(lambda x, t=t: self._field(x, t), self.space.grid.points)
            if found is not None:
                place = ", ".join(f"{c:.3g}" for c in found[0])
                raise ValueError(
                    f"the drift jumps by {found[1]:.3g} near x = ({place}), t = {t:g}: its divergence has a part on a "
                    "surface that no residual at points sees; take the error from `solve_with_error`"
                )

    def _walls(self, u: Array, t: float) -> float:
        """Return ∮|F·n| over walls that are real."""
        if self.space.walls != "reflecting":
            return 0.0
        grid, equation, total = self.space.grid, self.solution.equation, 0.0
        D = float(equation.diffusivity(t)) if isinstance(equation, FokkerPlanck) else 0.0
        for axis in range(grid.dimension):
            if grid.periodic[axis]:
                continue
            value, slope, _ = walls(self.space, axis)
            ends = np.stack(np.meshgrid(*(grid.face_axes(axis)), indexing="ij"), axis=-1).take([0, -1], axis=axis)
            p, dp = (np.moveaxis(np.tensordot(table, u, axes=(1, axis)), 0, axis) for table in (value, slope))
            flux = self._field(ends, t)[..., axis] * p - D * dp
            total += float(np.abs(flux).sum()) * grid.volume / grid.spacing[axis]
        return total


@dataclass(frozen=True, eq=False)
class _Held:
    """A stored field as a start that has its own numbers."""

    values: Array

    def __call__(self, x: Array) -> Array:
        return self.values

    def cell_means(self, grid: CartesianGrid) -> Array:
        """Return the means."""
        return self.values
