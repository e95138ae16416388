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

from mfgpde.app import coefficients, sought
from mfgpde.app.formulas import Words
from mfgpde.app.outputs import stated
from mfgpde.app.tables import called, member, one_of, only
from mfgpde.core.register import Register
from mfgpde.densities import DENSITIES, marginal
from mfgpde.discretisations import DISCRETISATIONS
from mfgpde.equations import HamiltonJacobiBellman
from mfgpde.grids import CartesianGrid
from mfgpde.processes import Diffusion, ForwardProcess
from mfgpde.solvers import Solution, solve

FORMULAS = ["coordinates", "constants", "terms", "start", "find"]
OPTIONS = ["rtol", "largest_wall_mass"]
MASS = "mass"
SECTIONS = ["process", "data", "equation", "discretisation", "times", *OPTIONS, MASS, "output", *FORMULAS]


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
    """What a problem file says, ready for `solve`; `sought` is what it asks for in place of a march."""

    process: Any
    data: Any
    equation: Any
    discretisation: Any
    initial: Any
    times: tuple[float, ...]
    options: Mapping[str, Any]
    """of `solve`"""
    output: Path
    sought: sought.Sought | None = None

    def solve(self, out: Path | None = None, *, progress: bool = False) -> Solution:
        """Solve and return the solution; what is interrupted goes on from the checkpoint beside `out`, if that is given."""
        kept = None if out is None else out.with_suffix(".checkpoint.npz")
        options = {**self.options, "checkpoint": kept, "progress": progress}
        return solve(self.equation, self.discretisation, self.initial, self.times, **options)

    def find(self) -> Any:
        """Return what [find] asks for."""
        assert self.sought is not None
        of = self.equation if self.sought.forward and not self.sought.marches else sought.asked_of(self.equation)
        return self.sought(of, self.discretisation, self.initial, self.times, self.options)


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
    _check_sections(table, path)
    domain = _domain(dict(table["discretisation"]), path.parent)
    words = Words.of(table.get("coordinates"), table.get("constants", {}), domain.dimension)
    asked = sought.read(table["find"], words) if "find" in table else None
    terms = coefficients.terms(table.get("terms", {}), words)
    process = coefficients.process(table["process"], words, terms)
    make: Any = EQUATIONS.named(table.get("equation", _default(process, terms)))
    equation = coefficients.equation(make, process, terms)
    space = domain.space(words)
    options: dict[str, Any] = {key: _positive(table[key], key, path) for key in OPTIONS if key in table}
    if MASS in table:
        options[MASS] = None if table[MASS] == "any" else _positive(table[MASS], MASS, path)
    output = stated(path, table)
    data = member(DENSITIES, table["data"]) if "data" in table else None
    if "times" not in table:
        return Problem(process, data, equation, space, None, (), options, output, asked)
    times = _times(table["times"], path)
    if data is None:
        initial: Any = coefficients.start(table["start"], words)
    else:
        law = data if times[0] == 0 else _noised(process, data, times[0], path)
        initial = (lambda x: -law.log_density(x)) if make is HamiltonJacobiBellman else law
    return Problem(process, data, equation, space, initial, times, options, output, asked)


def _check_sections(table: Mapping[str, Any], path: Path) -> None:
    """Raise ValueError for what a problem lacks, and for what it says and nobody reads."""
    found = table.get("find")
    still = isinstance(found, Mapping) and found.get("name") != "first-passage"
    needed = ["process", "discretisation"] if still else ["process", "discretisation", "times"]
    for name in needed:
        if name not in table:
            what = "process and discretisation" if still else "process, data or start, discretisation and times"
            raise ValueError(f"{path} lacks {name!r}; a problem needs {what}")
    unused = [name for name in ("data", "start", "times", *OPTIONS, MASS) if still and name in table]
    if unused:
        raise ValueError(f"{path}: {', '.join(unused)} is not used by [find] {found['name']!r}; leave it away")  # pyright: ignore[reportOptionalSubscript]
    if not still and ("data" in table) == ("start" in table):
        both = "both" if "data" in table else "neither"
        raise ValueError(f"{path} begins from [data], a law, or from start, a formula of places; it has {both}")


def _default(process: Any, terms: Mapping[str, Any]) -> str:
    """Return the equation where the file names none."""
    if "interaction" in terms:
        return "mckean-vlasov"
    plain = isinstance(process, ForwardProcess) and process.alike and not terms
    return "fokker-planck" if plain else "forward-kolmogorov"


def _noised(process: Any, data: Any, t: float, path: Path) -> Any:
    if isinstance(process, Diffusion):
        raise ValueError(f"{path}: data are the law at t = 0, and nothing carries them to t = {t:g}; begin times at 0")
    return marginal(process, data, t)


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


@dataclass(frozen=True)
class Domain:
    """What a section [discretisation] says: what makes it, its arguments so far, its walls still to be read."""

    kind: Any
    make: Any
    arguments: Mapping[str, Any]
    walls: Any
    dimension: int
    elements: bool

    def space(self, words: Words) -> Any:
        """Return the discretisation."""
        walls = {} if self.walls is None else {"walls": coefficients.walls(self.walls, words, elements=self.elements)}
        return called(self.make, {**self.arguments, **walls}, f"discretisation {self.kind!r}")


def _domain(table: dict[str, Any], folder: Path) -> Domain:
    """Read a section; the keys of a grid stand beside those of the scheme, a mesh is a table or a file."""
    kind, walls = table.pop("name", None), table.pop("walls", None)
    make = DISCRETISATIONS.named(kind)
    parameters = inspect.signature(make).parameters
    if walls is not None and "walls" not in parameters:
        raise ValueError(f"discretisation {kind!r} takes no walls: it has periodic ones or ends at infinity")
    if "mesh" in parameters:
        from mfgpde.discretisations.finite_element.meshes import MESHES, read

        shape = table.pop("mesh", None)
        table["mesh"] = read(folder / shape) if isinstance(shape, str) else member(MESHES, shape)
        return Domain(kind, make, table, walls, table["mesh"].gdim, True)
    keys = inspect.signature(CartesianGrid).parameters
    only(table, [*keys, *(name for name in parameters if name != "grid")], f"discretisation {kind!r}")
    grid = {key: table.pop(key) for key in keys if key in table}
    table["grid"] = called(CartesianGrid, grid, "the grid of the discretisation")
    return Domain(kind, make, table, walls, table["grid"].dimension, False)
