"""Iterative Markovian fitting between two densities on a grid, in exact sums: Markovian projection, fresh bridges, again.

Time is cut into N steps of equal noise. A reciprocal law is a coupling of the ends filled with the noise's own bridges; its
Markovian projection M has its laws of consecutive pairs, and the next coupling is that of M's ends. Every divergence of
laws of paths is a finite sum, so that
    KL(Π‖P*) = KL(Π‖M) + KL(M‖P*),  KL(Π′‖P*) ≤ KL(M‖P*)
hold to rounding for every N, P* the Schrödinger bridge of Sinkhorn's iteration (`equilibria.entropic`) on the same steps.
— arXiv:2303.16852, section 3; in discrete time arXiv:2405.14449.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mfgpde.core.arrays import Array
from mfgpde.equilibria.entropic import solve_entropic
from mfgpde.equilibria.noisy_steps import NoisySteps
from mfgpde.games import MeanFieldGame
from mfgpde.grids import CartesianGrid

MOST = 1600
"""cells of a grid: laws of pairs have their square, laws of a start and a pair are summed start by start"""
TINY = 1e-200
MARGINALS = 1e-9
"""by how much the marginals of a coupling may be off, of its mass"""


@dataclass(frozen=True)
class FittingRound:
    """One round: how far the mixture of bridges is from the Schrödinger bridge, what its projection drops, what is left.

    Sums of laws of paths, each by its own formula: `to_bridge` = KL(Π‖P*) of the couplings, `dropped` = KL(Π‖M) over starts
    and pairs, `projected` = KL(M‖P*) over pairs.
    """

    to_bridge: float
    dropped: float
    projected: float


@dataclass(frozen=True, eq=False)
class MarkovianFitting:
    """The rounds, the last coupling and the Schrödinger bridge's, (n, n) masses of cells; `gap` is that of Sinkhorn."""

    rounds: Sequence[FittingRound]
    coupling: Array
    bridge: Array
    gap: float


def markovian_fitting(
    game: MeanFieldGame, grid: CartesianGrid, *, steps: int, rounds: int = 8, start: Array | None = None
) -> MarkovianFitting:
    """Return what iterative Markovian fitting does round by round, from independent ends or a coupling `start` (n, n).

    `game` is a Schrödinger bridge (`games.schroedinger_bridge`), `start` has its marginals, masses of cells in the grid's
    order. Raises ValueError for another game, for more than 1600 cells, a coupling with other marginals, and where the
    noise does not carry mass as far as a coupling asks in double precision.

    >>> p, q = mfg.gaussian(-0.5, 0.2), mfg.gaussian(0.5, 0.4)
    >>> game = mfg.games.schroedinger_bridge(p, q, viscosity=0.25)
    >>> fit = mfg.equilibria.markovian_fitting(game, mfg.CartesianGrid.cube(3.5, 40, 1), steps=4, rounds=3)
    >>> first, second, third = (one.to_bridge for one in fit.rounds)
    >>> first > 2 * second > 4 * third
    True
    """
    if not game.terminal.hard or any(one is not None for one in (game.running, game.interaction, game.drift_potential)):
        raise ValueError(
            f"Markovian fitting joins two given ends by noise alone: games.schroedinger_bridge, got {game.name!r}"
        )
    n = int(np.prod(grid.cells))
    if n > MOST:
        raise ValueError(f"laws of pairs of cells are held whole: at most {MOST} cells, got {n}; take a coarser grid")
    found = solve_entropic(game, grid, steps=steps, tolerance=1e-13, iterations=5000)
    paths = NoisySteps.of(game, grid, steps, np)
    kernel: Array = np.ones((1, 1))
    for K in paths.noise.matrices:
        kernel = np.asarray(np.kron(kernel, K), dtype=float)
    reach = [np.eye(n)]
    for _ in range(steps):
        reach.append(reach[-1] @ kernel)
    source, target = (found.densities[k].ravel() * grid.volume for k in (0, -1))
    bridge, ahead = _scaled(reach[-1], source, target)
    pi = np.outer(source, target) / target.sum() if start is None else np.asarray(start, float)
    _check(pi, source, target)
    done = list[FittingRound]()
    for _ in range(rounds):
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.where(pi > 0, pi / reach[-1], 0.0)
        if not np.isfinite(ratio).all():
            raise ValueError(
                "the noise does not reach where the coupling wants mass to go; take more noise or a smaller box"
            )
        pairs = [kernel * (reach[k].T @ ratio @ reach[steps - 1 - k].T) for k in range(steps)]
        moves = [_conditional(pair) for pair in pairs]
        dropped = _dropped(ratio, reach, kernel, moves)
        wanted = [_conditional(kernel * (reach[steps - 1 - k] @ ahead)) for k in range(steps)]
        projected = _divergence(source, bridge.sum(axis=1))
        projected += sum(
            _divergence(pair, pair.sum(axis=1)[:, None] * w) for pair, w in zip(pairs, wanted, strict=True)
        )
        done.append(FittingRound(_divergence(pi, bridge), dropped, projected))
        pi = source[:, None] * np.linalg.multi_dot(moves) if steps > 1 else pairs[0]
    return MarkovianFitting(done, pi, bridge, float(found.history[-1]))


def _scaled(K: Array, source: Array, target: Array) -> tuple[Array, Array]:
    """Return the coupling a K b with these marginals and b, by Sinkhorn's iteration to rounding."""
    b = np.ones(len(target))
    for _ in range(100_000):
        a = source / (K @ b)
        fresh = target / (K.T @ a)
        still = float(np.abs(np.log(np.maximum(fresh, 1e-300) / np.maximum(b, 1e-300)))[target > 1e-30].max())
        b = fresh
        if still < 1e-14:
            break
    return (source / (K @ b))[:, None] * K * b, b


def _conditional(pairs: Array) -> Array:
    """Return the transition matrix of a law of pairs; places without mass stay where they are."""
    mass = pairs.sum(axis=1, keepdims=True)
    return np.where(mass > 0, pairs / np.where(mass > 0, mass, 1.0), np.eye(len(pairs)))


def _divergence(p: Array, q: Array) -> float:
    """Return Σ p log p/q − p + q, of which no term is negative; masses below 1e-200 are none: q may underflow there."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        terms = np.where(p > TINY, p * np.log(p / q), 0.0) - p + q
    return float(terms.sum())


def _dropped(ratio: Array, reach: Sequence[Array], kernel: Array, moves: Sequence[Array]) -> float:
    """Return Σ_k E KL(Π(x_{k+1}|x_k, x_0) ‖ M(x_{k+1}|x_k)), start by start."""
    total, steps = 0.0, len(moves)
    for k in range(1, steps):  # the first step begins at the start itself
        after = ratio @ reach[steps - 1 - k].T
        for x0 in np.flatnonzero(ratio.any(axis=1)):
            law = reach[k][x0][:, None] * kernel * after[x0]
            total += _divergence(law, law.sum(axis=1)[:, None] * moves[k])
    return total


def _check(pi: Array, source: Array, target: Array) -> None:
    if pi.shape != (len(source), len(target)) or not np.isfinite(pi).all() or pi.min() < 0:
        raise ValueError(f"a coupling has {len(source)} by {len(target)} finite masses ≥ 0, got shape {pi.shape}")
    off = max(float(np.abs(pi.sum(axis=1) - source).sum()), float(np.abs(pi.sum(axis=0) - target).sum()))
    if off > MARGINALS:
        raise ValueError(f"the coupling's marginals are off by {off:.1e} of its mass: they must be those of the game")
