"""Bounds of log-densities between far walls: exp of a solution against laws in closed form, in L¹, and what is refused."""

import warnings
from dataclasses import replace

import numpy as np
import pytest

import mfgpde as mfg
from mfgpde.solvers.reconstruction import Reconstruction
from mfgpde.solvers.through_density import ThroughDensity

VP, OU = mfg.VariancePreserving(), mfg.OrnsteinUhlenbeck()
CUBE = mfg.CartesianGrid.cube


def true_distance(solution, law):
    """∫|exp φ_h − p|, exp φ_h through its means over cells, at Gauss points of cells."""
    density = ThroughDensity.of(solution)
    at = Reconstruction.of(density.discretisation, 4, 0)
    return at.norm(at.value(density.fields[-1].values) - np.exp(law.log_density(at.points)))


def solved(process, law, times, space, **options):
    return mfg.solve(mfg.LogDensity.of(process), space, law, times, **options)


@pytest.mark.parametrize("order", [2, 5])
@pytest.mark.parametrize("times", [(0.02, 1.0), (0.3, 0.7)])
def test_exp_of_a_log_density_is_bounded_between_far_walls(order, times):
    begin, end = (mfg.marginal(VP, mfg.densities.bimodal(1), t) for t in times)
    solution = solved(VP, begin, times, mfg.FiniteVolume(CUBE(6.0, 128, 1), order=order), rtol=1e-6)
    bound, true = solution.error_bound(), true_distance(solution, end)
    assert true < bound.value < 4 * true
    assert (bound.norm, bound.kind) == ("L1 of exp", mfg.Kind.BOUND)
    assert end.covariances.trace(axis1=1, axis2=2) @ end.weights + end.weights @ (end.means[:, 0] ** 2) in bound.mean(
        lambda x: x[..., 0] ** 2, 0.0, growth=1.0
    )


def test_and_in_the_plane_beside_its_distance_at_the_cells():
    data, grid = mfg.densities.four_blobs(), CUBE(6.5, 64, 2)
    begin, end = (mfg.marginal(VP, data, t) for t in (0.02, 1.0))
    solution = solved(VP, begin, (0.02, 1.0), mfg.FiniteVolume(grid), rtol=1e-6)
    at_cells = grid.integrate(np.abs(np.exp(solution.fields[-1].values) - np.exp(end.log_density(grid.points))))
    assert (
        at_cells < 1.02 * solution.error_bound().value < 4 * at_cells
    )  # the sum over cells is the integral to a part in h²


@pytest.mark.parametrize("seed", range(8))
def test_none_of_random_laws_is_bounded_below_the_truth(seed):
    draw = np.random.default_rng(seed)
    d, n = (1, int(draw.integers(48, 160))) if seed % 4 else (2, int(draw.integers(40, 57)))
    process = [OU, VP, mfg.VariancePreserving(0.2, 5.0), mfg.VarianceExploding(0.05, 0.8)][seed % 3 if d == 1 else 2]
    law = mfg.GaussianMixture([0.6, 0.4], draw.uniform(-1.2, 1.2, (2, d)), draw.uniform(0.2, 0.5, 2))
    end, order = float(draw.uniform(0.2, 1.0)), int(draw.choice([2, 5]))
    space = mfg.FiniteVolume(CUBE(7.5, n, d), order=order)
    solution = solved(process, law, (0.0, end), space, rtol=float(10 ** draw.uniform(-6, -3)))
    true = true_distance(solution, mfg.marginal(process, law, end))
    assert true < solution.error_bound().value < 4 * true


def test_a_start_that_is_a_function_is_sampled_and_one_of_a_law_is_not():
    law, space = mfg.gaussian(0.5, 0.5), mfg.FiniteVolume(CUBE(6.0, 96, 1))
    named, plain = (
        solved(OU, start, (0.0, 1.0), space, rtol=1e-6) for start in (law.log_density, lambda x: law.log_density(x))
    )
    true = true_distance(named, mfg.marginal(OU, law, 1.0))
    assert true < named.error_bound().value < 4 * true
    assert named.error_bound().kind is mfg.Kind.BOUND
    assert true < plain.error_bound().value < 4 * true
    assert plain.error_bound().kind is mfg.Kind.EXTRAPOLATED
    again = solved(OU, plain.fields[-1], (0.0, 0.5), space, rtol=1e-6)  # one that is a field owes nothing for itself
    assert again.error_bound().parts["start"] == 0
    off = true_distance(again, mfg.marginal(OU, mfg.marginal(OU, law, 1.0), 0.5))
    assert off < again.error_bound().value + true  # what the field is off by does not grow: exp contracts


def test_what_another_equation_made_is_not_held_to_be_right():
    law, space = mfg.gaussian(0.5, 0.5), mfg.FiniteVolume(CUBE(6.0, 96, 1))
    right, wrong = (solved(one, law, (0.0, 1.0), space) for one in (OU, mfg.OrnsteinUhlenbeck(1.3)))
    passed_off = replace(right, fields=wrong.fields)
    assert passed_off.error_bound().value > true_distance(passed_off, mfg.marginal(OU, law, 1.0)) > 0.05


def test_on_periodic_axes_values_have_a_bound_of_their_own():
    grid = mfg.CartesianGrid((0.0,), (2 * np.pi,), (64,), (True,))
    equation = mfg.LogDensity(lambda x, t: 0 * x, lambda x, t: 0 * x[..., 0], lambda t: 0.1, lambda t: 0.1)
    solution = mfg.solve(equation, mfg.Spectral(grid), lambda x: 0.3 * np.cos(x[..., 0]), (0.0, 0.5))
    assert solution.error_bound().norm == "the largest value"


def test_what_has_no_bound_through_the_density_says_what_to_do_instead():
    law, space = mfg.gaussian(0.5, 0.5), mfg.FiniteVolume(CUBE(6.0, 64, 1))
    still = lambda x, t: -x, lambda x, t: -np.ones(x.shape[:-1]), lambda t: 0.5
    other = mfg.solve(mfg.LogDensity(*still, lambda t: 0.3), space, law, (0.0, 0.2))
    with pytest.raises(TypeError, match=r"density where the coefficient of |∇φ|² is D"):
        other.error_bound()
    heavy = solved(OU, lambda x: 1.0 - x[..., 0] ** 2, (0.0, 0.2), space)
    with pytest.raises(ValueError, match=r"mass 4\.818.*subtract the logarithm"):  # e √π
        heavy.error_bound()
    score = mfg.solve(mfg.ScoreFokkerPlanck.of(OU), space, law, (0.0, 0.2))
    with pytest.raises(TypeError, match="solve `FokkerPlanck`"):
        score.error_bound()
    inside = replace(space, walls="reflecting")
    with pytest.raises(TypeError, match="solve `FokkerPlanck`"):
        solved(OU, law, (0.0, 0.2), inside).error_bound()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        elements = mfg.FiniteElement(mfg.meshes.interval(-6.0, 6.0, 64), degree=2)
        by_elements = solved(OU, law, (0.0, 0.1), elements, rtol=1e-3)
    with pytest.raises(TypeError, match="solve `FokkerPlanck`"):
        by_elements.error_bound()
