"""Panels by the steps of a first solve: no longer than the law allows, few, and breaks that one scan finds."""

from dataclasses import replace
from importlib import import_module

import numpy as np
import pytest

import mfgpde as mfg
from mfgpde.solvers.clock import MOST, Clock, Paced
from mfgpde.solvers.collocated import STAGES, collocated
from mfgpde.solvers.structure import Coefficient

MIXTURE = mfg.GaussianMixture([0.5, 0.3, 0.2], [[-1.5], [0.5], [2.0]], 0.2)
PROCESSES = {
    "OU": (mfg.OrnsteinUhlenbeck(), 7.0),
    "VP": (mfg.VariancePreserving(), 7.0),
    "VE": (mfg.VarianceExploding(0.05, 2.0), 12.0),
}


def generated(name, cells, rtol, order=2, times=2):
    process, half = PROCESSES[name]
    equation = mfg.FokkerPlanck.reverse(process, mfg.ExactScore(process, MIXTURE))
    space = mfg.FiniteVolume(mfg.CartesianGrid.cube(half, cells, 1), order=order)
    start, stop = mfg.marginal(process, MIXTURE, process.horizon), process.horizon - 0.1
    return mfg.solve(equation, space, start, np.linspace(0.0, stop, times), rtol=rtol)


@pytest.mark.parametrize("whole", [0.3, 1.0, 4.0, 9.0])
@pytest.mark.parametrize("aim", [1e-2, 1e-4, 1e-7])
def test_panels_that_are_planned_miss_no_more_than_the_aim(whole, aim):
    """(c/e)^s each, as it is thought, and no plan of fewer panels of one degree does."""
    count, degree = Paced(Clock.even(0.0, whole), whole, STAGES).panels(0.0, aim)
    panels = round(whole / count)
    assert panels * (count / np.e) ** degree <= aim * (1 + 1e-12)
    assert STAGES[0] <= degree <= STAGES[1]
    cheaper = [
        (m, s)
        for m in range(1, panels)
        for s in range(STAGES[0], degree + 1)
        if m * (whole / m / np.e) ** s <= aim and whole / m < np.e
    ]
    assert not cheaper


@pytest.mark.parametrize("name", PROCESSES)
@pytest.mark.parametrize("rtol", [2e-3, 1e-6])
def test_panels_by_a_clock_miss_what_is_aimed_at_in_few_tries(name, rtol, monkeypatch):
    """And take few more systems than those that begin as derivatives say, of all aims together; for VP fewer."""
    module, tries = import_module("mfgpde.solvers.collocated"), []
    solved = module._solved
    monkeypatch.setattr(module, "_solved", lambda *a: tries.append(a[2].pieces) or solved(*a))
    solution = generated(name, 96, rtol)
    space, ends = mfg.FiniteVolume(solution.discretisation.grid, order=4), (0.0, float(solution.times[-1]))
    systems = np.zeros(2)
    for aim in (1e-3, 1e-4, 1e-5, 1e-6):
        for k, clock in enumerate((Clock.of(solution), None)):
            tries.clear()
            parts, missed = collocated(solution.equation, space, solution.start, ends, aim, clock)
            assert missed <= aim
            assert clock is None or len(tries) <= len(parts) + 2
            systems[k] += sum(tries)
    assert systems[0] <= (0.9 if name == "VP" else 1.25) * systems[1]


def test_a_clock_that_is_wrong_misses_no_more():
    """Ten times too slow, too fast, or of another law: what panels miss is looked at, whatever they were thought to."""
    solution, other = generated("VP", 96, 2e-3), generated("VE", 96, 2e-3)
    space, ends = mfg.FiniteVolume(solution.discretisation.grid, order=4), (0.0, float(solution.times[-1]))
    for clock in filter(None, map(Clock.of, (solution, other))):
        for factor in (0.1, 1.0, 10.0):
            wrong = Clock(clock.times, factor * clock.counts)
            _, missed = collocated(solution.equation, space, solution.start, ends, 1e-4, wrong)
            assert missed <= 1e-4


def test_steps_that_end_for_other_reasons_are_no_clock():
    assert Clock.of(generated("OU", 48, 1e-3)) is not None
    many = generated("OU", 48, 1e-3, times=400)
    assert many.taken is not None
    assert len(many.taken.ends) * many.taken.share > MOST
    assert Clock.of(many) is None


def test_a_bound_takes_the_breaks_that_the_solve_found(monkeypatch):
    """One scan serves both; of an equation that was put in its place the coefficients are scanned."""
    scans, scanned = [], Coefficient.scanned
    monkeypatch.setattr(Coefficient, "scanned", lambda *a: scans.append(a) or scanned(*a))

    def jumping(when):
        return mfg.FokkerPlanck(
            lambda x, t: -x * np.where(t < when, 1.0, 2.0), lambda t: 0.5, divergence=lambda x, t: -1.0 - (t >= when)
        )

    space, early, late = mfg.FiniteVolume(mfg.CartesianGrid.cube(6.0, 64, 1)), jumping(0.3), jumping(0.7)
    solution = mfg.solve(early, space, mfg.gaussian(0.5, 0.5), (0.0, 1.0))
    assert solution.taken is not None
    breaks = solution.taken.breaks_of(early)
    assert breaks is not None
    assert len(breaks) == 1
    before, after = breaks[0]
    assert before < 0.3 <= after < 0.3 + 1e-9
    scans.clear()
    bound = solution.error_bound()
    assert not scans
    assert replace(solution, taken=None).error_bound().value == pytest.approx(bound.value, rel=0.02)
    scans.clear()
    assert replace(solution, equation=late).error_bound().value > 0.05  # it solves another one
    assert scans
