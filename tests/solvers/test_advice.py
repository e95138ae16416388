"""What a refusal advises is followed, and helps: boxes, cells, schemes, factors and options as the message names them."""

import re

import numpy as np
import pytest
from scipy.stats import t as student

import mfgpde as mfg

OU = mfg.FokkerPlanck.of(mfg.OrnsteinUhlenbeck())


def box_of(message):
    """Return the box that a message names."""
    lower, upper = re.search(r"a box from \(([^)]*)\) to \(([^)]*)\)", message).groups()
    return tuple(map(float, lower.split(","))), tuple(map(float, upper.split(",")))


def volumes(lower, upper, cells, **options):
    return mfg.FiniteVolume(mfg.CartesianGrid(lower, upper, cells), **options)


def solved(space, start, until=0.1, equation=OU, **options):
    return mfg.solve(equation, space, start, (0.0, until), **options)


def t3(x):
    return student.pdf(x[..., 0], 3)


HEAVY = mfg.FokkerPlanck(lambda x, t: -4 * x / (3 + x**2), lambda t: 1.0, time_dependent=False)


@pytest.mark.parametrize(
    ("start", "equation", "box", "cells"),
    [
        (mfg.gaussian(0.0, 1.0), OU, ((-2.0,), (2.0,)), (128,)),
        (mfg.gaussian([3.0, 0.0], 0.2 * np.eye(2)), OU, ((-2.0, -2.0), (2.0, 2.0)), (64, 64)),
        (t3, HEAVY, ((-20.0,), (20.0,)), (800,)),
        (lambda x: 0.5 * np.exp(-np.abs(x[..., 0])), OU, ((-5.0,), (5.0,)), (201,)),
    ],
)
def test_a_box_that_would_do_does(start, equation, box, cells):
    with pytest.raises(ValueError, match="would do") as refusal:
        solved(volumes(*box, cells), start, equation=equation)
    run = solved(volumes(*box_of(str(refusal.value)), cells), start, 1e-3, equation)
    assert run.conserved["mass"][-1] == pytest.approx(1.0, abs=1e-4)


def test_tails_too_heavy_for_any_box_are_held_by_real_walls():
    def cauchy(x):
        return 1 / (np.pi * (1 + x[..., 0] ** 2))

    equation = mfg.FokkerPlanck(lambda x, t: -2 * x / (1 + x**2), lambda t: 1.0, time_dependent=False)
    with pytest.raises(ValueError, match=r"no box .* take walls='reflecting' .* or a larger largest_wall_mass"):
        solved(volumes((-50,), (50,), (1000,)), cauchy, equation=equation)
    walled = volumes((-50,), (50,), (1000,), walls="reflecting")
    with pytest.raises(ValueError, match=r"divide it by \S+ if") as refusal:
        solved(walled, cauchy, equation=equation)
    factor = float(re.search(r"divide it by (\S+) if", str(refusal.value))[1])
    run = solved(walled, lambda x: cauchy(x) / factor, equation=equation)
    assert run.conserved["mass"][-1] == pytest.approx(1.0, abs=1e-5)
    assert solved(walled, cauchy, equation=equation, mass=None).conserved["mass"][-1] == pytest.approx(factor, abs=1e-5)


def test_what_a_box_cuts_off_a_heavy_tail_is_in_the_bar():
    """E X² = 3 + 2Dt of Student's t₃ with noise: ±60 holds all but 0.11 of it, and the bar says so."""
    noise, second = mfg.FokkerPlanck(lambda x, t: 0 * x, lambda t: 0.5, time_dependent=False), lambda x: x[..., 0] ** 2

    def spread(space):
        return solved(space, t3, 0.5, noise).fields[-1].expectation(second)

    found = mfg.converge(spread, volumes((-60,), (60,), (240,))).limit
    assert 3.5 in found
    assert 0.11 < found.half_width < 0.3


