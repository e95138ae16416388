"""Finite elements: meshes against their areas, weak forms against structure, several ranks against one, clear refusals."""

import json
import runpy
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

import mfgpde as mfg
from mfgpde.discretisations.finite_element import _petsc
from mfgpde.discretisations.finite_element._petsc import multiply
from mfgpde.solvers import grid_of

OU = mfg.OrnsteinUhlenbeck()
LAW = mfg.FokkerPlanck.of(OU)
AREAS = {
    "interval": (lambda n: mfg.meshes.interval(-1.0, 2.0, n), 3.0),
    "box": (lambda n: mfg.meshes.box((0, 0), (2, 1), n), 2.0),
    "cube": (lambda n: mfg.meshes.box((0, 0, 0), (1, 2, 1), n), 2.0),
    "disc": (lambda n: mfg.meshes.disc(1.5, n), 2.25 * np.pi),
    "annulus": (lambda n: mfg.meshes.annulus(0.5, 1.0, n), 0.75 * np.pi),
    "sphere": (lambda n: mfg.meshes.sphere(2.0, n), 16 * np.pi),
    "torus": (lambda n: mfg.meshes.torus(2.0, 0.7, n), 4 * np.pi**2 * 1.4),
}


def line(n=40, degree=1, scheme="galerkin", walls="far"):
    return mfg.FiniteElement(mfg.meshes.interval(-6.0, 6.0, n), degree, scheme, walls)


def area(space):
    return float(space.grid.integrate(np.ones(len(space.grid.points))))


@pytest.mark.parametrize("degree", [1, 2, 3])
@pytest.mark.parametrize("name", AREAS)
def test_curved_geometry_meets_areas_at_the_order_that_eigenvalues_need(name, degree):
    make, exact = AREAS[name]
    errors = [abs(area(mfg.FiniteElement(make(n), degree)) - exact) for n in (4, 8)]
    assert errors[1] < 1e-12 * exact or np.log2(errors[0] / errors[1]) > 2 * degree - 0.3


@pytest.mark.parametrize("name", AREAS)
def test_meshes_of_closed_surfaces_have_no_boundary_and_refine(name):
    make, _ = AREAS[name]
    mesh = make(3)
    coarse, fine = mfg.FiniteElement(mesh), mfg.FiniteElement(mesh).refined()
    assert fine.mesh.resolution == 6
    growth = fine.space.size / coarse.space.size
    assert 1.5**coarse.mesh.dimension < growth < 2.0**coarse.mesh.dimension + 4
    closed = name in ("sphere", "torus")
    assert (coarse.grid.outer_share(np.ones(len(coarse.grid.points))) == 0) == closed


@pytest.mark.parametrize("degree", [1, 2, 3])
def test_values_at_quadrature_points_determine_the_function(degree, rng):
    space = mfg.FiniteElement(mfg.meshes.box((-1, -1), (1, 1), 4), degree)
    u = rng.normal(size=space.space.own)
    values = space.space.sample(u)
    np.testing.assert_allclose(space.space.project(values), u, atol=1e-11)
    x = np.array([[0.1, 0.2], [-0.5, 0.3], [3.0, 0.0]])

    def polynomial(y):
        return y[..., 0] ** degree - y[..., 1]

    found = space.interpolate(polynomial(space.grid.points), x)
    np.testing.assert_allclose(found[:2], polynomial(x[:2]), atol=1e-11)
    assert np.isnan(found[2]), "outside the mesh"


