"""Smoothing by diffusion: kernels against closed forms, times chosen on held-out samples, curves as meshes, bad input."""

import numpy as np
import pytest

import mfgpde as mfg

pytest.importorskip("dolfinx_solver")


def circle(s):
    return np.stack((np.cos(2 * np.pi * s), np.sin(2 * np.pi * s)), axis=1)


def distance(found, known):
    return float(found.grid.integrate(np.abs(found.values - known)))


def test_in_the_plane_kernels_are_gaussians(rng):
    space = mfg.FiniteElement(mfg.meshes.box((-2, -2), (2, 2), 40), 2)
    x, times = 0.4 * rng.normal(size=(12, 2)), [0.005, 0.01, 0.02, 0.04]
    smoother = mfg.finite_element.DiffusionSmoother(mfg.processes.MarkovGenerator(), space, background=0.0)
    for tau, found in zip(times, smoother(x, times), strict=True):
        assert float(found.integral()) == pytest.approx(1.0, abs=1e-12)
        known = mfg.GaussianMixture(np.ones(12), x, 2 * tau).density(found.grid.points)
        assert distance(found, known) < (2e-2 if tau > 0.01 else 0.2)  # cells as wide as the narrowest kernels


def test_the_first_time_is_as_good_as_the_last():
    """On a circle, against the wrapped Gaussian, from the first time on; a looser tolerance is off by as much."""
    space = mfg.FiniteElement(mfg.meshes.curve(circle, 200, closed=True), 2)
    x, times = space.grid.points, [0.01, 0.02, 0.04, 0.08]
    away = np.arctan2(x[:, 1], x[:, 0])[:, None] + 2 * np.pi * np.arange(-5, 6)
    for tolerance, worst in ((1e-2, 2e-2), (1e-4, 2e-4), (1e-6, 1e-4)):
        smoother = mfg.finite_element.DiffusionSmoother(mfg.processes.MarkovGenerator(), space, tolerance, 0.0)
        for tau, found in zip(times, smoother(np.array([[1.0, 0.0]]), times), strict=True):
            known = np.exp(-(away**2) / (4 * tau)).sum(axis=1) / np.sqrt(4 * np.pi * tau)
            assert distance(found, known) < worst
            assert found.values.max() == pytest.approx(known.max(), rel=worst)


def test_lengths_have_no_unit(rng):
    found = []
    for unit in (1e-9, 1.0, 1e9):
        space = mfg.FiniteElement(mfg.meshes.interval(-4 * unit, 4 * unit, 80), 2)
        smoother = mfg.finite_element.DiffusionSmoother(mfg.processes.MarkovGenerator(), space)
        x = unit * np.array([[-1.0], [0.3], [0.4]])
        found.append(unit * smoother(x, [0.02 * unit**2, 0.1 * unit**2])[-1].values)
    np.testing.assert_allclose(found[0], found[1], atol=1e-6)
    np.testing.assert_allclose(found[2], found[1], atol=1e-6)


def test_with_a_potential_kernels_are_mehlers(rng):
    """Ornstein–Uhlenbeck: points moved inwards and noised; π enters the weak form and the start."""
    process, space = mfg.OrnsteinUhlenbeck(horizon=2.0), mfg.FiniteElement(mfg.meshes.interval(-5, 5, 200), 3)
    x = 0.8 * rng.normal(size=(8, 1))
    smoother = mfg.finite_element.DiffusionSmoother(mfg.processes.MarkovGenerator.of(process), space, background=0.0)
    t = np.array([0.02, 0.05, 0.1, 0.3, 0.6])
    found = smoother(x, 0.5 * t)  # ∫D = t/2
    for time, field in zip(t[2:], found[2:], strict=True):
        assert distance(field, mfg.empirical_score(process, x).at(time).density(field.grid.points)) < 5e-3


def test_a_tensor_stretches_kernels():
    space = mfg.FiniteElement(mfg.meshes.box((-2, -2), (2, 2), 40), 2)
    A = np.array([[1.5, 0.4], [0.4, 0.5]])
    generator = mfg.processes.MarkovGenerator(tensor=lambda x: np.broadcast_to(A, (len(x), 2, 2)))
    found = mfg.finite_element.DiffusionSmoother(generator, space, background=0.0)(
        np.zeros((1, 2)), [0.01, 0.02, 0.05]
    )[-1]
    known = mfg.gaussian([0.0, 0.0], 2 * 0.05 * A).density(found.grid.points)
    assert distance(found, known) < 1e-2
    turned = mfg.gaussian([0.0, 0.0], 2 * 0.05 * A[::-1, ::-1]).density(found.grid.points)
    assert distance(found, turned) > 0.3


