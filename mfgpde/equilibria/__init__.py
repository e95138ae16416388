"""Solving games: three methods, chosen from the game's structure, one result."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from mfgpde.core.register import opened
from mfgpde.equilibria import entropic, newton, primal_dual
from mfgpde.equilibria.checkpoint import Checkpoint
from mfgpde.equilibria.equilibrium import Equilibrium, load_equilibrium
from mfgpde.equilibria.proximal import Proximal, SampledProximal, proximal_by_sampling, wasserstein_proximal
from mfgpde.games import MeanFieldGame
from mfgpde.grids import CartesianGrid

__all__ = [
    "Equilibrium",
    "Proximal",
    "SampledProximal",
    "equilibrium",
    "load_equilibrium",
    "proximal_by_sampling",
    "wasserstein_proximal",
]
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
    rounding), "primal-dual" (quadratic cost, local convex costs, with or without noise: certified gap), "newton" (any
    Hamiltonian, drift and interaction with first variations). By default the first of them that applies. `tolerance` and
    `iterations` are the method's own (gap, gap, fixed-point residual). Other options go to the method: `start`, `order` for
    Newton's, and `backend` for the others ("cupy" iterates on a GPU).

    With `checkpoint` the iterate is kept there and an interrupted solve goes on from it: that of the same game, laws and
    costs included, on the same grid by the same method. A solve that does not converge returns its best iterate with
    `converged` false.

    Raises ValueError for games and grids that do not fit, with what would, and for a checkpoint of another problem, with
    the field that differs; Busy for a checkpoint on which another run is at work.
    """
    reasons = {name: check(game) for name, (check, _) in METHODS.items()}
    if method == "auto":
        if not any(reason == "" for reason in reasons.values()):
            raise ValueError("no method applies: " + "; ".join(f"{name}: {why}" for name, why in reasons.items()))
        method = next(name for name, reason in reasons.items() if not reason)  # pyright: ignore[reportAssignmentType]
    elif method not in METHODS:
        raise ValueError(f"method must be auto, {', '.join(METHODS)}, got {method!r}")
    elif reasons[method]:
        fitting = [name for name, reason in reasons.items() if not reason]
        raise ValueError(f"{method} does not apply: {reasons[method]}; what does: {', '.join(fitting) or 'nothing'}")
    game.check_on(grid.points)
    solver = METHODS[method][1]
    unknown = set(options) - set(inspect.signature(solver).parameters)
    if unknown:
        raise ValueError(f"{method} does not take {', '.join(sorted(unknown))}")
    given = {"tolerance": tolerance, "iterations": iterations}
    options |= {name: value for name, value in given.items() if value is not None}
    decisive = {name: value for name, value in options.items() if name not in ("iterations", "backend")}
    kept = Checkpoint(checkpoint, {"game": game, "grid": grid, "method": method, "steps": steps, **decisive})
    with kept.held():
        found = solver(game, grid, steps=steps, progress=progress, checkpoint=kept, **options)
        if found.converged:
            kept.done()
    return found


if not TYPE_CHECKING:  # what else its files define
    __getattr__ = opened(__name__)
