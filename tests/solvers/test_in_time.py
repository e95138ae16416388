"""Scores asked at few times: the same laws, from few times where they are smooth, from all where they are not."""

import numpy as np
import pytest

import mfgpde as mfg
from mfgpde.solvers import in_time, induced
from mfgpde.solvers.in_time import Around, seldom

OU = mfg.OrnsteinUhlenbeck(horizon=4.0)
LINE = mfg.CartesianGrid.cube(4.0, 96, 1)
STOP = 0.05


def _around(grid, law=None):
    law = law or mfg.solvers.prior_of(OU, grid.dimension)
    return Around(grid, [OU.horizon], [law.density(grid.points)])


def _direct(score, grid, rtol):
    """The generating SDE's law, the score asked at every step."""
    equation = mfg.FokkerPlanck.reverse(OU, score)
    start, run = mfg.solvers.prior_of(OU, grid.dimension), (0.0, OU.horizon - STOP)
    return mfg.solve(equation, mfg.FiniteVolume(grid), start, run, rtol=rtol, largest_wall_mass=1.0).fields[-1]


def _seldom(score, grid, rtol, allowed):
    few = seldom(mfg.solvers.counted(score), OU, _around(grid), STOP, allowed)
    return few, _direct(few, grid, rtol)


class Wave:
    """A vector score with a wave that runs: smooth, not a gradient, none of ours."""

    def __call__(self, x, t):
        return -2 * x + 0.8 * np.sin(3 * np.roll(x, 1, axis=-1) + 4 * t)


def test_a_polynomial_of_degree_four_in_time_is_itself():
    """Exactly, from five times a panel, at any time between."""
    asked = []

    def score(x, t):
        asked.append(t)
        return -x * (1 + t - 0.3 * t**2 + 0.1 * t**3)

    x = np.linspace(-2, 2, 200)[:, None]
    few = seldom(score, OU, _around(LINE), STOP, 1e-3)
    for t in np.linspace(OU.horizon, STOP, 300):
        np.testing.assert_allclose(few(x, float(t)), -x * (1 + t - 0.3 * t**2 + 0.1 * t**3), rtol=1e-12, atol=1e-12)
    assert len(asked) < 24
    assert few.off < 1e-10


@pytest.mark.slow
@pytest.mark.parametrize("dimension", [1, 2, 3])
@pytest.mark.parametrize("kind", ["potential", "vector"])
def test_a_law_is_off_by_no_more_than_is_said(dimension, kind):
    """Girsanov's number, measured in each panel, holds what the law is off, and a tenth of the times do."""
    grid = mfg.CartesianGrid.cube(4.0, {1: 96, 2: 32, 3: 16}[dimension], dimension)
    exact = mfg.ExactScore(OU, mfg.densities.bimodal(dimension))
    score = exact if kind == "potential" else Wave()
    watched = mfg.solvers.counted(score)
    want = _direct(watched, grid, 1e-6)
    few, found = _seldom(score, grid, 1e-6, 1e-2)
    off = float(grid.integrate(np.abs(found.values - want.values)))
    assert 0 < off < few.off
    assert few.off < 2e-2
    assert few.score.points < 0.5 * watched.points


def test_less_is_allowed_and_less_is_off():
    offs = [_seldom(Wave(), LINE, 1e-5, allowed) for allowed in (1e-1, 1e-3)]
    want = _direct(Wave(), LINE, 1e-5)
    gaps = [float(LINE.integrate(np.abs(found.values - want.values))) for _, found in offs]
    assert gaps[1] < 0.1 * gaps[0]
    assert offs[1][0].off < 0.1 * offs[0][0].off


def test_a_score_that_jumps_is_asked_at_every_step_there():
    """A network that knows a hundred times: what is returned near its jumps are its own values, and so is the law."""

    def jumping(x, t):
        return -2 * x * (1 + 0.5 * np.floor(25 * t) / 100)

    few, found = _seldom(jumping, LINE, 1e-4, 1e-4)
    want = _direct(jumping, LINE, 1e-4)
    np.testing.assert_allclose(found.values, want.values, rtol=1e-12)
    assert few.off < 1e-12


def test_one_jump_is_found_wherever_it_is(rng):
    x = LINE.points
    for place in rng.uniform(0.5, 3.5, 5):
        few = seldom(lambda x, t, place=place: -x * (2.0 if t > place else 1.0), OU, _around(LINE), STOP, 1e-3)
        times = np.linspace(OU.horizon, STOP, 400)
        wrong = sum(np.abs(few(x, float(t)) + x * (2.0 if t > place else 1.0)).max() > 1e-3 for t in times)
        assert wrong <= 1


def test_steps_that_are_tried_again_see_the_same_score():
    """Back within a panel, and above all of them."""
    score, x = mfg.ExactScore(OU, mfg.gaussian(0.5, 0.3)), LINE.points
    few = seldom(score, OU, _around(LINE), STOP, 1e-4)
    for t in (4.0, 3.9, 3.8, 2.0, 2.9, 3.4, 0.3, 3.99, 0.06):
        np.testing.assert_allclose(few(x, t), score(x, t), atol=2e-3)
    again = few(x, 0.06)
    np.testing.assert_array_equal(few(x.copy(), 0.06), again)


def test_what_does_not_fit_memory_is_asked_directly(monkeypatch):
    monkeypatch.setattr(in_time, "LARGEST", 0)
    watched = mfg.solvers.counted(Wave())
    want = _direct(watched, LINE, 1e-4)
    few, found = _seldom(Wave(), LINE, 1e-4, 1e-2)
    np.testing.assert_array_equal(found.values, want.values)
    assert few.score.points == watched.points
    assert few.off == 0.0


@pytest.mark.parametrize(
    "process",
    [
        mfg.VariancePreserving(),
        mfg.processes.VarianceExploding(),
        pytest.param(mfg.processes.Cosine(), marks=pytest.mark.slow),
        mfg.processes.linear_betas(),
    ],
    ids=lambda process: type(process).__name__,
)
def test_laws_of_any_schedule_stay_what_they_were(process, monkeypatch):
    """With the score asked seldom, and at every step: apart by less than what tolerances leave."""
    score = mfg.ExactScore(process, mfg.densities.bimodal(1))
    grid = mfg.CartesianGrid.cube(6.0, 96, 1)
    laws = {}
    for latitude in (induced.LATITUDE, 1e-12):
        monkeypatch.setattr(induced, "LATITUDE", latitude)
        laws[latitude] = mfg.induced_sde(process, score, grid, stop=1e-2, rtol=2e-3)
    few, many = laws.values()
    sharp = mfg.induced_sde(process, score, grid, stop=1e-2, rtol=6e-5)
    steps = float(grid.integrate(np.abs(many.density.values - sharp.density.values)))
    assert float(grid.integrate(np.abs(few.density.values - many.density.values))) < max(0.5 * steps, 1e-4)
    assert few.evaluations <= 1.1 * many.evaluations
