"""Potential games with quadratic cost, with or without noise, as convex optimisation in space-time, with their gap.

The primal-dual hybrid gradient method in the norm in which one step projects onto the transport equation exactly (Jacobs,
Léger, Li, Osher, SIAM J. Numer. Anal. 57 (2019)): the number of iterations hardly grows with the grid. The dual value is
that of the multiplier alone, so that [dual, primal] holds the optimum of the discrete problem whatever the iteration does.
"""

from __future__ import annotations

import time
from functools import partial
from typing import Any

import numpy as np

from mfgpde.core.arrays import Array, Backend, elsewhere, namespace, require_memory, to_host
from mfgpde.core.checkpoint import Checkpoint
from mfgpde.core.progress import meter
from mfgpde.core.recent import Recent
from mfgpde.equilibria.convex import not_convex
from mfgpde.equilibria.driftless import potential_cost
from mfgpde.equilibria.equilibrium import Equilibrium
from mfgpde.equilibria.space_time import SpaceTime
from mfgpde.games import MeanFieldGame
from mfgpde.grids import CartesianGrid
from mfgpde.kernels import stencils
from mfgpde.kernels.replay import Replayed, directly

EVERY = 25  # iterations between two looks at the gap
RELAXED = 1.8
AHEAD = 10.0
"""times as fast, in their units, as the dual variables the primal ones may move: of six games in one and two dimensions, to
gaps of 1e-2 and 1e-3, ten takes 0.5 to 1.1 of the iterations that one takes; more helps crowds, harms games without noise
"""


def solves(game: MeanFieldGame) -> str:
    """Return why this method does not apply to a game, or nothing."""
    if reason := not_convex(game):
        return reason
    if game.drift_potential is not None and game.discount > 0:
        return "costs are discounted and there is a drift"
    return ""


