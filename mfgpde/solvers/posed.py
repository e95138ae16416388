"""Whether a problem is posed: times, checkpoint, diffusivity, drift and potential, for all schemes, before any step."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from mfgpde.core.arrays import Array, require_host_memory
from mfgpde.core.repeatable import require_repeatable
from mfgpde.discretisations import Discretisation
from mfgpde.discretisations.contract import Distributed, Domain
from mfgpde.equations import (
    BackwardKolmogorov,
    Continuity,
    Diffusing,
    Equation,
    FokkerPlanck,
    Kolmogorov,
    ViscousHamiltonJacobi,
)
from mfgpde.equations.contract import Diffusivity
from mfgpde.grids import CartesianGrid

PLACES = {"x", "y", "z", "r", "q", "position", "point", "points"}
"""names of a parameter that is no time"""
JUMP = 1e-8
"""of the largest value, by which coefficients may differ at both ends of a periodic axis"""
INSIDE = (0.29, 0.53, 0.81)
"""shares of a box, or of a run, at which coefficients are looked at"""
CONTRADICTION = 0.02
"""by which share differences of a potential may differ from integrals of the drift"""
FIELDS = 6
"""as large as the unknown, that every march holds at once: the start, what is stored, a step and its stages"""
Coefficient = Callable[[Array, float], Array]
GAUSS = tuple(np.polynomial.legendre.leggauss(n) for n in (8, 12))


def checked_times(equation: Equation, times: Sequence[float] | Array) -> Array:
    """Return the times as an array: finite, strictly increasing, within the horizon."""
    if not isinstance(equation, Equation):
        raise TypeError(f"solve needs an equation, such as FokkerPlanck.of(process), got {type(equation).__name__}")
    array = np.atleast_1d(np.asarray(times, dtype=float))
    if array.ndim != 1 or array.size < 2:
        raise ValueError(f"times must name a start and at least one later time, got {times!r}")
    if not np.isfinite(array).all() or not np.all(np.diff(array) > 0):
        raise ValueError(f"times must be finite and strictly increasing, got {times!r}; sort them and drop doubles")
    horizon = equation.horizon
    if array[0] < 0 or array[-1] > horizon * (1 + 1e-12):
        raise ValueError(
            f"times must lie in [0, {horizon:g}] (the horizon of the process), got [{array[0]:g}, {array[-1]:g}]"
        )
    return array


def check_steps(rtol: float, atol: float, max_step: float, max_steps: int) -> None:
    """Raise ValueError for tolerances and steps that no march can keep to."""
    if not (0 < rtol < 1 and 0 <= atol < np.inf):
        raise ValueError(f"rtol must lie between 0 and 1, and atol be ≥ 0, got {rtol!r} and {atol!r}")
    if not (max_step > 0 and max_steps > 0):
        raise ValueError(f"max_step and max_steps must be positive, got {max_step!r} and {max_steps!r}")


def check_room(discretisation: Discretisation) -> None:
    """Raise MemoryError where the host has no room for the fields that every march holds at once."""
    grid = discretisation.grid
    if isinstance(grid, CartesianGrid) and getattr(discretisation, "backend", "numpy") == "numpy":
        require_host_memory(8 * FIELDS * math.prod(grid.cells), f"{FIELDS} fields on {grid.cells} cells")


def check_diffusivity(equation: Equation, times: Array, inviscid: bool = False) -> None:
    """Raise TypeError where drift or D is no function, ValueError where it is negative, no number, of points, or zero.

    Zero over whole intervals is refused unless `inviscid`.
    """
    drift = getattr(equation, "drift", None)
    if drift is not None and not callable(drift):
        raise TypeError(f"the drift must be a function of place and time, got {drift!r}: write lambda x, t: … + 0 * x")
    if not isinstance(equation, Diffusing):
        return
    _check_is_of_time(equation.diffusivity, times)
    middles = 0.5 * (times[1:] + times[:-1])
    for t in np.sort(np.concatenate((times, middles))):
        D = np.asarray(equation.diffusivity(float(t)), dtype=float)
        if D.ndim or not np.isfinite(D) or D < 0 or (D == 0 and t in middles and not inviscid):
            without = "FiniteVolume(grid, order=5)" if isinstance(equation, ViscousHamiltonJacobi) else "Continuity"
            raise ValueError(
                f"the diffusivity must be a positive number, got {D} at t = {t:g}; "
                f"for a flow without noise use {without}"
            )


def _check_is_of_time(diffusivity: Diffusivity, times: Array) -> None:
    if not callable(diffusivity):
        raise TypeError(f"the diffusivity must be a function of time, got {diffusivity!r}: write lambda t: …")
    try:
        parameters = list(inspect.signature(diffusivity).parameters.values())
    except (TypeError, ValueError):  # compiled functions may not say
        return
    needed = [
        p.name for p in parameters if p.default is p.empty and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
    ]
    if len(needed) > 1:
        raise TypeError(
            f"the diffusivity must be a function of time alone, got one of ({', '.join(needed)}); noise that depends on "
            "the place is a ForwardKolmogorov(Diffusion(drift, lambda x, t: …))"
        )
    if needed and needed[0] in PLACES and np.any(diffusivity(times[0]) != diffusivity(times[-1])):
        raise ValueError(
            f"the diffusivity is a function of time, and here its argument is called {needed[0]!r}: D that depends on "
            "the place belongs into ForwardKolmogorov(Diffusion(drift, lambda x, t: …)); a function of time calls it t"
        )


def check_coefficients(equation: Equation, domain: Domain, times: Array) -> None:
    """Raise ValueError where drift or potential jump across periodic walls, or contradict each other."""
    if isinstance(equation, Kolmogorov) and isinstance(domain, CartesianGrid):
        tensor = equation.diffusion.diffusion_tensor
        _check_seams(equation.drift, domain, float(times[0]), "drift")
        _check_seams(lambda x, t: tensor(x, t)[..., 0, :], domain, float(times[0]), "tensor")
    if not isinstance(equation, FokkerPlanck | BackwardKolmogorov | Continuity):
        return
    _check_points_stay(equation, domain, float(times[0]))
    if not equation.time_dependent:
        _check_is_still(equation, domain, times)
    looked = times[:1] if not equation.time_dependent else np.array([times[0], 0.5 * (times[0] + times[-1]), times[-1]])
    drift = equation.velocity if isinstance(equation, Continuity) else equation.drift
    potential = None if isinstance(equation, Continuity) else equation.potential
    for t in map(float, looked):
        if isinstance(domain, CartesianGrid):
            _check_seams(potential or drift, domain, t, "potential" if potential else "drift")
        if potential is not None and not isinstance(equation, Continuity):
            _check_potential(potential, drift, float(equation.diffusivity(t)), domain, t)


def _check_points_stay(equation: FokkerPlanck | BackwardKolmogorov | Continuity, domain: Domain, t: float) -> None:
    """Raise ValueError where a drift writes into its argument, points being shared by all who ask, or is random."""
    x = _few(domain)
    given, drift = x.copy(), equation.velocity if isinstance(equation, Continuity) else equation.drift
    drift(given, t)
    if not np.array_equal(given, x):
        raise ValueError("the drift writes into the points that it is given; write y = -x, not x *= -1")
    require_repeatable(drift, x, t, "the drift")


def _few(domain: Domain) -> Array:
    """Return three points inside a box, one of a mesh, (n, d)."""
    if not isinstance(domain, CartesianGrid):
        return np.array([domain.points.reshape(-1, domain.points.shape[-1])[0]], dtype=float)
    lower, upper = np.asarray(domain.lower, dtype=float), np.asarray(domain.upper, dtype=float)
    return np.array([lower + share * (upper - lower) for share in INSIDE])


def _check_is_still(equation: FokkerPlanck | BackwardKolmogorov | Continuity, domain: Domain, times: Array) -> None:
    """Raise ValueError where coefficients change that are said not to: they would be read once."""
    x = _few(domain)
    drift = equation.velocity if isinstance(equation, Continuity) else equation.drift
    parts: dict[str, Callable[[float], Array]] = {"drift": lambda t: np.asarray(drift(x, t), dtype=float)}
    if not isinstance(equation, Continuity):
        parts["diffusivity"] = lambda t: np.asarray(equation.diffusivity(t), dtype=float)
    for what, at in parts.items():
        first = at(float(times[0]))
        for t in (times[0] + share * (times[-1] - times[0]) for share in (*INSIDE, 1.0)):
            if not np.allclose(at(float(t)), first, rtol=JUMP, atol=0.0, equal_nan=True):
                raise ValueError(
                    f"the {what} changes between t = {times[0]:g} and {t:g}, and the equation says time_dependent=False: "
                    "leave it out"
                )


def _check_seams(function: Coefficient, grid: CartesianGrid, t: float, what: str) -> None:
    for axis in np.flatnonzero(grid.periodic):
        axes = [x[:: max(1, len(x) // 16)] for x in grid.axes]
        inside = np.asarray(function(np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1), t), dtype=float)
        ends = []
        for wall in (grid.lower[axis], grid.upper[axis]):
            axes[axis] = np.array([wall])
            ends.append(np.asarray(function(np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1), t), dtype=float))
        if what != "potential":
            inside, *ends = (part[..., axis] for part in (inside, *ends))
        size = float(np.ptp(inside) if what == "potential" else max(np.abs(part).max() for part in (inside, *ends)))
        jump = float(np.abs(ends[1] - ends[0]).max())
        if jump > JUMP * size:
            raise ValueError(
                f"the {what} at t = {t:g} jumps by {jump:.2g} across the periodic walls of axis {axis}; "
                f"use a {what} periodic in the box, or a grid with walls"
            )


def _check_potential(potential: Coefficient, drift: Coefficient, D: float, domain: Domain, t: float) -> None:
    """Compare −DΔV with ∫f·dl along a few short segments; where two quadratures disagree nothing is said."""
    segments = list(_segments(domain))
    if D <= 0 or not segments:
        return
    a, b = (np.array(ends) for ends in zip(*segments, strict=True))
    differences = -D * (np.asarray(potential(b, t)) - np.asarray(potential(a, t)))
    found = []
    for nodes, weights in GAUSS:
        x = a + 0.5 * (1 + nodes[:, None, None]) * (b - a)
        f = np.asarray(drift(x, t), dtype=float)
        found.append(0.5 * np.einsum("n,nsi,si->s", weights, f, b - a))
    size = float(np.abs(found[1]).sum() + np.abs(differences).sum())
    if not np.isfinite(size) or np.abs(found[1] - found[0]).sum() > 0.1 * CONTRADICTION * size:
        return
    if np.abs(found[1] - differences).sum() > CONTRADICTION * size:
        k = int(np.argmax(np.abs(found[1] - differences)))
        raise ValueError(
            f"drift and potential contradict each other at t = {t:g}: from {a[k].tolist()} to {b[k].tolist()} ∫f·dl is "
            f"{found[1][k]:.4g} and −D(V(b) − V(a)) is {differences[k]:.4g}; the drift must be −D∇V, V in units of kT "
            "(of the noise): is it divided by D?"
        )


def _segments(domain: Domain) -> Iterator[tuple[Array, Array]]:
    """Yield ends of segments of two cells along the axes, at five places; on flat meshes a hundredth of the box long."""
    lower, upper = np.asarray(domain.lower), np.asarray(domain.upper)
    if not isinstance(domain, CartesianGrid) and len(lower) == 3:  # a surface has no straight segments
        return
    lengths = 2 * np.asarray(domain.spacing) if isinstance(domain, CartesianGrid) else 0.01 * (upper - lower)
    for share in (0.22, 0.37, 0.51, 0.66, 0.79):
        for axis, length in enumerate(lengths):
            middle = lower + share * (upper - lower)
            step = np.where(np.arange(len(lower)) == axis, 0.5 * length, 0.0)
            yield middle - step, middle + step


def of_one_process(path: Path | None, discretisation: Discretisation) -> Path | None:
    """Return where a checkpoint is kept. Raises ValueError where the unknowns are not of this process alone."""
    grid = discretisation.grid
    if path is not None and isinstance(grid, Distributed) and grid.comm.size > 1:
        raise ValueError(
            f"a checkpoint holds the state of one process, these unknowns are spread over {grid.comm.size}; leave it away"
        )
    return path
