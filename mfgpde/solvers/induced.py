"""What a score generates: q^SDE by finite volumes, q^ODE by the mass that the flow carries; with the mass that leaks.

Both start from the process's prior at t = horizon and end at `stop`. The reverse SDE has drift −f + 2D s and diffusion g,
the probability-flow ODE velocity −f + D s (in generation time). — arXiv:2011.13456, eqs. (6), (13).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil

import numpy as np
from scipy.integrate import solve_ivp
from scipy.ndimage import maximum_filter

from mfgpde.core import accuracy
from mfgpde.core.ability import require
from mfgpde.core.arrays import Array, Backend
from mfgpde.core.progress import meter
from mfgpde.core.time_structure import breaks
from mfgpde.densities import GaussianMixture, gaussian
from mfgpde.discretisations import Field, FiniteVolume
from mfgpde.discretisations.checks import checked
from mfgpde.equations import FokkerPlanck
from mfgpde.grids import CartesianGrid
from mfgpde.processes import LinearProcess
from mfgpde.scores import Score, require_score
from mfgpde.solvers.counted import CountedFlow, counted
from mfgpde.solvers.image_masses import image_masses
from mfgpde.solvers.in_time import Around, seldom
from mfgpde.solvers.march import solve
from mfgpde.solvers.structure import drift_at

GROWTH = (1.0, 1.5, 2.0, 3.0, 4.0)
LOOKS = 9
"""times at which the walls of a box are looked at, both ends included"""
MOST_CELLS = 2**23
SAME = 1e-12
"""of the horizon: no step leads from a time so close to it, where sums of times end"""
LATITUDE = 0.4
"""times the root of the tolerance, which is how errors of the steps fall: Girsanov's number for a score asked at few times,
whose law is then off by a third of what the steps leave, or less"""
FAINT = 1e-2
"""of the largest root of the mass near a corner: the least weight of one in the tolerance of a flow"""


@dataclass(frozen=True, eq=False)
class Room:
    """How wide a box the march of an SDE needs, and roughly where its mass is: found on few cells."""

    growth: float
    around: Around
    evaluations: int = 0
    score_seconds: float = 0.0


@dataclass(frozen=True, eq=False)
class Induced:
    """A generated law: density at the stopping time, mass outside its box, earlier stages, and what the score cost.

    `times` are the process times asked for, latest (noisiest) first. For an SDE `stages` holds the densities there, for an
    ODE the places of the cells' corners, carried from `stop`; `ends` are those at the horizon. `between` is what asking an
    SDE's score at few times may change in L¹, of the law of its paths, and `apart` how far apart two of them were at most.
    """

    density: Field
    leak: float
    stop: float
    times: tuple[float, ...]
    stages: tuple[Array, ...]
    evaluations: int
    score_seconds: float
    seconds: float
    ends: Array | None = None
    between: float = 0.0
    apart: float = 0.0


def prior_of(process: LinearProcess, dimension: int) -> GaussianMixture:
    """Return the Gaussian from which generation starts.

    >>> mfg.solvers.prior_of(mfg.OrnsteinUhlenbeck(), 1).covariances.tolist()
    [[[0.5]]]
    """
    _, mean, covariance = process.prior().in_dimension(dimension)
    return gaussian(mean, covariance)


def induced_sde(
    process: LinearProcess,
    score: Score,
    grid: CartesianGrid,
    *,
    stop: float = 0.0,
    times: Sequence[float] = (),
    rtol: float = 1e-2,
    order: int = 2,
    largest_leak: float = 1e-4,
    room: Room | None = None,
    backend: Backend = "numpy",
    progress: bool = False,
) -> Induced:
    """Return the law of the generating SDE at t = stop, on `grid`; `backend="cupy"` marches on a GPU.

    The march runs on a box around `grid`, cells of the same size and place, and is cropped to `grid` at the end; how wide
    a box is found by `room_of`, or given as the `room` of the same SDE and box in other cells. `leak` is what of the whole
    law, one, is not in `grid`. The score is evaluated on all points in one batch, at as few times as its smoothness in time
    and `rtol` allow (`Seldom`), at each step where it jumps; one with a known potential at cell centres only. `rtol` is per
    step: at 1e-2 the law is off by some 5e-4.

    Raises TypeError for what is no linear process or no score, ValueError where that box would have more than 2²³ cells.

    >>> process = mfg.OrnsteinUhlenbeck()
    >>> score = mfg.ExactScore(process, mfg.gaussian(1.0, 0.5))
    >>> law = mfg.induced_sde(process, score, mfg.CartesianGrid.cube(5.0, 64, 1)).density
    >>> print(f"{law.expectation(lambda x: x[..., 0]):.2f}")  # 1 − e⁻²: the prior, of mean 0, is not the noised law yet
    0.86
    """
    require(process, LinearProcess, "the process")
    require_score(score)
    observed, clock = counted(score), time.perf_counter()
    march = _Reverse(process, prior_of(process, grid.dimension), stop, _breaks(process, grid, stop), order, backend)
    stored = _stored(process, stop, times)
    if room is None:
        room = _room(march, observed, grid, rtol, largest_leak)
    latitude = LATITUDE * accuracy.tolerance(rtol) ** 0.5
    few = seldom(observed, process, room.around, stop, latitude)
    chosen = marched_box(process, grid, room, largest_leak)
    found = march.laws(few, chosen, rtol, stored, progress)
    density = Field(FiniteVolume(grid, order=order), cropped(found[-1], chosen, grid), means=True)  # pyright: ignore[reportArgumentType]
    leak = 1.0 - float(density.integral())
    stages = found[:-1] if stored and stored[0] == process.horizon else found[1:-1]
    stages = tuple(cropped(stage, chosen, grid) for stage in stages)
    cost = observed.points, observed.seconds, time.perf_counter() - clock
    return Induced(density, leak, stop, stored, stages, *cost, between=few.off, apart=few.longest)


def room_of(
    process: LinearProcess,
    score: Score,
    grid: CartesianGrid,
    *,
    stop: float = 0.0,
    rtol: float = 1e-2,
    order: int = 2,
    largest_leak: float = 1e-4,
) -> Room:
    """Return how wide a box the generating SDE's march needs, from laws on a grid four times coarser, for `induced_sde`.

    Wide enough for all of the prior but a tenth of `largest_leak`, then 1.5, 2, 3 and 4 times as wide as long as mass at
    the walls changes what is inside `grid` by more than `largest_leak`. One room serves the same SDE on other cells of
    the same box. Raises what `induced_sde` raises.

    >>> process, score = mfg.OrnsteinUhlenbeck(), mfg.ExactScore(mfg.OrnsteinUhlenbeck(), mfg.gaussian(1.0, 0.5))
    >>> mfg.solvers.room_of(process, score, mfg.CartesianGrid.cube(5.0, 64, 1)).growth
    1.0
    """
    require(process, LinearProcess, "the process")
    require_score(score)
    observed = counted(score)
    march = _Reverse(process, prior_of(process, grid.dimension), stop, _breaks(process, grid, stop), order, "numpy")
    found = _room(march, observed, grid, rtol, largest_leak)
    return replace(found, evaluations=observed.points, score_seconds=observed.seconds)


def _room(march: _Reverse, score: Score, grid: CartesianGrid, rtol: float, largest_leak: float) -> Room:
    process, run = march.process, march.process.horizon - march.stop
    coarse = _coarser(_around(grid, *march.start.box(1 - 0.1 * largest_leak)))
    looked = (process.horizon - run * np.linspace(0, 1, LOOKS)[1:-1]).tolist()
    chosen, inside = GROWTH[0], np.nan
    for trial in GROWTH:
        box = grown(coarse, trial)
        found = march.laws(score, box, 2 * rtol, looked)
        if trial == 1.0 and max(box.outer_share(values) for values in found) <= largest_leak:
            break
        before, inside = inside, _mass_inside(found[-1], box, grid)
        if trial > 1.5 and abs(inside - before) <= largest_leak:
            break  # the box before was wide enough
        chosen = trial
    return Room(chosen, Around(box, (process.horizon, *looked, march.stop), found))


@dataclass(frozen=True, eq=False)
class _Reverse:
    """The generating SDE's law marched from its prior, on any box."""

    process: LinearProcess
    start: GaussianMixture
    stop: float
    breaks: list[float]
    order: int
    backend: Backend

    def laws(
        self, score: Score, box: CartesianGrid, tolerance: float, instants: Sequence[float], meter: bool = False
    ) -> list[Array]:
        """Return the densities at the start, at process times in between, and at the end."""
        horizon = self.process.horizon
        after = (0.0, *(horizon - t for t in instants if t < horizon), horizon - self.stop)
        solution = solve(
            FokkerPlanck.reverse(self.process, score),
            FiniteVolume(box, order=self.order, backend=self.backend),  # pyright: ignore[reportArgumentType]
            self.start,
            after,
            rtol=tolerance,
            largest_wall_mass=1.0,
            breaks=self.breaks,
            scan=False,
            keep_steps=False,
            progress=meter,
        )
        return [field.values for field in solution.fields]