def solve_primal_dual(
    game: MeanFieldGame,
    grid: CartesianGrid,
    *,
    steps: int | None = None,
    tolerance: float | None = None,
    iterations: int = 4000,
    start: Array | None = None,
    checkpoint: Checkpoint | None = None,
    backend: Backend = "numpy",
    progress: bool = False,
) -> Equilibrium:
    """Return the equilibrium; ends when primal − dual is below `tolerance`, or after `iterations`.

    `tolerance` is absolute; the default is 1e-4 of the game's unit of cost.
    `backend="cupy"` iterates on a GPU; what the game is made of is evaluated on the host.
    `steps` defaults to a quarter of the largest number of cells a side, at least 16. `start` are densities (N + 1, *cells).
    """
    clock = time.perf_counter()
    tolerance = 1e-4 * game.unit(grid.lengths) if tolerance is None else tolerance
    reason = solves(game)
    if reason:
        raise ValueError(f"the primal-dual method needs another game: {reason}")
    xp, steps = namespace(backend), steps or max(16, max(grid.cells) // 4)
    held = (12 + 9 * grid.dimension) * 8 * (steps + 1) * int(np.prod(grid.cells))
    require_memory(xp, held, f"a game of {steps} steps on {grid.cells} cells")
    problem = SpaceTime.of(game, grid, steps, xp)
    state = _State(problem, start, xp)
    stored = checkpoint.load() if checkpoint else None
    if stored is not None:
        state.resume(stored)
    history: list[float] = []
    dual, primal, found = -np.inf, np.inf, None
    with meter("primal-dual", show=progress) as bar:
        for k in range(1, iterations + 1):
            state.improve()
            if k % EVERY and k != iterations:
                continue
            pair = problem.feasible(state.rho, state.momenta)
            costs = problem.costs(*pair)
            if sum(costs.values()) < primal or found is None:
                primal, found = sum(costs.values()), (*pair, costs)
            potential = state.potential()
            dual = max(dual, problem.dual(potential, pair[0]))
            history.append(primal - dual)
            bar(k / iterations, f"gap {primal - dual:.2e}")
            if checkpoint:
                checkpoint.save(now=k == iterations, **state.arrays())
            if primal - dual <= tolerance:
                break
            state.balance()
    state.replayed = directly  # recordings hold memory of the device
    rho, momenta, costs = found  # pyright: ignore[reportGeneralTypeIssues]
    values = to_host(problem.values(state.potential()))
    values -= np.stack([potential_cost(game, grid, float(t)) for t in problem.nodes])
    costs["terminal"] -= float(grid.integrate(potential_cost(game, grid, 0.0) * to_host(problem.initial)))
    shift = primal - sum(costs.values())
    residuals = {
        "gap": primal - dual,
        "transport": problem.pace * float(np.abs(problem.transport(rho, momenta)).max()),
        "mass": float(np.abs(rho.reshape(len(rho), -1).sum(axis=1) * grid.volume - 1).max()),
    }
    done = history[-1] <= tolerance
    count = k
    return Equilibrium(
        game, grid, problem.nodes, to_host(rho), values, primal - shift, dual - shift, costs, residuals,
        f"primal-dual, {problem.steps} steps, {count} iterations", done, tuple(history),
        {"iterations": count, "seconds": time.perf_counter() - clock},
    )  # fmt: skip


class _State:
    """The iterate: densities and momenta on the transport equation, and the dual variables of their copies."""

    def __init__(self, problem: SpaceTime, start: Array | None, xp: Any) -> None:
        self.problem, self.xp = problem, xp
        self.rho, self.momenta = problem.smooth_flow() if start is None else problem.flow_through(xp.asarray(start))
        grid, n = problem.grid, problem.steps
        self.on_nodes = np.zeros_like(self.rho, shape=(n, *grid.cells))
        self.on_momenta = [np.zeros_like(m) for m in self.momenta]
        self.on_means = [np.zeros_like(m) for m in self.momenta]
        self.roots = [np.zeros_like(m) for m in self.momenta]
        self.scale = grid.dimension + 1.0  # weight of densities in the norm: as many copies see each
        self.sigma = float(self.rho.max()) / (problem.dt * float(problem.price.mean()))
        self.adapt = 1.0
        self.squares = np.ones_like(self.rho, shape=(2,))
        """by which primal and dual variables moved, squared and summed"""
        self.replayed: Any = Replayed() if elsewhere(self.rho) else directly
        self._weights: Recent[Array] = Recent(4)
        self.units = (problem.game.unit(grid.lengths), (8 / max(grid.lengths)) ** grid.dimension)
        self.phi = np.zeros_like(self.on_nodes)

    def arrays(self) -> dict[str, Array]:
        """Return all that the iteration goes on from, on the host."""
        named = {"rho": self.rho, "on_nodes": self.on_nodes}
        for name in ("momenta", "on_momenta", "on_means"):
            named |= {f"{name}_{axis}": values for axis, values in enumerate(getattr(self, name))}
        return {name: to_host(a) for name, a in named.items()} | {"pace": np.array([self.sigma, self.adapt])}

    def resume(self, stored: dict[str, Array]) -> None:
        """Go on from there."""
        self.sigma, self.adapt = map(float, stored["pace"])
        stored = {name: self.xp.asarray(a) for name, a in stored.items() if name != "pace"}
        self.rho, self.on_nodes = stored["rho"], stored["on_nodes"]
        for name in ("momenta", "on_momenta", "on_means"):
            setattr(self, name, [stored[f"{name}_{axis}"] for axis in range(self.problem.grid.dimension)])

    def potential(self) -> Array:
        """Return the multiplier of the transport equation: the value function at half steps."""
        return -self.phi / (self.sigma * self.problem.dt)

    def improve(self) -> None:
        """Do one iteration."""
        sigma, price = self.sigma, self.problem.dt * self.problem.price
        weight = self._weights(sigma, lambda: self.xp.asarray(price * sigma / 0.99))
        (self.squares,) = self.replayed(sigma, partial(self._improved, sigma, weight))

    def _improved(self, sigma: float, weight: Array) -> tuple[Array]:
        """Do one iteration with this step, in place; return by how much the variables moved."""
        problem, tau = self.problem, 0.99 / sigma
        pull = self.on_nodes + problem.spread(self.on_means)
        rho = self.rho.copy()
        rho[1:] -= sigma / self.scale * pull
        if problem.fixed_end:
            rho[-1] = self.rho[-1]
        momenta = [m - sigma * y for m, y in zip(self.momenta, self.on_momenta, strict=True)]
        self.phi[...] = problem.multiplier(problem.transport(rho, momenta), self.scale)
        on_rho, slopes = problem.adjoint(self.phi)
        if problem.fixed_end:
            on_rho[-1] = 0.0
        rho[1:] -= on_rho / self.scale
        momenta = [m - s for m, s in zip(momenta, slopes, strict=True)]
        ahead = 2 * rho - self.rho
        means = problem.means(ahead)
        primal, dual = np.sum((rho - self.rho) ** 2) * self.scale, 0.0
        for axis, (m, old) in enumerate(zip(momenta, self.momenta, strict=True)):
            y_m = self.on_momenta[axis] + tau * (2 * m - old)
            y_mu = self.on_means[axis] + tau * means[axis]
            lines = (problem.steps, -1)
            new_m, new_mu = np.empty_like(y_m), self.roots[axis]
            stencils.of(y_m).kinetic_proximal(
                (y_m / tau).reshape(lines),
                (y_mu / tau).reshape(lines),
                weight,
                new_m.reshape(lines),
                new_mu.reshape(lines),
            )
            d_m, d_mu = y_m - tau * new_m - self.on_momenta[axis], y_mu - tau * new_mu - self.on_means[axis]
            self.on_momenta[axis] += RELAXED * d_m
            self.on_means[axis] += RELAXED * d_mu
            primal, dual = primal + np.sum((m - old) ** 2), dual + np.sum(d_m**2) + np.sum(d_mu**2)
            old += RELAXED * (m - old)
        y = self.on_nodes + tau * ahead[1:]
        change = y - tau * problem.charges.proximal(y / tau, 1 / tau) - self.on_nodes
        if problem.fixed_end:
            change[-1] = 0.0
        self.on_nodes += RELAXED * change
        dual = dual + np.sum(change**2)
        self.rho += RELAXED * (rho - self.rho)
        return (np.stack((primal, dual)),)

    def balance(self) -> None:
        """Change the step where primal and dual variables move at different paces; less and less, so that it settles."""
        (cost, density), squares = self.units, to_host(self.squares)
        primal = np.sqrt(float(squares[0])) / (AHEAD * self.sigma * cost)
        dual = np.sqrt(float(squares[1])) * self.sigma / (0.99 * density)
        factor = 1 + self.adapt
        if primal > 1.5 * dual:
            self.sigma *= factor
            self.phi *= factor
        elif dual > 1.5 * primal:
            self.sigma /= factor
            self.phi /= factor
        else:
            return
        self.adapt *= 0.93
