"""`solve`: from an equation, a discretisation, an initial condition and times to a Solution."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

from mfgpde.core.accuracy import UPWIND, limited, noting, tolerance
from mfgpde.core.arrays import Array, elsewhere, memory_left, namespace_of, to_host
from mfgpde.core.checkpoint import Checkpoint
from mfgpde.core.errors import NotConverged, Status
from mfgpde.core.progress import Meter, meter, silent
from mfgpde.core.time_structure import pieces
from mfgpde.discretisations import Discretisation, Field, Inviscid, Limited, Semidiscrete, Working
from mfgpde.discretisations.agreed import together
from mfgpde.equations import Equation
from mfgpde.integrators import Controller, Integrator, sizes
from mfgpde.integrators.contract import Normed, Replayable, may_be_recorded
from mfgpde.kernels.replay import LARGEST, Replayed
from mfgpde.solvers import posed
from mfgpde.solvers.advice import advice
from mfgpde.solvers.initial import (
    Initial,
    Start,
    carries_density,
    holds_means,
    initial_function,
    is_open,
    reaches_infinity,
    wall_share,
    what_may_be_missed,
)
from mfgpde.solvers.solution import Solution, steep
from mfgpde.solvers.structure import Structure
from mfgpde.solvers.taken import Taken

SAME = 1e-12
"""relative difference of two steps' lengths that rounding makes: they are one"""
ROUNDING = 1e-9, 1e-12
"""of its mass that a conservative solve may gain or lose, and as much again a step"""


@dataclass
class _March:
    """One integration in progress."""

    system: Semidiscrete
    integrator: Integrator
    controller: Controller
    max_steps: int
    max_step: float
    structure: Structure
    dt: float = 0.0
    steps: int = 0
    rejected: int = 0
    trouble: str = ""
    """what the last solve that failed had to say: implicit, out of memory, or on a device"""
    ends: list[float] = field(default_factory=lambda: [-np.inf])
    """the times of the steps that were accepted"""
    stopped: Status | None = None
    """why no further step can be tried"""
    replayed: Replayed | None = None
    """recordings of steps, where a device would wait for launches"""
    kept: Callable[[Array, float], None] | None = None
    """told of the state after each step, but at the ends of smooth pieces, where a step starts anew"""
    _last: float = 0.0

    @property
    def state(self) -> list[float]:
        """What a march that goes on from here has to know beside its unknown and the time."""
        own = self.dt, self._last, self.controller.previous, float(self.steps), float(self.rejected)
        return [*own, *self.structure.looked]

    @state.setter
    def state(self, found: Sequence[float]) -> None:
        self.dt, self._last, self.controller.previous = map(float, found[:3])
        self.steps, self.rejected, self.structure.looked[:] = int(found[3]), int(found[4]), found[5:]

    def advance(self, u: Array, t: float, end: float, tick: Meter) -> tuple[Array, Status]:
        """Integrate from t to end, on from each break as from a start, in equal last steps."""
        start, parts = t, pieces(self.structure.breaks, t, end)
        for number, (a, b) in enumerate(parts):
            if number or a > t:
                self.dt, self.controller.previous = 0.0, 1.0
            u, status = self._smoothly(u, a, b, partial(_told, tick, start, end))
            if status is not Status.DONE:
                return u, status
        return u, Status.DONE

    def _smoothly(self, u: Array, t: float, end: float, tick: Callable[[float, float], None]) -> tuple[Array, Status]:
        if self.dt == 0.0:
            self.dt = self._first_step(u, t, end)
        while t < end:
            self.dt = min(self.dt, self.max_step)
            dt = (end - t) / np.ceil((end - t) / self.dt * (1 - 1e-9))
            if abs(dt - self._last) <= SAME * dt:  # what was computed or recorded for a length of step serves again
                dt = self._last
            self._last = dt
            if t + dt <= t or dt < 1e-14 * max(abs(t), abs(end)):
                return u, Status.STEP_TOO_SMALL
            if self.steps + self.rejected >= self.max_steps:
                return u, Status.TOO_MANY_STEPS
            new, ratio = self._attempt(u, t, dt)
            if self.stopped is not None:
                return u, self.stopped
            factor = self.controller.factor(ratio)
            if ratio <= 1:
                u, t, self.steps = new, (end if dt >= (end - t) * (1 - 1e-12) else t + dt), self.steps + 1
                if factor > 1 or dt >= self.dt * (1 - 1e-9):
                    self.dt = max(dt, self.dt if factor == 1 else 0.0) * factor
                else:
                    self.dt = min(self.dt, dt * max(factor, 1.0)) if factor >= 1 else dt * factor
                self.ends.append(t)
                tick(t, dt)
                if self.kept is not None and t < end:
                    self.kept(u, t)
            else:
                self.dt, self.rejected = dt * factor, self.rejected + 1
        return u, Status.DONE

    def _attempt(self, u: Array, t: float, dt: float) -> tuple[Array, float]:
        """Return a trial step and its error ratio; infinite where an implicit stage could not be solved."""
        try:
            with np.errstate(over="ignore", invalid="ignore"):  # an unstable trial step may overflow; it is rejected
                new, error, known = self._step(u, t, dt)
                ratio = self.controller.ratio(u, error, known)
                if ratio == np.inf and not u.any():  # what is fed may begin with nothing: a share of what has come
                    ratio = self.controller.ratio(new, error)
                look, order, moved = self.structure.missed, self.integrator.order, self.controller.ratio
                return new, max(ratio, look(t, dt, order, lambda: moved(u, new - u))) if ratio <= 1 else ratio
        except MemoryError as problem:
            self.stopped = Status.OUT_OF_MEMORY
            self.trouble = f"{problem}; {memory_left()}" if elsewhere(u) else str(problem)
        except RuntimeError as problem:
            self.stopped = Status.DEVICE_FAILED if elsewhere(u) else None  # nothing implicit is solved there
            self.trouble = str(problem)
        return u, np.inf

    def _step(self, u: Array, t: float, dt: float) -> tuple[Array, Array, tuple[float, float] | None]:
        """Return a trial step, its error, and the norms of the state and the error where they are known."""
        if self.replayed is not None and isinstance(self.integrator, Replayable):
            found = self.integrator.recorded(self.replayed, self.system, u, t, dt)
            if found is not None:
                return found[0].copy(), *found[1:]
        return *self.integrator.step(self.system, u, t, dt), None

    def _first_step(self, u: Array, t: float, end: float) -> float:
        scale, rate = self.controller.sizes(u, self.system.rate(u, t))
        k = self.controller.embedded_order + 1
        guess = 0.5 * self.controller.rtol ** (1 / k) * scale / rate if rate > 0 else end - t
        return min(end - t, max(guess, 1e-9 * (end - t)))


