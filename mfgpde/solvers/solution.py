"""What a solve returns: fields over time, what they conserve, what they cost, and how they were made."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mfgpde.core.arrays import Array
from mfgpde.core.errors import Status
from mfgpde.core.shown import Shown, box
from mfgpde.discretisations import Celled, Discretisation, Distributed, Field, FiniteVolume
from mfgpde.discretisations.agreed import together
from mfgpde.discretisations.finite_volume.interacting_chain import InteractingChain
from mfgpde.discretisations.finite_volume.jump_rates import pull_along_noise
from mfgpde.equations import Equation, FokkerPlanck, ForwardKolmogorov, McKeanVlasov
from mfgpde.grids import CartesianGrid
from mfgpde.solvers.error_bound import ErrorBound, error_bound
from mfgpde.solvers.labelled import places, read_labelled, write_labelled
from mfgpde.solvers.taken import Taken

if TYPE_CHECKING:
    import xarray


@dataclass(frozen=True, eq=False, repr=False)
class Solution(Shown):
    """Fields at `times`; `conserved` holds mass, minimum and wall mass at each of them; `cost` counts work.

    >>> space = mfg.FiniteVolume(mfg.CartesianGrid.cube(6.0, 64, 1))
    >>> heat = mfg.solve(mfg.FokkerPlanck.of(mfg.Brownian()), space, mfg.gaussian(0.0, 0.25), (0.0, 0.25, 0.5))
    >>> heat.times.tolist(), f"{heat.conserved['mass'][-1]:.6f}"
    ([0.0, 0.25, 0.5], '1.000000')
    """

    equation: Equation
    discretisation: Discretisation
    times: Array
    fields: tuple[Field, ...]
    status: Status
    conserved: Mapping[str, Array]
    cost: Mapping[str, float]
    provenance: Mapping[str, Any]
    start: Any = None
    """what the solve began with"""
    again: Any = None
    """solve(equation, discretisation, initial, times) as it was done, but for walls that may be reached"""
    taken: Taken | None = None
    """the breaks that were found, and the steps"""

    def error_bound(
        self, t: float | None = None, *, pieces: int | None = None, by: Discretisation | None = None
    ) -> ErrorBound:
        """Return a bound on the error at a stored time from the residual of one more solve; see `solvers.error_bound`."""
        return error_bound(self, t, pieces=pieces, by=by)

    def summary(self) -> tuple[str, dict[str, str]]:
        """Return equation, domain, times, status, what was conserved, what may have been missed, and the work."""
        t, mass = self.times, self.conserved["mass"]
        facts = {
            "by": type(self.discretisation).__name__,
            "on": box(self.discretisation.grid),
            "at": f"{len(t)} times from {t[0]:g} to {t[-1]:g}",
            "status": str(self.status),
            "integral": f"{mass[-1]:.6g}, moved by {abs(mass[-1] - mass[0]):.1e}",
            "least value": f"{self.conserved['minimum'][-1]:.3g}",
            **self.depth(),
            **{name: str(self.provenance[name]) for name in ("start", "coefficients") if name in self.provenance},
            "work": f"{self.cost['steps']:g} steps in {self.cost['seconds']:.3g} s",
        }
        return f"solution of {type(self.equation).__name__}", facts

    @cached_property
    def peclet(self) -> float:
        """The cell Péclet number |f_i|h_i/D of a density at the last time, its mean over the mass.

        The largest of all axes with noise; zero for other equations, and for tensors and crowds on elements. How large it
        may be is the discretisation's to say (`steepest`). Of a tensor it is |(D⁻¹g)_i|h_i, g the drift less ∇·D, along
        what has noise.
        """
        if not isinstance(self.discretisation, Celled):
            return 0.0
        values, t = self.fields[-1].values, float(self.times[-1])
        return cell_peclet(self.equation, self.discretisation, values, t)

    def depth(self) -> dict[str, str]:
        """Return the cell Péclet number in words, and whether the scheme is out of its depth; of others nothing."""
        space = self.discretisation
        if not isinstance(space, Celled) or not _has_peclet(self.equation, space):
            return {}
        if int(np.prod(space.grid.cells)) > 2**22:
            return {}
        most, words = space.steepest
        depth = f": {words}" if self.peclet > most else ""
        return {"cell Péclet number": f"{self.peclet:.3g} where the mass is{depth}"}

    def at(self, t: float) -> Field:
        """Return the field at a stored time; KeyError names the stored ones (there is no interpolation in time)."""
        return self.fields[self.index(t)]

    def index(self, t: float) -> int:
        """Return the position of a stored time."""
        near = int(np.argmin(np.abs(self.times - t)))
        if abs(self.times[near] - t) > 1e-10 * float(np.abs(self.times).max()):
            stored = ", ".join(f"{s:g}" for s in self.times)
            raise KeyError(f"no field at t = {t:g}; stored times: {stored}. Ask solve for it in `times`.")
        return near

    def to_xarray(self) -> xarray.DataArray:
        """Return all fields as one labelled array (time, x, y, z, component); on a mesh (time, point), on every rank."""
        import xarray

        grid = self.discretisation.grid
        names, coordinates, box = places(grid)
        fields = [f.values if isinstance(grid, CartesianGrid) else grid.gathered(f.values) for f in self.fields]
        values = np.stack(fields)
        dims = ["time", *names] + ["component"] * (values.ndim - 1 - len(names))
        coords = {"time": self.times, **coordinates}
        attributes = {**box, "status": str(self.status), "provenance": json.dumps(dict(self.provenance))}
        return xarray.DataArray(values, coords, dims, name=type(self.equation).__name__, attrs=attributes)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write NetCDF 4 through a temporary file beside `path`, so that a crash leaves no half file; return the path.

        On a mesh the suffix .xdmf or .bp writes for ParaView instead, from which `load` does not read.
        """
        path = Path(path)
        if path.suffix in (".xdmf", ".bp"):
            if isinstance(self.discretisation.grid, CartesianGrid):
                raise ValueError(f"{path.suffix} is for meshes; a grid is saved as NetCDF (.nc)")
            from mfgpde.discretisations.finite_element.output import write

            space = self.discretisation.space  # pyright: ignore[reportAttributeAccessIssue]
            write(space, path, type(self.equation).__name__, self.times.tolist(), [f.values for f in self.fields])
            return path
        array = self.to_xarray()  # collective on a mesh spread over ranks, of which the first one writes
        grid = self.discretisation.grid
        if not isinstance(grid, Distributed) or grid.comm.rank == 0:
            write_labelled(array, path)
        return path