def _breaks(process: LinearProcess, grid: CartesianGrid, stop: float) -> list[float]:
    """Return the generation times at which the process's coefficients jump; scores are smooth, and dear to ask."""
    x, end = np.array([grid.lower, grid.upper]), process.horizon
    noise = breaks(lambda t: np.ravel(process.diffusivity(t)), stop, end)
    return [end - t for a, b in (*noise, *drift_at(process.drift, x).scanned(stop, end)[0]) for t in {a, b}]


def _stored(process: LinearProcess, stop: float, times: Sequence[float]) -> tuple[float, ...]:
    """Return the times to store, latest first, one beside the horizon as it; ValueError unless in (stop, horizon]."""
    last = process.horizon
    ordered = tuple(sorted((last if abs(t - last) <= SAME * last else t for t in map(float, times)), reverse=True))
    if ordered and not (stop < ordered[-1] and ordered[0] <= process.horizon):
        raise ValueError(f"times must lie in ({stop:g}, {process.horizon:g}], got {ordered[-1]:g} to {ordered[0]:g}")
    return ordered


def cropped(values: Array, box: CartesianGrid, grid: CartesianGrid) -> Array:
    """Return the part on `grid`, whose cells are cells of the box."""
    first = [round((a - c) / h) for a, c, h in zip(grid.lower, box.lower, grid.spacing, strict=True)]
    return np.ascontiguousarray(values[tuple(slice(k, k + n) for k, n in zip(first, grid.cells, strict=True))])


