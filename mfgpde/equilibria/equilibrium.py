"""What solving a game returns: density, value and control over time, and the optimal cost between two bounds."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mfgpde.core.arrays import Array
from mfgpde.core.estimate import Estimate, Kind
from mfgpde.core.renamed import renamed
from mfgpde.core.shown import Shown, box
from mfgpde.densities import cell_means
from mfgpde.discretisations import Field, FiniteVolume
from mfgpde.equilibria import paths
from mfgpde.games import Functional, MeanFieldGame
from mfgpde.grids import CartesianGrid
from mfgpde.solvers.labelled import read_labelled, write_labelled

if TYPE_CHECKING:
    import xarray

RESOLVED = 1e-6
"""by how much the mass of centres may differ from that of the box where cells resolve a law"""


@renamed(primal="discrete_primal", dual="discrete_dual")
@dataclass(frozen=True, eq=False, repr=False)
class Equilibrium(Shown):
    """An equilibrium on a grid at `times` τ_0 … τ_N: `densities` and `values` have shape (N + 1, *cells).

    `discrete_primal` is the cost of a feasible pair (ρ, v), `discrete_dual` a lower bound on all of them: of the discrete
    problem, as their names say; `optimal_cost` says what the game costs in the continuum, with a bar.
    `costs` splits the primal one. `residuals` are those of the discrete optimality system.

    >>> game = mfg.games.linear_quadratic(mfg.gaussian(0.0, 0.25), viscosity=0.5)
    >>> found = mfg.equilibrium(game, mfg.CartesianGrid.cube(4.0, 128, 1))
    >>> print(f"{found.discrete_dual:.2f}, {found.discrete_primal:.2f}")  # ¼·E|x|² + ½ log 2 = 0.409 between
    0.41, 0.41
    >>> print(found.discrete_optimum.at)
    the discrete problem of 128 cells, 64 steps
    """

    game: MeanFieldGame
    grid: CartesianGrid
    times: Array
    densities: Array
    values: Array
    discrete_primal: float
    discrete_dual: float
    costs: Mapping[str, float]
    residuals: Mapping[str, float]
    method: str
    converged: bool
    history: Sequence[float] = ()
    cost: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("discrete_primal", "discrete_dual"):
            object.__setattr__(self, name, float(vars(self)[name]))  # NumPy scalars come in

    def summary(self) -> tuple[str, dict[str, str]]:
        """Return the game, the method, and the optimal cost between its bounds."""
        facts = {
            "on": f"{box(self.grid)}, {len(self.times) - 1} steps to {self.times[-1]:g}",
            "by": self.method,
            "cost of the discrete problem": str(replace(self.discrete_optimum, at="")),
            "gap": f"{self.discrete_primal - self.discrete_dual:.2e}",
            "converged": "yes" if self.converged else "no",
        }
        return f"equilibrium of {self.game.name}", facts

    @property
    def gap(self) -> Estimate:
        """Primal − dual of the discrete problem as an excess over zero, its own size as the bar."""
        gap = max(
            self.discrete_primal - self.discrete_dual, 0.0
        )  # negative by rounding at most: `equilibrium` fails otherwise
        middle = 0.5 * gap if np.isfinite(gap) else 0.0
        return Estimate(middle, 0.5 * gap, Kind.BOUND, f"duality gap, {self.method}", self.discrete_problem)

    @property
    def discrete_problem(self) -> str:
        """Of which discrete problem `gap` and `discrete_optimum` speak: what their `at` says."""
        return f"the discrete problem of {'×'.join(map(str, self.grid.cells))} cells, {len(self.times) - 1} steps"

    @property
    def discrete_optimum(self) -> Estimate:
        """The optimal cost of the *discrete* problem, between dual and primal; the primal one, if nothing bounds it.

        How far it is from that of the continuous problem this does not say: `optimal_cost` does, from several grids.
        """
        primal, dual, at = self.discrete_primal, self.discrete_dual, self.discrete_problem
        if np.isinf(dual):
            return Estimate(primal, np.inf, Kind.BOUND, f"a cost that is reached, no bound below, {self.method}", at)
        half = max(0.5 * (primal - dual), 0.0)
        return Estimate(0.5 * (primal + dual), half, Kind.BOUND, f"between dual and primal, {self.method}", at)

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
        """Centred differences of the value, even about walls as in the solvers: half as steep in the cells beside them."""
        found = []
        for axis, h in enumerate(self.grid.spacing):
            beside = [(0, 0)] * self.values.ndim
            beside[axis + 1] = (1, 1)
            mode = "wrap" if self.grid.periodic[axis] else "edge"
            wide = np.moveaxis(np.pad(self.values, beside, mode=mode), axis + 1, 0)
            found.append(np.moveaxis((wide[2:] - wide[:-2]) / (2 * h), 0, axis + 1))
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
        """Return the optimal paths from x (n, d), shape (N + 1, n, d): dX = (b + g v) dτ + √(2κ) dW, reflected at walls.

        Heun's scheme between the times; the control is linear between grid points and times, and zero across walls.
        Raises ValueError for points outside the box.
        """
        return paths.trajectories(self, x, rng or np.random.default_rng(0), substeps)

    def to_xarray(self) -> xarray.Dataset:
        """Return density and value as labelled arrays (time, x, y, z); the rest as attributes."""
        import xarray

        names = ["x", "y", "z"][: self.grid.dimension]
        coords: dict[str, Any] = {"time": self.times, **dict(zip(names, self.grid.axes, strict=True))}
        dims = ("time", *names)
        attributes = {
            "primal": self.discrete_primal,
            "dual": self.discrete_dual,
            "method": self.method,
            "converged": int(self.converged),
        }
        attributes |= {"costs": json.dumps(dict(self.costs)), "residuals": json.dumps(dict(self.residuals))}
        attributes |= {"game": self.game.name, "lower": self.grid.lower, "upper": self.grid.upper}
        return xarray.Dataset({"density": (dims, self.densities), "value": (dims, self.values)}, coords, attributes)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write NetCDF 4 through a temporary file beside `path`; return the path."""
        write_labelled(self.to_xarray(), Path(path))
        return Path(path)