@pytest.mark.parametrize("scheme", [mfg.FiniteVolume, mfg.Spectral])
def test_mass_that_reaches_a_wall_finds_room_in_the_box_to_try(scheme):
    """A drift of three for one unit of time: ripples of a layer at the wall are not taken for cells too wide."""
    out = mfg.FokkerPlanck(lambda x, t: 0 * x + 3.0, lambda t: 0.5, time_dependent=False)
    lower, upper, tries = (-4.0,), (4.0,), 0
    while True:
        try:
            space = scheme(mfg.CartesianGrid(lower, upper, (256,)))
            run = solved(space, mfg.gaussian(0.0, 0.2), 1.0, out)
            break
        except mfg.NotConverged as failure:
            (lower, upper), tries = box_of(str(failure)), tries + 1
    assert tries <= 2
    assert run.at(1.0).expectation(lambda x: x[..., 0]) == pytest.approx(3.0, abs=1e-3)


def test_cells_that_do_not_resolve_are_told_so_and_both_ways_out_lead_out():
    steep = mfg.FokkerPlanck(lambda x, t: -x, lambda t: 1e-3, time_dependent=False)
    start = mfg.gaussian(1.0, 0.01)
    with pytest.raises(mfg.NotConverged, match=r"ripples .* take more cells, or FiniteVolume"):
        solved(mfg.Spectral(mfg.CartesianGrid.cube(3.0, 64, 1)), start, 2.0, steep)
    mean = np.exp(-2.0)
    finer = solved(mfg.Spectral(mfg.CartesianGrid.cube(3.0, 256, 1)), start, 2.0, steep)
    assert finer.at(2.0).expectation(lambda x: x[..., 0]) == pytest.approx(mean, abs=1e-6)
    kept = solved(mfg.FiniteVolume(mfg.CartesianGrid.cube(3.0, 64, 1)), start, 2.0, steep).at(2.0)
    assert kept.values.min() >= 0


def test_a_spike_between_points_is_resolved_by_means_over_cells():
    """The law of deviation 1e-3 on cells of a tenth."""
    grid, spike = mfg.CartesianGrid.cube(5.0, 100, 1), mfg.gaussian(0.02, 1e-6)
    with pytest.raises(ValueError, match=r"do not resolve: take more cells, or FiniteVolume"):
        solved(mfg.Spectral(grid), spike)
    assert solved(mfg.FiniteVolume(grid), spike).conserved["mass"][-1] == pytest.approx(1.0, abs=1e-9)


def test_a_budget_of_steps_is_raised_or_used_better():
    grid = mfg.CartesianGrid.cube(6.0, 128, 1)
    start = mfg.gaussian(0.0, 0.5)
    with pytest.raises(mfg.NotConverged, match=r"at t = 0\.\d+; .* more max_steps, a larger rtol or wider cells"):
        solved(mfg.FiniteVolume(grid), start, 1.0, max_steps=8)
    assert solved(mfg.FiniteVolume(grid), start, 1.0, max_steps=200).status is mfg.Status.DONE
    assert solved(mfg.FiniteVolume(grid), start, 1.0, max_steps=8, rtol=1e-3).status is mfg.Status.DONE


@pytest.mark.slow
def test_a_value_that_blows_up_is_told_when_and_ends_before():
    """∂_tu + ½|∇u|² = 0 from −x² is −x²/(1 − 2t): no grid, tolerance or integrator gets past t = ½."""
    equation = mfg.HamiltonJacobiBellman(lambda x, p, t: 0.5 * np.einsum("...i,...i", p, p), lambda t: 0.0)
    space = volumes((-3.0,), (3.0,), (100,), order=5)
    with pytest.raises(mfg.NotConverged, match=r"at t = 0\.\d+; .* grows without bound there") as failure:
        solved(space, lambda x: -(x[..., 0] ** 2), 1.0, equation)
    reached = float(re.search(r"at t = (\S+);", str(failure.value))[1])
    assert reached == pytest.approx(0.5, abs=0.05)
    before = solved(space, lambda x: -(x[..., 0] ** 2), 0.5 * reached, equation).at(0.5 * reached)
    assert before(np.array([[1.0]]))[0] == pytest.approx(-1 / (1 - reached), rel=0.02)


