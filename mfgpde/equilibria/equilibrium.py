"""What solving a game returns: density, value and control over time, and the optimal cost between two bounds."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.interpolate import RegularGridInterpolator

from mfgpde.core.arrays import Array
from mfgpde.core.estimate import Estimate, Kind
from mfgpde.core.files import written
from mfgpde.core.shown import Shown, box
from mfgpde.discretisations import Field, FiniteVolume
from mfgpde.games import Functional, MeanFieldGame
from mfgpde.grids import CartesianGrid

if TYPE_CHECKING:
    import xarray


@dataclass(frozen=True, eq=False, repr=False)
class Equilibrium(Shown):
    """An equilibrium on a grid at `times` τ_0 … τ_N: `densities` and `values` have shape (N + 1, *cells).

    `primal` is the cost of a feasible pair (ρ, v), `dual` a lower bound on all of them, both of the discrete problem.
    `costs` splits the primal one. `residuals` are those of the discrete optimality system.
    """

    game: MeanFieldGame
    grid: CartesianGrid
    times: Array
    densities: Array
    values: Array
    primal: float
    dual: float
    costs: Mapping[str, float]
    residuals: Mapping[str, float]
    method: str
    converged: bool
    history: Sequence[float] = ()
    cost: Mapping[str, float] = field(default_factory=dict)

    def summary(self) -> tuple[str, dict[str, str]]:
        """Return the game, the method, and the optimal cost between its bounds."""
        facts = {
            "on": f"{box(self.grid)}, {len(self.times) - 1} steps to {self.times[-1]:g}",
            "by": self.method,
            "optimal cost": str(self.optimal_cost),
            "gap": f"{self.primal - self.dual:.2e}",
            "converged": "yes" if self.converged else "no",
        }
        return f"equilibrium of {self.game.name}", facts

    @property
    def gap(self) -> Estimate:
        """Primal − dual as an excess over zero, with its own size as the bar: the optimal cost lies between both."""
        gap = self.primal - self.dual
        return Estimate(0.5 * gap, 0.5 * abs(gap), Kind.BOUND, f"duality gap, {self.method}")

    @property
    def optimal_cost(self) -> Estimate:
        """The optimal cost of the discrete problem: the middle of [dual, primal]."""
        middle = 0.5 * (self.primal + self.dual)
        return Estimate(
            middle, 0.5 * abs(self.primal - self.dual), Kind.BOUND, f"between dual and primal, {self.method}"
        )

    def density(self, k: int = -1) -> Field:
        """Return ρ at times[k]."""
        return Field(FiniteVolume(self.grid), self.densities[k])

    def value(self, k: int = 0) -> Field:
        """Return U at times[k]."""
        return Field(FiniteVolume(self.grid), self.values[k])

    def control(self, k: int) -> Array:
        """Return v = H′(−g∇U) at the cell centres at times[k], shape (*cells, d)."""
        p = -self.game.control_gain(float(self.times[k])) * self._slopes[k]
        size = np.linalg.norm(p, axis=-1, keepdims=True)
        return p * np.divide(self.game.cost.speed(size), size, out=np.zeros_like(size), where=size > 0)

    @cached_property
    def _slopes(self) -> Array:
        found = [np.gradient(self.values, h, axis=axis + 1) for axis, h in enumerate(self.grid.spacing)]
        return np.stack(found, axis=-1)

    @property
    def mass(self) -> Array:
        """The mass at all times."""
        return self.densities.reshape(len(self.times), -1).sum(axis=1) * self.grid.volume

    @property
    def minimum(self) -> float:
        """The least density."""
        return float(self.densities.min())

    def trajectories(self, x: Array, *, rng: np.random.Generator | None = None, substeps: int = 4) -> Array:
        """Return the optimal paths from x (n, d), shape (N + 1, n, d): dX = (b + g v) dτ + √(2κ) dW.

        Heun's scheme between the times; the control is linear between grid points and times.
        """
        game, paths = self.game, [np.asarray(x, dtype=float)]
        noisy = not game.first_order
        rng = rng or np.random.default_rng(0)
        fields = [
            RegularGridInterpolator(self.grid.axes, self.control(k), bounds_error=False, fill_value=None)
            for k in range(len(self.times))
        ]
        for k, (start, end) in enumerate(zip(self.times, self.times[1:], strict=False)):
            y = paths[-1]
            for j in range(substeps):
                shares = (j / substeps, (j + 1) / substeps)
                instants = [float(start + s * (end - start)) for s in shares]
                dt = instants[1] - instants[0]

                def velocity(z: Array, share: float, t: float, k: int = k) -> Array:
                    v = (1 - share) * fields[k](z) + share * fields[k + 1](z)
                    return game.velocity_of_drift(z, t) + game.control_gain(t) * v

                kick = np.sqrt(2 * game.kappa(instants[0]) * dt) * rng.standard_normal(y.shape) if noisy else 0.0
                first = velocity(y, shares[0], instants[0])
                second = velocity(y + dt * first + kick, shares[1], instants[1])
                y = y + 0.5 * dt * (first + second) + kick
            paths.append(y)
        return np.stack(paths)

    def to_xarray(self) -> xarray.Dataset:
        """Return density and value as labelled arrays (time, x, y, z); the rest as attributes."""
        import xarray

        names = ["x", "y", "z"][: self.grid.dimension]
        coords: dict[str, Any] = {"time": self.times, **dict(zip(names, self.grid.axes, strict=True))}
        dims = ("time", *names)
        attributes = {"primal": self.primal, "dual": self.dual, "method": self.method, "converged": int(self.converged)}
        attributes |= {"costs": json.dumps(dict(self.costs)), "residuals": json.dumps(dict(self.residuals))}
        attributes |= {"game": self.game.name, "lower": self.grid.lower, "upper": self.grid.upper}
        return xarray.Dataset({"density": (dims, self.densities), "value": (dims, self.values)}, coords, attributes)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write NetCDF 4 through a temporary file beside `path`; return the path."""
        path = Path(path)
        with written(path) as part:
            self.to_xarray().to_netcdf(part, engine="h5netcdf")
        return path


def load_equilibrium(path: str | os.PathLike[str]) -> xarray.Dataset:
    """Return density and value over time as `Equilibrium.save` wrote them, costs and residuals in the attributes."""
    import xarray

    with xarray.open_dataset(path, engine="h5netcdf") as stored:
        return stored.load()


def initial_on(game: MeanFieldGame, grid: CartesianGrid, largest_loss: float = 1e-3) -> Array:
    """Return ρ_0 on the grid with mass one; ValueError for negative values or mass outside the box."""
    values = np.exp(np.asarray(game.initial.log_density(grid.points), dtype=float))
    if values.shape != grid.cells or not np.isfinite(values).all() or values.min() < 0:
        raise ValueError("the initial law must be finite and ≥ 0 on the grid")
    mass = float(grid.integrate(values))
    if abs(mass - 1) > largest_loss:
        raise ValueError(
            f"the initial law has mass {mass:.4g} on the grid, expected 1: widen the box, which is "
            f"{grid.lower} to {grid.upper}, or refine it"
        )
    return values / mass


def reference_on(cost: Functional, grid: CartesianGrid, t: float) -> Any:
    """Return what a cost knows at the grid's points; a hard target's law gets mass one there."""
    known = cost.reference(grid.points, t)
    if cost.hard:
        mass = float(grid.integrate(np.exp(known)))
        if abs(mass - 1) > 1e-3:
            raise ValueError(f"the target law has mass {mass:.4g} on the grid, expected 1: widen the box or refine it")
        known = known - np.log(mass)
    return known
