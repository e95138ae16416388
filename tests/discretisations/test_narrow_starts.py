"""Starts narrower than cells keep mass, mean and sign, or are refused; positivity is promised on Delaunay meshes alone."""

from dataclasses import replace

import numpy as np
import pytest

import mfgpde as mfg

pytest.importorskip("dolfinx_solver")
OU = mfg.OrnsteinUhlenbeck()
LAW = mfg.FokkerPlanck.of(OU)


@pytest.mark.filterwarnings("ignore:the initial density is narrower:RuntimeWarning")  # of Galerkin's, see below
@pytest.mark.parametrize("unit", [1e-9, 1.0, 1e9])
@pytest.mark.parametrize(("scheme", "degree"), [("fitted", 1), ("galerkin", 1), ("galerkin", 2), ("galerkin", 3)])
def test_a_needle_keeps_its_mass_and_moments(scheme, degree, unit):
    """Variances down to 1e-8 on cells of 0.12: mass 1, the mean; elements of degree two have the variance too."""
    space = mfg.FiniteElement(mfg.meshes.interval(-3 * unit, 3 * unit, 50), degree, scheme)
    still = mfg.FokkerPlanck(lambda x, t: 0 * x, lambda t: 1.0, time_dependent=False)
    system, x = space.semidiscretise(still), space.grid.points[:, 0] / unit
    for variance in (1e-8, 1e-5, 1e-3):
        for mean in (0.0, 0.031):
            law = mfg.gaussian([mean * unit], [[variance * unit**2]])
            values = system.values(system.start(law.density)) * unit
            mass, first, second = (float(space.grid.integrate(values * (x - mean) ** k)) / unit for k in range(3))
            assert mass == pytest.approx(1.0, abs=1e-8)
            assert first == pytest.approx(0.0, abs=1e-8)
            if degree > 1:
                assert second == pytest.approx(variance, abs=1e-9)
            if scheme == "fitted":
                assert values.min() >= 0
                assert second < variance + 0.12**2


@pytest.mark.slow
def test_jumps_and_planes():
    square = mfg.FiniteElement(mfg.meshes.box((-3, -3), (3, 3), 20), 1, "fitted")
    system = square.semidiscretise(LAW)
    needle = system.start(mfg.gaussian([0.1, 0.2], 1e-3 * np.eye(2)).density)
    assert system.mass(needle) == pytest.approx(1.0, abs=1e-8)
    assert needle.min() >= 0
    disc = system.start(lambda x: 1.0 * ((x**2).sum(axis=-1) < 1))
    assert system.mass(disc) == pytest.approx(np.pi, abs=1e-3)
    with pytest.raises(ValueError, match=r"too narrow, or too rough, .* take a finer mesh, a later start"):
        system.start(lambda x: np.abs(x[..., 0] - 0.01) ** -0.99)


def test_what_a_solve_ends_with_is_what_the_next_starts_with():
    for scheme in ("fitted", "galerkin"):
        space = mfg.FiniteElement(mfg.meshes.interval(-4, 4, 60), 1, scheme, "reflecting")
        first = mfg.solve(LAW, space, mfg.gaussian(0.3, 0.4, 1), (0.0, 0.2), rtol=1e-5).at(0.2)
        again = mfg.solve(LAW, space, first, (0.2, 0.3), rtol=1e-5)
        np.testing.assert_allclose(again.at(0.2).values, first.values, atol=1e-11)


