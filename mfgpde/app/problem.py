"""Problem files: a process, data, an equation, a discretisation and times in TOML, read and checked before any work."""

from __future__ import annotations

import difflib
import inspect
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mfgpde as mfg

PROCESSES: dict[str, Callable[..., Any]] = {
    "variance-preserving": lambda **k: mfg.VariancePreserving(**k),
    "sub-variance-preserving": lambda **k: mfg.SubVariancePreserving(**k),
    "variance-exploding": lambda **k: mfg.VarianceExploding(**k),
    "ornstein-uhlenbeck": lambda **k: mfg.OrnsteinUhlenbeck(**k),
    "brownian": lambda **k: mfg.Brownian(**k),
}
DATA: dict[str, Callable[..., Any]] = {
    "gaussian": lambda **k: mfg.gaussian(**k),
    "gaussian-mixture": lambda **k: mfg.GaussianMixture(**k),
    "bimodal": lambda **k: mfg.densities.bimodal(**k),
    "four-blobs": lambda **k: mfg.densities.four_blobs(**k),
    "nine-blobs": lambda **k: mfg.densities.nine_blobs(**k),
    "two-moons": lambda **k: mfg.densities.two_moons(**k),
    "two-rings": lambda **k: mfg.densities.two_rings(**k),
    "checkerboard": lambda **k: mfg.densities.checkerboard(**k),
    "spiral": lambda **k: mfg.densities.spiral(**k),
    "swiss-roll": lambda **k: mfg.densities.swiss_roll(**k),
}
EQUATIONS: dict[str, Callable[..., Any]] = {
    "fokker-planck": lambda process: mfg.FokkerPlanck.of(process),
    "log-density": lambda process: mfg.LogDensity.of(process),
    "score": lambda process: mfg.ScoreFokkerPlanck.of(process),
    "value-function": lambda process: mfg.HamiltonJacobiBellman.of(process),
}
MESHES = ("interval", "box", "disc", "annulus", "sphere", "torus")
SECTIONS = {"process", "data", "equation", "discretisation", "times", "rtol", "largest_wall_mass", "output"}


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

    def solve(self, *, progress: bool = False) -> mfg.Solution:
        """Solve and return the solution."""
        return mfg.solve(
            self.equation, self.discretisation, self.initial, self.times, progress=progress, **self.options
        )


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
    process, data = made("process", table["process"], PROCESSES), made("data", table["data"], DATA)
    kind = one_of(table.get("equation", "fokker-planck"), EQUATIONS, "unknown equation")
    times = tuple(map(float, table["times"]))
    start = data if times[0] == 0 else mfg.marginal(process, data, times[0])
    initial = (lambda x: -start.log_density(x)) if kind == "value-function" else start
    options = {key: float(table[key]) for key in ("rtol", "largest_wall_mass") if key in table}
    output = path.parent / table.get("output", path.stem + ".nc")
    space = _discretisation(dict(table["discretisation"]), path.parent)
    return Problem(process, data, EQUATIONS[kind](process), space, initial, times, options, output)


def _discretisation(table: dict[str, Any], folder: Path) -> Any:
    kind = one_of(table.pop("name", None), ("finite-volume", "spectral", "finite-element"), "unknown discretisation")
    if kind == "finite-element":
        shape = table.pop("mesh", None)
        if isinstance(shape, str):
            mesh = mfg.meshes.read(folder / shape)
        else:
            shape = dict(shape or {})
            name = one_of(shape.pop("name", None), MESHES, "unknown mesh")
            mesh = called(getattr(mfg.meshes, name), shape, f"mesh {name!r}")
        return called(mfg.FiniteElement, {"mesh": mesh, **table}, "discretisation 'finite-element'")
    grid = {key: table.pop(key) for key in ("lower", "upper", "cells", "periodic") if key in table}
    made = {"grid": called(mfg.CartesianGrid, grid, "the grid of the discretisation"), **table}
    return called(mfg.FiniteVolume if kind == "finite-volume" else mfg.Spectral, made, f"discretisation {kind!r}")


def made(section: str, table: Mapping[str, Any], known: Mapping[str, Callable[..., Any]]) -> Any:
    """Return what a table {name, arguments…} stands for; ValueError names what is unknown and what would do."""
    rest = dict(table)
    name = one_of(rest.pop("name", None), known, f"unknown {section}")
    return called(known[name], rest, f"{section} {name!r}")


def called(make: Callable[..., Any], arguments: Mapping[str, Any], what: str) -> Any:
    """Call with keywords; an unknown or missing one is named together with those expected."""
    try:
        return make(**arguments)
    except TypeError as problem:
        expected = ", ".join(inspect.signature(make).parameters)
        raise ValueError(f"{what} does not take {dict(arguments)}: {problem} (arguments: {expected})") from problem


def one_of(name: Any, known: Any, complaint: str) -> str:
    """Return the name if it is known; ValueError names the nearest one."""
    if name not in known:
        near = difflib.get_close_matches(str(name), list(known), 1, 0.4)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(sorted(known))}"
        raise ValueError(f"{complaint} {name!r}; {hint}")
    return name
