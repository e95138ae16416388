"""Bounds for finite elements hold the error, are sharp on every degree and mesh, and say where they are sampled."""

from dataclasses import replace

import numpy as np
import pytest

import mfgpde as mfg
from mfgpde.core.estimate import Kind
from mfgpde.discretisations.simplices import Simplices, gauss
from mfgpde.solvers.first_solve import gridded

MIXTURE = mfg.GaussianMixture([0.5, 0.3, 0.2], [[-1.5], [0.5], [2.0]], 0.2)
PLANE = mfg.GaussianMixture([0.5, 0.5], [[-1.0, 0.5], [1.0, 0.0]], 0.3)
TURNING = mfg.Linear(np.array([[-0.5, -1.0], [1.0, -0.7]]))


def far_off(solution, density):
    """Return ∫|p_h − p| at the end by 10 Gauss points a side of every cell, from the polynomials of the elements."""
    _, field = gridded(solution, len(solution.times) - 1)
    at, weights = gauss(field.dimension, 10)
    gap = np.abs(field.pieces.values(at) - density(field.pieces.points(at)))
    return float(np.sum(field.pieces.measures[:, None] * field.dimension * weights * gap))


def of(law):
    return lambda x: np.exp(law.log_density(x))


@pytest.mark.parametrize(("degree", "cells", "scheme"), [(1, 48, "galerkin"), (1, 96, "fitted"), (2, 48, "galerkin"),
                                                         (3, 48, "galerkin")])  # fmt: skip
def test_on_intervals(degree, cells, scheme):
    process = mfg.VariancePreserving(0.2, 5.0)
    space = mfg.FiniteElement(mfg.meshes.interval(-6.5, 6.5, cells), degree, scheme)
    solution = mfg.solve(mfg.FokkerPlanck.of(process), space, MIXTURE, (0.0, 1.0))
    law = mfg.marginal(process, MIXTURE, 1.0)
    true, bound = far_off(solution, of(law)), solution.error_bound()
    assert true < bound.value < 2 * true
    assert bound.kind is Kind.BOUND
    square = float(law.weights @ (law.means[:, 0] ** 2 + law.covariances[:, 0, 0]))
    assert square in bound.mean(lambda x: x[..., 0] ** 2, 0.0, growth=1.0)
    assert bound.wasserstein.upper > 0


@pytest.mark.slow
@pytest.mark.parametrize(("degree", "cells"), [(1, 32), (2, 24)])
def test_on_rectangles(degree, cells):
    space = mfg.FiniteElement(mfg.meshes.box((-6.0, -7.0), (6.0, 6.0), cells), degree)
    solution = mfg.solve(mfg.FokkerPlanck.of(TURNING), space, PLANE, (0.0, 1.0))
    law = mfg.marginal(TURNING, PLANE, 1.0)
    true, bound = far_off(solution, of(law)), solution.error_bound()
    assert true < bound.value < 2 * true
    assert bound.kind is Kind.BOUND
    square = float(law.weights @ (np.sum(law.means**2, axis=1) + np.trace(law.covariances, axis1=1, axis2=2)))
    assert square in bound.mean(lambda x: np.sum(x**2, axis=-1), 0.0, growth=1.0)


def well(x, t):
    """Return −∇(x⁴/4 + y²/2), whose Gibbs density at D = 1 stays."""
    return np.stack((-(x[..., 0] ** 3), -x[..., 1]), axis=-1)


def bend(x, t):
    return -3.0 * x[..., 0] ** 2 - 1.0


def gibbs(x):
    fine = np.linspace(-6, 6, 100_001)
    mass = np.sum(np.exp(-(fine**4) / 4)) * (fine[1] - fine[0]) * np.sqrt(2 * np.pi)
    return np.exp(-(x[..., 0] ** 4) / 4 - x[..., 1] ** 2 / 2) / mass


@pytest.mark.parametrize(("degree", "cells"), [(1, 40), pytest.param(2, 24, marks=pytest.mark.slow)])
def test_in_a_well_that_has_no_expansion_a_spline_is_the_second_solve(degree, cells):
    equation = mfg.FokkerPlanck(well, lambda t: 1.0, divergence=bend, time_dependent=False)
    space = mfg.FiniteElement(mfg.meshes.box((-4.0, -6.0), (4.0, 6.0), cells), degree)
    bound = (solution := mfg.solve(equation, space, gibbs, (0.0, 0.5))).error_bound()
    true = far_off(solution, gibbs)
    assert true < bound.value < 4 * true
    assert bound.kind is Kind.BOUND