def _has_peclet(equation: Equation, space: Discretisation) -> bool:
    """Say whether the drift that a cell sees is known: of tensors where cells are boxes, of crowds on volumes."""
    if isinstance(equation, McKeanVlasov):
        return isinstance(space, FiniteVolume)
    boxes = isinstance(space.grid, CartesianGrid)
    return isinstance(equation, FokkerPlanck) or (isinstance(equation, ForwardKolmogorov) and boxes)


def cell_peclet(equation: Equation, space: Discretisation, values: Array, t: float) -> float:
    """Return |f_i|h_i/D at a time, its mean over the mass, the largest of all axes with noise."""
    if not isinstance(space, Celled) or not _has_peclet(equation, space):
        return 0.0
    grid, mass = space.grid, np.maximum(values, 0.0)
    total = float(mass.sum())
    if isinstance(equation, McKeanVlasov) and isinstance(space, FiniteVolume):
        pull = np.abs(InteractingChain(equation, grid, space.sides).pull(mass)) * grid.spacing
        return float((mass[..., None] * pull).sum(axis=tuple(range(mass.ndim))).max()) / total
    if isinstance(equation, ForwardKolmogorov):
        pull = np.abs(pull_along_noise(equation, grid, t)) * np.asarray(grid.spacing)
        return float((mass[..., None] * pull).sum(axis=tuple(range(mass.ndim))).max()) / total if total > 0 else 0.0
    if not isinstance(equation, FokkerPlanck):
        return 0.0
    D, whole = float(equation.diffusivity(t)), float(grid.integrate(mass))
    drift = together(grid, lambda: np.asarray(equation.drift(grid.points, t), dtype=float))
    speed = np.abs(drift) * space.widths
    largest = max(float(grid.integrate(mass * speed[..., i])) for i in range(speed.shape[-1])) / whole
    return largest / D if D > 0 else np.inf


def steep(solution: Solution) -> bool:
    """Say whether cells are upwind ones where the mass is, 3 % or a tenth into the run, half-way or at its end.

    Not at its first moment, at which some processes have no noise yet; where it comes so slowly that cells are upwind ones
    for long, errors are of first order there and of no one order in all.
    """
    space, (first, *_, last) = solution.discretisation, solution.times.tolist()
    if not isinstance(space, FiniteVolume) or len(solution.times) < 2:
        return False
    looks = ((0.03, 0), (0.1, 0), (0.5, -1), (1.0, -1))
    return any(
        cell_peclet(solution.equation, space, solution.fields[k].values, first + share * (last - first))
        > space.steepest[0]
        for share, k in looks
    )


def load(path: str | os.PathLike[str]) -> xarray.DataArray:
    """Return the labelled array that `Solution.save` wrote, box and provenance in its attributes; ValueError for others.

    Raises FileNotFoundError where there is none.

    >>> space = mfg.FiniteVolume(mfg.CartesianGrid.cube(6.0, 64, 1))
    >>> heat = mfg.solve(mfg.FokkerPlanck.of(mfg.Brownian()), space, mfg.gaussian(0.0, 0.25), (0.0, 0.5))
    >>> stored = mfg.load(heat.save("heat.nc"))
    >>> stored.dims, f"{float(stored[-1].sum()) * space.grid.volume:.6f}"
    (('time', 'x'), '1.000000')
    """
    found = read_labelled(path, "a solution", lambda one: len(one.data_vars) == 1 and "time" in one.dims)
    return next(iter(found.data_vars.values()))


def variables(path: str | os.PathLike[str]) -> dict[str, Array]:
    """Return the variables of a NetCDF file by name, flat."""
    import xarray

    with xarray.open_dataset(path, engine="h5netcdf") as stored:
        return {str(name): np.asarray(values, dtype=float).ravel() for name, values in stored.data_vars.items()}


def grid_of(array: xarray.DataArray) -> CartesianGrid:
    """Return the grid of a stored array; ValueError if it was a mesh.

    >>> space = mfg.FiniteVolume(mfg.CartesianGrid.cube(6.0, 64, 1))
    >>> heat = mfg.solve(mfg.FokkerPlanck.of(mfg.Brownian()), space, mfg.gaussian(0.0, 0.25), (0.0, 0.5))
    >>> mfg.solvers.grid_of(heat.to_xarray()) == space.grid
    True
    """
    if "point" in array.dims:
        raise ValueError("this solution lives on a mesh, whose points are the coordinates of the array")
    cells = tuple(array.sizes[name] for name in ("x", "y", "z") if name in array.sizes)
    lower, upper, periodic = (tuple(np.atleast_1d(array.attrs[key])) for key in ("lower", "upper", "periodic"))
    return CartesianGrid(lower, upper, cells, tuple(bool(p) for p in periodic))