def test_the_tensor_of_the_data_lies_along_them(rng):
    """Points along a line at 30°: the long axis of A is the line's, its determinant one; far away it is round."""
    angle = np.pi / 6
    along, across = np.array([np.cos(angle), np.sin(angle)]), np.array([-np.sin(angle), np.cos(angle)])
    x = rng.uniform(-3, 3, size=(400, 1)) * along + 0.02 * rng.normal(size=(400, 1)) * across
    generator = mfg.processes.MarkovGenerator.adapted(x, 0.4)
    near, far = generator.diffusion_tensor(np.array([0.3 * along, 30 * across]))
    assert along @ near @ along > 5 * (across @ near @ across)
    np.testing.assert_allclose([np.linalg.det(near), np.linalg.det(far)], 1.0)
    np.testing.assert_allclose(far, np.eye(2), atol=1e-12)


def test_the_chosen_time_is_near_the_best(rng):
    law, space = mfg.gaussian([0.2], [[0.3]]), mfg.FiniteElement(mfg.meshes.interval(-4, 4, 160), 2)
    x, times = law.sample(500, rng), 0.5 * np.geomspace(0.02, 1.0, 12) ** 2
    smoother = mfg.finite_element.DiffusionSmoother(mfg.processes.MarkovGenerator(), space)
    density, tau = smoother.fit(x, times)
    truth = law.density(space.grid.points)
    errors = [distance(found, truth) for found in smoother(x, times)]
    assert distance(density, truth) < 2 * min(errors)
    assert errors[0] > 2 * min(errors)
    assert times[0] < tau < times[-1]


def test_curves_have_their_length_and_join_their_ends():
    closed = mfg.FiniteElement(mfg.meshes.curve(circle, 24, closed=True), 3)
    assert float(closed.grid.integrate(np.ones(len(closed.grid.points)))) == pytest.approx(2 * np.pi, abs=1e-6)
    np.testing.assert_allclose(mfg.eigenpairs(closed, 5).values, [0, 1, 1, 4, 4], atol=1e-5)
    helix = mfg.meshes.curve(lambda s: np.stack((np.cos(s), np.sin(s), s), axis=1), 16)
    values = mfg.eigenpairs(mfg.FiniteElement(helix, 3), 3).values
    np.testing.assert_allclose(values, (np.pi * np.arange(3)) ** 2 / 2, atol=1e-4)  # an interval of length √2
    with pytest.raises(ValueError, match="end where it starts"):
        mfg.meshes.curve(lambda s: np.stack((s, s), axis=1), 8, closed=True)
    with pytest.raises(ValueError, match=r"finite points \(n, 2\)"):
        mfg.meshes.curve(lambda s: s, 8)


def test_bad_input():
    smoother = mfg.finite_element.DiffusionSmoother(
        mfg.processes.MarkovGenerator(), mfg.FiniteElement(mfg.meshes.interval(0, 1, 20), 1)
    )
    x = np.full((20, 1), 0.5)
    for times in ([], [0.0, 0.1], [0.2, 0.1]):
        with pytest.raises(ValueError, match="positive and rising"):
            smoother(x, times)
    with pytest.raises(ValueError, match="20 of 20 samples lie outside the mesh"):
        smoother(x + 1, [0.1])
    with pytest.raises(ValueError, match=r"shape \(n, 1\)"):
        smoother(np.zeros((3, 2)), [0.1])
    with pytest.raises(ValueError, match="at least 10 samples"):
        smoother.fit(x[:4], [0.1])
    with pytest.raises(ValueError, match=r"tolerance must lie in \[1e-12, 1\)"):
        mfg.finite_element.DiffusionSmoother(mfg.processes.MarkovGenerator(), smoother.discretisation, 4)
    closed = mfg.FiniteElement(mfg.meshes.interval(0, 1, 20), 1, walls="absorbing")
    with pytest.raises(ValueError, match="kernels that lose mass"):
        mfg.finite_element.DiffusionSmoother(mfg.processes.MarkovGenerator(), closed)
    with pytest.raises(ValueError, match="width must be a positive"):
        mfg.processes.MarkovGenerator.adapted(x, 0.0)
