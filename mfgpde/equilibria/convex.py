"""What a game must be for its optimum to be found by convex optimisation, over laws of paths or densities and momenta."""

from __future__ import annotations

from mfgpde.games import MeanFieldGame


def not_convex(game: MeanFieldGame) -> str:
    """Return what keeps a game from being such a problem, or nothing."""
    if not game.quadratic:
        return "the running cost is not quadratic"
    if game.drift is not None:
        return "the drift is not given as a gradient"
    for name, (cost, _) in game.costs_of_density.items():
        if not cost.local:
            return f"the {name} is not local"
    if (
        game.interaction is not None
        and not game.interaction.smooth
        and not (game.terminal.linear or game.terminal.hard)
    ):
        return "a capacity goes with a terminal cost of position or a target"
    return ""
