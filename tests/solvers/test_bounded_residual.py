"""‖r‖₁ as a bound: above a dense sum and near it, of kind BOUND where coefficients are formulas, and nowhere else."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import norm

import mfgpde as mfg
from mfgpde.core.estimate import Kind
from mfgpde.solvers.bounded_residual import BoundedResidual
from mfgpde.solvers.collocated import Panel, _solved
from mfgpde.solvers.enclosed import Boxes, _derivative
from mfgpde.solvers.hermite import InTime, Span, interpolated, largest_between, rule
from mfgpde.solvers.initial import initial_function
from mfgpde.solvers.reconstruction import Reconstruction
from mfgpde.solvers.residual import Residual
from mfgpde.solvers.second_solve import Second

MIXTURE = mfg.GaussianMixture([0.5, 0.3, 0.2], [[-1.5], [0.5], [2.0]], 0.2)
PLANE = mfg.GaussianMixture([0.5, 0.5], [[-1.0, 0.5], [1.0, 0.0]], 0.3)
TURNING = mfg.Linear(np.array([[-0.5, -1.0], [1.0, -0.7]]))
PROCESSES = {
    "OU": mfg.OrnsteinUhlenbeck(),
    "VP": mfg.VariancePreserving(0.2, 5.0),
    "VE": mfg.VarianceExploding(0.05, 0.6),
}


def far_off(solution, law):
    at = Reconstruction.of(solution.discretisation, 4)
    return at.norm(at.value(solution.fields[-1].values) - np.exp(law.log_density(at.points)))


@pytest.mark.parametrize("name", PROCESSES)
@pytest.mark.parametrize("order", [2, 4])
def test_both_orders_are_bounded_within_a_factor_of_four(name, order):
    process = PROCESSES[name]
    space = mfg.FiniteVolume(mfg.CartesianGrid.cube(6.5, 128, 1), order=order)
    solution = mfg.solve(mfg.FokkerPlanck.of(process), space, MIXTURE, (0.0, 1.0))
    bound, true = solution.error_bound(), far_off(solution, mfg.marginal(process, MIXTURE, 1.0))
    assert bound.kind is Kind.BOUND
    assert true < bound.value < 4 * true


@pytest.mark.slow
def test_in_the_plane_volumes_are_bounded_within_a_factor_of_two():
    grid, truth = mfg.CartesianGrid.cube(6.5, 60, 2), mfg.marginal(TURNING, PLANE, 1.0)
    for space in (mfg.FiniteVolume(grid), mfg.FiniteVolume(grid, order=4)):
        solution = mfg.solve(mfg.FokkerPlanck.of(TURNING), space, PLANE, (0.0, 1.0), rtol=1e-8)
        bound, true = solution.error_bound(), far_off(solution, truth)
        assert bound.kind is Kind.BOUND
        assert true < bound.value < 2 * true


@pytest.mark.parametrize("space", [mfg.FiniteVolume, mfg.Spectral])
@pytest.mark.parametrize("name", PROCESSES)
def test_the_integral_is_above_a_dense_sum_and_near_it(name, space):
    equation, span = mfg.FokkerPlanck.of(PROCESSES[name]), Span(0.0, 1.0, 8)
    solution = mfg.solve(equation, space(mfg.CartesianGrid.cube(6.5, 64, 1)), MIXTURE, span.times)
    work = Residual.of(solution, solution.discretisation)
    fields = {float(t): u.values for t, u in zip(solution.times, solution.fields, strict=True)}
    parts = interpolated([span], fields, work.rates)
    found = BoundedResidual.of(equation, work.space, parts, 1e-6)  # points may leave out a hundredth of that
    dense, total = Reconstruction.of(work.space, 12), 0.0
    at, weight = np.polynomial.legendre.leggauss(200)
    at, weight = 0.5 * (at + 1), 0.5 * weight
    for u, rate, t, w in zip(*parts[0].at(at), span.time(at), weight * span.slope(at), strict=True):
        total += w * dense.norm(work.left(dense, u, rate, float(t)))
    assert total * (1 - 1e-6) <= found.integral(work, parts)[0] <= 2.6 * total  # L¹ against L² on panels and in time


@pytest.mark.parametrize("moving", [False, True])
def test_a_curved_drift_on_a_panel_is_above_a_dense_sum_and_near_it(moving):
    """One panel of collocation, whose time is no square: a drift that stays is looked at at all times at once."""
    space = mfg.FiniteVolume(mfg.CartesianGrid.cube(4.0, 64, 1), order=4)
    equation = mfg.FokkerPlanck(
        lambda x, t: -(x**3) + (2 + (t if moving else 0.0)) * np.sin(2 * x),
        lambda t: 0.5,
        divergence=lambda x, t: (-3 * x**2 + (4 + (2 * t if moving else 0.0)) * np.cos(2 * x))[..., 0],
        time_dependent=moving,
    )
    solution = mfg.solve(equation, space, mfg.gaussian(0.5, 0.1), (0.0, 0.2))
    work, panel = Residual.of(solution, space), Panel(0.0, 0.2, 8)
    system = space.semidiscretise(equation)
    fields = _solved(system, system.start(initial_function(equation, solution.start, space.grid)), panel)
    parts = [InTime(panel, fields, np.empty((0, 64)))]
    found = BoundedResidual.of(equation, space, parts, 1e-4)
    dense, total = Reconstruction.of(space, 12), 0.0
    at, weight = rule(60)
    for u, rate, t, w in zip(*parts[0].at(at), panel.time(at), weight * panel.slope(at), strict=True):
        total += w * dense.norm(work.left(dense, u, rate, float(t)))
    assert total * (1 - 1e-6) <= found.integral(work, parts)[0] <= 2.6 * total  # L¹ against L² on panels and in time


def test_polynomials_in_time_have_the_values_and_rates_that_were_stored():
    """e^{−t} and its rate at the stored times; between them the error of Hermite's polynomial, f^(2J)/(2J)! ω²."""
    span = Span(0.2, 1.4, 6)
    part = interpolated([span], {float(t): np.array([np.exp(-t)]) for t in span.times}, lambda u, t: -u)[0]
    value, rate = part.at(span.shares[1:])
    assert value[:, 0] == pytest.approx(np.exp(-span.times[1:]), rel=1e-12)
    assert rate[:, 0] == pytest.approx(-np.exp(-span.times[1:]), rel=1e-8)
    s = np.linspace(0.01, 1, 50)
    value, rate = part.at(s)
    assert np.abs(value[:, 0] - np.exp(-span.time(s))).max() < 1e-9
    assert np.abs((rate[:, 0] + np.exp(-span.time(s))) * span.slope(s)).max() < 1e-7