def _told(tick: Meter, start: float, end: float, t: float, dt: float) -> None:
    tick((t - start) / (end - start), f"t = {t:.4g}, step {dt:.1e}")


ABOVE = 10.0
"""times the deepest ripple: what is more, on average over the outermost cells, is mass that came there"""
COLUMNS = ("mass", "minimum", "wall", "leak")


@dataclass
class _Record:
    """What a march leaves behind."""

    discretisation: Discretisation
    density: bool
    means: bool
    open: bool
    expected: float | None
    times: list[float] = field(default_factory=list)
    fields: list[Field] = field(default_factory=list)
    conserved: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in COLUMNS})

    def add(self, t: float, values: Array, mass: float) -> None:
        """Store one time."""
        self.times.append(t)
        self.fields.append(Field(self.discretisation, np.array(values), self.means))
        self.conserved["mass"].append(mass)
        self.conserved["leak"].append(self._leak(mass))
        self.conserved["minimum"].append(self.discretisation.grid.minimum(values))
        self.conserved["wall"].append(wall_share(self.discretisation, values) if self.density else 0.0)

    def arrays(self) -> dict[str, Array]:
        """Return what has been stored as arrays."""
        columns = np.array([self.conserved[name] for name in COLUMNS])
        return {"times": np.array(self.times), "values": np.array([f.values for f in self.fields]), "columns": columns}

    def restore(self, found: Mapping[str, Array]) -> None:
        """Take up what an interrupted march had stored."""
        self.times = [float(t) for t in found["times"]]
        self.fields = [Field(self.discretisation, values, self.means) for values in found["values"]]
        self.conserved = {name: column.tolist() for name, column in zip(COLUMNS, found["columns"], strict=True)}

    def _leak(self, mass: float) -> float:
        """Return what is missing from the mass expected: outside the box at the start, then through absorbing walls."""
        first = self.conserved["mass"][0]
        start = 0.0 if not self.density or self.expected is None else self.expected - first
        return start + (first - mass if self.open else 0.0)

    def status(self, steps: int, largest_wall_mass: float) -> Status:
        """Return what the last stored time says of the solve."""
        mass, wall, least = (self.conserved[name] for name in ("mass", "wall", "minimum"))
        allowed = (ROUNDING[0] + steps * ROUNDING[1]) * abs(mass[0])
        if self.density and not self.open and abs(mass[-1] - mass[0]) > allowed:
            return Status.MASS_MOVED
        if wall[-1] <= largest_wall_mass:
            return Status.DONE
        values, grid = self.fields[-1].values, self.discretisation.grid
        ripples = least[-1] < -largest_wall_mass * float(np.abs(values).max())
        flat = wall_share(self.discretisation, np.ones_like(values)) * float(grid.integrate(np.ones_like(values)))
        own = wall[-1] * float(grid.integrate(np.abs(values))) > ABOVE * abs(least[-1]) * flat
        return Status.UNRESOLVED if ripples and not own else Status.MASS_AT_WALL


