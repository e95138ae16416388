"""Generated laws: the exact score returns the data by SDE and ODE, closed forms of shifts, mass that leaks is found."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mfgpde as mfg
from mfgpde.solvers.induced import grown

OU = mfg.OrnsteinUhlenbeck(horizon=9.0)
BOX = mfg.CartesianGrid.cube(4.5, 64, 2)


@pytest.mark.parametrize("dimension", [1, 2, pytest.param(3, marks=pytest.mark.slow)])
def test_the_exact_score_generates_the_data(dimension):
    data, n = mfg.densities.bimodal(dimension), {1: 128, 2: 64, 3: 32}[dimension]
    score, grid = mfg.ExactScore(OU, data), mfg.CartesianGrid.cube(5.0, n, dimension)
    law = mfg.marginal(OU, data, 0.1)
    sde = mfg.induced_sde(OU, score, grid, stop=0.1, rtol=1e-3)
    ode = mfg.induced_ode(OU, score, grid, stop=0.1)
    allowed = {1: 4e-3, 2: 2e-2, 3: 8e-2}[
        dimension
    ]  # cell widths 0.08, 0.14, 0.31, order two; p_9 is the prior to 1e-4
    assert mfg.l1_distance(sde.density, law) < allowed
    assert mfg.l1_distance(ode.density, law) < allowed
    assert abs(sde.leak) < 1e-4
    assert abs(ode.leak) < 1e-4
    assert ode.density.integral() == pytest.approx(1 - ode.leak, abs=1e-12)
    assert sde.evaluations > 0
    assert 0 < sde.score_seconds < sde.seconds


def test_the_flow_converges_at_second_order():
    score, law = mfg.ExactScore(OU, mfg.densities.four_blobs()), mfg.marginal(OU, mfg.densities.four_blobs(), 0.1)
    errors = [
        mfg.l1_distance(mfg.induced_ode(OU, score, BOX.refined(k), stop=0.1, rtol=1e-6).density, law) for k in (0, 1)
    ]
    assert np.log2(errors[0] / errors[1]) == pytest.approx(2.0, abs=0.2)


def test_a_potential_gives_the_same_law_from_fewer_points():
    score = mfg.ExactScore(OU, mfg.densities.four_blobs())
    plain = mfg.induced_sde(OU, lambda x, t: score(x, t), BOX, stop=0.1, rtol=1e-3)
    known = mfg.induced_sde(OU, score, BOX, stop=0.1, rtol=1e-3)
    assert known.evaluations < 0.6 * plain.evaluations
    assert mfg.l1_distance(known.density, plain.density) < 1e-2


@pytest.mark.slow
def test_mass_that_runs_away_is_found_and_stated():
    """The score gives up far out, and the reverse drift x carries away what is there: the box grows, the rest is leak."""
    exact = mfg.ExactScore(OU, mfg.gaussian(0.0, 1.5, 1))

    def weak(x, t):
        return np.clip(exact(x, t), -2.0, 2.0)

    grid = mfg.CartesianGrid.cube(3.5, 64, 1)
    sde, ode = mfg.induced_sde(OU, weak, grid, stop=0.01), mfg.induced_ode(OU, weak, grid, stop=0.01)
    rng = np.random.default_rng(0)
    x, dt = rng.normal(0, np.sqrt(0.5), (40_000, 1)), 0.005
    for t in np.arange(9.0, 0.01, -dt):
        x = x + dt * (x + weak(x, t)) + np.sqrt(dt) * rng.normal(size=x.shape)
    lost = float(np.mean(np.abs(x) > 3.5))
    assert lost > 0.01
    assert sde.leak == pytest.approx(lost, abs=4 * np.sqrt(lost / 40_000) + 0.1 * lost)
    assert 0 < ode.leak < 1
    assert float(sde.density.integral()) == pytest.approx(1 - sde.leak, abs=1e-6)


def test_a_flow_that_leaves_the_numbers_is_told_as_one():
    """From t = 2 on D s is beyond the largest number, though s is not: no score that returned an infinity is blamed."""

    def score(x, t):
        return -x if t < 2 else -1e308 * np.sign(x)

    with pytest.raises(ValueError, match=r"leaves every box and the numbers near t = 2.*look at its sign"):
        mfg.induced_ode(mfg.processes.EDM(), score, mfg.CartesianGrid.cube(3.0, 16, 1), stop=0.1)


def test_stages_are_stored_latest_first():
    score = mfg.ExactScore(OU, mfg.densities.bimodal(1))
    grid = mfg.CartesianGrid.cube(5.0, 128, 1)
    for induced in (mfg.induced_sde, mfg.induced_ode):
        law = induced(OU, score, grid, stop=0.1, times=(0.5, 9.0, 1.0))
        assert law.times == (9.0, 1.0, 0.5)
        assert len(law.stages) == 3
    sde = mfg.induced_sde(OU, score, grid, stop=0.1, times=(0.5, 1.0), rtol=1e-3)
    truth = mfg.marginal(OU, mfg.densities.bimodal(1), 0.5)
    assert mfg.l1_distance(mfg.Field(sde.density.discretisation, sde.stages[1]), truth) < 5e-3
    with pytest.raises(ValueError, match="times must lie in"):
        mfg.induced_ode(OU, score, grid, stop=0.5, times=(0.2,))
    with pytest.raises(ValueError, match="returned"):
        mfg.induced_ode(OU, lambda x, t: x * np.nan, grid, stop=0.5)


@pytest.mark.parametrize("factor", [1.5, 2.0, 4.0])
def test_a_grown_box_is_so_much_wider_about_the_same_middle_with_the_same_cells(factor):
    grid = mfg.CartesianGrid((-1.0, 2.0), (3.0, 5.0), (40, 60))
    wide = grown(grid, factor)
    np.testing.assert_allclose(wide.spacing, grid.spacing, rtol=1e-13)
    np.testing.assert_allclose(np.add(wide.lower, wide.upper), np.add(grid.lower, grid.upper), atol=1e-13)
    np.testing.assert_allclose(wide.lengths, factor * np.array(grid.lengths))


def test_corners_are_carried_to_a_share_of_a_cell():
    """What is uneven by a hundredth of a cell folds it: noise of the steps, not of the flow, which never folds."""
    process, data = mfg.OrnsteinUhlenbeck(horizon=5.0), mfg.densities.four_blobs()
    score, grid = mfg.ExactScore(process, data), mfg.CartesianGrid.cube(4.5, 96, 2)
    q = mfg.induced_ode(process, score, grid, stop=0.02).density.values
    assert q.min() > -1e-12 * q.max()
    rough = mfg.induced_ode(process, score, grid, stop=0.02, rtol=1e-2).density.values
    assert rough.min() < -1e-4 * rough.max()


@pytest.mark.parametrize("dimension", [1, 2])
def test_a_flow_on_half_the_grid_is_that_of_every_second_corner(dimension):
    """Corners of wide cells are corners of narrow ones: both solves agree to the tolerance of their steps."""
    process, score = mfg.OrnsteinUhlenbeck(), mfg.ExactScore(OU, mfg.densities.bimodal(dimension))
    grid = mfg.CartesianGrid.cube(5.0, 32, dimension)
    fine = mfg.induced_ode(process, score, grid, stop=0.1, times=(0.5, 0.3), rtol=1e-7)
    other = mfg.induced_ode(
        process, score, mfg.CartesianGrid.cube(5.0, 16, dimension), stop=0.1, times=(0.5, 0.3), rtol=1e-7
    )
    half = mfg.solvers.on_half_grid(process, fine)
    assert half.density.grid == other.density.grid
    assert np.abs(half.density.values - other.density.values).max() < 1e-6
    assert half.leak == pytest.approx(other.leak, abs=1e-6)
    assert all(np.allclose(a, b, atol=1e-6) for a, b in zip(half.stages, other.stages, strict=True))
    assert half.evaluations == 0


def test_only_flows_on_even_grids_have_half_of_them():
    process, grid = mfg.OrnsteinUhlenbeck(), mfg.CartesianGrid.cube(4.0, 17, 1)
    score = mfg.ExactScore(process, mfg.gaussian(0.0, 0.5))
    with pytest.raises(ValueError, match="no corners"):
        mfg.solvers.on_half_grid(process, mfg.induced_sde(process, score, grid))
    with pytest.raises(ValueError, match="even number"):
        mfg.solvers.on_half_grid(process, mfg.induced_ode(process, score, grid))


@settings(max_examples=10)
@given(st.floats(0.3, 3.0), st.sampled_from([-1, 1]))
def test_a_time_a_rounding_off_the_horizon_is_the_horizon(horizon, side):
    """No step leads from there to it; sums of times end there."""
    process, grid = mfg.OrnsteinUhlenbeck(horizon=horizon), mfg.CartesianGrid.cube(5.0, 32, 1)
    score, off = mfg.ExactScore(process, mfg.gaussian(0.5, 0.5)), float(np.nextafter(horizon, side * np.inf))
    for induced in (mfg.induced_sde, mfg.induced_ode):
        one, other = (induced(process, score, grid, stop=0.1, times=[first, 0.2]) for first in (horizon, off))
        assert other.times == (horizon, 0.2)
        np.testing.assert_array_equal(one.stages[0], other.stages[0])
        np.testing.assert_array_equal(one.density.values, other.density.values)
