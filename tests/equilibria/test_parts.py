"""Parts of the methods that whole solves seldom reach, each against what it stands for."""

import numpy as np
import pytest

import mfgpde as mfg
from mfgpde.equilibria import best_response, newton

PLANE = mfg.CartesianGrid.cube(3.0, 12, 2)
START = mfg.gaussian(np.array([-0.5, 0.2]), 0.3 * np.eye(2))
GAME = mfg.games.crowd_motion(START, lambda x: np.sum(x**2, axis=-1), viscosity=0.3)


@pytest.mark.parametrize("transposed", [False, True])
def test_a_step_is_solved_the_same_where_the_iteration_fails(transposed, monkeypatch, rng):
    sweeps = best_response.Sweeps(GAME, PLANE, 4, 2)
    turning = 3 * np.stack((-PLANE.points[..., 1], PLANE.points[..., 0]), axis=-1)
    A, right, extra = sweeps.fixed[0] + sweeps._drifting(turning), rng.normal(size=144), 0.7
    dense = np.eye(144) * (1 + 0.5 * sweeps.dt * extra) + 0.5 * sweeps.dt * (A.T if transposed else A).toarray()
    exact = np.linalg.solve(dense, right)
    np.testing.assert_allclose(sweeps.solved(A, right, 0, extra, transposed=transposed), exact, rtol=1e-8)
    monkeypatch.setattr(best_response, "bicgstab", lambda matrix, right, x0, **options: (0 * x0, 1))
    np.testing.assert_allclose(sweeps.solved(A, right, 0, extra, transposed=transposed), exact, rtol=1e-12)


class Stubborn:
    """Sweeps whose residual no step of Newton's lowers."""

    def best_response(self, rho):
        return rho

    def distance(self, a, b):
        return 1.0


def test_without_a_better_step_fictitious_play_goes_towards_the_answer(rng):
    rho, answer = rng.uniform(0.5, 1, (3, 8)), rng.uniform(0.5, 1, (3, 8))
    for played in (0, 3):
        new, _, after = newton._searched(Stubborn(), rho, answer, rng.normal(size=rho.shape), 0.5, played)
        assert after == played + 1
        np.testing.assert_allclose(new, rho + 2 / (played + 3) * (answer - rho))


@pytest.mark.filterwarnings("ignore:densities are negative:UserWarning")  # six steps on 24 cells, on purpose
@pytest.mark.parametrize("method", ["entropic", "newton"])
def test_a_charge_that_is_the_same_everywhere_is_paid_for_the_time_that_is_left(method):
    """U − U₀ = c (T − τ) at every node: half of a step's charge at its end, or the value between nodes is off."""
    grid, horizon, charge = mfg.CartesianGrid.cube(3.0, 24, 1), 1.7, 2.0
    start, end = mfg.gaussian(np.array([0.3]), np.array([[0.3]])), mfg.games.Potential(lambda x, t: x[..., 0] ** 2)

    def values(running):
        game = mfg.MeanFieldGame(start, end, horizon, viscosity=0.3, running=running)
        return mfg.equilibrium(game, grid, method=method, steps=6)

    free, taxed = values(None), values(lambda x, t: np.full(x.shape[:-1], charge))
    paid = (taxed.values - free.values)[:, 6:18]
    np.testing.assert_allclose(paid, (charge * (horizon - free.times))[:, None] + 0 * paid, atol=1e-8)