@pytest.mark.parametrize(("dimension", "degree"), [(1, 1), (1, 2), (2, 1), (2, 2)])
def test_real_walls_are_counted(dimension, degree):
    D, t = 0.1, 0.7
    mesh = mfg.meshes.interval(0.0, 1.0, 16) if dimension == 1 else mfg.meshes.box((0.0, 0.0), (1.0, 1.0), 12)
    space = mfg.FiniteElement(mesh, degree, walls="reflecting")
    still = {"divergence": lambda x, t: 0.0 * x[..., 0], "time_dependent": False}
    equation = mfg.FokkerPlanck(lambda x, t: 0.0 * x, lambda t: D, **still)

    def after(s):
        return lambda x: 1 + np.exp(-D * np.pi**2 * dimension * s) * np.prod(np.cos(np.pi * x), axis=-1)

    solution = mfg.solve(equation, space, after(0.0), (0.0, t), rtol=1e-8)
    true, bound = far_off(solution, after(t)), solution.error_bound()
    assert true < bound.value < 4 * true


def test_cells_of_an_interval_may_differ():
    mesh = mfg.meshes.graded(mfg.meshes.interval(-6.5, 6.5, 16), lambda x: 0.08 + 0.05 * np.abs(x[..., 0]))
    process = mfg.OrnsteinUhlenbeck()
    solution = mfg.solve(mfg.FokkerPlanck.of(process), mfg.FiniteElement(mesh, 2), MIXTURE, (0.0, 1.0))
    corners = gridded(solution, 1)[1].pieces.measures
    assert corners.max() > 2 * corners.min()
    true, bound = far_off(solution, of(mfg.marginal(process, MIXTURE, 1.0))), solution.error_bound()
    assert true < bound.value < 2 * true
    assert bound.kind is Kind.BOUND


@pytest.mark.slow
def test_triangles_of_other_meshes_are_sampled_and_it_is_said(tmp_path):
    pytest.importorskip("dolfinx", reason="finite elements are optional")
    meshio = pytest.importorskip("meshio", reason="mesh files are optional")
    from scipy.spatial import Delaunay

    side = np.linspace(-6, 6, 25)
    points = np.stack(np.meshgrid(side, side, indexing="ij"), axis=-1).reshape(-1, 2)
    inner = np.all(np.abs(points) < 6, axis=1)
    points[inner] += np.random.default_rng(0).uniform(-0.15, 0.15, (int(inner.sum()), 2))
    cells = [("triangle", Delaunay(points).simplices)]
    meshio.Mesh(np.column_stack((points, np.zeros(len(points)))), cells).write(tmp_path / "m.msh", file_format="gmsh22")
    space = mfg.FiniteElement(mfg.meshes.read(tmp_path / "m.msh", dimension=2), 2)
    solution = mfg.solve(mfg.FokkerPlanck.of(TURNING), space, PLANE, (0.0, 0.5))
    true, bound = far_off(solution, of(mfg.marginal(TURNING, PLANE, 0.5))), solution.error_bound()
    assert true < bound.value < 2 * true
    assert bound.kind is Kind.EXTRAPOLATED
    assert bound.sampled == "triangles of the mesh are no halves of boxes"


def test_reverse_sdes_too():
    process = mfg.OrnsteinUhlenbeck()
    equation = mfg.FokkerPlanck.reverse(process, mfg.ExactScore(process, MIXTURE))
    space, start = mfg.FiniteElement(mfg.meshes.interval(-7.0, 7.0, 80), 2), mfg.marginal(process, MIXTURE, 1.0)
    solution = mfg.solve(equation, space, start, (0.0, 0.9))
    true, bound = far_off(solution, of(mfg.marginal(process, MIXTURE, 0.1))), solution.error_bound()
    assert true < bound.value < 2 * true