@pytest.mark.parametrize("nodes", [4, 16, 64])
def test_lebesgue_s_constant_of_gauss_points_is_not_underrated(nodes):
    at = np.polynomial.legendre.leggauss(nodes)[0]
    x = np.linspace(-1, 1, 4001)
    basis = [np.prod([(x - b) / (a - b) for b in np.delete(at, k)], axis=0) for k, a in enumerate(at)]
    assert np.abs(basis).sum(axis=0).max() < largest_between(nodes)


def test_derivatives_of_a_mixture_are_not_underrated():
    """∂ᵏp/k! at points of boxes by differences of 40 digits, against the bound by Cramér's inequality."""
    mpmath = pytest.importorskip("mpmath")
    law = mfg.GaussianMixture(
        [0.4, 0.6], [[0.3, -0.2], [-1.0, 0.5]], [[[0.3, 0.1], [0.1, 0.2]], [[0.5, 0.0], [0.0, 0.1]]]
    )
    edges = np.linspace(-2.0, 2.0, 9)
    boxes = Boxes((edges[:-1], edges[:-1]), (edges[1:], edges[1:]))

    def density(x):
        total = mpmath.mpf(0)
        for w, mean, covariance in zip(law.weights, law.means, law.covariances, strict=True):
            y = mpmath.matrix([a - m for a, m in zip(x, mean.tolist(), strict=True)])
            C = mpmath.matrix(covariance.tolist())
            total += w * mpmath.exp(-(y.T * C**-1 * y)[0] / 2) / (2 * mpmath.pi * mpmath.sqrt(mpmath.det(C)))
        return total

    with mpmath.workdps(40):
        for axis, order in ((0, 3), (1, 6)):
            bound = _derivative(law, boxes, axis, order)
            for i in (1, 3, 6):
                for j in (2, 4, 5):
                    middle = [edges[i] + 0.2, edges[j] + 0.35]

                    def along(t, middle=middle, axis=axis):
                        return density([t if k == axis else m for k, m in enumerate(middle)])

                    true = abs(float(mpmath.diff(along, middle[axis], order))) / float(mpmath.factorial(order))
                    assert true <= bound[i, j]