def solve(
    equation: Equation,
    discretisation: Discretisation,
    initial: Initial,
    times: Sequence[float] | Array,
    *,
    integrator: Integrator | None = None,
    rtol: float = 1e-6,
    atol: float = 0.0,
    largest_wall_mass: float = 1e-6,
    mass: float | None = 1.0,
    breaks: Sequence[float] = (),
    max_step: float = np.inf,
    scan: bool = True,
    keep_steps: bool = True,
    max_steps: int = 1_000_000,
    checkpoint: Path | None = None,
    progress: bool = False,
    throw: bool = True,
) -> Solution:
    """Advance an initial condition by an evolution equation and return its fields at all `times`.

    Args:
        equation: a record such as `FokkerPlanck.of(process)`.
        discretisation: `FiniteVolume(grid)` or `Spectral(grid)`.
        initial: the state at `times[0]`: a Density, a Field, or a function of points (..., d).
        times: strictly increasing, in the equation's own time, within its horizon.
        integrator: a time integrator; by default the one its scheme recommends.
        rtol: local error per step relative to rms(u); the adaptive step obeys rms(error) ≤ atol + rtol·rms(u).
        atol: absolute part of the same bound, in units of u.
        largest_wall_mass: share of a density's mass allowed in the outermost cells of far walls.
        mass: the mass that the start of a density must have, to 1e-4; None for an unknown that is no probability.
        breaks: times at which coefficients jump; those that a scan finds need not be named.
        scan: look for them before the first step, at 2001 times, or at 20 001 where a coefficient gives all at once and
            quickly; how far apart the looks were is in the solution's summary.
        keep_steps: keep the length of a step that could be longer by less than a quarter at once, since what was computed
            for it serves again; False where the coefficients change, and cost more than that.
        max_step: the longest step, in the equation's time.
        max_steps: budget of accepted and rejected steps.
        checkpoint: a file (.npz) that keeps the state every few seconds: the same solve, interrupted, goes on from it to
            the same solution bit for bit, and removes it. On one process.
        progress: draw a meter.
        throw: raise on failure; otherwise return the part computed, its `status` saying why it ended.

    Raises:
        ValueError, TypeError: the problem is not well posed on this grid (before the first step), or the checkpoint belongs
            to another, with the field that differs.
        Busy: another run is at work on the checkpoint.
        NotConverged: the march ended early; `.partial` is the Solution up to there.
        MemoryError: the host has no room for a few fields of this size (before anything is allocated).

    >>> equation, start = mfg.FokkerPlanck.of(mfg.OrnsteinUhlenbeck()), mfg.gaussian(1.0, 0.5)
    >>> solution = mfg.solve(equation, mfg.Spectral(mfg.CartesianGrid.cube(6.0, 64, 1)), start, (0.0, 1.0))
    >>> print(f"{solution.at(1.0).expectation(lambda x: x[..., 0]):.6f}")  # e⁻¹
    0.367879
    """
    posed.check_steps(rtol, atol, max_step, max_steps)
    instants, rtol = posed.checked_times(equation, times), tolerance(rtol)
    posed.check_room(discretisation)
    system = discretisation.semidiscretise(equation)
    if isinstance(system, Limited):
        limited(type(system).__name__)
    inviscid = isinstance(system, Inviscid) and system.inviscid
    together(discretisation.grid, lambda: posed.check_diffusivity(equation, instants, inviscid))
    together(discretisation.grid, lambda: posed.check_coefficients(equation, discretisation.grid, instants))
    chosen = integrator or system.default_integrator
    function = initial_function(equation, initial, discretisation.grid)
    u = system.start(function)
    density, unbounded = carries_density(equation), reaches_infinity(discretisation)
    largest = largest_wall_mass if density and unbounded else np.inf
    means, opened = holds_means(equation, discretisation), is_open(equation, discretisation)
    record = _Record(discretisation, density, means, opened, mass)
    values = system.values(u)
    if density:
        Start(initial, function, discretisation, values, system.mass(u)).check(largest, mass)
    ends = float(instants[0]), float(instants[-1])
    structure = Structure.of(equation, discretisation.grid, *ends, breaks, scan, system)
    control = Controller(rtol, atol, chosen.embedded_order, _norms(system), keep_steps)
    march = _March(system, chosen, control, max_steps, min(max_step, structure.longest), structure)
    if elsewhere(u) and u.size <= LARGEST and may_be_recorded(chosen, system):
        march.replayed = Replayed()
    missed = {"start": what_may_be_missed(equation, initial, discretisation), "coefficients": structure.said}
    clock = time.perf_counter()
    deciding = {"equation": equation, "discretisation": discretisation, "initial": initial, "times": instants}
    deciding |= {"integrator": chosen, "rtol": rtol, "atol": atol, "mass": mass, "largest_wall_mass": largest}
    deciding |= {"breaks": structure.breaks, "max_step": max_step, "keep_steps": keep_steps}
    kept = Checkpoint(posed.of_one_process(checkpoint, discretisation), deciding)
    status, t = Status.DONE, float(instants[0])
    record.add(t, values, system.mass(u))
    span = float(instants[-1] - instants[0])
    with kept.held(), meter(type(equation).__name__, show=progress) as bar:
        found = kept.load()
        if found is not None:
            u, t, march.state = namespace_of(u).asarray(found["u"]), float(found["t"]), found["march"].tolist()
            record.restore(found)
        if checkpoint is not None:
            march.kept = partial(_keep, kept, march, record)
        for end in map(float, instants[len(record.times) :]):
            tick = _scaled(bar, (t - instants[0]) / span, (end - t) / span) if progress else silent
            u, status = march.advance(u, t, end, tick)
            if status is Status.DEVICE_FAILED:
                break
            values = system.values(u)
            if status is Status.OUT_OF_MEMORY and march.ends[-1] > t:  # what has been computed is kept
                t = march.ends[-1]
                record.add(t, values, system.mass(u))
            if status is Status.DONE and not (np.isfinite(system.mass(u)) and np.isfinite(values).all()):
                status = Status.NOT_FINITE
            if status is not Status.DONE:
                break
            t = end
            record.add(t, values, system.mass(u))
            status = record.status(march.steps + march.rejected, largest)
            if status is not Status.DONE:
                break
            if march.kept is not None:
                march.kept(u, t)
        kept.done()
    march.replayed = None  # its recordings hold on to it, and to memory of the device
    solution = Solution(
        equation,
        discretisation,
        np.array(record.times),
        tuple(record.fields),
        status,
        {name: np.array(column) for name, column in record.conserved.items()},
        {
            "steps": march.steps,
            "rejected": march.rejected,
            "seconds": time.perf_counter() - clock,
            **(system.work if isinstance(system, Working) else {}),
        },
        {
            "equation": type(equation).__name__,
            "discretisation": repr(discretisation),
            "integrator": repr(chosen),
            "rtol": rtol,
            **{name: said for name, said in missed.items() if said},
        },
        initial,
        partial(
            solve,
            rtol=rtol,
            atol=atol,
            largest_wall_mass=np.inf,
            mass=None,
            breaks=breaks,
            max_step=max_step,
            scan=scan,
            keep_steps=keep_steps,
            max_steps=max_steps,
        ),
        Taken.of(equation, structure.breaks if scan else None, march, rtol),
    )
    if noting() and status is Status.DONE and steep(solution):
        limited(UPWIND)
    if throw and status is not Status.DONE:
        raise NotConverged(advice(solution, max(t, march.ends[-1]), march.trouble), solution)
    return solution


def _keep(kept: Checkpoint, march: _March, record: _Record, u: Array, t: float) -> None:
    """Write where a march stands, if it is time to."""
    if kept.due:
        kept.save(now=True, u=to_host(u), t=np.array(t), march=np.array(march.state), **record.arrays())


def _norms(system: Semidiscrete) -> Callable[[Array, Array], tuple[float, float]]:
    """Return the norms of a state and its error that belong to a system: its own, or root mean squares."""
    return (lambda u, error: (system.size(u), system.size(error))) if isinstance(system, Normed) else sizes


def _scaled(bar: Meter, offset: float, share: float) -> Meter:
    return lambda fraction, quantity: bar(offset + share * fraction, quantity)
