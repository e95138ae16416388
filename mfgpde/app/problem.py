"""Problem files: a process, data, an equation, a discretisation and times in TOML, read and checked before any work."""

from __future__ import annotations

import inspect
import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Protocol, cast

from mfgpde.app.outputs import stated
from mfgpde.app.tables import called, member, one_of
from mfgpde.core.register import Register
from mfgpde.densities import DENSITIES, marginal
from mfgpde.discretisations import DISCRETISATIONS
from mfgpde.equations import HamiltonJacobiBellman
from mfgpde.grids import CartesianGrid
from mfgpde.processes import PROCESSES, ForwardProcess
from mfgpde.solvers import Solution, solve

SECTIONS = ["process", "data", "equation", "discretisation", "times", "rtol", "largest_wall_mass", "output"]


class OfProcess(Protocol):
    """An equation that a process has."""

    @classmethod
    def of(cls, process: ForwardProcess) -> OfProcess:
        """Return the equation of a process."""
        ...


FORMER = {"value-function": "hamilton-jacobi-bellman", "score": "score-fokker-planck"}
EQUATIONS: Register[OfProcess] = Register("mfgpde.equations", OfProcess, "equation", FORMER)


@dataclass(frozen=True, eq=False)
class Problem:
    """What a problem file says, ready for `solve`."""

    process: Any
    data: Any
    equation: Any
    discretisation: Any
    initial: Any
    times: tuple[float, ...]
    options: Mapping[str, Any]
    output: Path

    def solve(self, out: Path | None = None, *, progress: bool = False) -> Solution:
        """Solve and return the solution; what is interrupted goes on from the checkpoint beside `out`, if that is given."""
        kept = None if out is None else out.with_suffix(".checkpoint.npz")
        options = {**self.options, "checkpoint": kept, "progress": progress}
        return solve(self.equation, self.discretisation, self.initial, self.times, **options)


def read(path: Path) -> Problem:
    """Read a problem file. Raises ValueError that names the section and the key, and what would do."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as problem:
        raise ValueError(f"cannot read {path}: {problem.strerror}") from problem
    except ValueError as problem:
        raise ValueError(f"{path} is no TOML: {problem}") from problem
    for name in table:
        one_of(name, SECTIONS, f"{path}: unknown section")
    for name in ("process", "data", "discretisation", "times"):
        if name not in table:
            raise ValueError(f"{path} lacks {name!r}; a problem needs process, data, discretisation and times")
    process, data = member(PROCESSES, table["process"]), member(DENSITIES, table["data"])
    kind = table.get("equation", "fokker-planck")
    make: Any = EQUATIONS.named(kind)
    times = _times(table["times"], path)
    start = data if times[0] == 0 else marginal(process, data, times[0])
    initial = (lambda x: -start.log_density(x)) if make is HamiltonJacobiBellman else start
    options = {key: _positive(table[key], key, path) for key in ("rtol", "largest_wall_mass") if key in table}
    output = stated(path, table)
    space = _discretisation(dict(table["discretisation"]), path.parent)
    return Problem(process, data, make.of(process), space, initial, times, options, output)


def _times(found: object, path: Path) -> tuple[float, ...]:
    numbers = cast(list[object], found) if isinstance(found, list) else []
    times = tuple(float(t) for t in numbers if isinstance(t, int | float) and not isinstance(t, bool))
    whole = len(times) == len(numbers) and all(map(math.isfinite, times))
    if len(times) < 2 or not whole or any(b <= a for a, b in pairwise(times)):
        raise ValueError(
            f"{path}: times must be two or more strictly increasing numbers, as in [0.0, 0.5], got {found!r}"
        )
    return times


def _positive(found: object, name: str, path: Path) -> float:
    if isinstance(found, bool) or not isinstance(found, int | float) or not 0 < found < math.inf:
        raise ValueError(f"{path}: {name} must be a positive number, got {found!r}")
    return float(found)


def _discretisation(table: dict[str, Any], folder: Path) -> Any:
    """Return the scheme of a section; the keys of a grid stand beside those of the scheme, a mesh is a table or a file."""
    kind = table.pop("name", None)
    make = DISCRETISATIONS.named(kind)
    parameters = inspect.signature(make).parameters
    if "grid" in parameters:
        keys = inspect.signature(CartesianGrid).parameters
        grid = {key: table.pop(key) for key in keys if key in table}
        table["grid"] = called(CartesianGrid, grid, "the grid of the discretisation")
    if "mesh" in parameters:
        from mfgpde.discretisations.finite_element.meshes import MESHES, read

        shape = table.pop("mesh", None)
        table["mesh"] = read(folder / shape) if isinstance(shape, str) else member(MESHES, shape)
    return called(make, table, f"discretisation {kind!r}")