@pytest.mark.slow
def test_a_bound_costs_less_than_the_solve_that_it_bounds(monkeypatch):
    """Counted in numbers: fields of an exact kernel beside the steps of the solve, none of which is so cheap."""
    asked, fields = [], Second.fields
    monkeypatch.setattr(
        Second,
        "fields",
        lambda one, of, times, breaks: (
            asked.append(len(times) * int(np.prod(one.space.grid.cells))) or fields(one, of, times, breaks)
        ),
    )
    space = mfg.Spectral(mfg.CartesianGrid.cube(6.0, 128, 2))
    equation, law = mfg.FokkerPlanck.of(mfg.OrnsteinUhlenbeck()), mfg.densities.four_blobs()
    solution = mfg.solve(equation, space, law, (0.0, 1.0), rtol=1e-8)
    true = far_off(solution, mfg.marginal(mfg.OrnsteinUhlenbeck(), law, 1.0))
    assert true < solution.error_bound().value < 1e-7
    assert 0 < sum(asked) < 0.05 * solution.cost["steps"] * 128**2  # 27 fields of 90² as found, beside 370 steps


def test_a_jump_of_noise_in_time_is_between_two_polynomials():
    equation = mfg.FokkerPlanck(lambda x, t: 0 * x, lambda t: 0.2 if t < 0.37 else 1.0, time_dependent=True)
    space = mfg.FiniteVolume(mfg.CartesianGrid.cube(7.0, 128, 1))
    solution = mfg.solve(equation, space, mfg.gaussian(0.0, 0.3), (0.0, 1.0))
    true = far_off(solution, mfg.gaussian(0.0, 0.3 + 2 * (0.2 * 0.37 + 0.63)))
    assert true < solution.error_bound().value < 4 * true


@pytest.mark.slow
def test_a_curved_drift_that_moves_is_bounded():
    """N(0, 1) stays under −(1 + ½ sin 3t) x, D = 1 + ½ sin 3t, with a turn of the plane that grows away from the origin."""

    def drift(x, t):
        pull, turn = 1 + 0.5 * np.sin(3 * t), 0.1 * (x[..., 0] ** 2 + x[..., 1] ** 2)
        found = np.empty(x.shape, dtype=x.dtype)
        found[..., 0], found[..., 1] = -pull * x[..., 0] - turn * x[..., 1], -pull * x[..., 1] + turn * x[..., 0]
        return found

    equation = mfg.FokkerPlanck(
        drift, lambda t: 1 + 0.5 * np.sin(3 * t), divergence=lambda x, t: -2 * (1 + 0.5 * np.sin(3 * t)) + 0 * x[..., 0]
    )
    law = mfg.gaussian(0.0, 1.0, 2)
    solution = mfg.solve(equation, mfg.FiniteVolume(mfg.CartesianGrid.cube(5.5, 48, 2)), law, (0.0, 0.3))
    bound, true = solution.error_bound(), far_off(solution, law)
    assert bound.kind is Kind.BOUND
    assert true < bound.value < 4 * true