def test_a_potential_that_contradicts_its_drift_is_mended_as_the_message_says():
    """The drift must be −D∇V: with V/D in place of V both agree."""
    wrong = mfg.FokkerPlanck(
        lambda x, t: -x, lambda t: 0.1, time_dependent=False, potential=lambda x, t: 0.5 * (x**2).sum(-1)
    )
    space, start = volumes((-8.0,), (8.0,), (256,)), mfg.gaussian(0.0, 0.5)
    with pytest.raises(ValueError, match=r"the drift must be −D∇V, V in units of kT"):
        solved(space, start, equation=wrong)
    right = mfg.FokkerPlanck(
        lambda x, t: -x, lambda t: 0.1, time_dependent=False, potential=lambda x, t: 5 * (x**2).sum(-1)
    )
    last = solved(space, start, 12.0, right).at(12.0)
    assert last.expectation(lambda x: x[..., 0] ** 2) == pytest.approx(0.1, rel=0.01)


@pytest.mark.parametrize(
    ("diffusivity", "match"),
    [(0.5, "write lambda t"), (lambda x: 0.5 * (1 + x**2), "ForwardKolmogorov")],
)
def test_a_diffusivity_by_habit_is_written_as_the_message_says(diffusivity, match):
    space, start = volumes((-8.0,), (8.0,), (128,)), mfg.gaussian(0.0, 0.5)
    with pytest.raises((TypeError, ValueError), match=match):
        solved(space, start, equation=mfg.FokkerPlanck(lambda x, t: -x, diffusivity))
    assert solved(space, start, equation=mfg.FokkerPlanck(lambda x, t: -x, lambda t: 0.5)).status is mfg.Status.DONE


def test_a_box_that_would_do_leaves_glued_axes_as_long_as_they_are():
    """A law beyond the wall of a cylinder: the circle has no other length, and the box that is named solves it."""

    def cylinder(lower, upper):
        return mfg.FiniteVolume(mfg.CartesianGrid(lower, upper, (32, 64), (True, False)))

    still = mfg.FokkerPlanck(lambda x, t: 0 * x, lambda t: 0.1, time_dependent=False)
    law = mfg.gaussian([np.pi, 4.5], 0.04 * np.eye(2))
    with pytest.raises(ValueError, match="would do") as refusal:
        solved(cylinder((0.0, -3.0), (2 * np.pi, 3.0)), law, equation=still)
    lower, upper = box_of(str(refusal.value))
    assert (lower[0], upper[0]) == (0.0, pytest.approx(2 * np.pi, rel=1e-2))  # three digits in the message
    found = solved(cylinder((0.0, lower[1]), (2 * np.pi, upper[1])), law, until=0.01, equation=still)
    assert found.conserved["mass"][0] == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize("given", ["density", "function"])
def test_a_box_that_is_advised_leaves_real_walls_where_they_are(given):
    """A reflecting wall at zero, a far one too near: the box that is named begins at zero, and the solve in it runs."""
    law = mfg.gaussian(0.5, 1.0)
    equation = mfg.FokkerPlanck(lambda x, t: 1.0 + 0 * x, lambda t: 0.5, time_dependent=False)
    line = lambda end: mfg.CartesianGrid((0.0,), (end,), (64,))  # noqa: E731
    space = lambda end: mfg.FiniteVolume(line(end), walls=(("reflecting", "far"),))  # noqa: E731
    share = float(law.cell_means(line(20.0)).sum() * 20 / 64)  # of the law, right of the wall
    start = lambda x: law.density(x) / share  # noqa: E731
    begins = mfg.gaussian(2.0, 0.1) if given == "density" else start
    near = 2.5 if given == "density" else 3.0
    for end, moment in ((near, 0.0), (6.0, 8.0)):  # refused at the start, and ended by what arrives
        with pytest.raises((ValueError, mfg.NotConverged)) as refusal:
            mfg.solve(equation, space(end), begins, (0.0, moment or 0.1), mass=1.0, rtol=1e-4)
        lower, upper = (float(x) for x in re.findall(r"a box from \((\S+)\) to \((\S+)\)", str(refusal.value))[0])
        assert (lower, upper > end) == (0.0, True)
    assert mfg.solve(equation, space(20.0), begins, (0.0, 0.1), rtol=1e-4).status.name == "DONE"
