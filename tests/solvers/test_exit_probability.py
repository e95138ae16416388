"""What leaves a box: never less than what an absorbing solve loses, and bounds of laws in tight boxes with it."""

import numpy as np
import pytest
from scipy.stats import norm

import mfgpde as mfg
from mfgpde.core.estimate import Kind
from mfgpde.solvers.exit_probability import exit_bound
from mfgpde.solvers.reconstruction import Reconstruction

CASES = {
    "Brownian": (mfg.Brownian(), mfg.gaussian(0.0, 0.25), 3.5),
    "OU": (mfg.OrnsteinUhlenbeck(), mfg.gaussian(1.0, 0.5), 3.5),
    "VP": (mfg.VariancePreserving(0.2, 5.0), mfg.GaussianMixture([0.5, 0.5], [[-1.5], [1.0]], 0.3), 3.5),
    "VE": (mfg.VarianceExploding(0.05, 0.6), mfg.gaussian(0.5, 0.4), 3.0),
    "sub-VP": (mfg.SubVariancePreserving(0.2, 5.0), mfg.gaussian(-1.0, 0.5), 3.5),
}


@pytest.mark.parametrize(
    "name",
    [
        "Brownian",
        "OU",
        pytest.param("VP", marks=pytest.mark.slow),
        "VE",
    ],  # sub-VP: no noise at first, no absorbing wall
)
def test_it_is_above_what_an_absorbing_solve_loses_and_near_it(name):
    process, law, side = CASES[name]
    grid = mfg.CartesianGrid.cube(side, 400, 1)
    space = mfg.FiniteVolume(grid, walls="absorbing")
    kept = mfg.solve(mfg.FokkerPlanck.of(process), space, law, (0.0, 1.0), rtol=1e-8, mass=None).fields[-1].integral()
    lost = 1 - float(kept)
    assert 1e-5 < (1 - 1e-3) * lost < exit_bound(process, law, grid, 0.0, 1.0) < 8 * lost  # cells leave 6e-4 of it


def test_brownian_paths_from_a_point_leave_by_the_reflection_principle():
    """P(exit of [−a, b]) lies between 2P(N ≥ max) and 2P(N ≥ a) + 2P(N ≥ b); walls round a circle are none."""
    point, process = mfg.gaussian([0.3, 0.1], 1e-12, 2), mfg.Brownian(scale=2.0)
    walls = mfg.CartesianGrid((-3.0, -4.0), (3.0, 4.0), (8, 8))
    s = 2.0 * np.sqrt(0.7)
    each = [2 * norm.sf(r / s) for r in (2.7, 3.3, 3.9, 4.1)]
    found = exit_bound(process, point, walls, 0.1, 0.8)
    assert found == pytest.approx(min(1.0, sum(each)), rel=1e-4)
    circle = mfg.CartesianGrid((-3.0, -4.0), (3.0, 4.0), (8, 8), (True, False))
    assert exit_bound(process, point, circle, 0.1, 0.8) == pytest.approx(sum(each[2:]), rel=1e-4)
    assert exit_bound(process, point, walls, 0.1, 1.0) > found


def test_where_it_is_not_known_it_is_infinite():
    grid = mfg.CartesianGrid.cube(3.0, 64, 1)
    assert exit_bound(mfg.Linear(np.array([[-1.0]])), mfg.gaussian(0.0, 1.0), grid, 0.0, 1.0) == np.inf
    assert exit_bound(mfg.Brownian(), lambda x: x, grid, 0.0, 1.0) == np.inf


@pytest.mark.slow
@pytest.mark.parametrize(("name", "order"), [*((name, 2) for name in CASES), ("OU", 4), ("VE", 4)])
def test_laws_in_tight_boxes_have_bounds_that_are_near(name, order):
    """Brought to zero at the walls, the second solve alone owes ten to five hundred times the error here."""
    process, law, side = CASES[name]
    space = mfg.FiniteVolume(mfg.CartesianGrid.cube(side, 140, 1), order=order)
    solution = mfg.solve(
        mfg.FokkerPlanck.of(process), space, law, (0.0, 1.0), rtol=1e-8, largest_wall_mass=1.0, mass=None
    )
    end, at = mfg.marginal(process, law, 1.0), Reconstruction.of(space, 6)
    density = np.exp(end.log_density(at.points))
    true = at.norm(at.value(solution.fields[-1].values) - density) + 1 - float(np.sum(density * at.weights))
    bound, beyond = solution.error_bound(), 2 * exit_bound(process, law, space.grid, 0.0, 1.0)
    assert true < bound.value < 3 * (true + beyond)
    assert bound.kind is Kind.BOUND