def test_a_curved_drift_that_is_a_formula_is_bounded():
    equation = mfg.FokkerPlanck(lambda x, t: -(x**3) + np.sin(x), lambda t: 0.5, time_dependent=False)

    def gibbs(x):
        return np.exp(-0.5 * x[..., 0] ** 4 - 2 * np.cos(x[..., 0])) / MASS

    fine = np.linspace(-4, 4, 4001)
    MASS = float(np.trapezoid(np.exp(-0.5 * fine**4 - 2 * np.cos(fine)), fine))
    space = mfg.FiniteVolume(mfg.CartesianGrid.cube(4.0, 160, 1))
    solution = mfg.solve(equation, space, gibbs, (0.0, 0.5))
    bound, at = solution.error_bound(), Reconstruction.of(space, 4)
    true = at.norm(at.value(solution.fields[-1].values) - gibbs(at.points))
    assert bound.kind is Kind.BOUND
    assert true < bound.value < 4 * true


def test_real_walls_of_a_box_in_the_plane_are_bounded():
    grid = mfg.CartesianGrid((0.0, 0.0), (1.0, 2.0), (32, 48))
    equation = mfg.FokkerPlanck(
        lambda x, t: 0 * x, lambda t: 0.1, time_dependent=False, divergence=lambda x, t: 0 * x[..., 0]
    )
    space = mfg.FiniteVolume(grid, walls="reflecting")

    def wave(x, share=1.0):
        return 0.5 + 0.5 * share * np.cos(np.pi * x[..., 0]) * np.cos(0.5 * np.pi * x[..., 1])

    solution = mfg.solve(equation, space, wave, (0.0, 1.0))
    bound, at = solution.error_bound(), Reconstruction.of(space, 4)
    true = at.norm(at.value(solution.fields[-1].values) - wave(at.points, np.exp(-0.125 * np.pi**2)))
    assert bound.kind is Kind.BOUND
    assert bound.parts["walls"] > 0
    assert true < bound.value < 4 * true


def test_what_another_equation_made_is_not_held_to_be_right():
    space = mfg.FiniteVolume(mfg.CartesianGrid.cube(6.0, 128, 1), order=4)
    right, wrong = (
        mfg.solve(mfg.FokkerPlanck.of(one), space, MIXTURE, (0.0, 1.0))
        for one in (mfg.OrnsteinUhlenbeck(), mfg.OrnsteinUhlenbeck(1.01))
    )
    passed_off = replace(right, fields=wrong.fields)
    true = far_off(passed_off, mfg.marginal(mfg.OrnsteinUhlenbeck(), MIXTURE, 1.0))
    assert true > 100 * right.error_bound().value
    assert passed_off.error_bound().value > true


@pytest.mark.parametrize(
    ("drift", "reason"),
    [
        (lambda x, t: -np.interp(x, [-9.0, 9.0], [-9.0, 9.0]), "no formula: TypeError"),
        (lambda x, t: -x - 0.1 * np.abs(x), "no formula: TypeError"),
    ],
)
def test_a_drift_known_by_its_values_alone_is_sampled_and_says_so(drift, reason):
    equation = mfg.FokkerPlanck(drift, lambda t: 0.5, time_dependent=False)
    bound = mfg.solve(equation, mfg.FiniteVolume(mfg.CartesianGrid.cube(6.0, 64, 1)), MIXTURE, (0.0, 0.2)).error_bound()
    assert bound.kind is Kind.EXTRAPOLATED
    assert bound.sampled.startswith(reason)
    assert bound.estimate.method.endswith("sampled")


def test_a_score_is_known_by_its_values_alone():
    score, space = mfg.ExactScore(PROCESSES["OU"], MIXTURE), mfg.FiniteVolume(mfg.CartesianGrid.cube(7.0, 96, 1))
    equation = mfg.FokkerPlanck.reverse(PROCESSES["OU"], score)
    bound = mfg.solve(equation, space, mfg.marginal(PROCESSES["OU"], MIXTURE, 1.0), (0.0, 0.5)).error_bound()
    assert bound.kind is Kind.EXTRAPOLATED
    assert bound.sampled == "the score, ExactScore, is known by its values alone: kinks between points go unseen"


