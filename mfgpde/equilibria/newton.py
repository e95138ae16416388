"""Any game with first variations: Newton–Krylov on the coupled Hamilton–Jacobi–Bellman and Fokker–Planck system.

Eliminating the value leaves ρ = Φ(ρ), the density that the best response to ρ carries. Newton's method on ρ − Φ(ρ), GMRES
with Φ's exact derivative, whose iterations do not grow with the grid. — Achdou, Perez, Networks Heterog. Media 7 (2012).
"""

from __future__ import annotations

import time
from typing import Any, Literal

import numpy as np
from scipy.sparse.linalg import LinearOperator, gmres

from mfgpde.core.arrays import Array
from mfgpde.core.checkpoint import Checkpoint
from mfgpde.core.progress import meter
from mfgpde.equilibria.best_response import Sweeps
from mfgpde.equilibria.equilibrium import Equilibrium
from mfgpde.games import MeanFieldGame
from mfgpde.grids import CartesianGrid

WARMUP = 4  # rounds of fictitious play before Newton's method


def solves(game: MeanFieldGame) -> str:
    """Return why this method does not apply to a game, or nothing."""
    if not game.terminal.smooth:
        return "the terminal law is prescribed, which has no first variation"
    return "the interaction has no first variation" if game.interaction and not game.interaction.smooth else ""


def solve_newton(
    game: MeanFieldGame,
    grid: CartesianGrid,
    *,
    steps: int | None = None,
    tolerance: float = 1e-8,
    iterations: int = 30,
    order: Literal[1, 2] = 2,
    start: Array | None = None,
    checkpoint: Checkpoint | None = None,
    progress: bool = False,
) -> Equilibrium:
    """Return the equilibrium; ends when ∫|ρ − Φ(ρ)| is below `tolerance` at all times, or after `iterations` of Newton.

    Steps that do not lower the residual are halved; where that does not help, rounds of fictitious play (averages of best
    responses) go on. `steps` defaults to half of the largest number of cells a side. Order 1 takes upwind differences
    (Engquist–Osher), monotone however steep the value is; order 2 centred ones, for which a step must not be too long.

    Raises RuntimeError, saying where, for a Hamilton–Jacobi step that has no solution at order 2.
    """
    clock = time.perf_counter()
    reason = solves(game)
    if reason:
        raise ValueError(f"Newton's method needs another game: {reason}")
    sweeps = Sweeps(game, grid, steps or max(16, max(grid.cells) // 2), order)
    stored = checkpoint.load() if checkpoint else None
    rho = stored["rho"] if stored is not None else sweeps.first_guess() if start is None else np.array(start)
    answer = sweeps.best_response(rho)
    history, krylov, played = [sweeps.distance(answer, rho)], 0, 0
    with meter("Newton", show=progress) as bar:
        for k in range(iterations + WARMUP):
            residual = history[-1]
            bar(
                min(1.0, np.log10(max(residual, 1e-300)) / np.log10(max(tolerance, 1e-300))) if residual < 1 else 0.0,
                f"residual {residual:.1e}",
            )
            if residual <= tolerance:
                break
            if sweeps.decoupled:  # Φ does not depend on ρ
                rho, trial = answer, answer
            elif k < WARMUP:
                played += 1
                rho = rho + (answer - rho) * (2 / (played + 2))
                trial = sweeps.best_response(rho)
            else:
                step, count = _newton_step(sweeps, rho, answer)
                krylov += count
                rho, trial, played = _searched(sweeps, rho, answer, step, residual, played)
            answer = trial
            if checkpoint:
                checkpoint.save(now=k == iterations + WARMUP - 1, rho=rho)
            history.append(sweeps.distance(answer, rho))
    done = history[-1] <= tolerance
    return sweeps.equilibrium(rho, answer, history, krylov, done, time.perf_counter() - clock)


def _searched(
    sweeps: Sweeps, rho: Array, answer: Array, step: Array, residual: float, played: int
) -> tuple[Array, Array, int]:
    """Return the first of the step, its half, … that lowers the residual, or a round of fictitious play."""
    for share in (1.0, 0.5, 0.25, 0.125):
        new = rho + share * step
        if new.min() < -0.1 * rho.max():
            continue
        trial = sweeps.best_response(new)
        if sweeps.distance(trial, new) < residual:
            return new, trial, played
    played += 1
    new = rho + (answer - rho) * (2 / (played + 2))
    return new, sweeps.best_response(new), played


def _newton_step(sweeps: Sweeps, rho: Array, answer: Array) -> tuple[Array, int]:
    """Return δ with (1 − Φ′) δ = Φ(ρ) − ρ, by GMRES to a tenth, and its number of iterations."""
    shape, count = rho.shape, 0

    def apply(v: Array) -> Array:
        delta = v.reshape(shape)
        return (delta - sweeps.derivative(rho, answer, delta)).ravel()

    def counted(_: Any) -> None:
        nonlocal count
        count += 1

    right = (answer - rho).ravel()
    operator = LinearOperator((right.size, right.size), apply)  # pyright: ignore[reportCallIssue]
    step, _ = gmres(
        operator, right, rtol=1e-2, atol=0.0, restart=30, maxiter=2, callback=counted, callback_type="pr_norm"
    )
    return step.reshape(shape), count
