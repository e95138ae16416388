"""First passage: mean times and their moments, exits by side, committors, and the law of the time of exit.

With L the generator, killing included: moments solve −L T_n = n T_{n−1}, T_0 = 1; committors −L q = 0 with q = 1 on the
target and 0 on the source. On finite volumes and fitted elements by elimination without subtraction, so that times of
e^{100} are as good as times of one; Galerkin's elements refuse where rounding decides.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mfgpde.core.arrays import Array
from mfgpde.core.shown import Shown
from mfgpde.discretisations import Discretisation, Distributed, Field, FiniteVolume
from mfgpde.discretisations.finite_volume.jump_chain import Instant, JumpChain
from mfgpde.discretisations.finite_volume.still import Rates
from mfgpde.equations import FeynmanKac, ForwardKolmogorov
from mfgpde.solvers.initial import Initial
from mfgpde.solvers.labelled import write_labelled
from mfgpde.solvers.march import solve

Set = Callable[[Array], NDArray[np.bool_]]


def mean_first_passage_time(process: Any, space: Discretisation, moment: int = 1, target: Set | None = None) -> Field:
    """Return E_x[Tⁿ] of the time T at which a diffusion leaves through an absorbing wall or enters the `target`.

    `process` is a Diffusion, a process or a FokkerPlanck with still coefficients, `target` a function of points (..., d) to
    booleans (...): cells whose centres lie in it, or nodes of elements.
    Raises ValueError where nothing is ever left or reached.

    >>> space = mfg.FiniteVolume(mfg.CartesianGrid((0.0,), (1.0,), (50,)), walls=(("reflecting", "absorbing"),))
    >>> time = mfg.solvers.mean_first_passage_time(mfg.Brownian(), space)
    >>> print(f"{time(np.array([[0.0]]))[0]:.3f}")  # L²/(2D)
    1.000
    """
    if moment < 1:
        raise ValueError(f"moments of a time are of order 1, 2, …, got {moment}")
    if isinstance(space.grid, Distributed):
        return _on_elements(process, space, target).times(moment)
    rates, kept, _ = _problem(process, space, target)
    if not rates.lost.any():
        raise ValueError("nothing is absorbing: no wall, no target; the first passage never happens")
    factors, times = rates.factors(), np.ones(int(kept.sum()))
    for n in range(1, moment + 1):
        times = factors.expected(n * times)
    return _filled(space, kept, times)


def exit_probability(process: Any, space: Discretisation, axis: int, side: int | None = None) -> Field:
    """Return the probability to leave through one absorbing wall, side 0 (lower) or 1 of an axis, before all others.

    Of elements with walls `On` parts of the boundary the number of the part stands for the axis, without a side.

    >>> space = mfg.FiniteVolume(mfg.CartesianGrid((0.0,), (1.0,), (50,)), walls="absorbing")
    >>> up = mfg.solvers.exit_probability(mfg.Brownian(), space, 0, 1)
    >>> print(f"{up(np.array([[0.25]]))[0]:.3f}")
    0.250
    """
    if isinstance(space.grid, Distributed):
        return _on_elements(process, space, None).exits(axis if side is None else (axis, side))
    rates, kept, instant = _problem(process, space, None)
    assert isinstance(space, FiniteVolume)
    if side is None:
        raise ValueError("a wall of a grid has an axis and a side, 0 (lower) or 1")
    if (axis, side, "absorbing") not in space.sides.each():
        raise ValueError(
            f"wall {side} of axis {axis} is {space.sides.pairs[axis][side]!r}, through which nothing leaves"
        )
    through = instant.jumps.through(axis, side)[0].ravel()
    return _filled(space, kept, rates.factors().expected(through))


def committor(process: Any, space: Discretisation, target: Set, source: Set) -> Field:
    """Return the probability to reach the `target` before the `source`, one on the one and zero on the other.

    Absorbing walls count as the source. Raises ValueError for sets without cells, or that overlap.

    >>> space = mfg.FiniteVolume(mfg.CartesianGrid((-2.0,), (2.0,), (200,)), walls="reflecting")
    >>> q = mfg.solvers.committor(mfg.Brownian(), space, lambda x: x[..., 0] > 1, lambda x: x[..., 0] < -1)
    >>> print(f"{q(np.array([[0.0]]))[0]:.3f}")
    0.500
    """
    if isinstance(space.grid, Distributed):
        return _on_elements(process, space, None).committor(target, source)
    inside, outside = (_cells(one, space) for one in (target, source))
    if (inside & outside).any():
        raise ValueError(f"target and source overlap in {int((inside & outside).sum())} cells")
    rates, _, _ = _problem(process, space, None)
    kept = ~(inside | outside)
    into = np.asarray(rates.among[kept][:, inside].sum(axis=1)).ravel()
    values = _filled(space, kept, rates.within(kept).factors().expected(into)).values
    values.ravel()[inside] = 1.0
    return Field(space, values)


@dataclass(frozen=True, eq=False, repr=False)
class FirstPassage(Shown):
    """The time of exit of a law: at `times` its survival, the density of the time, and that through each open wall.

    Walls are (axis, side), or the numbers of parts of a mesh's boundary.
    """

    times: Array
    survival: Array
    density: Array
    through: Mapping[Any, Array]

    def summary(self) -> tuple[str, dict[str, str]]:
        """Return what is left, and through which walls it went."""
        left = f"{self.survival[-1]:.4g} at t = {self.times[-1]:g}"
        return "first passage", {"survival": left, "walls": ", ".join(map(str, self.through))}

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write survival, density and the density through each wall over time as NetCDF 4; return the path."""
        import xarray

        through = {f"through_{'_'.join(map(str, np.atleast_1d(k)))}": ("time", v) for k, v in self.through.items()}
        parts = {"survival": ("time", self.survival), "density": ("time", self.density), **through}
        write_labelled(xarray.Dataset(parts, {"time": self.times}), Path(path))
        return Path(path)