def test_walls_that_let_out_are_refused():
    space = mfg.FiniteVolume(mfg.CartesianGrid.cube(3.0, 64, 1), walls="absorbing")
    solution = mfg.solve(mfg.FokkerPlanck.of(mfg.OrnsteinUhlenbeck()), space, mfg.gaussian(0.0, 0.2), (0.0, 0.5))
    with pytest.raises(TypeError, match="walls are far or reflecting all around, got walls='absorbing'"):
        solution.error_bound()


def test_means_are_those_of_the_reconstruction():
    process, law = mfg.VarianceExploding(0.05, 0.6), mfg.gaussian(0.2, 0.3)
    space = mfg.FiniteVolume(mfg.CartesianGrid.cube(5.0, 84, 1), order=4)
    solution = mfg.solve(mfg.FokkerPlanck.of(process), space, law, (0.0, 1.0), rtol=1e-8)
    end, bound = mfg.marginal(process, law, 1.0), solution.error_bound()
    found = bound.mean(lambda x: np.cos(3 * x[..., 0]), 1.0)
    truth = float(np.exp(-4.5 * end.covariances[0, 0, 0]) * np.cos(3 * end.means[0, 0]))
    assert found.kind is Kind.BOUND
    assert truth in found
    assert bound.mean(truth, 1.0).value == truth
    with pytest.raises(ValueError, match="solution of this bound is not known"):
        replace(bound, field=None).mean(np.cos, 1.0)


def test_what_points_miss_of_a_kink_is_in_the_bar_of_a_mean():
    """E|X − a| of N(m, v) in closed form; without what the points miss the bar would be that of the bound alone."""
    process, start, a = mfg.OrnsteinUhlenbeck(horizon=1.0), mfg.gaussian(0.4, 0.3), 0.137
    solution = mfg.solve(
        mfg.FokkerPlanck.of(process), mfg.FiniteVolume(mfg.CartesianGrid.cube(7.0, 56, 1), order=4), start, (0.0, 0.3)
    )
    bound = mfg.solvers.error_bound(solution)
    found = bound.mean(lambda x: np.abs(x[..., 0] - a), 7.2)
    law = start.after(process.transition(0.0, 0.3))
    m, s = float(law.means[0, 0]) - a, float(law.covariances[0, 0, 0]) ** 0.5
    truth = s * np.sqrt(2 / np.pi) * np.exp(-(m**2) / (2 * s**2)) + m * (1 - 2 * norm.cdf(-m / s))
    assert abs(found.value - truth) < found.half_width
    assert found.half_width > 7.2 * bound.value


@pytest.mark.parametrize("half", [2.0, 3.0])
def test_mass_beyond_far_walls_is_in_a_bound_and_beyond_real_ones_not(half):
    """N(0.4, 1) cut at ±half: what lies outside at the end in closed form, and little that the bound is above it."""
    end, found = mfg.marginal(mfg.OrnsteinUhlenbeck(), mfg.gaussian(0.4, 1.0, 1), 0.01), {}
    mean, deviation = float(end.means[0, 0]), float(end.covariances[0, 0, 0]) ** 0.5
    outside = norm.cdf(-half, mean, deviation) + norm.sf(half, mean, deviation)
    for walls in ("far", "reflecting"):
        space = mfg.FiniteVolume(mfg.CartesianGrid.cube(half, 96, 1), order=4, walls=walls)
        run = mfg.solve(
            mfg.FokkerPlanck.of(mfg.OrnsteinUhlenbeck()), space, mfg.gaussian(0.4, 1.0, 1), (0.0, 0.01),
            largest_wall_mass=1.0, mass=None,
        )  # fmt: skip
        found[walls] = run.error_bound()
    assert outside * (1 - 1e-3) < found["far"].parts["box"] < 1.02 * outside  # a second solve owes less than that
    assert found["reflecting"].value < 0.1 * outside
    assert outside < found["far"].value < 1.1 * outside  # cells are off by a little near the walls
