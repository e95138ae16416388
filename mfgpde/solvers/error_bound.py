"""How far a solution can be from the truth, from its residual: no second grid, no asymptotic range, no smoothness.

The Fokker–Planck equation contracts in L¹ whatever its drift: for a function p_h that is C¹ in time and C² in space,
    ‖p_h(t) − p(t)‖₁ ≤ ‖p_h(0) − p_0‖₁ + ∫₀ᵗ (‖r‖₁ + ∮|F·n|) ds,   r = ∂_t p_h + ∇·(b p_h) − D Δp_h,  F = b p_h − D∇p_h,
the integral over walls where they are real; so do continuity equations, D = 0. Backward equations and those of Hamilton and
Jacobi have a maximum principle: ‖u_h(t) − u(t)‖_∞ ≤ ‖u_h(0) − u_0‖_∞ + ∫‖∂_t u_h − D Δu_h + H(x, ∇u_h)‖_∞ ds.
p_h is a second solve (`second_solve`), in space its expansion or a spline, in time a polynomial through values and rates.
None of it is trusted, its residual says what it owes; what the first solve owes is then mostly the distance of both.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from mfgpde.core.arrays import Array
from mfgpde.core.estimate import Estimate, Kind
from mfgpde.core.taylor import NotEnclosed
from mfgpde.densities import Density
from mfgpde.discretisations import Discretisation
from mfgpde.grids import CartesianGrid
from mfgpde.solvers.both_masses import both_masses
from mfgpde.solvers.bounded_residual import FINE, left_out, within
from mfgpde.solvers.clock import Clock
from mfgpde.solvers.collocated import collocated
from mfgpde.solvers.distance import beyond
from mfgpde.solvers.enclosed import equal_spans
from mfgpde.solvers.first_owes import seems_to_owe
from mfgpde.solvers.first_solve import FirstField, gridded
from mfgpde.solvers.hermite import InTime, interpolated, spans
from mfgpde.solvers.means_of import mean_of
from mfgpde.solvers.moment_bound import UNKNOWN, grown
from mfgpde.solvers.residual import Residual
from mfgpde.solvers.second_solve import ENOUGH, SMALL, Second, Tried, candidates, enough, in_waves
from mfgpde.solvers.solved import Solved
from mfgpde.solvers.through_density import NORM, ThroughDensity, is_through_density
from mfgpde.solvers.wider_box import Room

ROUNDING = 1e-12
"""of the mass: what sums over cells may be off by"""
SMOOTH = 1.0
"""of what a second solve may owe: if polynomials miss no more in time, so many fewer looks see what is left"""
EASILY = 0.1
"""of what a second solve may owe, what polynomials may miss in time on a line, where kernels give more times at once"""
FAR = 4.0
"""times that: where it is foreseen that polynomials miss as much, more pieces are tried at once (three times less than was
foreseen for the default schedule)"""
HOPELESS = 2.0
"""times what is accepted, what steps miss by three looks in time, which is up to 1.6 times what a residual then says"""
ACCEPTED = 2.0
"""times the distance of both solves, what the second may owe: bound over true is below four while it is off by less than an
eighth of that, (1 + 2)/(1 − 2/8); and of `SMALL`, since the next try would be a sharper expansion"""


@dataclass(frozen=True)
class ErrorBound:
    """A number that the error of a solution does not exceed, in L¹ or the largest value, and what it is made of.

    `parts`: what the start, the residual, real walls, the second solve outside of the box (`box`) and its distance inside
    contribute, and a negative part that is larger than what was sampled. A BOUND where the norm of
    the residual is one on every cell and piece of time; EXTRAPOLATED where it is `sampled` at Gauss points and raised by
    what a denser rule adds, with the reason why nothing better is known. `confined`: why a second solve ends at far walls
    at which mass stands, for which the residual owes much. `capped`: what the parts said where that was more than both
    masses, ∫|p_h| + 1, which are then the parts.
    """

    norm: str
    parts: Mapping[str, float] = dataclasses.field(default_factory=dict)
    sampled: str = "the parts were given"
    field: FirstField | None = dataclasses.field(default=None, repr=False, compare=False)
    moment: float = np.inf
    """what ∫|x|²|p_h − p| does not exceed; infinite where it is not known"""
    confined: str = ""
    capped: str = ""

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

    @property
    def first_moment(self) -> float:
        """What ∫|x||p_h − p| does not exceed, by Cauchy and Schwarz from the second moment; infinite where that is."""
        return float(np.sqrt(self.moment * self.value))

    @property
    def wasserstein(self) -> Estimate:
        """The distance W₂ from the truth to the reconstruction, its negative part left out and of mass one.

        Of q = p_h⁺/∫p_h⁺ the second moment differs by no more than that of p_h and the mass of what was added times E|x|².
        ValueError where no bound on the second moment is known.
        """
        half = 0.5 * float(np.sqrt(2 * (self.moment + self._scaled * self._second_moment)))
        return Estimate(half, half, self.kind, f"weighted {self._how}")

    @property
    def wasserstein_1(self) -> Estimate:
        """The distance W₁ from the truth to the same law: W₁(p, q) ≤ ∫|x||p − q|, Villani (2009), theorem 6.15.

        ValueError where no bound on the second moment is known.

        >>> space = mfg.FiniteVolume(mfg.CartesianGrid.cube(6.0, 128, 1))
        >>> law = mfg.solve(mfg.FokkerPlanck.of(mfg.OrnsteinUhlenbeck()), space, mfg.gaussian(1.0, 1.0), (0.0, 1.0))
        >>> bool(law.error_bound().wasserstein_1.upper < 0.01), bool(law.error_bound().wasserstein.upper < 0.2)
        (True, True)
        """
        half = 0.5 * (self.first_moment + self._scaled * float(np.sqrt(self._second_moment * (1 + self.value))))
        return Estimate(half, half, self.kind, f"weighted {self._how}")

    @property
    def _scaled(self) -> float:
        """By how much the positive part of the reconstruction is scaled, at most, for mass one."""
        if not np.isfinite(self.moment) or self.field is None or self.value >= 1:
            raise ValueError(UNKNOWN)
        return self.value / (1 - self.value)

    @property
    def _second_moment(self) -> float:
        """What ∫|x|²p_h⁺ does not exceed."""
        assert self.field is not None
        return self.field.integral(lambda x: np.sum(x**2, axis=-1), FINE) + 2 * self.moment

    def mean(
        self, f: Callable[[Array], Array] | float, largest: float, growth: float = 0.0, slope: float = 0.0
    ) -> Estimate:
        """Return ∫f p as an estimate, from f, or its mean in p_h, where |f| ≤ largest + slope |x| + growth |x|².

        The mean is by Gauss points on cells: sums over cells owe more than a bound of order four. What they miss is in the
        bar (`means_of`), a bound where f is a formula of arithmetic, powers, exp, log, sin, cos and tanh, on lines and
        grids in the plane. Of other functions, that may jump or have kinks, the kind is EXTRAPOLATED; what acts only on a
        hundredth of a cell may lie between all points, and is in no bar.
        ValueError for a function where the solution is not known, and for one that grows where no bound on the second
        moment is, and for one that is larger at some point than is said.

        >>> space = mfg.FiniteVolume(mfg.CartesianGrid.cube(6.0, 128, 1))
        >>> law = mfg.solve(mfg.FokkerPlanck.of(mfg.OrnsteinUhlenbeck()), space, mfg.gaussian(1.0, 1.0), (0.0, 1.0))
        >>> square = law.error_bound().mean(lambda x: x[..., 0] ** 2, 0.0, growth=1.0)
        >>> 0.5 + 1.5 * np.exp(-2) in square, square.kind.name, bool(square.half_width < 0.02)
        (True, 'BOUND', True)
        """
        if (growth or slope) and not np.isfinite(self.moment):
            raise ValueError(UNKNOWN)
        owed = (growth * self.moment if growth else 0.0) + (slope * self.first_moment if slope else 0.0)
        kind, how = self.kind, f"{largest:.3g} × {self._how}"
        if callable(f):
            if self.field is None:
                raise ValueError("the solution of this bound is not known; give the mean instead of a function")

            def most(x: Array) -> Array:
                square = np.sum(x**2, axis=-1)
                return largest + slope * np.sqrt(square) + growth * square

            value, missed, sampled = mean_of(self.field, f, most)
            owed += missed
            if sampled:
                kind, how = min(kind, Kind.EXTRAPOLATED), f"{how}, points of a function known by its values"
        else:
            value = float(f)
        return Estimate(value, largest * self.value + owed, kind, how)


def error_bound(
    solution: Solved, t: float | None = None, *, pieces: int | None = None, by: Discretisation | None = None
) -> ErrorBound:
    """Return a bound on the error of a solution at a stored time, by default the last one.

    For densities (Fokker–Planck, continuity) ∫|p_h − p|; at far walls p is the law on the whole space, and the second solve
    has as wide a box as it needs, if drift and start are known there (`confined` says why not). For
    Hamilton–Jacobi and backward equations the largest |u_h − u|, on periodic axes or spectrally; of the log-density
    equation between far walls ∫|exp φ_h − p|. The second solve, `by` the
    same scheme, volumes of order four or an expansion, is interpolated between breaks of the coefficients by one polynomial
    through `pieces` + 1 times, closer at the start; residuals ask for the drift about twice as often. Without `by` and
    `pieces` both are chosen so that the second solve owes little beside the distance of the two, or 1e-7.

    Elements have a bound for densities on intervals, whatever their cells, and on rectangles: their slopes jump, so that
    the second solve is one on a grid, and the bound mostly their distance to it.

    The kind is BOUND for densities whose drift, diffusivity and start are formulas: linear processes, mixtures, functions
    made of arithmetic, powers, exp, log, sin, cos and tanh. Of others, and on triangles that are no halves of boxes, the
    norm is sampled, and `sampled` says why.

    Raises TypeError for other equations, discretisations and walls, ValueError for a solution whose start is not known, a
    drift that jumps, a drift or a residual that is not finite, and a grid for which there is no room; RuntimeError where
    the solution is more negative than its bound allows.

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
    if pieces is not None and pieces < 4:
        raise ValueError(f"a residual in time needs at least four pieces, got {pieces}")
    if is_through_density(solution):
        return replace(error_bound(ThroughDensity.of(solution), t, pieces=pieces, by=by), norm=NORM)
    solution, first = gridded(solution, last)
    if by is not None and by.grid != solution.discretisation.grid:
        raise ValueError(
            f"the second solve must be on the grid of the first, {solution.discretisation.grid}, got {by.grid}"
        )
    Residual.of(
        solution, solution.discretisation if by is None else by, looked_at=by is None
    )  # refused before the work
    if by is None:
        room = Room.of(solution, last, ENOUGH * seems_to_owe(solution, last), in_waves(solution))
    else:
        room = Room.given(solution, by, looked_at=True)
    best, tried = None, list[Tried]()
    several = candidates(solution, last, by, pieces, room.grid, tried)
    while (second := next(several, None)) is not None:
        found, came = _bound(solution, last, first, second, room)
        tried.append(came)
        if came.wider is not None:
            room, tried = came.wider, list[Tried]()
            several = candidates(solution, last, by, pieces, room.grid, tried)
        if found is None:  # its walls or its steps owe so much that nobody needs to know what else it owes
            continue
        best = found if best is None or found.value < best.value else best
        gap = came.gap
        owed = min(came.owed, came.missed) if second.hasty in ("steps", "times") else came.owed
        if owed <= ACCEPTED * max(gap, SMALL):
            break
    assert best is not None
    return replace(best, confined=room.reason)


