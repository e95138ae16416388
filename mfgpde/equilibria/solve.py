"""Solving games: three methods, chosen from the game's structure, one result, looked at before it is returned."""

from __future__ import annotations

import inspect
import warnings
from pathlib import Path
from typing import Any, Literal

import numpy as np

from mfgpde.core.checkpoint import Checkpoint
from mfgpde.equilibria import entropic, newton, primal_dual
from mfgpde.equilibria.asked import check_capacity, check_numbers, checked_start
from mfgpde.equilibria.circles import on_torus
from mfgpde.equilibria.equilibrium import Equilibrium
from mfgpde.equilibria.noisy_steps import resolves
from mfgpde.games import MeanFieldGame
from mfgpde.grids import CartesianGrid

METHODS: dict[str, tuple[Any, Any]] = {
    "entropic": (entropic.solves, entropic.solve_entropic),
    "primal-dual": (primal_dual.solves, primal_dual.solve_primal_dual),
    "newton": (newton.solves, newton.solve_newton),
}
Method = Literal["auto", "entropic", "primal-dual", "newton"]


def equilibrium(
    game: MeanFieldGame,
    grid: CartesianGrid,
    *,
    method: Method = "auto",
    steps: int | None = None,
    tolerance: float | None = None,
    iterations: int | None = None,
    checkpoint: Path | None = None,
    progress: bool = False,
    **options: Any,
) -> Equilibrium:
    """Return the equilibrium of a game on a grid in one to three dimensions.

    `method`: "entropic" (noise and control in one proportion, quadratic cost, local convex costs: Sinkhorn on paths, gap at
    rounding), "primal-dual" (quadratic cost, local convex costs, with or without noise), "newton" (any
    Hamiltonian, drift and interaction with first variations). Gaps are of the discrete problem. By default the first
    of them that applies. `tolerance` and `iterations` are the method's own (gap, gap, fixed-point residual). Other options
    go to the method: `start`, `order` for Newton's, and `backend` for the others ("cupy" iterates on a GPU).

    Axes of the grid may be periodic: laws are wrapped round, costs of position are taken as they are.

    With `checkpoint` the iterate is kept there and an interrupted solve goes on from it: that of the same game, laws and
    costs included, on the same grid by the same method. A solve that does not converge warns, and returns its best
    iterate with `converged` false.

    Raises ValueError for games and grids that do not fit, with what would, and for a checkpoint of another problem, with
    the field that differs; Busy for a checkpoint on which another run is at work; RuntimeError where a lower bound exceeds
    a cost that is reached, as with wrong conjugates.

    >>> game = mfg.games.linear_quadratic(mfg.gaussian(0.0, 0.25), viscosity=0.5)
    >>> found = mfg.equilibrium(game, mfg.CartesianGrid.cube(4.0, 128, 1))
    >>> print(f"{found.discrete_primal:.2f}")  # ¼·E|x|² + ½ log 2 = 0.409
    0.41
    """
    check_numbers(steps, tolerance, iterations)
    chosen = _chosen(game, grid, method, steps)
    asked, game = game, on_torus(game, grid)
    game.check_on(grid.points, grid.lengths, walls=not all(grid.periodic))
    check_capacity(game, grid)
    solver = METHODS[chosen][1]
    unknown = set(options) - set(inspect.signature(solver).parameters)
    if unknown:
        raise ValueError(f"{chosen} does not take {', '.join(sorted(unknown))}")
    if options.get("start") is not None:
        options["start"] = checked_start(options["start"], grid, steps)
        steps = len(options["start"]) - 1
    given = {"tolerance": tolerance, "iterations": iterations}
    options |= {name: value for name, value in given.items() if value is not None}
    decisive = {name: value for name, value in options.items() if name not in ("iterations", "backend")}
    kept = Checkpoint(checkpoint, {"game": asked, "grid": grid, "method": chosen, "steps": steps, **decisive})
    with kept.held():
        found = solver(game, grid, steps=steps, progress=progress, checkpoint=kept, **options)
        _look_at(found)
        if found.converged:
            kept.done()
    return found


def _chosen(game: MeanFieldGame, grid: CartesianGrid, method: Method, steps: int | None) -> str:
    """Return the method's name; ValueError if none applies, or not that one, with what would."""
    if method != "auto" and method not in METHODS:
        raise ValueError(f"method must be auto, {', '.join(METHODS)}, got {method!r}")
    reasons = {name: check(game) for name, (check, _) in METHODS.items()}
    fitting = [name for name, reason in reasons.items() if not reason]
    if method != "auto" and reasons[method]:
        raise ValueError(f"{method} does not apply: {reasons[method]}; what does: {', '.join(fitting) or 'nothing'}")
    if not fitting:
        raise ValueError("no method applies: " + "; ".join(f"{name}: {why}" for name, why in reasons.items()))
    chosen = fitting[0] if method == "auto" else method
    coarse = resolves(game, grid, steps) if chosen == "entropic" else ""
    if coarse:
        others = " or ".join(f"method={name!r}" for name in reversed(fitting) if name != "entropic")
        raise ValueError(f"{coarse}, or {others}, whatever the noise" if others else coarse)
    return chosen


def _look_at(found: Equilibrium) -> None:
    """Warn about what has not converged; RuntimeError where a lower bound lies above a cost that is reached."""
    gap = found.discrete_primal - found.discrete_dual
    rounding = 1e-9 * (sum(map(abs, found.costs.values())) + found.game.unit(found.grid.lengths))
    rounding += found.residuals.get("negative mass", 0.0) * float(np.ptp(found.values))  # costs nothing real
    if not gap >= -rounding:
        raise RuntimeError(
            f"the bound from below exceeds a cost that is reached by {-gap:.2e}: one of both is wrong ({found.method}); "
            "costs of one's own need a conjugate that is their supremum"
        )
    if not found.converged:
        what = "residual" if "fixed point, L1" in found.residuals else "gap"
        warnings.warn(
            f"{found.method}: stopped at a {what} of {found.history[-1]:.1e}, not converged; the best iterate is returned. "
            "Take more iterations, a wider tolerance, or another method",
            stacklevel=3,
        )
