"""Finite volumes on Cartesian grids: one scheme a file, chosen by the equation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from scipy.interpolate import RegularGridInterpolator

from mfgpde.core.arrays import Array, Backend, check_backend, namespace, require_memory
from mfgpde.discretisations.contract import Semidiscrete
from mfgpde.discretisations.finite_volume.driven_chain import DrivenChain
from mfgpde.discretisations.finite_volume.essentially_non_oscillatory import EssentiallyNonOscillatory
from mfgpde.discretisations.finite_volume.fitted_chain import FittedChain
from mfgpde.discretisations.finite_volume.hamilton_jacobi import CentralDifferences
from mfgpde.discretisations.finite_volume.jump_chain import JumpChain
from mfgpde.discretisations.finite_volume.markov_chain import MarkovChain
from mfgpde.discretisations.finite_volume.schemes import SCHEMES, scheme_for
from mfgpde.discretisations.finite_volume.staggered import StaggeredScore
from mfgpde.discretisations.finite_volume.transport import LimitedUpwind
from mfgpde.discretisations.finite_volume.walls import Held, Inflow, Sides, Walls
from mfgpde.equations import Diffusing, Equation
from mfgpde.grids import CartesianGrid

__all__ = [
    "SCHEMES",
    "CentralDifferences",
    "DrivenChain",
    "EssentiallyNonOscillatory",
    "FiniteVolume",
    "FittedChain",
    "Held",
    "Inflow",
    "JumpChain",
    "LimitedUpwind",
    "MarkovChain",
    "StaggeredScore",
]


@dataclass(frozen=True)
class FiniteVolume:
    """Finite volumes of order 2, or 4 for Fokker–Planck with D > 0; densities never flow through walls.

    `order=5` is for Hamilton–Jacobi equations with kinks: one-sided WENO slopes, converging to the viscosity solution.

    `walls="far"` says that the walls stand for infinity: a density must not reach them, potentials and scores are
    extrapolated there. `walls="reflecting"` says that they are real: no flux, zero normal derivative. "absorbing" ones let
    out what arrives. A pair (lower, upper) per axis says it side by side, also with `Held(value)` and `Inflow(flux)`, for
    Fokker–Planck, Kolmogorov's equations and their transposes, at order 2.

    `backend="cupy"` marches on a GPU ("auto": where there is one) and returns fields to the host. Drifts and potentials
    that compute with arrays on the device are evaluated there (`Solution.cost` says so), others on the host; Hamiltonians,
    which see the solution, must compute there. A `JaxScore` does, by DLPack, if JAX knows the device.

    >>> space = mfg.FiniteVolume(mfg.CartesianGrid.cube(6.0, 64, 1), order=4)
    >>> law = mfg.solve(mfg.FokkerPlanck.of(mfg.Brownian()), space, mfg.gaussian(0.0, 0.25), (0.0, 0.5)).at(0.5)
    >>> print(f"{law.expectation(lambda x: x[..., 0] ** 2):.3f}")  # 0.25 + t
    0.750
    """

    grid: CartesianGrid
    walls: Walls = "far"
    order: Literal[2, 4, 5] = 2
    backend: Backend = "numpy"

    def __post_init__(self) -> None:
        if self.order not in (2, 4, 5):
            raise ValueError(f"finite volumes are of order 2, 4 or 5, got {self.order!r}")
        if not isinstance(self.walls, str):
            object.__setattr__(self, "walls", self.sides.pairs)
        _ = self.sides
        check_backend(self.backend)

    def semidiscretise(self, equation: Equation) -> Semidiscrete:
        """Return the scheme for this equation. Raises TypeError where there is none of this order."""
        return scheme_for(equation, self.order, self.sides)(equation, self.grid, self.sides, self._namespace())

    def order_of(self, equation: Equation) -> int:
        """Return the order for an equation: five is for Hamiltonians; diffusion, at any of three times, leaves four."""
        if self.order != 5 or not isinstance(equation, Diffusing):
            return self.order
        end = equation.horizon if np.isfinite(equation.horizon) else 1.0
        return 4 if any(float(equation.diffusivity(share * end)) > 0 for share in (0.0, 0.5, 1.0)) else 5

    @property
    def widths(self) -> Array:
        """The widths of a cell (d,)."""
        return np.asarray(self.grid.spacing)

    @property
    def steepest(self) -> tuple[float, str]:
        """Exponential fitting is an upwind scheme beyond a cell Péclet number of four."""
        return 4.0, "of order one until cells are as much finer"

    @property
    def sides(self) -> Sides:
        """The walls, side by side."""
        return Sides.of(self.walls, self.grid)

    def _namespace(self) -> Any:
        """Return where arrays lie, once there is room for them: rates of each axis and ten densities."""
        xp = namespace(self.backend)
        cells = int(np.prod(self.grid.cells))
        require_memory(xp, 8 * cells * (2 * self.grid.dimension + 10), f"a grid of {self.grid.cells} cells")
        return xp

    def interpolate(self, values: Array, x: Array) -> Array:
        """Return the field at points inside the box by cubic splines through the cell centres."""
        spline = RegularGridInterpolator(self.grid.axes, values, method="cubic", bounds_error=False, fill_value=None)
        return spline(x).reshape(np.shape(x)[:-1] + values.shape[self.grid.dimension :])

    def gradient(self, values: Array) -> Array:
        """Return central differences of second order, one-sided at walls."""
        return central_differences(values, self.grid)

    def refined(self, k: int = 1) -> FiniteVolume:
        """Return the same scheme on 2^k times as many cells per axis."""
        return replace(self, grid=self.grid.refined(k))


def central_differences(values: Array, grid: CartesianGrid) -> Array:
    """Return the gradient (*cells, d) to second order, across periodic walls and one-sided at others."""
    parts = []
    for axis, (h, periodic) in enumerate(zip(grid.spacing, grid.periodic, strict=True)):
        ends = (np.roll(values, -1, axis), np.roll(values, 1, axis))
        parts.append((ends[0] - ends[1]) / (2 * h) if periodic else np.gradient(values, h, axis=axis, edge_order=2))
    return np.stack(parts, axis=-1)


def examples() -> Iterator[FiniteVolume]:
    """Yield members to hold the laws to: every order, walls, walls by side, two dimensions, nanometres."""
    yield FiniteVolume(CartesianGrid.cube(7.0, 48, 1))
    yield FiniteVolume(CartesianGrid.cube(7.0, 64, 1), order=4)
    yield FiniteVolume(CartesianGrid.cube(7.0, 24, 1, periodic=True), order=5)
    yield FiniteVolume(CartesianGrid.cube(7.0, 25, 1, periodic=True))
    yield FiniteVolume(CartesianGrid((-7.0, -1.0), (7.0, 15.0), (30, 34)), walls="reflecting")
    yield FiniteVolume(CartesianGrid((3e-9,), (17e-9,), (48,)))
    yield FiniteVolume(
        CartesianGrid((-7.0, -1.0), (7.0, 15.0), (30, 34)), walls=(("far", "reflecting"), ("far", "far"))
    )