def _in_time(
    solution: Solved,
    work: Residual,
    second: Second,
    ends: tuple[float, float],
    breaks: list[float],
    allowed: Callable[[Array], float],
) -> tuple[list[InTime], float]:
    """Return the second solve as polynomials in time that miss little of what is `allowed`, and what they miss."""
    begin, end = ends
    count = equal_spans(solution.equation, begin, end, within(second.space.grid)) if work.density else 1
    cuts = np.linspace(begin, end, count + 1)[1:-1].tolist()
    if second.aim is not None:
        names = (float(t) for t in sorted({*breaks, *cuts}) if begin < t < end)
        return collocated(
            solution.equation, work.space, solution.start, [begin, *names, end], second.aim, Clock.of(solution)
        )
    spanned = [spans(begin, end, sorted({*breaks, *cuts}), max(4, n // count), second.power) for n in second.pieces]
    asked = [np.unique(np.concatenate([one.times for one in between])).tolist() for between in spanned]
    fields: dict[float, Array] = {}
    rates: dict[float, Array] = {}

    def rates_of(values: Array, times: Array) -> Array:
        new = [number for number, t in enumerate(times.tolist()) if t not in rates]
        rates.update(zip(times[new].tolist(), work.rates(values[new], times[new]) if new else (), strict=True))
        return np.stack([rates[t] for t in times.tolist()])

    if not second.by_kernel(solution):  # which finds each field by itself; a march stores them on its way
        times = np.unique(np.concatenate(asked))
        fields = dict(zip(times.tolist(), second.fields(solution, times, breaks), strict=True))
    missed, least, parts, came = np.inf, None, [], list[tuple[int, float]]()
    easily = EASILY if second.by_kernel(solution) and second.space.grid.dimension == 1 else 1.0
    for between, times, n in zip(spanned, asked, second.pieces, strict=True):
        if least is not None and n != second.pieces[-1] and _foreseen(came, n) > FAR * easily * least:
            continue
        fresh = [times[0], *(t for t in times[1:] if t not in fields)]  # more pieces share times with fewer
        if len(fresh) > 1:
            fields |= dict(zip(fresh, second.fields(solution, np.array(fresh), breaks), strict=True))
        more = interpolated(between, fields, rates_of)
        now = work.missed(more)
        came.append((n, now))
        if now > 0.5 * missed:  # of the steps by then, which more times see as well
            parts, missed = (more, now) if now < missed and second.by_kernel(solution) else (parts, missed)
            break
        parts, missed = more, now
        least = allowed(fields[end]) if least is None else least  # the last field stays
        if missed <= easily * least:
            break
    return parts, missed


def _foreseen(came: list[tuple[int, float]], pieces: int) -> float:
    """Return what so many pieces miss, at most, if it falls as it did: polynomials of smooth fields do so or faster."""
    if len(came) < 2:
        return 0.0
    (few, before), (many, now) = came[-2:]
    return now * (now / before) ** ((pieces - many) / (many - few)) if 0 < now < before else 0.0


def _bound(
    solution: Solved, last: int, asked: FirstField, second: Second, room: Room
) -> tuple[ErrorBound | None, Tried]:
    """Return the bound by one second solve, and what came of it; none where hasty steps miss more than is accepted.

    Or where it stands at walls that could be further away.
    """
    work = Residual.of(solution, second.space, looked_at=True)
    begin, end = float(solution.times[0]), float(solution.times[last])
    grid, breaks = work.space.grid, [0.5 * (a + b) for a, b in room.breaks if begin < 0.5 * (a + b) < end]

    seen = list[float]()

    def allowed(field: Array) -> float:
        if not seen:  # of the last field, which stays
            away = asked.apart(work.space, field, 1, work.density)
            seen.append(enough(away + _outside(grid, field, asked.box) if work.density else away))
        return seen[0]

    parts, missed = _in_time(solution, work, second, (begin, end), breaks, allowed)
    first, latest = parts[0].values[0], parts[-1].values[-1]
    if "steps" in second.hasty and missed > HOPELESS * ACCEPTED / ENOUGH * allowed(latest):
        return None, Tried(allowed(latest) / ENOUGH, missed, missed)
    wider = room.wider(solution, parts, work.space, allowed(latest))
    if wider is not None:
        return None, Tried(allowed(latest) / ENOUGH, missed, missed, wider)
    gap = np.nan
    outside, outer = beyond(work.space, latest, asked.box, left_out(allowed(latest))) if work.density else (0.0, 0.0)
    try:
        if not work.density:
            raise NotEnclosed("the largest value of a residual is sampled")
        gap, far = asked.bounded_gap(work.space, latest, left_out(allowed(latest)))
        bounded, sampled = work.bounded(parts, enough(gap + outside)), ""
        start, square = bounded.start(solution.start, solution.equation, first)
        residual, wall, moment = bounded.integral(work, parts)
        moment = far + outer + grown(solution.equation, work.space.grid, begin, end, start + residual, square + moment)
    except NotEnclosed as problem:
        sampled, moment = str(problem), np.inf
        start = work.start(first)
        if not np.isfinite(gap):  # if bounded: points do not see where signs change
            gap = asked.apart(work.space, latest, work.nodes, work.density)
        residual, wall = work.sampled(parts, smooth=missed <= SMOOTH * enough(gap + outside))
    found = {"start": start, "residual": residual, "walls": wall, "box": outside, "second solve": gap}
    if not np.isfinite(sum(found.values())):
        raise ValueError(f"the residual is not finite: {found}; is the drift, on the whole box?")
    if work.density and isinstance(solution.start, Density):
        second_one = grid.volume * float(np.sum(np.maximum(-latest, 0.0)))
        _signs(second_one, start + residual + wall, "second solve", found, sampled)
        _signs(asked.negative, sum(found.values()), "reconstruction", found, sampled)
        found, capped = both_masses(asked, work.space, latest, found, sampled)
    else:
        capped = ""
    if work.space.walls != "far":
        moment = np.inf
    owed = start + residual + wall
    said = ErrorBound(work.name, found, sampled, asked, moment, capped=capped)
    return said, Tried(gap + outside, owed, min(missed, owed))


def _outside(grid: CartesianGrid, field: Array, box: CartesianGrid) -> float:
    """Return ∫|u| outside of a box, by cells."""
    inside = np.ones([1] * field.ndim, dtype=bool)
    for axis, x in enumerate(grid.axes):
        within_ends = (box.lower[axis] < x) & (x < box.upper[axis])
        inside = inside & within_ends.reshape([-1 if k == axis else 1 for k in range(field.ndim)])
    return grid.volume * float(np.abs(np.where(inside, 0.0, field)).sum())


def _signs(negative: float, owed: float, what: str, parts: dict[str, float], sampled: str) -> None:
    """Hold a bound against the sign of what it is of: ∫|p_h − p| is no less than the negative part of p_h.

    A bound that was sampled is raised to it. Raises RuntimeError for one that was not: then something is wrong.
    """
    if negative <= owed + ROUNDING:
        return
    if not sampled:
        raise RuntimeError(
            f"the {what} is negative by {negative:.2e} in all, and its bound says that it is off by {owed:.2e}: one of "
            "both is wrong; is the drift's divergence its divergence, and the density a density?"
        )
    parts["negative part"] = parts.get("negative part", 0.0) + negative - owed