def _mass_inside(values: Array, box: CartesianGrid, grid: CartesianGrid) -> float:
    """Return the mass in `grid`, whatever the cells."""
    for axis, edges in enumerate(box.edges):
        overlap = np.diff(np.clip(edges, grid.lower[axis], grid.upper[axis]))
        values = np.tensordot(overlap, values, axes=(0, 0))
    return float(values)


def induced_ode(
    process: LinearProcess,
    score: Score,
    grid: CartesianGrid,
    *,
    stop: float = 0.0,
    times: Sequence[float] = (),
    rtol: float = 5e-4,
    known: Induced | None = None,
    progress: bool = False,
) -> Induced:
    """Return the law of the probability-flow ODE at t = stop, as mean values over the cells of `grid`.

    A cell holds the prior mass of its image under the flow from t = stop to the horizon: corners are carried along
    dx/dt = f − D s, or the velocity that the score brings (`FlowScore`), and the multilinear image between them is
    integrated by Gauss points. Mass is neither lost nor made; what is missing from one is outside the box, and is
    returned as `leak`. Second order in the cell width, no divergence is
    needed; cells are negative where the image folds over, which finer cells cure. `rtol` is the local error of the corners'
    places in cell widths: what is uneven within a cell folds it. It is the root of a mean square over the corners; with a
    law that is `known` on other cells, over its mass: corners count by what is near them, none below 1e-4 of the most.
    Steps are then as short as the law needs, not as corners do that hold nothing of it.

    >>> process = mfg.OrnsteinUhlenbeck()
    >>> score = mfg.ExactScore(process, mfg.gaussian(1.0, 0.5))
    >>> law = mfg.induced_ode(process, score, mfg.CartesianGrid.cube(5.0, 64, 1)).density
    >>> print(f"{law.expectation(lambda x: x[..., 0]):.2f}")  # 1 − e⁻¹: the prior, of mean 0, is not the noised law yet
    0.63
    """
    require(process, LinearProcess, "the process")
    require_score(score)
    observed, clock = counted(score), time.perf_counter()
    corners = grid.corners
    shape, stored = corners.shape, _stored(process, stop, times)
    with meter("flow", show=progress) as bar, np.errstate(over="ignore", invalid="ignore"):

        def velocity(t: float, y: Array) -> Array:
            x = y.reshape(shape)
            if not np.isfinite(x).all():
                raise ValueError(
                    f"the probability flow of this score leaves every box and the numbers near t = {t:.3g}; look at its "
                    "sign, its scale and what it predicts, or end the process earlier"
                )
            bar((t - stop) / (process.horizon - stop), f"t = {t:.4g}")
            if isinstance(observed, CountedFlow):
                return checked(observed.velocity(x, t), shape, f"the velocity at t = {t:g}").ravel()
            s = checked(observed(x, t), shape, f"the score at t = {t:g}")
            return (process.drift(x, t) - process.diffusivity(t) * s).ravel()

        ends = (*reversed(stored), process.horizon) if process.horizon not in stored else tuple(reversed(stored))
        reach = accuracy.tolerance(rtol) * (grid.spacing / _weights(grid, known)[..., None])
        span = (stop, process.horizon)
        run = solve_ivp(velocity, span, corners.ravel(), method="RK45", rtol=1e-13, atol=reach.ravel(), t_eval=ends)
    if not run.success:
        raise RuntimeError(f"the probability flow stopped at t = {run.t[-1]:g}: {run.message}")
    stages = tuple(run.y[:, k].reshape(shape) for k in reversed(range(len(stored))))
    cost = observed.points, observed.seconds, time.perf_counter() - clock
    return _carried(process, grid, stop, stored, stages, cost, run.y[:, -1].reshape(shape))


