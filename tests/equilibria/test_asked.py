"""What is asked is looked at before the work: numbers, starts, capacities, costs that are not finite, noise too narrow."""

from dataclasses import replace

import numpy as np
import pytest

import mfgpde as mfg
from mfgpde.games import Capacity, Potential, crowd_motion, linear_quadratic, schroedinger_bridge

GRID = mfg.CartesianGrid.cube(3.0, 40, 1)
GAME = linear_quadratic(mfg.gaussian([0.4], [[0.2]]), 1.0, viscosity=0.2)
METHODS = pytest.mark.parametrize("method", ["entropic", "primal-dual", "newton"])


@METHODS
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"iterations": 0}, "iterations must be a whole number ≥ 1, got 0"),
        ({"iterations": 2.5}, "iterations must be a whole number"),
        ({"steps": -3}, "steps must be a whole number ≥ 1, got -3"),
        ({"steps": 2.5}, "steps must be a whole number"),
        ({"steps": True}, "steps must be a whole number"),
        ({"tolerance": np.nan}, "tolerance must be a finite number ≥ 0, got nan"),
        ({"tolerance": -1.0}, "tolerance must be a finite number"),
        ({"tolerance": "small"}, "tolerance must be a finite number"),
        ({"start": np.ones((5, 39))}, r"shape \(steps \+ 1, 40\), got \(5, 39\)"),
        ({"start": np.full((5, 40), np.nan)}, "start must be finite densities"),
        ({"start": -np.ones((5, 40)), "steps": 4}, "start must be finite densities"),
        ({"start": np.ones((5, 40)), "steps": 5}, "for 5 steps"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_numbers_that_are_none_are_refused(options, message, method):
    with pytest.raises(ValueError, match=message):
        mfg.equilibrium(GAME, GRID, method=method, **options)


@METHODS
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_costs_that_are_not_finite_are_named(value, method):
    def holed(x, t):
        return np.where(x[..., 0] > 2.5, value, 0.0)

    with pytest.raises(ValueError, match="the running cost must be finite"):
        mfg.equilibrium(replace(GAME, running=holed), GRID, method=method)
    with pytest.raises(ValueError, match="must be finite"):
        mfg.equilibrium(replace(GAME, terminal=Potential(holed)), GRID, method=method)
    with pytest.raises(ValueError, match="must be finite"):
        mfg.equilibrium(replace(GAME, drift_potential=holed), GRID, method=method)


@pytest.mark.parametrize("viscosity", [0.0, 0.2])
def test_capacities_that_nothing_keeps_to_are_refused(viscosity):
    crowd = crowd_motion(mfg.gaussian([0.0], [[0.2]]), lambda x: x[..., 0] ** 2, viscosity=viscosity, capacity=0.7)
    with pytest.raises(ValueError, match=r"a capacity of 0\.7 is below the initial density, 0\.8796"):
        mfg.equilibrium(crowd, GRID)
    with pytest.raises(ValueError, match=r"a capacity of 0\.1 is below the uniform density of the box, 0\.1667"):
        mfg.equilibrium(replace(crowd, interaction=Capacity(0.1)), GRID)
    bridge = schroedinger_bridge(mfg.gaussian([0.0], [[0.3]]), mfg.gaussian([0.0], [[0.1]]), 0.2)
    with pytest.raises(ValueError, match="is below the target density"):
        mfg.equilibrium(replace(bridge, interaction=Capacity(0.8)), GRID)


@pytest.mark.parametrize("change", [{"viscosity": 1e-3}, {"horizon": 1e-3}], ids=str)
def test_auto_names_the_method_that_would_do_and_it_does(change):
    """Riccati: a = w/(1 + wT), cost ½a(m² + v) + κ log(1 + wT)."""
    game = replace(GAME, **change)
    with pytest.raises(ValueError, match=r"take at least \d+ cells a side, or method='newton' or method='primal-dual'"):
        mfg.equilibrium(game, GRID)
    truth = 0.5 / (1 + game.horizon) * (0.16 + 0.2) + game.viscosity * np.log1p(game.horizon)
    found = mfg.equilibrium(
        game, mfg.CartesianGrid.cube(3.0, 80, 1), method="newton", order=1 if game.horizon == 1 else 2
    )
    assert found.discrete_primal == pytest.approx(truth, abs=0.02 if game.horizon == 1 else 1e-5)  # upwind: h/10


def test_what_has_not_converged_says_so():
    with pytest.warns(
        UserWarning, match=r"primal-dual, \d+ steps, 30 iterations: stopped at a gap of .*, not converged"
    ):
        found = mfg.equilibrium(GAME, GRID, method="primal-dual", iterations=30)
    assert not found.converged
    assert found.cost["iterations"] == 30


def test_negative_densities_are_noticed():
    """Centred differences without noise: they oscillate where cells are too coarse; upwind ones do not."""
    game = replace(GAME, viscosity=0.0)
    with pytest.warns(UserWarning, match=r"densities are negative down to -.* take more of them, or order=1"):
        rough = mfg.equilibrium(game, GRID, method="newton")
    assert rough.residuals["negative mass"] > 1e-4
    assert mfg.equilibrium(game, GRID, method="newton", order=1).minimum >= -1e-12
