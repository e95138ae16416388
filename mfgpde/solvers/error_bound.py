"""How far a solution can be from the truth, from its residual: no second grid, no asymptotic range, no smoothness.

The Fokker–Planck equation contracts in L¹ whatever its drift: for a function p_h that is C¹ in time and C² in space,
    ‖p_h(t) − p(t)‖₁ ≤ ‖p_h(0) − p_0‖₁ + ∫₀ᵗ (‖r‖₁ + ∮|F·n|) ds,   r = ∂_t p_h + ∇·(b p_h) − D Δp_h,  F = b p_h − D∇p_h,
the integral over walls where they are real; so do continuity equations, D = 0. Backward equations and those of Hamilton and
Jacobi have a maximum principle: ‖u_h(t) − u(t)‖_∞ ≤ ‖u_h(0) − u_0‖_∞ + ∫‖∂_t u_h − D Δu_h + H(x, ∇u_h)‖_∞ ds.
p_h is a reconstruction in space and Hermite's interpolation of degree seven in time, of a second solve that stores more
times: of finite volumes by the scheme of fourth order, of that one by an expansion, so that what the first solve owes is
the distance of both, and the bound of the second next to nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np

from mfgpde.core.arrays import Array, require_memory
from mfgpde.core.estimate import Estimate, Kind
from mfgpde.core.taylor import NotEnclosed
from mfgpde.discretisations import Discretisation, Field, FiniteVolume, Spectral
from mfgpde.equations import BackwardKolmogorov, Continuity, FokkerPlanck, ViscousHamiltonJacobi
from mfgpde.grids import CartesianGrid
from mfgpde.solvers.bounded_residual import FINE, BoundedResidual
from mfgpde.solvers.hermite import hermite
from mfgpde.solvers.initial import initial_function
from mfgpde.solvers.reconstruction import Reconstruction, walls
from mfgpde.solvers.solved import Solved

NODES = {1: 3, 2: 2, 3: 2}
"""Gauss points a cell and axis at which residuals are sampled, by dimension"""
PIECES: Mapping[type, tuple[int, int]] = {FiniteVolume: (32, 12), Spectral: (64, 40)}
"""of time between which the second solve is interpolated, on a line and in more dimensions"""
STAGES = 2
"""Gauss points between two stored times"""
DENSER = 2
"""times as many points, at which a sampled norm is looked at again"""
STEP = 1e-3
"""of a cell, over which drifts are differenced"""
JUMP = 4.0
"""times what slopes on both sides explain: more is a jump"""


@dataclass(frozen=True)
class ErrorBound:
    """A number that the error of a solution does not exceed, in L¹ or the largest value, and what it is made of.

    `parts`: what the start, the residual, real walls, a far box and the second solve contribute. A BOUND where the norm of
    the residual is one on every cell and piece of time; EXTRAPOLATED where it is `sampled` at Gauss points and raised by
    what a denser rule adds, with the reason why nothing better is known.
    """

    norm: str
    parts: Mapping[str, float] = field(default_factory=dict)
    sampled: str = "the parts were given"
    solved: tuple[Discretisation, Array] | None = field(default=None, repr=False, compare=False)

    @property
    def value(self) -> float:
        """The bound."""
        return sum(self.parts.values())

    @property
    def kind(self) -> Kind:
        """BOUND or EXTRAPOLATED."""
        return Kind.EXTRAPOLATED if self.sampled else Kind.BOUND

    @property
    def _how(self) -> str:
        return f"residual of a reconstruction in {self.norm}" + (", sampled" if self.sampled else "")

    @property
    def estimate(self) -> Estimate:
        """The error as an estimate: between zero and the bound."""
        half = 0.5 * self.value
        return Estimate(half, half, self.kind, self._how)

    def mean(self, f: Callable[[Array], Array] | float, largest: float) -> Estimate:
        """Return ∫f p as an estimate, from f, or its mean in the reconstruction, and the largest |f|.

        The mean is by FINE Gauss points a cell, fewer in more dimensions: sums over cells owe more than a bound of order
        four. What half of the points change is in the bar, which holds for functions that are smooth within cells.
        ValueError for a function where the solution is not known.
        """
        owed = 0.0
        if callable(f):
            if self.solved is None:
                raise ValueError("the solution of this bound is not known; give the mean instead of a function")
            space, u = self.solved
            points = FINE if space.grid.dimension == 1 else 4
            value, half = (Reconstruction.of(space, n).integral(f, u) for n in (points, points // 2))
            owed = abs(value - half)
        else:
            value = float(f)
        return Estimate(value, largest * self.value + owed, self.kind, f"{largest:.3g} × {self._how}")


def error_bound(
    solution: Solved, t: float | None = None, *, pieces: int | None = None, by: Discretisation | None = None
) -> ErrorBound:
    """Return a bound on the error of a solution at a stored time, by default the last one.

    For densities (Fokker–Planck, continuity) ∫|p_h − p|; at far walls p is the law on the whole space. For
    Hamilton–Jacobi and backward equations the largest |u_h − u|, on periodic axes or spectrally. The second solve, `by` the
    same scheme, volumes of order four or an expansion, stores `pieces` more times, closer at the start; residuals ask for
    the drift twice a piece, at Gauss points.

    The kind is BOUND for densities whose drift, diffusivity and start are formulas: linear processes, mixtures, functions
    made of arithmetic, powers, exp, log, sin, cos and tanh. Of others the norm is sampled, and `sampled` says why.

    Raises TypeError for other equations, discretisations and walls, ValueError for a solution whose start is not known, a
    drift that jumps, a residual that is not finite, and a grid for which there is no room.

    >>> space = mfg.FiniteVolume(mfg.CartesianGrid.cube(6.0, 128, 1))
    >>> law = mfg.solve(mfg.FokkerPlanck.of(mfg.OrnsteinUhlenbeck()), space, mfg.gaussian(1.0, 0.5), (0.0, 1.0))
    >>> bound = law.error_bound()
    >>> true = mfg.l1_distance(law.at(1.0), mfg.gaussian(np.exp(-1.0), 0.5))
    >>> bool(true < bound.value < 2 * true), bound.kind.name
    (True, 'BOUND')
    """
    last = len(solution.times) - 1 if t is None else solution.index(t)
    if solution.start is None or solution.again is None:
        raise ValueError("the start of this solution is not known (was it loaded from a file?); solve again")
    if last == 0:
        raise ValueError("at its first time a solution has the start's error alone; ask for a later one")
    work = _Residual.of(solution, by)
    pieces = pieces or PIECES[type(work.space)][work.space.grid.dimension > 1]
    if pieces < 4:
        raise ValueError(f"a residual in time needs at least four pieces, got {pieces}")
    times = _times(solution.times[: last + 1], pieces)
    bounded, sampled = work.bounded(times)
    again = solution.again(solution.equation, work.space, solution.start, times)
    ends = [(u.values, work.rate(u, float(s))) for u, s in zip(again.fields, again.times, strict=True)]
    first, second, asked = again.fields[0], again.fields[-1].values, solution.fields[last].values
    if bounded is not None:
        try:
            start = bounded.start(solution.start, solution.equation, first)
        except NotEnclosed as problem:
            bounded, sampled = None, f"the start: {problem}"
    if bounded is not None:
        residual, wall = bounded.integral(work, ends, again.times)
        gap = bounded.apart(second, solution.discretisation, asked)
    else:
        residual, wall = work.sampled(ends, again.times)
        start, gap = work.start(first), work.apart(second, asked)
    parts = {"start": start, "residual": residual, "walls": wall, "box": work.lost(asked), "second solve": gap}
    if not np.isfinite(sum(parts.values())):
        raise ValueError(f"the residual is not finite: {parts}; is the drift, on the whole box?")
    return ErrorBound(work.name, parts, sampled, (solution.discretisation, asked))


def _times(stored: Array, pieces: int) -> Array:
    """Return the stored times with others between them, closer after the first."""
    share = np.linspace(0.0, 1.0, pieces + 1)
    graded = stored[0] + (stored[-1] - stored[0]) * share**1.5
    gap = 0.3 * float(np.diff(graded).min())
    near = np.abs(graded[:, None] - stored).min(axis=1) < gap
    return np.union1d(graded[~near], stored)


@dataclass(frozen=True, eq=False)
class _Residual:
    """What the equation leaves of a reconstruction."""

    solution: Any
    space: Any
    nodes: int
    at: Reconstruction

    @classmethod
    def of(cls, solution: Any, by: Discretisation | None) -> _Residual:
        """Return it, once there is room. Raises TypeError for equations without contraction or maximum principle."""
        equation: Any = solution.equation
        space: Any = solution.discretisation if by is None else by
        if by is not None and by.grid != solution.discretisation.grid:
            raise ValueError(f"the second solve must be on the grid of the first, got {by.grid}")
        known = (FokkerPlanck, Continuity, BackwardKolmogorov, ViscousHamiltonJacobi)
        if not isinstance(equation, known) or not isinstance(space, FiniteVolume | Spectral):
            raise TypeError(
                f"no bound from the residual of {type(equation).__name__} by {type(space).__name__}; there is one for "
                "FokkerPlanck, Continuity, BackwardKolmogorov and Hamilton–Jacobi equations on grids"
            )
        grid: CartesianGrid = space.grid
        if not all(grid.periodic) and space.walls not in ("far", "reflecting"):
            raise TypeError(
                f"errors are bounded where walls are far or reflecting all around, got walls={space.walls!r}"
            )
        density = isinstance(equation, FokkerPlanck | Continuity)
        if not density and not (all(grid.periodic) or isinstance(space, Spectral)):
            raise TypeError(f"{type(equation).__name__} has a bound on periodic axes, or by Spectral; got walls")
        if by is None and isinstance(space, FiniteVolume) and isinstance(equation, FokkerPlanck):
            space = _better(space, equation, float(solution.times[0]))
        nodes = NODES[grid.dimension]
        room = 8 * (nodes * DENSER) ** grid.dimension * int(np.prod(grid.cells)) * (3 * grid.dimension + 8)
        require_memory(np, room, f"residuals at {nodes * DENSER} points a side of {grid.cells} cells")
        found = cls(solution, space, nodes, Reconstruction.of(space, nodes))  # pyright: ignore[reportArgumentType]
        if density and found._divergence is None:
            found.check_jumps(float(solution.times[0]))
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

    def rate(self, u: Field, t: float) -> Array:
        """Return ∂_t of the scheme at the cells."""
        state = self._system.start(_Held(u))
        return np.asarray(self._system.values(self._system.rate(state, t)))

    def norms(self, u: Array, rate: Array, t: float) -> tuple[float, float]:
        """Return the norm of the residual, and what crosses real walls."""
        left = self.left(self.at, u, rate, t)
        if not self.density:
            return float(np.abs(left).max()), 0.0
        return self.at.norm(left), self._walls(u, t)

    def bounded(self, times: Array) -> tuple[BoundedResidual | None, str]:
        """Return what bounds the norm of the residual on cells; nothing, and why, where it can be sampled only."""
        if not self.density:
            return None, "the largest value of a residual is sampled"
        try:
            return BoundedResidual.of(self.solution.equation, self.space, times), ""
        except NotEnclosed as problem:
            return None, str(problem)

    def sampled(self, ends: list[tuple[Array, Array]], times: Array) -> tuple[float, float]:
        """Return the integral of the sampled norm, raised by what a denser rule adds, and what crosses real walls."""
        total = wall = 0.0
        at, weight = np.polynomial.legendre.leggauss(STAGES)
        for k, (a, b) in enumerate(pairwise(times)):
            for share, w in zip(0.5 * (at + 1), 0.5 * weight, strict=True):
                t = float(a + share * (b - a))
                inside, outside = self.norms(*hermite(ends, times, k, t), t)
                total, wall = total + w * (b - a) * inside, wall + w * (b - a) * outside
        return float(total * self.excess(ends, times)), float(wall)

    def excess(self, ends: list[tuple[Array, Array]], times: Array) -> float:
        """Return by what factor a denser rule raises the norm, at most, at three times."""
        dense, worst = Reconstruction.of(self.space, self.nodes * DENSER), 1.0
        for k in sorted({1, len(times) // 2, len(times) - 1}):
            left = [self.left(rule, *ends[k], float(times[k])) for rule in (self.at, dense)]
            norm = [np.abs(r).max() for r in left] if not self.density else [self.at.norm(left[0]), dense.norm(left[1])]
            worst = max(worst, float(norm[1] / norm[0])) if norm[0] > 0 else worst
        return worst

    def start(self, first: Field) -> float:
        """Return how far the reconstruction of the start is from the start."""
        initial, grid = self.solution.start, self.space.grid
        value = self.at.value(first.values)
        if isinstance(initial, Field):
            return 0.0
        true = np.asarray(initial_function(self.solution.equation, initial, grid)(self.at.points))
        if not self.density:
            return float(np.abs(value - true).max())
        outside = max(0.0, 1.0 - float(np.sum(true * self.at.weights))) if self.space.walls == "far" else 0.0
        return self.at.norm(value - true) + outside

    def lost(self, u: Array) -> float:
        """Return what the fall to zero at far walls takes from the means."""
        if not self.density or self.space.walls != "far" or all(self.space.grid.periodic):
            return 0.0
        h = self.space.grid.volume
        inner = tuple(slice(None) if periodic else slice(2, -2) for periodic in self.space.grid.periodic)
        return max(0.0, h * (float(np.abs(u).sum()) - float(np.abs(u[inner]).sum())))

    def apart(self, second: Array, first: Array) -> float:
        """Return the norm of the difference of the reconstructions of two solves."""
        change = self.at.value(second) - Reconstruction.of(self.solution.discretisation, self.nodes).value(first)
        return self.at.norm(change) if self.density else float(np.abs(change).max())

    def diffusivity(self, t: float) -> float:
        """Return D, zero for flows."""
        equation = self.solution.equation
        return 0.0 if isinstance(equation, Continuity) else float(equation.diffusivity(t))  # pyright: ignore

    def coefficients(self, at: Reconstruction, t: float) -> tuple[Array, Array, float]:
        """Return b, ∇·b and D at the points."""
        return *self._drift(at, t), self.diffusivity(t)

    def drift_at(self, x: Array, t: float) -> Array:
        """Return b."""
        return np.asarray(self._field(x, t), dtype=float)

    def left(self, at: Reconstruction, u: Array, rate: Array, t: float) -> Array:
        """Return what the equation leaves of a reconstruction at the points."""
        equation = self.solution.equation
        slopes, moved, D = at.slopes(u), at.value(rate), self.diffusivity(t)
        spread = D * at.laplacian(u) if D else 0.0
        if isinstance(equation, ViscousHamiltonJacobi):
            return moved - spread + equation.hamiltonian(at.points, np.stack(slopes, axis=-1), t)
        b, divergence = self._drift(at, t)
        along = sum(b[..., k] * slope for k, slope in enumerate(slopes))
        if isinstance(equation, BackwardKolmogorov):
            return moved - along - spread
        return moved + along + divergence * at.value(u) - spread

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

    def _slope(self, x: Array, t: float, axis: int) -> Array:
        """Return ∂_k b_k by central differences."""
        step = np.zeros(x.shape[-1])
        step[axis] = STEP * self.space.grid.spacing[axis]
        rise = self._field(x + step, t)[..., axis] - self._field(x - step, t)[..., axis]
        return np.asarray(rise) / (2 * step[axis])

    def check_jumps(self, t: float) -> None:
        """Raise ValueError where the drift jumps along its own axis between two points: ∇·(bp) has a part on a surface."""
        b, grid = np.asarray(self._field(self.at.points, t), dtype=float), self.space.grid
        for axis in range(grid.dimension):
            x, along = np.moveaxis(self.at.points, axis, 0), np.moveaxis(b[..., axis], axis, 0)
            slope = np.abs(np.moveaxis(self._slope(self.at.points, t, axis), axis, 0))
            rise = np.abs(np.diff(along, axis=0))
            smooth = np.diff(x[..., axis], axis=0) * np.maximum(slope[1:], slope[:-1])
            jumps = rise - JUMP * smooth - 0.05 * float(np.abs(along).max())
            if float(jumps.max()) > 0:
                where = np.unravel_index(int(jumps.argmax()), jumps.shape)
                place = ", ".join(f"{c:.3g}" for c in x[where])
                raise ValueError(
                    f"the drift jumps by {rise[where]:.3g} near x = ({place}): its divergence has a part on a surface that "
                    "no residual at points sees; give the equation a divergence, or take the error from `solve_with_error`"
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


def _better(space: FiniteVolume, equation: FokkerPlanck, t: float) -> FiniteVolume | Spectral:
    """Return the space of the second solve: order four; an expansion where that is the first, or noise starts at zero."""
    noisy, fine = float(equation.diffusivity(t)) > 0, space.order >= 4
    if space.walls == "far" and (fine or not noisy) and len(set(space.grid.periodic)) == 1:
        return Spectral(space.grid)
    return replace(space, order=4) if noisy else space


@dataclass(frozen=True, eq=False)
class _Held:
    """A stored field as a start that has its own numbers."""

    field: Field

    def __call__(self, x: Array) -> Array:
        return self.field.values

    def cell_means(self, grid: CartesianGrid) -> Array:
        """Return the means."""
        return self.field.values
