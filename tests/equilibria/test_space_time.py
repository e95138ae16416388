"""Solves in space and time: first guesses, flows of least norm, both tridiagonal systems."""

from dataclasses import replace

import numpy as np
import pytest

import mfgpde as mfg
from mfgpde.equilibria.best_response import Sweeps
from mfgpde.equilibria.space_time import SpaceTime
from mfgpde.games import Capacity, Power, RelativeEntropy, Target

HOME = mfg.games.Potential(lambda x, t: 0.5 * (x**2).sum(axis=-1))


GAME = mfg.MeanFieldGame(
    mfg.gaussian(-0.4, 0.3), RelativeEntropy(mfg.gaussian(0.5, 0.4)), 1.3, viscosity=0.3, interaction=Power(0.5),
    running=lambda x, t: 0.2 * (1 + t) * x[..., 0] ** 2,
)  # fmt: skip


LINE = mfg.CartesianGrid.cube(4.0, 48, 1)


def test_first_guesses_go_straight_to_the_law_that_is_wanted():
    sweeps = Sweeps(GAME, LINE, 8, 2)
    guess = sweeps.first_guess()
    end = np.exp(GAME.terminal.law.log_density(LINE.points))
    assert guess.shape == (9, 48)
    for k, share in enumerate(np.linspace(0, 1, 9)):
        assert guess[k] == pytest.approx((1 - share) * sweeps.initial + share * end / float(LINE.integrate(end)))
    still = Sweeps(replace(GAME, terminal=HOME), LINE, 8, 2).first_guess()
    assert np.array_equal(still, np.repeat(sweeps.initial[None], 9, axis=0))


@pytest.mark.parametrize("hard", [False, True])
def test_flows_of_least_norm_carry_any_densities(hard, rng):
    """The transport equation holds to rounding, the given densities stay, and no cost is negative."""
    game = replace(GAME, terminal=Target(mfg.gaussian(0.5, 0.4)), interaction=None) if hard else GAME
    problem = SpaceTime.of(game, LINE, 6)
    rho = rng.uniform(0.1, 1.0, (7, 48))
    rho /= rho.sum(axis=1, keepdims=True) * LINE.volume
    carried, momenta = problem.flow_through(rho)
    assert problem.transport(carried, momenta) == pytest.approx(0.0, abs=1e-10)
    assert carried[1:-1] == pytest.approx(rho[1:-1])
    assert carried[0] == pytest.approx(problem.initial)
    if hard:
        assert carried[-1] == pytest.approx(problem.end)
    smooth, _ = problem.smooth_flow()
    assert smooth[1:-1].min() > 0
    assert smooth.sum(axis=1) * LINE.volume == pytest.approx(1.0, abs=1e-6)
    assert problem.costs(carried, momenta)["kinetic"] > 0
    mixed, _ = problem.feasible(carried - 0.05, momenta)
    assert mixed.min() >= 0


def test_a_solve_in_space_and_time_knows_both_tridiagonal_systems(rng):
    """K W⁻¹ Kᵀ φ = defect by applying both operators, for a viscosity that changes over time and any scale."""
    game = replace(GAME, viscosity=lambda t: 0.2 + 0.1 * t)
    for periodic in (False, True):
        grid = mfg.CartesianGrid((-3.0,), (3.0,), (16,), (periodic,))
        problem = SpaceTime.of(replace(game, initial=mfg.gaussian(-0.4, 0.2)), grid, 5)
        defect = rng.normal(size=(5, 16))
        for scale in (0.3, 2.0):
            phi = problem.multiplier(defect, scale)
            on_rho, momenta = problem.adjoint(phi)
            nodes = np.concatenate((np.zeros((1, 16)), on_rho / scale))
            assert problem.transport(nodes, momenta) == pytest.approx(defect, abs=1e-9)


def test_flows_that_leave_the_allowed_densities_are_brought_back_into_them():
    """Below zero here and above a capacity there: the larger of both shares of a safe flow, and no more than it takes."""
    most = 1.2 * float(np.exp(GAME.initial.log_density(LINE.points)).max())
    problem = SpaceTime.of(replace(GAME, interaction=Capacity(most)), LINE, 6)
    safe, carried = problem.safe_flow
    for low, high in ((0.02, 0.4), (0.4, 0.02), (0.0, 0.3), (0.3, 0.0)):
        rho = safe.copy()
        rho[3, 20], rho[4, 25] = -low * safe[3, 20], most + high * (most - safe[4, 25])
        mixed, momenta = problem.feasible(rho, carried)
        assert mixed.min() >= 0
        assert mixed[1:].max() <= most * (1 + 1e-12)
        held = max(low / (1 + low), high / (1 + high))
        assert mixed == pytest.approx(np.maximum((1 - held) * rho + held * safe, 0.0), abs=1e-12)
        assert momenta[0] == pytest.approx(carried[0])