def test_fitted_elements_keep_gibbs_densities_and_signs(rng):
    """A e^{−V} = 0 at the vertices; implicit Euler keeps positivity even where Galerkin does not."""
    process = mfg.processes.double_well()
    mesh = mfg.meshes.box((-2.5, -2.5), (2.5, 2.5), 12)
    fitted = mfg.FiniteElement(mesh, 1, "fitted", "reflecting")
    system = fitted.semidiscretise(mfg.FokkerPlanck.of(process))
    x = fitted.space.nodes[: fitted.space.own]
    gibbs = np.exp(-process.potential(x))
    fastest = np.abs(system.rate(np.eye(len(x))[0], 0.0)).max()  # how fast a lone vertex empties
    assert np.abs(system.rate(gibbs, 0.0)).max() < 1e-13 * fastest * gibbs.max()
    spike = np.zeros(len(x))
    spike[len(x) // 2] = 1.0
    after, _ = mfg.integrators.BackwardEuler().step(system, spike, 0.0, 0.01)
    assert after.min() >= 0
    galerkin = mfg.FiniteElement(mesh, 1, "galerkin", "reflecting").semidiscretise(mfg.FokkerPlanck.of(process))
    other, _ = mfg.integrators.BackwardEuler().step(galerkin, spike, 0.0, 1e-4)
    assert other.min() < -1e-4, "what the fitted scheme is for"


@pytest.mark.parametrize("scheme", ["galerkin", "fitted"])
def test_backward_is_the_transpose(scheme, rng):
    forward = line(scheme=scheme).semidiscretise(LAW).at(0.0)
    backward = line(scheme=scheme).semidiscretise(mfg.BackwardKolmogorov.of(OU)).at(0.0)
    p, u = rng.normal(size=(2, forward.space.own))
    left, right = np.vdot(u, multiply(forward.K, p)), np.vdot(multiply(backward.K, u), p)
    assert left == pytest.approx(right, abs=1e-10 * np.abs(left))


def test_a_solution_on_a_mesh_is_saved_restarted_and_compared(tmp_path):
    data = mfg.densities.bimodal(1)
    space = line(128, 2)
    solution = mfg.solve(LAW, space, mfg.marginal(OU, data, 0.2), (0.2, 0.5), rtol=1e-7)
    volume = mfg.FiniteVolume(mfg.CartesianGrid.cube(6.0, 512, 1), order=4)
    grid = mfg.solve(LAW, volume, mfg.marginal(OU, data, 0.2), (0.2, 0.5), rtol=1e-7)
    assert mfg.l1_distance(solution.at(0.5), grid.at(0.5)) < 1e-4  # both to about 2e-5
    assert mfg.l1_distance(grid.at(0.5), solution.at(0.5)) < 1e-4
    onwards = mfg.solve(LAW, space, solution.at(0.5), (0.5, 0.7), rtol=1e-7)
    assert mfg.l1_distance(onwards.at(0.7), mfg.marginal(OU, data, 0.7)) < 1e-4
    stored = mfg.load(solution.save(tmp_path / "p.nc"))
    weights = stored.coords["weight"].values
    assert float(stored[-1].values @ weights) == pytest.approx(1.0, abs=1e-10)
    assert solution.conserved["mass"][-1] == pytest.approx(solution.conserved["mass"][0], abs=1e-13)


def test_diffusion_on_a_sphere_decays_at_its_eigenvalue():
    """U = z decays like e^{−2t}: the second eigenvalue of Laplace–Beltrami, without any drift."""
    space = mfg.FiniteElement(mfg.meshes.sphere(1.0, 4), 2)
    heat = mfg.BackwardKolmogorov(lambda x, t: 0 * x, lambda t: 1.0, time_dependent=False)
    u = mfg.solve(heat, space, lambda x: x[..., 2], (0.0, 0.5), rtol=1e-7).at(0.5)
    np.testing.assert_allclose(u.values, np.exp(-1.0) * space.grid.points[:, 2], atol=1e-4)


@pytest.mark.slow
def test_two_ranks_give_what_one_gives(tmp_path, monkeypatch):
    """Densities, eigenvalues and distances to solver tolerance; each rank finds the same numbers."""
    script = Path(__file__).with_name("several_ranks.py")
    launcher = shutil.which("mpiexec", path=str(Path(sys.executable).parent)) or shutil.which("mpiexec")
    runs = {}
    for ranks in (1, 2):
        out = tmp_path / str(ranks)
        out.mkdir()
        if ranks == 1:  # here
            monkeypatch.setattr(sys, "argv", [str(script), str(out)])
            monkeypatch.setattr(_petsc, "LARGEST_DIRECT", dict(_petsc.LARGEST_DIRECT))
            runpy.run_path(str(script), run_name="__main__")
        else:
            command = [launcher, "-n", str(ranks), sys.executable, str(script), str(out)]
            subprocess.run(command, capture_output=True, timeout=300, check=True)
        answers = [json.loads(path.read_text()) for path in out.glob("*.json")]
        assert len(answers) == ranks
        assert all(answer == answers[0] for answer in answers)
        runs[ranks] = answers[0]
    for name, value in runs[1].items():
        np.testing.assert_allclose(runs[2][name], value, rtol=1e-9, atol=1e-10, err_msg=name)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: line(degree=4), "1, 2 or 3"),
        (lambda: line(degree=2, scheme="fitted"), "'fitted' with degree 1"),
        (lambda: line(walls="open"), "'far', 'reflecting' or 'absorbing'"),
        (lambda: mfg.meshes.interval(1.0, 0.0, 4), "lower < upper"),
        (lambda: mfg.meshes.disc(-1.0, 4), "positive"),
        (lambda: mfg.meshes.torus(1.0, 2.0, 4), "minor < major"),
        (lambda: mfg.meshes.sphere(1.0, 0), "cells ≥ 1"),
        (lambda: mfg.meshes.read("nowhere.msh"), "no mesh file"),
        (lambda: mfg.eigenpairs(line(8), 20), "count must lie in"),
        (lambda: mfg.solve(LAW, line(), mfg.gaussian(5.0, 1.0, 1), (0.0, 0.1)), "would do"),
        (lambda: mfg.solve(LAW, line(), lambda x: -np.exp(-(x[..., 0] ** 2)), (0.0, 0.1)), "negative"),
    ],
)
def test_refusals(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_a_drift_that_is_not_finite_is_named_with_its_place():
    bad = mfg.FokkerPlanck(lambda x, t: np.where(x > 2.0, np.nan, -x), lambda t: 0.5)
    with pytest.raises(ValueError, match=r"returned \[nan\] at x = \(2\."):
        mfg.solve(bad, line(), mfg.gaussian(0.0, 0.5, 1), (0.0, 0.1))
    with pytest.raises(TypeError, match="no weak form for ScoreFokkerPlanck"):
        line().semidiscretise(mfg.ScoreFokkerPlanck.of(OU))
    stored = mfg.solve(LAW, line(), mfg.gaussian(0.0, 0.5, 1), (0.0, 0.01)).to_xarray()
    with pytest.raises(ValueError, match="lives on a mesh"):
        grid_of(stored)


def test_an_unreadable_mesh_is_refused(tmp_path):
    path = tmp_path / "broken.msh"
    path.write_text("not a mesh")
    with pytest.raises(ValueError, match="gmsh"):
        mfg.meshes.read(path)


def test_newton_reports_its_residuals_when_it_cannot_converge():
    """A Hamiltonian with a jump has no root to find: the march shrinks its steps, gives up, and says why."""
    jump = mfg.HamiltonJacobiBellman(lambda x, p, t: 1e6 * np.sign(np.sin(1e6 * p[..., 0])), lambda t: 1e-3)
    with pytest.raises(mfg.NotConverged, match=r"Newton's method failed at t = .* residuals"):
        mfg.solve(jump, line(8, walls="reflecting"), lambda x: np.cos(x[..., 0]), (0.0, 1.0), max_steps=60)


@pytest.mark.parametrize("degree", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_cole_hopf_on_an_annulus(degree):
    """Nonlinear and linear solve agree on a curved domain with two walls, the better the finer."""
    control = mfg.HamiltonJacobiBellman(lambda x, p, t: 0.5 * np.einsum("...i,...i", p, p), lambda t: 0.4)
    heat = mfg.BackwardKolmogorov(lambda x, t: 0 * x, lambda t: 0.4, time_dependent=False)
    gaps = []

    def angle(x):
        return x[..., 0] / np.linalg.norm(x, axis=-1)

    for n in (3, 6):
        space = mfg.FiniteElement(mfg.meshes.annulus(0.5, 1.5, n), degree, walls="reflecting")

        U = mfg.solve(control, space, angle, (0.0, 0.3), rtol=1e-6).at(0.3)
        eta = mfg.solve(heat, space, lambda x: np.exp(-angle(x) / 0.8), (0.0, 0.3), rtol=1e-6).at(0.3)
        gaps.append(mfg.l1_distance(U, -0.8 * np.log(eta.values)))
    assert np.log2(gaps[0] / gaps[1]) > degree + 0.6


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["galerkin", "fitted"])
def test_iterative_solves_keep_mass_and_agree_with_direct_ones(scheme, monkeypatch):
    data, space = (
        mfg.marginal(OU, mfg.densities.bimodal(2), 0.3),
        mfg.FiniteElement(mfg.meshes.box((-6, -6), (6, 6), 20), 1, scheme),
    )

    def run():
        return mfg.solve(LAW, space, data, (0.3, 0.6), rtol=1e-3, largest_wall_mass=1e-2)

    direct = run()
    monkeypatch.setitem(_petsc.LARGEST_DIRECT, 2, 0)
    iterative = run()
    assert iterative.cost["preconditioners"] > 0
    assert "preconditioners" not in direct.cost
    assert mfg.l1_distance(iterative.at(0.6), direct.at(0.6)) < 1e-9
    mass = iterative.conserved["mass"]
    assert abs(mass[-1] - mass[0]) < 1e-14 * iterative.cost["steps"]


def test_far_walls_keep_log_densities_from_degree_two_on():
    """Of a Gaussian they are parabolas: elements of degree two have them but for time steps, degree one none of ∂²u."""
    law, off = mfg.gaussian(0.0, 0.3), {}
    for degree, cells in ((1, 16), (1, 64), (2, 16)):
        space = mfg.FiniteElement(mfg.meshes.interval(-4.0, 4.0, cells), degree)
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            found = mfg.solve(mfg.LogDensity.of(OU), space, law.log_density, (0.0, 0.5), rtol=1e-6).fields[-1].values
        assert any("take degree=2" in str(one.message) for one in said) == (degree == 1)
        off[degree, cells] = np.abs(found - mfg.marginal(OU, law, 0.5).log_density(space.grid.points)).max()
    assert off[2, 16] < 1e-3  # 4e-6 at a thousandth of this tolerance
    assert off[1, 64] > 0.25 * off[1, 16]  # order two would leave a sixteenth


@pytest.mark.parametrize("degree", [2, 3])
@pytest.mark.parametrize(
    "mesh",
    [mfg.meshes.interval(-1.0, 2.0, 5), mfg.meshes.box((0, -1), (2, 1), 3), mfg.meshes.box((0, 0, 0), (1, 2, 1), 2)],
    ids=["interval", "box", "cube"],
)
def test_far_walls_take_polynomials_as_they_come(mesh, degree, rng):
    """Of polynomials DΔu − H(x, ∇u, t) is one again, of the elements' own degree: the rate is it, beside walls too.

    u of the elements' degree; H of it: α|∇u|² with slopes of degree one, b·∇u with any; D and H depend on time.
    """
    space = mfg.FiniteElement(mesh, degree)
    d, x = space.space.gdim, space.grid.points
    S, c, b, cubic = rng.normal(size=(d, d)), rng.normal(size=d), rng.normal(size=d), rng.normal(size=d)
    S, cubic, alpha, t = S + S.T, cubic * (degree > 2), 0.7 * (degree == 2), 0.4

    def u(x):
        return 0.5 * np.einsum("...i,ij,...j->...", x, S, x) + x @ c + x**3 @ cubic / 6

    def hamiltonian(x, p, t):
        return (1 + t) * (alpha * (p**2).sum(axis=-1) + p @ b + x[..., 0])

    diffusivity = 0.3 + t
    slope, curved = x @ S + c + 0.5 * x**2 * cubic, np.trace(S) + x @ cubic
    wanted = diffusivity * curved - hamiltonian(x, slope, t)
    equation = mfg.HamiltonJacobiBellman(hamiltonian, lambda t: 0.3 + t)
    for walls, holds in (("far", True), ("reflecting", False)):
        system = mfg.FiniteElement(mesh, degree, walls=walls).semidiscretise(equation)
        found = system.values(system.rate(system.start(u), t))
        assert (np.abs(found - wanted).max() < 1e-9 * np.abs(wanted).max()) == holds
        pinned = system.frozen(t - 0.2, t + 0.2)
        np.testing.assert_allclose(system.values(pinned.rate(pinned.start(u), 0.0)), found, rtol=1e-9, atol=1e-9)
