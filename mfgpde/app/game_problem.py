"""Game files: a game of the catalogue, its laws, a grid and a method in TOML, read and checked before any work."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mfgpde.app.outputs import stated
from mfgpde.app.tables import called, member, one_of
from mfgpde.equilibria import RefinedEquilibrium, refined_equilibrium
from mfgpde.games import GAMES, MeanFieldGame
from mfgpde.grids import CartesianGrid

OPTIONS = ["method", "steps", "tolerance", "iterations", "walls"]
SECTIONS = ["game", "grid", *OPTIONS, "output"]


@dataclass(frozen=True, eq=False)
class GameProblem:
    """What a game file says, ready for `solve`."""

    game: MeanFieldGame
    grid: CartesianGrid
    options: Mapping[str, Any]
    output: Path

    def solve(self, out: Path | None = None, *, progress: bool = False) -> RefinedEquilibrium:
        """Solve, on coarser grids too for the cost's bar; what is interrupted goes on from the checkpoint beside `out`."""
        kept = (out or self.output).with_suffix(".checkpoint.npz")
        return refined_equilibrium(self.game, self.grid, checkpoint=kept, progress=progress, **self.options)


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
        one_of(name, SECTIONS, f"{path}: unknown section")
    for name in ("game", "grid"):
        if name not in table:
            raise ValueError(f"{path} lacks [{name}]; a game file needs [game] and [grid]")
    game = member(GAMES, table["game"])
    grid = called(CartesianGrid, table["grid"], "the grid")
    options = {key: table[key] for key in OPTIONS if key in table}
    return GameProblem(game, grid, options, stated(path, table))