def _weights(grid: CartesianGrid, known: Induced | None) -> Array:
    """Return weights of the corners in a tolerance, of mean square one: roots of the mass near, none below FAINT."""
    x = grid.corners
    if known is None:
        return np.ones(x.shape[:-1])
    other = known.density.grid
    near = maximum_filter(np.abs(known.density.values), size=3, mode="nearest")
    if not near.max() > 0:
        return np.ones(x.shape[:-1])
    index = [
        np.clip(((x[..., k] - a) / h).astype(int), 0, n - 1)
        for k, (a, h, n) in enumerate(zip(other.lower, other.spacing, other.cells, strict=True))
    ]
    weights = np.maximum(np.sqrt(near[tuple(index)] / near.max()), FAINT)
    return weights / np.sqrt(np.mean(weights**2))


def _carried(
    process: LinearProcess,
    grid: CartesianGrid,
    stop: float,
    times: tuple[float, ...],
    stages: tuple[Array, ...],
    cost: tuple[int, float, float],
    ends: Array,
) -> Induced:
    masses = image_masses(ends, prior_of(process, grid.dimension))
    density = Field(FiniteVolume(grid), masses / grid.volume, means=True)
    return Induced(density, 1.0 - float(masses.sum()), stop, times, stages, *cost, ends)


def on_half_grid(process: LinearProcess, law: Induced) -> Induced:
    """Return the law of an ODE on half as many cells a side, from every second of its corners: no score is asked again.

    Its cells carry the error of twice their width, its corners have the errors of the same steps in time.
    Raises ValueError for the law of an SDE, or an odd number of cells.

    >>> process = mfg.OrnsteinUhlenbeck()
    >>> score, grid = mfg.ExactScore(process, mfg.gaussian(1.0, 0.5)), mfg.CartesianGrid.cube(5.0, 64, 1)
    >>> half = mfg.solvers.on_half_grid(process, mfg.induced_ode(process, score, grid))
    >>> half.density.grid.cells, half.evaluations
    ((32,), 0)
    """
    grid, ends = law.density.grid, law.ends
    if ends is None:
        raise ValueError("the law of an SDE has no corners; solve for it on half the grid")
    if any(n % 2 for n in grid.cells):
        raise ValueError(f"half of the cells of {grid.cells} need an even number along every axis")
    every = (slice(None, None, 2),) * grid.dimension
    half = replace(grid, cells=tuple(n // 2 for n in grid.cells))
    stages = tuple(stage[every] for stage in law.stages)
    return _carried(process, half, law.stop, law.times, stages, (0, 0.0, 0.0), ends[every])


def marched_box(process: LinearProcess, grid: CartesianGrid, room: Room, largest_leak: float = 1e-4) -> CartesianGrid:
    """Return the box of the march around `grid`, cells of the same size and place, for an SDE's law in that room."""
    return grown(_around(grid, *prior_of(process, grid.dimension).box(1 - 0.1 * largest_leak)), room.growth)


def _around(grid: CartesianGrid, lower: Array, upper: Array) -> CartesianGrid:
    """Return the grid with as many more cells at its walls as reach the corners of a box; ValueError if too many."""
    axes = list(zip(grid.lower, grid.upper, grid.spacing, grid.periodic, strict=True))
    below = [
        0 if periodic else max(0, ceil((a - low) / h)) for (a, _, h, periodic), low in zip(axes, lower, strict=True)
    ]
    above = [
        0 if periodic else max(0, ceil((high - b) / h)) for (_, b, h, periodic), high in zip(axes, upper, strict=True)
    ]
    return _padded(grid, below, above)


def grown(grid: CartesianGrid, factor: float) -> CartesianGrid:
    """Return the box `factor` times as wide about the same middle, cells of the same size and place."""
    extra = [
        0 if periodic else round((factor - 1) * n / 2) for n, periodic in zip(grid.cells, grid.periodic, strict=True)
    ]
    return _padded(grid, extra, extra)


def _padded(grid: CartesianGrid, below: list[int], above: list[int]) -> CartesianGrid:
    cells = tuple(n + i + j for n, i, j in zip(grid.cells, below, above, strict=True))
    if np.prod(cells, dtype=float) > MOST_CELLS:
        raise ValueError(
            f"the law needs a box of {' × '.join(map(str, cells))} cells on its way from the prior to {grid.cells} cells; "
            "give a wider box with wider cells, a process whose prior is narrower, or use induced_ode"
        )
    lower = tuple(a - k * h for a, k, h in zip(grid.lower, below, grid.spacing, strict=True))
    upper = tuple(b + k * h for b, k, h in zip(grid.upper, above, grid.spacing, strict=True))
    return replace(grid, lower=lower, upper=upper, cells=cells)


def _coarser(grid: CartesianGrid) -> CartesianGrid:
    return replace(grid, cells=tuple(max(16, n // 4) for n in grid.cells))
