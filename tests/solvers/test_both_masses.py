"""A bound says no more than both masses: of laws that no grid here resolves, drawn, whatever their residuals owe."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

import mfgpde as mfg

ROUNDING = 1e-12


@settings(max_examples=12)
@given(st.sampled_from([16, 24, 32]), st.floats(2e-3, 1e-2))
def test_no_law_is_further_from_a_solution_than_both_masses(cells, variance):
    """The truth is a Gaussian of a third of a cell, and in the bound; parts sum, and words say what the residual owed."""
    process, law = mfg.OrnsteinUhlenbeck(8.0, 0.3, 1.0), mfg.gaussian(1.0, variance)
    space = mfg.FiniteVolume(mfg.CartesianGrid.cube(5.0, cells, 1))
    solution = mfg.solve(mfg.FokkerPlanck.of(process), space, law, (0.0, 1.0))
    bound, found = solution.error_bound(), solution.at(1.0)
    assert mfg.l1_distance(found, mfg.marginal(process, law, 1.0)) <= bound.value
    assert bound.value == sum(bound.parts.values())
    size = float(found.grid.integrate(np.abs(found.values)))
    assert 1 + size - ROUNDING <= bound.value < 1 + 2 * size  # a polynomial's mass below zero is less than its mass
    assert "the residual owes" in bound.capped
    assert bound.kind is mfg.Kind.BOUND


def test_of_a_continuity_equation_it_is_sampled_and_capped():
    wave = mfg.Continuity(lambda x, t: 4 * np.sin(3 * x), horizon=1.0)
    space = mfg.FiniteVolume(mfg.CartesianGrid.cube(5.0, 24, 1))
    bound = mfg.solve(wave, space, mfg.gaussian(1.0, 0.003), (0.0, 1.0)).error_bound()
    assert bound.sampled
    assert 2.0 - ROUNDING <= bound.value < 3.0
    assert bound.parts["mass of the law"] == 1.0


def test_a_bound_that_says_something_keeps_its_parts():
    space = mfg.FiniteVolume(mfg.CartesianGrid.cube(6.0, 64, 1))
    law = mfg.solve(mfg.FokkerPlanck.of(mfg.OrnsteinUhlenbeck()), space, mfg.gaussian(1.0, 0.5), (0.0, 1.0))
    bound = law.error_bound()
    assert not bound.capped
    assert "residual" in bound.parts