def load_equilibrium(path: str | os.PathLike[str]) -> xarray.Dataset:
    """Return density and value over time as `Equilibrium.save` wrote them, costs and residuals in the attributes.

    Raises ValueError for other files.

    >>> game = mfg.games.linear_quadratic(mfg.gaussian(0.0, 0.25), viscosity=0.5)
    >>> found = mfg.equilibrium(game, mfg.CartesianGrid.cube(4.0, 32, 1))
    >>> mfg.equilibria.load_equilibrium(found.save("game.nc"))["density"].shape  # times, cells
    (15, 32)
    """
    return read_labelled(path, "an equilibrium", lambda one: {"density", "value"} <= set(map(str, one.data_vars)))


def start_resolved(game: MeanFieldGame, grid: CartesianGrid) -> bool:
    """Say whether cells resolve ρ_0, so that it is taken at their centres; means over cells have h²/12 more variance."""
    mass = float(grid.integrate(np.exp(np.asarray(game.initial.log_density(grid.points), dtype=float))))
    known = 1.0 if abs(mass - 1) <= RESOLVED else float(grid.integrate(cell_means(game.initial, grid)))
    return bool(abs(mass - known) <= RESOLVED)  # of a box that cuts the law off, both have less


def initial_on(game: MeanFieldGame, grid: CartesianGrid, largest_loss: float = 1e-3) -> Array:
    """Return ρ_0 on the grid with mass one; ValueError for negative values or mass outside the box.

    Its values at centres, spectrally accurate where cells resolve them; where these have another mass, means over cells.
    """
    values = np.exp(np.asarray(game.initial.log_density(grid.points), dtype=float))
    if not start_resolved(game, grid):
        values = cell_means(game.initial, grid)
    if values.shape != grid.cells or not np.isfinite(values).all() or values.min() < 0:
        raise ValueError("the initial law must be finite and ≥ 0 on the grid")
    mass = float(grid.integrate(values))
    if abs(mass - 1) > largest_loss:
        raise ValueError(
            f"the initial law has mass {mass:.4g} on the grid, expected 1: widen the box, which is "
            f"{grid.lower} to {grid.upper}"
        )
    return values / mass


def position_cost(cost: Callable[[Array, float], Array] | None, name: str, grid: CartesianGrid, t: float) -> Array:
    """Return a cost of position at the grid's points, nothing being zero; ValueError where it is not finite."""
    if cost is None:
        return np.zeros(grid.cells)
    values = np.asarray(cost(grid.points, t), dtype=float)
    if values.shape != grid.cells or not np.isfinite(values).all():
        bad = f"{values.shape}" if values.shape != grid.cells else f"{values[~np.isfinite(values)][0]}"
        raise ValueError(f"the {name} must be finite with shape {grid.cells}, got {bad} at τ = {t:.3g}")
    return values


def drift_on(game: MeanFieldGame, grid: CartesianGrid, t: float) -> Array:
    """Return b at the grid's points; ValueError where it is not finite."""
    position_cost(game.drift_potential, "potential of the drift", grid, t)
    values = game.velocity_of_drift(grid.points, t, grid.lengths)
    if values.shape != grid.points.shape or not np.isfinite(values).all():
        raise ValueError(f"the drift must be finite with shape {grid.points.shape}, got {values.shape} at τ = {t:.3g}")
    return values


def reference_on(cost: Functional, grid: CartesianGrid, t: float) -> Any:
    """Return what a cost knows at the grid's points; a hard target's law gets mass one there."""
    known = cost.reference(grid.points, t)
    if cost.hard:
        mass = float(grid.integrate(np.exp(known)))
        if abs(mass - 1) > 1e-3:
            raise ValueError(f"the target law has mass {mass:.4g} on the grid, expected 1: widen the box or refine it")
        known = known - np.log(mass)
    return known
