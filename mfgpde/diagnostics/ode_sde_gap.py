"""How far apart ODE and SDE of one score can be: the W₂ bound by the score gap along the way, in two forms.

With ∇e = s_θ − ∇log q^SDE and the flow X_{t→0} of the probability-flow ODE,
    W₂(q_0^ODE, q_0^SDE) ≤ ∫_0^T D(t) ‖DX_{t→0} ∇e_t‖_{L²(q_t^SDE)} dt ≤ ∫_0^T D(t) e^{∫_0^t L} ‖∇e_t‖_{L²(q_t^SDE)} dt,
where L(t) is the one-sided Lipschitz constant of the ODE's velocity over the mass. After arXiv:2311.15996: the first form
follows by carrying q_t^SDE with the ODE from t to 0 and differentiating in t; Gronwall's lemma gives the second.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, cast

import numpy as np
from scipy.interpolate import RegularGridInterpolator  # pyright: ignore[reportMissingTypeStubs, reportUnknownVariableType]

from mfgpde.core.arrays import dot
from mfgpde.core.estimate import Estimate, Kind
from mfgpde.core.side_by_side import go_on
from mfgpde.diagnostics.distances import Array
from mfgpde.discretisations import Field, FiniteVolume, centres_of
from mfgpde.grids import CartesianGrid
from mfgpde.processes import ForwardProcess
from mfgpde.scores import DifferentiableScore, Score, require_score
from mfgpde.solvers import Induced, induced_sde
from mfgpde.transport.gaussian import moments

MASS = 0.999
SHARPER, STEPS = 3e-2, 1.5
"""of a tolerance, whose third root errors may fall like: at most a third is left, and what makes up for that third"""


@dataclass(frozen=True, eq=False)
class GapBound:
    """Both bounds on W₂, what they integrate over t, and the Lipschitz constants.

    `independent` is what independent draws of both laws are apart, root mean square, or the diagonal of the box if that is
    less: no plan says less than that, and a bound that is not below it is vacuous. `vacuous` says so of the second;
    `growth` is its largest exponent ∫L.
    """

    along_trajectories: Estimate
    by_lipschitz: Estimate
    times: Array
    score_gap: Array
    lipschitz: Array
    growth: float
    independent: float

    @property
    def vacuous(self) -> bool:
        """Whether the bound by the Lipschitz constant says nothing."""
        return not self.by_lipschitz.value < self.independent


def gap_bound(
    process: ForwardProcess,
    score: DifferentiableScore,
    sde: Induced,
    ode: Induced,
    *,
    beside: Sequence[Induced] = (),
    rtol: float = 1e-2,
    thinnest: float = 0.0,
) -> GapBound:
    """Return both bounds from the stages of both laws, stored at the same times on the same grid.

    The region of L holds 99.9 % of q_t^SDE. The bars are what half of the stages would change in the trapezoidal sums, and
    what half of the cells and a sharper tolerance do: ∇log q^SDE is that of a solved law. `beside` are two more laws of
    the SDE at the same times: on half as many cells a side, by either tolerance, and by a sharper one on the law's own
    cells, since others take other steps. Where they are not given they are solved for, by `rtol`, the sharper one by 3 %.
    The first bound asks how far the flow stretches, from images of cells. Where those are thinner than `thinnest`, in
    widths of cells, which is how well their corners are known, they are taken as thin as that; what they would add as
    they are is in the bar, too.
    Raises TypeError for a score without derivatives, ValueError for fewer than eight times, or different ones, and for
    other laws beside.

    >>> process, grid = mfg.OrnsteinUhlenbeck(), mfg.CartesianGrid.cube(5.0, 128, 1)
    >>> score, times = mfg.ExactScore(process, mfg.gaussian(1.0, 0.5)), np.linspace(1.0, 0.05, 20)
    >>> sde, ode = (law(process, score, grid, times=times) for law in (mfg.induced_sde, mfg.induced_ode))
    >>> bound = mfg.gap_bound(process, score, sde, ode)
    >>> print(f"{bound.along_trajectories.value:.2f}")  # both laws are Gaussian, e⁻¹ − e⁻² = 0.2325 apart
    0.23
    """
    require_score(score, DifferentiableScore)
    if sde.times != ode.times or len(sde.times) < 8:
        raise ValueError(
            f"both laws need the same stored times, at least eight; got {len(sde.times)}, {len(ode.times)}"
        )
    grid: CartesianGrid = sde.density.grid
    if not beside:
        half = replace(grid, cells=tuple(max(n // 2, 1) for n in grid.cells))
        order = cast(Any, sde.density.discretisation).order
        solved: Any = partial(induced_sde, process, score, stop=sde.stop, times=sde.times, order=order)  # pyright: ignore[reportArgumentType]
        beside = solved(half, rtol=rtol), solved(grid, rtol=SHARPER * rtol)
    if len(beside) != 2 or any(one.times != sde.times for one in beside):
        raise ValueError("two laws of the SDE stand beside it, at the same stored times")
    if beside[1].density.grid != grid:
        raise ValueError(
            f"the law by a sharper tolerance must have the cells of the law, {grid.cells}, since others take other "
            f"steps, got {beside[1].density.grid.cells}; solve for it on that grid, or leave `beside` away"
        )
    laws = sde, *beside
    sums = {law: _sums(process, score, law, ode, thinnest) for law in dict.fromkeys(laws)}
    fine, rough, sharp = (sums[law] for law in laws)
    along = _barred(fine.along, rough.along, sharp.along)
    by_lipschitz = _barred(fine.by_lipschitz, rough.by_lipschitz, sharp.by_lipschitz)
    apart = min(_apart(sde.density, ode.density), float(np.linalg.norm(grid.lengths)))
    return GapBound(along, by_lipschitz, fine.times, fine.gaps, fine.lipschitz, fine.growth, apart)


def _barred(fine: Estimate, rough: Estimate, sharp: Estimate) -> Estimate:
    """Return a sum with what cells and steps change in its bar."""
    more = abs(fine.value - rough.value) + STEPS * abs(fine.value - sharp.value)
    return replace(fine, half_width=fine.half_width + more, method=f"{fine.method}, of the cells and sharper steps")


@dataclass(frozen=True, eq=False)
class _Sums:
    """Both integrals over the stages of a law, as trapezoidal sums, and what they are of."""

    along: Estimate
    by_lipschitz: Estimate
    times: Array
    gaps: Array
    lipschitz: Array
    growth: float


def _sums(process: ForwardProcess, score: DifferentiableScore, sde: Induced, ode: Induced, thinnest: float) -> _Sums:
    grid: CartesianGrid = sde.density.grid
    times = np.array([sde.stop, *sde.times[::-1]])
    laws = [np.maximum(centres_of(means, grid), 0.0) for means in (sde.density.values, *sde.stages[::-1])]
    places = [grid.corners, *(_carried(stage, ode.density.grid, grid) for stage in ode.stages[::-1])]
    D = np.array([float(process.diffusivity(t)) for t in times])
    gaps, lipschitz = list[float](), list[float]()
    carried = list[tuple[float, float]]()
    for t, q, corners in zip(times, laws, places, strict=True):
        go_on()
        difference = _score_gap(score, q, grid, float(t))
        gaps.append(float(grid.integrate(q * np.sum(difference**2, axis=-1))) ** 0.5)
        carried.append(_carried_lengths(q, difference, corners, grid, thinnest))
        lipschitz.append(_one_sided(process, score, q, grid, float(t)))
    exponent = _cumulative(np.array(lipschitz), times)
    by_lipschitz = _integral(D * np.exp(np.minimum(exponent, 700.0)) * np.array(gaps), times)
    known, raw = (_integral(D * lengths, times) for lengths in np.array(carried).T)
    along = replace(known, half_width=known.half_width + max(raw.value - known.value, 0.0))
    return _Sums(along, by_lipschitz, times, np.array(gaps), np.array(lipschitz), float(exponent.max()))


def _carried(stage: Array, fine: CartesianGrid, grid: CartesianGrid) -> Array:
    """Return where the flow takes the corners of a grid that has the same box, from places of those of a finer one."""
    if grid.cells == fine.cells:
        return stage
    known = cast(Any, RegularGridInterpolator(fine.edges, stage))
    return known(np.clip(grid.corners, fine.lower, fine.upper))  # ends of both may be a rounding apart


def _apart(a: Field, b: Field) -> float:
    """Return (E|X − Y|²)^½ of independent X and Y with these laws."""
    grid, spacing = a.grid, cast(tuple[float, ...], a.grid.spacing)
    laws = [np.maximum(law.values, 0.0) / float(np.maximum(law.values, 0.0).sum()) for law in (a, b)]
    (m, S), (n, C) = (moments(law, grid.points) for law in laws)
    return float(np.sqrt(np.sum((m - n) ** 2) + np.trace(S) + np.trace(C) + sum(h * h for h in spacing) / 6))


def _integral(values: Array, times: Array) -> Estimate:
    total = float(np.trapezoid(values, times))
    keep = np.unique(np.append(np.arange(0, len(times), 2), len(times) - 1))
    rough = float(np.trapezoid(values[keep], times[keep]))
    method = f"trapezoidal sum over {len(times)} times, change from half of them"
    return Estimate(total, abs(total - rough), Kind.EXTRAPOLATED, method)


def _score_gap(score: Score, q: Array, grid: CartesianGrid, t: float) -> Array:
    """Return ∇e = s_θ − ∇log q, zero where q is below 1e-10 of its maximum: there the logarithm is noise."""
    floor = 1e-10 * q.max()
    slope = Field(FiniteVolume(grid), np.log(np.maximum(q, floor))).gradient().values
    return np.where((q > floor)[..., None], score(grid.points, t) - slope, 0.0)


def _carried_lengths(
    q: Array, difference: Array, corners: Array, grid: CartesianGrid, thinnest: float
) -> tuple[float, float]:
    """Return (E_{q_t}|DX_{t→0}∇e|²)^½ over the images of the cells under the flow from 0 to t, twice.

    First with no image thinner than said, then with all as they are.
    """
    d = grid.dimension
    ends = list(np.ndindex(*(2,) * d))
    pieces = {bits: corners[tuple(slice(b, (b - 1) or None) for b in bits)] for bits in ends}
    centre = np.mean(list(pieces.values()), axis=0)
    J = np.stack(
        [
            sum((1 if bits[k] else -1) * piece for bits, piece in pieces.items()) / (len(ends) / 2 * grid.spacing[k])
            for k in range(d)
        ],
        axis=-1,
    )
    inside = grid.contains(centre)
    det = np.linalg.det(J)
    good = inside & (det > 1e-14)

    def at_images(values: Array) -> Array:
        known = cast(Any, RegularGridInterpolator(grid.axes, values, bounds_error=False, fill_value=0.0))
        return known(centre[good])

    density, gap = at_images(q), at_images(difference)
    stretched, mass = J[good], density * det[good] * grid.volume
    back: Array = np.linalg.solve(stretched, gap[..., None])[..., 0]
    squares = dot(back, back)
    least = det[good] / np.sum(stretched**2, axis=(-1, -2)) ** (0.5 * (d - 1))  # no direction is stretched less
    known, thin = squares.copy(), least < thinnest
    if thin.any():
        turned, stretches, _ = np.linalg.svd(stretched[thin])
        along = (np.swapaxes(turned, -1, -2) @ gap[thin][..., None])[..., 0] / np.maximum(stretches, thinnest)
        known[thin] = dot(along, along)
    lengths = [float(np.sqrt(mass @ one)) for one in (known, squares)]
    return lengths[0], lengths[1]


def _one_sided(process: ForwardProcess, score: DifferentiableScore, q: Array, grid: CartesianGrid, t: float) -> float:
    """Return the largest eigenvalue of the symmetric part of ∇(−f + D s) over the region of most mass."""
    order = np.argsort(q, axis=None)[::-1]
    kept = order[: int(np.searchsorted(np.cumsum(q.ravel()[order]), MASS * q.sum())) + 1]
    x = grid.points.reshape(-1, grid.dimension)[kept]
    J = float(process.diffusivity(t)) * score.jacobian(x, t) - process.drift_jacobian(x, t)
    return float(np.linalg.eigvalsh(0.5 * (J + np.swapaxes(J, -1, -2)))[..., -1].max())


def _cumulative(values: Array, times: Array) -> Array:
    steps = np.diff(times) * 0.5 * (values[1:] + values[:-1])
    return np.concatenate(([0.0], np.cumsum(steps)))