def test_only_delaunay_meshes_promise_positivity(tmp_path):
    """A flat kite cut along its long diagonal: the angles opposite sum to more than π, its weight is negative."""
    nodes = [(-1, 0, 0), (1, 0, 0), (0, 0.2, 0), (0, -0.2, 0)]
    rows = "\n".join(f"{i} {a} {b} {c}" for i, (a, b, c) in enumerate(nodes, 1))
    path = tmp_path / "kite.msh"
    path.write_text(
        f"$MeshFormat\n2.2 0 8\n$EndMeshFormat\n$Nodes\n4\n{rows}\n$EndNodes\n"
        "$Elements\n2\n1 2 2 1 1 1 2 3\n2 2 2 1 1 2 1 4\n$EndElements\n"
    )
    kite = mfg.FiniteElement(mfg.meshes.read(path), 1, "fitted", "reflecting").semidiscretise(LAW)
    with pytest.warns(RuntimeWarning, match=r"2 of 10 edges have a negative weight, .* not Delaunay"):
        kite.at(0.0)
    for mesh in (mfg.meshes.box((0, 0), (3, 1), 4), mfg.meshes.box((0, 0, 0), (1, 2, 1), 2), mfg.meshes.disc(1.0, 5)):
        mfg.FiniteElement(mesh, 1, "fitted", "reflecting").semidiscretise(LAW).at(0.0)


def test_galerkin_says_where_a_needle_loses_its_sign_and_fitted_elements_keep_it():
    needle, mesh = mfg.gaussian(0.0, 1e-5), mfg.meshes.interval(-3.0, 3.0, 50)
    system = mfg.FiniteElement(mesh).semidiscretise(LAW)
    with pytest.warns(RuntimeWarning, match=r"narrower than cells: its projection is negative .* take scheme='fitted'"):
        start = system.start(needle.density)
    assert system.values(start).min() < -1
    fitted = mfg.solve(LAW, mfg.FiniteElement(mesh, scheme="fitted"), needle, (0.0, 0.01, 0.1))
    assert min(field.values.min() for field in fitted.fields) > -1e-12


@pytest.mark.filterwarnings("ignore:.*its projection is negative")
@pytest.mark.parametrize("cells", [74, 75, 148])
def test_jumps_between_the_points_of_a_rule_are_found(cells):
    """Two boxes, their walls anywhere in cells: pieces whose points all lie on one side of a wall had settled too early."""
    lower = np.array([[-0.7312], [0.1234]])
    data = mfg.densities.UniformBoxes(np.array([0.4, 0.6]), lower, lower + np.array([[0.5], [0.71]]))
    space = mfg.FiniteElement(mfg.meshes.interval(-5.0, 5.0, cells), 2)
    run = mfg.solve(mfg.FokkerPlanck.of(mfg.OrnsteinUhlenbeck()), space, data, (0.0, 0.01))
    mean = float(data.weights @ (data.lower + data.upper)[:, 0] / 2)
    assert run.conserved["mass"][0] == pytest.approx(1.0, abs=1e-8)
    assert run.at(0.0).expectation(lambda x: x[..., 0]) == pytest.approx(mean, abs=1e-8)


@pytest.mark.filterwarnings("ignore:.*its projection is negative")
@pytest.mark.parametrize("cells", [88, 176])
def test_low_jumps_beside_high_ones_are_found(cells):
    """A box a fortieth as high as that under it, its wall between a cell's corner and the first point of the rule."""
    weights = np.array([0.1964645, 0.79749992, 0.00603558])
    lower, upper = np.array([[-0.17491907, -1.45354012, -0.73510268], [0.7734333, -0.62752749, -0.47506181]])[..., None]
    data = mfg.densities.UniformBoxes(weights, lower, upper)
    space = mfg.FiniteElement(mfg.meshes.interval(-31.9174, 32.0825, cells), 2)
    for shift in np.linspace(0, 1, 7) * 64 / cells:
        moved = replace(data, lower=lower + shift, upper=upper + shift)
        system = space.semidiscretise(mfg.FokkerPlanck.of(mfg.Brownian()))
        values = system.values(system.start(moved.density))
        mean = float(weights @ (moved.lower + moved.upper)[:, 0]) / 2 / weights.sum()
        assert space.grid.integrate(values) == pytest.approx(1.0, abs=1e-8)
        assert space.grid.integrate(values * space.grid.points[..., 0]) == pytest.approx(mean, abs=2e-8)