def test_what_another_equation_made_is_not_held_to_be_right():
    space = mfg.FiniteElement(mfg.meshes.interval(-6.0, 6.0, 64), 2)
    right, wrong = (
        mfg.solve(mfg.FokkerPlanck.of(mfg.OrnsteinUhlenbeck(rate)), space, MIXTURE, (0.0, 1.0)) for rate in (1.0, 1.1)
    )
    passed_off = replace(right, fields=wrong.fields)
    true = far_off(passed_off, of(mfg.marginal(mfg.OrnsteinUhlenbeck(), MIXTURE, 1.0)))
    assert passed_off.error_bound().value > true > 10 * right.error_bound().value


@pytest.mark.slow
def test_on_a_disc_what_is_said_to_be_done_instead_works():
    """The estimate by a finer mesh holds the error, and a rectangle around the disc has a bound that does."""
    process, start = mfg.OrnsteinUhlenbeck(), mfg.gaussian([0.3, 0.0], 1.0)
    equation, end = mfg.FokkerPlanck.of(process), mfg.marginal(process, start, 0.2)
    space = mfg.FiniteElement(mfg.meshes.disc(6.0, 14), 1)
    found = mfg.solve_with_error(equation, space, start, (0.0, 0.2), rtol=1e-3, largest_wall_mass=1e-4)
    with pytest.raises(TypeError, match=r"`mfg\.solve_with_error`"):
        found.solution.error_bound()
    true = mfg.l1_distance(found.solution.fields[-1], end)
    assert found.l1(0.2).lower <= true <= found.l1(0.2).upper
    around = mfg.FiniteElement(mfg.meshes.box((-6.0, -6.0), (6.0, 6.0), 30), 1)
    solution = mfg.solve(equation, around, start, (0.0, 0.2), rtol=1e-3, largest_wall_mass=1e-4)
    assert far_off(solution, of(end)) < solution.error_bound().value


def test_what_has_no_bound_is_refused_before_the_work():
    equation, start = mfg.FokkerPlanck.of(mfg.Brownian()), mfg.gaussian(np.zeros(2), 0.3)
    for degree, words in ((1, "got another mesh; `mfg.solve_with_error`"), (2, "curved.*`mfg.solve_with_error`")):
        disc = mfg.solve(equation, mfg.FiniteElement(mfg.meshes.disc(5.0, 12), degree), start, (0.0, 0.2))
        with pytest.raises(TypeError, match=words):
            disc.error_bound()
    space = mfg.FiniteElement(mfg.meshes.interval(-5.0, 5.0, 32), walls="absorbing")
    with pytest.raises(TypeError, match="walls='absorbing'"):
        mfg.solve(equation, space, mfg.gaussian(0.0, 0.3), (0.0, 0.2), mass=None).error_bound()
    backward = mfg.BackwardKolmogorov(lambda x, t: -x, lambda t: 1.0, time_dependent=False)
    space = mfg.FiniteElement(mfg.meshes.interval(-5.0, 5.0, 32), walls="reflecting")
    with pytest.raises(TypeError, match="FokkerPlanck and Continuity equations, got BackwardKolmogorov"):
        mfg.solve(backward, space, lambda x: np.cos(x[..., 0]), (0.0, 0.2)).error_bound()


@pytest.mark.parametrize("dimension", [1, 2])
def test_polynomials_on_cells_are_those_that_were_sampled(dimension):
    rng = np.random.default_rng(1)
    reference, weights = gauss(dimension, 5)
    maps = rng.normal(size=(6, dimension, dimension))
    points = reference @ maps + rng.normal(size=(6, 1, dimension))
    found = Simplices.of(points, reference, np.sum(points, axis=-1) ** 3, 3)
    other = rng.dirichlet(np.ones(dimension + 1), 20)[:, 1:]
    assert found.values(other) == pytest.approx(np.sum(found.points(other), axis=-1) ** 3)
    assert found.measures == pytest.approx(np.abs(np.linalg.det(maps)) / dimension)
    assert np.sum(weights) == pytest.approx(1 / dimension)
    for n in (1, 2, 3):  # equal parts fill the simplex: the integral of a cube over them is that over it
        parts = [np.abs(np.linalg.det(edges)) * weights @ np.sum(o + reference @ edges, axis=-1) ** 3
                 for o, edges in found.parts(n)]  # fmt: skip
        assert sum(parts) == pytest.approx(weights @ np.sum(reference, axis=-1) ** 3)
    with pytest.raises(TypeError, match="curved"):
        Simplices.of(points**2, reference, np.sum(points, axis=-1), 1)
