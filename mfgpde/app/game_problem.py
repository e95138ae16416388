"""Game files: a game of the catalogue, its laws, a grid and a method in TOML, read and checked before any work."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import mfgpde as mfg
from mfgpde.app import problem

SECTIONS = {"game", "grid", "method", "steps", "tolerance", "iterations", "output"}


def _bowl(table: Mapping[str, Any]) -> Callable[[np.ndarray], np.ndarray]:
    """Return ½ weight |x − centre|² from a table."""

    def make(weight: float = 1.0, centre: Any = 0.0) -> Callable[[np.ndarray], np.ndarray]:
        middle = np.asarray(centre, dtype=float)
        return lambda x: 0.5 * weight * np.sum((x - middle) ** 2, axis=-1)

    return problem.called(make, table, "a quadratic cost")


def _double_well(table: Mapping[str, Any]) -> Callable[[np.ndarray], np.ndarray]:
    """Return height (|x|²/width² − 1)² from a table."""

    def make(height: float = 1.0, width: float = 1.0) -> Callable[[np.ndarray], np.ndarray]:
        return lambda x: height * (np.sum(x * x, axis=-1) / width**2 - 1) ** 2

    return problem.called(make, table, "a double well")


COSTS: dict[str, Callable[..., Any]] = {"quadratic": _bowl, "double-well": _double_well}
GAMES: dict[str, Callable[..., Any]] = {
    "normalizing-flow": mfg.games.normalizing_flow,
    "score-based-model": mfg.games.score_based_model,
    "gradient-flow": mfg.games.gradient_flow,
    "benamou-brenier": mfg.games.benamou_brenier,
    "schroedinger-bridge": mfg.games.schroedinger_bridge,
    "proximal-operator": mfg.games.proximal_operator,
    "crowd-motion": mfg.games.crowd_motion,
    "linear-quadratic": mfg.games.linear_quadratic,
}
LAWS, PLACES = {"source", "target", "data", "initial"}, {"potential", "goal"}


@dataclass(frozen=True, eq=False)
class GameProblem:
    """What a game file says, ready for `solve`."""

    game: mfg.MeanFieldGame
    grid: mfg.CartesianGrid
    options: Mapping[str, Any]
    output: Path

    def solve(self, out: Path | None = None, *, progress: bool = False) -> mfg.Equilibrium:
        """Solve and return the equilibrium; an interrupted solve goes on from the checkpoint beside `out` (the output)."""
        kept = (out or self.output).with_suffix(".checkpoint.npz")
        return mfg.equilibrium(self.game, self.grid, checkpoint=kept, progress=progress, **self.options)


def is_game(path: Path) -> bool:
    """Say whether a file has a section [game]."""
    try:
        return "game" in tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False


def read(path: Path) -> GameProblem:
    """Read a game file. Raises ValueError that names the section and the key, and what would do."""
    table = tomllib.loads(path.read_text(encoding="utf-8"))
    for name in table:
        problem.one_of(name, SECTIONS, f"{path}: unknown section")
    for name in ("game", "grid"):
        if name not in table:
            raise ValueError(f"{path} lacks [{name}]; a game file needs [game] and [grid]")
    rest = dict(table["game"])
    kind = problem.one_of(rest.pop("name", None), GAMES, "unknown game")
    arguments: dict[str, Any] = {}
    for key, value in rest.items():
        if key == "process":
            arguments[key] = problem.made("process", value, problem.PROCESSES)
        elif key in LAWS:
            arguments[key] = problem.made("data", value, problem.DATA)
        elif key in PLACES:
            cost = dict(value)
            arguments[key] = COSTS[problem.one_of(cost.pop("name", None), COSTS, "unknown cost")](cost)
        else:
            arguments[key] = value
    game = problem.called(GAMES[kind], arguments, f"game {kind!r}")
    grid = problem.called(mfg.CartesianGrid, table["grid"], "the grid")
    options = {key: table[key] for key in ("method", "steps", "tolerance", "iterations") if key in table}
    return GameProblem(game, grid, options, path.parent / table.get("output", path.stem + ".nc"))