def first_passage(
    process: Any, space: Discretisation, start: Initial, times: Sequence[float] | Array, **options: Any
) -> FirstPassage:
    """Return the law of the time at which a diffusion started from `start` leaves through absorbing walls.

    The density of the time is Σ over walls of the flux through them, whose own densities are in `through`; what is killed
    inside is in neither. On elements fluxes are those of the weak form. Options are those of `solve`.

    >>> space = mfg.FiniteVolume(mfg.CartesianGrid((0.0,), (1.0,), (100,)), walls="absorbing")
    >>> law = mfg.solvers.first_passage(mfg.Brownian(scale=2**0.5), space, lambda x: 1 + 0 * x[..., 0], (0.0, 0.2))
    >>> print(f"{law.survival[-1]:.4f}")  # 8/π² e^{−0.2π²} and less
    0.1126
    """
    equation = _backward(process)
    forward = ForwardKolmogorov(equation.diffusion, equation.killing, potential=equation.potential)
    if isinstance(space.grid, Distributed):
        return _passage_on_elements(forward, space, start, times, options)
    if not isinstance(space, FiniteVolume):
        raise TypeError(f"first passages take finite volumes or elements, got {type(space).__name__}")
    solution = solve(forward, space, start, times, **options)
    chain, through = JumpChain(forward, space.grid, space.sides), {}
    for axis, side, wall in space.sides.each():
        if wall == "absorbing":
            leaving = [chain.at(t).jumps.through(axis, side)[0].reshape(space.grid.cells) for t in solution.times]
            masses = [f.values * rate for f, rate in zip(solution.fields, leaving, strict=True)]
            through[axis, side] = np.array([float(space.grid.integrate(part)) for part in masses])
    if not through:
        raise ValueError(f"no wall of {space.sides.pairs!r} is absorbing: nothing leaves")
    return FirstPassage(solution.times, solution.conserved["mass"], sum(through.values(), np.zeros(1)), through)


def _passage_on_elements(
    forward: ForwardKolmogorov, space: Any, start: Initial, times: Sequence[float] | Array, options: Mapping[str, Any]
) -> FirstPassage:
    from mfgpde.discretisations.finite_element.passages import Leaving

    leaving = Leaving(forward, space)
    if not leaving.parts:
        raise ValueError(f"no wall of {space.sides.walls!r} is absorbing: nothing leaves")
    solution = solve(forward, space, start, times, **options)
    found = [leaving.at(f.values, t) for f, t in zip(solution.fields, solution.times.tolist(), strict=True)]
    through = {part.name: np.array([one[part.name] for one in found]) for part in leaving.parts}
    density = np.sum(list(through.values()), axis=0)
    return FirstPassage(solution.times, solution.conserved["mass"], density, through)


def _on_elements(process: Any, space: Any, target: Set | None) -> Any:
    from mfgpde.discretisations.finite_element.passages import Passages

    return Passages(_still(process), space, target)


def _still(process: Any) -> FeynmanKac:
    """Return the backward equation. Raises ValueError for coefficients that change, sources and resetting."""
    equation = _backward(process)
    if equation.time_dependent:
        raise ValueError(
            "mean times and committors need coefficients that do not depend on time; for laws: first_passage"
        )
    if equation.source is not None or equation.resetting is not None:
        raise ValueError("first passages know no source and no resetting: march FeynmanKac with them instead")
    return equation


def _backward(process: Any) -> FeynmanKac:
    return process if isinstance(process, FeynmanKac) else FeynmanKac.of(process)


def _problem(process: Any, space: Any, target: Set | None) -> tuple[Rates, NDArray[np.bool_], Instant]:
    if not isinstance(space, FiniteVolume):
        raise TypeError(f"first passages take finite volumes or elements, got {type(space).__name__}")
    equation = _still(process)
    instant = JumpChain(equation, space.grid, space.sides).at(0.0)
    rates, kept = Rates.of(instant), np.ones(int(np.prod(space.grid.cells)), dtype=bool)
    if target is not None:
        kept = ~_cells(target, space)
        rates = rates.within(kept)
    return rates, kept, instant


def _cells(one: Set, space: Any) -> NDArray[np.bool_]:
    found = np.asarray(one(space.grid.points))
    if found.shape != space.grid.cells or found.dtype != bool:
        raise ValueError(f"a set is a function of points to booleans of shape {space.grid.cells}, got {found.shape}")
    if not found.any() or found.all():
        raise ValueError("a set of places must hold some cell centres, and not all of them")
    return found.ravel()


def _filled(space: Any, kept: NDArray[np.bool_], values: Array) -> Field:
    whole = np.zeros(kept.size)
    whole[kept] = values
    return Field(space, whole.reshape(space.grid.cells))
