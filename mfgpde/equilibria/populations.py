"""Several populations: each plays its own game, in which the laws of all others are what they are.

Population i minimises ∫∫(L_i(v) + ℓ_i + c_i(x, τ; ρ_1 … ρ_n))ρ_i dx dτ + F_i(ρ_i(T)). Its running cost is a function of
place and time once the others' laws are known, so that each is a game as any other; a fixed point of all best responses,
found with Anderson's acceleration, is a Nash equilibrium. — Cirant, J. Math. Pures Appl. 103 (2015); Bensoussan, Huang,
Laurière, arXiv:1810.00783.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mfgpde.core.arrays import Array
from mfgpde.core.estimate import Estimate, Kind
from mfgpde.core.shown import Shown
from mfgpde.densities import cell_means
from mfgpde.discretisations import Field, FiniteVolume
from mfgpde.equilibria.anderson import Mixer
from mfgpde.equilibria.equilibrium import Equilibrium
from mfgpde.equilibria.solve import equilibrium
from mfgpde.games import MeanFieldGame
from mfgpde.grids import CartesianGrid

Charge = Callable[[Array, float, tuple[Field, ...]], Array]
"""What one population pays per time for the laws of all: points (..., d), a time, the laws then, to (...)."""


ROUNDING = 1e-13
"""of the costs: what a difference of two may be off by"""


@dataclass(frozen=True, eq=False, repr=False)
class Populations(Shown):
    """What each population does: `equilibria`, and `regrets`, what each could still save alone, of the discrete problem.

    `residual` is the largest ∫|ρ − best response| over populations and times, `history` that of every round.
    """

    equilibria: tuple[Equilibrium, ...]
    regrets: tuple[Estimate, ...]
    residual: float
    history: tuple[float, ...]
    converged: bool

    def summary(self) -> tuple[str, dict[str, str]]:
        """Return how many, how well they are at rest, and what each could save."""
        facts = {"residual": f"{self.residual:.2g}", "converged": "yes" if self.converged else "no"}
        facts |= {f"regret {k}": str(one) for k, one in enumerate(self.regrets)}
        return f"equilibrium of {len(self.equilibria)} populations", facts


def populations(
    games: Sequence[MeanFieldGame],
    charges: Sequence[Charge],
    grid: CartesianGrid,
    *,
    steps: int = 24,
    tolerance: float = 1e-6,
    rounds: int = 100,
    **options: Any,
) -> Populations:
    """Return a Nash equilibrium of populations on one grid over one horizon; other options are those of `equilibrium`.

    `charges[i](x, t, laws)` is what population i pays per time and mass beside its own costs, laws the fields of all
    populations at time t. It ends when no ∫|ρ_i − best response| exceeds the tolerance, or warns after so many rounds and
    returns the last one. A regret is what a population pays, less the least that it could, once all have answered: the
    best answers to those laws, one round more, have it between primal and dual. It says by how much this is no equilibrium
    of the discrete problem. There may be several; which one is found depends on the start,
    laws that stay where they are.

    Raises ValueError for other than one charge a game, horizons that differ, and charges of another shape or not finite.

    >>> goals = [mfg.games.Potential(lambda x, t, s=s: 2 * (x[..., 0] - s) ** 2) for s in (0.5, -0.5)]
    >>> games = [mfg.MeanFieldGame(mfg.gaussian(-s, 0.2), goal, viscosity=0.3) for s, goal in zip((0.5, -0.5), goals)]
    >>> def keep_away(k):
    ...     return lambda x, t, laws: 0.3 * np.exp(-((x[..., 0] - laws[1 - k].expectation(lambda y: y[..., 0])) ** 2))
    >>> found = mfg.equilibria.populations(games, [keep_away(0), keep_away(1)], mfg.CartesianGrid.cube(3.0, 48, 1), steps=8)
    >>> found.converged, bool(max(one.upper for one in found.regrets) < 1e-4)
    (True, True)
    """
    _check(games, charges)
    horizon = games[0].horizon
    times, mixer, history = np.linspace(0.0, horizon, steps + 1), Mixer(), []
    laws = np.stack([np.repeat(cell_means(_density(game), grid)[None], steps + 1, axis=0) for game in games])
    paid = _paid(charges, laws, grid, times)
    while True:
        with warnings.catch_warnings(record=True) as said:  # those of the last round count
            warnings.simplefilter("always")
            found = [_answer(game, grid, times, now, steps, options) for game, now in zip(games, paid, strict=True)]
        answers = np.stack([one.densities for one in found])
        apart = np.abs(answers - laws).reshape(len(games), steps + 1, -1).sum(axis=-1) * grid.volume
        history.append(float(apart.max()))
        if history[-1] <= tolerance or len(history) >= rounds:
            break
        laws = mixer.mixed(laws, answers, np.ones(()))
        paid = _paid(charges, laws, grid, times)
    for words in {str(one.message): one.message for one in said}.values():
        warnings.warn(words, stacklevel=2)
    now = _paid(charges, answers, grid, times)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what they would say, those of the last round have said
        best = [_answer(game, grid, times, one, steps, options) for game, one in zip(games, now, strict=True)]
    regrets = tuple(_regret(*one) for one in zip(found, best, now - paid, strict=True))
    converged = history[-1] <= tolerance and all(one.converged for one in found)
    if not converged:
        warnings.warn(
            f"populations are not at rest after {len(history)} rounds: a best response moves {history[-1]:.1e} of the "
            "mass; take more rounds, or a shorter horizon",
            stacklevel=2,
        )
    return Populations(tuple(found), regrets, history[-1], tuple(history), converged)


@dataclass(frozen=True, eq=False)
class Charged:
    """A running cost and what is paid for others: values on a grid at nodes of time, linear between them."""

    own: Callable[[Array, float], Array] | None
    paid: Array
    grid: CartesianGrid
    times: Array

    def __call__(self, x: Array, t: float) -> Array:
        """Return the running cost at points (..., d)."""
        step = float(self.times[1])
        k = int(np.clip(np.floor(t / step), 0, len(self.times) - 2))
        share = t / step - k
        values = (1 - share) * self.paid[k] + share * self.paid[k + 1]
        if x.shape != self.grid.points.shape or not np.array_equal(x, self.grid.points):
            values = Field(FiniteVolume(self.grid), values)(x)
        return values if self.own is None else values + self.own(x, t)


def _check(games: Sequence[MeanFieldGame], charges: Sequence[Charge]) -> None:
    if len(games) < 2 or len(charges) != len(games):
        raise ValueError(f"populations are two games or more, a charge for each, got {len(games)} and {len(charges)}")
    if any(game.horizon != games[0].horizon for game in games):
        raise ValueError(f"populations play over one horizon, got {', '.join(f'{g.horizon:g}' for g in games)}")


def _density(game: MeanFieldGame) -> Callable[[Array], Array]:
    return lambda x: np.exp(game.initial.log_density(x))


def _paid(charges: Sequence[Charge], laws: Array, grid: CartesianGrid, times: Array) -> Array:
    """Return what each population pays at the cell centres at each time, (n, N + 1, *cells)."""
    space, paid = FiniteVolume(grid), np.zeros(laws.shape)
    for k, t in enumerate(times.tolist()):
        then = tuple(Field(space, law[k]) for law in laws)
        for i, charge in enumerate(charges):
            values = np.asarray(charge(grid.points, t, then), dtype=float)
            if values.shape not in ((), grid.cells) or not np.isfinite(values).all():
                raise ValueError(
                    f"charge {i} must return finite values of shape {grid.cells} at cell centres, got {values.shape} "
                    f"at τ = {t:g}"
                )
            paid[i, k] = values
    return paid


def _answer(
    game: MeanFieldGame, grid: CartesianGrid, times: Array, paid: Array, steps: int, options: dict[str, Any]
) -> Equilibrium:
    return equilibrium(replace(game, running=Charged(game.running, paid, grid, times)), grid, steps=steps, **options)


def _regret(found: Equilibrium, best: Equilibrium, change: Array) -> Estimate:
    """Return what one population could save alone: what it pays now, less the least cost under the charges of now.

    What it does stays: its cost changes by what is paid more, in the sum over time that the method minimises.
    """
    now = found.discrete_primal + _paid_more(found, change)
    rounding = ROUNDING * sum(map(abs, (*found.costs.values(), *best.costs.values())))
    low, high = (max(now - one, 0.0) for one in (best.discrete_primal, best.discrete_dual))
    if not np.isfinite(high):
        words = f"a better answer, no bound on the best, {found.method}"
        return Estimate(low, np.inf, Kind.BOUND, words, found.discrete_problem)
    half = max(0.5 * (high - low), 0.0) + rounding
    words = f"between dual and primal of best answers, {found.method}"
    return Estimate(0.5 * (low + high), half, Kind.BOUND, words, found.discrete_problem)


def _paid_more(found: Equilibrium, change: Array) -> float:
    """Return ∫∫ change ρ, discounted: at half steps by Newton's method, by the trapezoidal rule by others."""
    game, rho, times = found.game, found.densities, found.times
    step = float(times[1])
    if found.method.startswith("Newton"):
        rho, change, times = (0.5 * (one[1:] + one[:-1]) for one in (rho, change, times))
    weights = step * np.exp(-game.discount * times)
    if not found.method.startswith("Newton"):
        weights[[0, -1]] *= 0.5
    return float(weights @ np.sum((change * rho).reshape(len(times), -1), axis=1)) * found.grid.volume
