"""Eigenfunctions of elements as a basis for scores: against Hermite functions and harmonics, on surfaces, bad input."""

import numpy as np
import pytest
from scipy.special import eval_legendre

import mfgpde as mfg

pytest.importorskip("dolfinx_solver")
OU = mfg.OrnsteinUhlenbeck(horizon=2.0)
HEAT = mfg.Brownian(horizon=2.0)


def on_sphere(n, rng, mean=(0.0, 0.0, 2.0)):
    x = rng.normal(size=(n, 3)) + np.asarray(mean)
    return x / np.linalg.norm(x, axis=1, keepdims=True)


@pytest.fixture(scope="module")
def sphere():
    return mfg.finite_element.FiniteElementBasis(
        mfg.processes.MarkovGenerator(), mfg.FiniteElement(mfg.meshes.sphere(1.0, 8), 3), 25
    )


@pytest.fixture(scope="module")
def line():
    space = mfg.FiniteElement(mfg.meshes.interval(-6.0, 6.0, 300), 3)
    return mfg.finite_element.FiniteElementBasis(mfg.processes.MarkovGenerator.of(OU), space, 6)


def test_on_a_line_the_estimator_is_that_of_hermite_functions(line, rng):
    x, y = 0.2 + 0.5 * rng.normal(size=(500, 1)), np.linspace(-1, 1, 21)[:, None]
    ours, known = (mfg.OperatorInformed(b, OU, x, ridge=1e-3) for b in (line, mfg.scores.HermiteBasis(1, 5, 0.5)))
    np.testing.assert_allclose(line.eigenvalues, 2 * np.arange(6), atol=1e-4)  # of the clock ∫D, half of Hermite's
    assert line.lost.max() < 1e-3
    for t in (0.1, 0.5, 1.0):
        for what, tolerance in (
            ("divergence_gradient", 2e-2),
            ("divergence", 1e-3),
            ("__call__", 1e-4),
            ("time_derivative", 1e-3),
        ):
            want = getattr(known, what)(y, t)
            np.testing.assert_allclose(getattr(ours, what)(y, t), want, atol=tolerance * np.abs(want).max())
        np.testing.assert_allclose(ours.standard_error(y, t), known.standard_error(y, t), rtol=1e-2)
        rise = [s.potential(y, t) - s.potential(y[:1], t) for s in (ours, known)]
        np.testing.assert_allclose(rise[0], rise[1], atol=1e-3)


@pytest.mark.slow
def test_on_a_sphere_kernels_are_sums_of_legendre_polynomials(sphere, rng):
    x, y, tau = on_sphere(40, rng), on_sphere(7, rng), 0.4
    degree = np.arange(12)
    waves = np.stack([eval_legendre(k, np.clip(x @ y.T, -1, 1)) for k in degree])
    exact = np.tensordot((2 * degree + 1) / (4 * np.pi) * np.exp(-degree * (degree + 1) * tau), waves, axes=1)
    found = mfg.scores.Semigroup(sphere).kernel(x, y, tau)
    np.testing.assert_allclose(
        found, exact, atol=11 / (4 * np.pi) * np.exp(-30 * tau) + 1e-5
    )  # degree five is left out
    np.testing.assert_array_equal(sphere.lost[:9] < 1e-4, True)
    both = mfg.scores.Semigroup(sphere).embedding(y).density(x, tau)
    np.testing.assert_allclose(both, found.mean(axis=1), rtol=1e-10)


@pytest.mark.slow
def test_the_score_of_a_surface_generates_the_smoothed_law(sphere, rng):
    """The reverse diffusion on the sphere, by elements, from uniform points to the law of the data after t = 0.3."""
    data = on_sphere(20_000, rng)
    process = mfg.Brownian(horizon=8.0)
    score = mfg.OperatorInformed(sphere, process, data)
    np.testing.assert_allclose(np.einsum("ni,ni->n", score(data[:50], 0.3), data[:50]), 0, atol=1e-4)  # tangential
    stop, space = 0.3, mfg.FiniteElement(mfg.meshes.sphere(1.0, 12), 2)
    reverse = mfg.FokkerPlanck(lambda x, u: score(x, 8.0 - u), lambda u: 0.5)  # drift g²s, g = 1
    uniform = mfg.solve(reverse, space, lambda x: np.full(len(x), 1 / (4 * np.pi)), (0.0, 8.0 - stop), rtol=1e-3)
    law = uniform.at(8.0 - stop)
    wanted = mfg.scores.Semigroup(sphere).embedding(data).density(space.grid.points, 0.5 * stop)
    assert float(space.grid.integrate(np.abs(law.values - wanted))) < 1e-2
    assert float(space.grid.integrate(np.abs(1 / (4 * np.pi) - wanted))) > 0.3


def test_a_double_well_is_sampled_by_its_own_generator(rng):
    """Data in one well, noised by Langevin dynamics: the score tends to that of the density that volumes find."""
    process = mfg.processes.double_well(depth=1.5, scale=np.sqrt(2.0), horizon=1.0)
    space = mfg.FiniteElement(mfg.meshes.interval(-2.0, 2.0, 64), 3)
    basis = mfg.finite_element.FiniteElementBasis(mfg.processes.MarkovGenerator.of(process), space, 12)
    start, t, line = mfg.gaussian([0.9], [[0.02]]), 0.3, mfg.CartesianGrid.cube(2.0, 400, 1)
    p = mfg.solve(mfg.FokkerPlanck.of(process), mfg.FiniteVolume(line), start, (0.0, t)).at(t).values
    score = mfg.OperatorInformed(basis, process, np.clip(start.sample(50_000, rng), -2, 2))
    inner = slice(40, -40)
    exact = np.gradient(np.log(p), line.axes[0])[inner]
    error = float(np.sum(p[inner] * (score(line.points[inner], t)[:, 0] - exact) ** 2) / np.sum(p[inner] * exact**2))
    assert error < 2e-2
    bare = float(np.sum(p[inner] * (-process.gradient(line.points[inner])[:, 0] - exact) ** 2) / np.sum(p * 1.0))
    assert bare > 0.5, "the stationary score alone is far away"


def test_a_riemannian_generator_in_coordinates_is_that_of_the_surface():
    """A stretched interval; and the sphere between two parallels, its circles solved for by themselves."""
    generator = mfg.processes.MarkovGenerator.riemannian(lambda x: np.full((*x.shape, 1), 4.0))
    space = mfg.FiniteElement(mfg.meshes.interval(0.0, 1.0, 20), 3)
    np.testing.assert_allclose(mfg.eigenpairs(space, 4, generator).values, (np.pi * np.arange(4) / 2) ** 2, atol=1e-6)
    # functions of the polar angle alone: (sin θ u′)′ = −λ sin θ u, here by the elements of an interval
    polar = mfg.processes.MarkovGenerator.riemannian(lambda x: _diagonal(np.ones(len(x)), np.sin(x[:, 0]) ** 2))
    box = mfg.FiniteElement(mfg.meshes.box((0.3, 0.0), (np.pi - 0.3, 0.5), 16), 3)
    arc = mfg.FiniteElement(mfg.meshes.interval(0.3, np.pi - 0.3, 40), 3)
    alone = mfg.processes.MarkovGenerator(lambda x: -np.log(np.sin(x[:, 0])))
    np.testing.assert_allclose(
        mfg.eigenpairs(box, 4, polar).values, mfg.eigenpairs(arc, 4, alone).values, rtol=1e-5, atol=1e-10
    )


def _diagonal(a, b):
    return np.stack((np.stack((a, 0 * a), axis=-1), np.stack((0 * b, b), axis=-1)), axis=-2)


def test_bad_input(sphere, line, rng):
    x = on_sphere(50, rng)
    with pytest.raises(ValueError, match="3 of 50 points lie outside the mesh"):
        mfg.OperatorInformed(sphere, HEAT, np.where(np.arange(50)[:, None] < 3, 1.4 * x, x))
    with pytest.raises(ValueError, match="1 of 20 points lie outside the mesh, the first at \\(7\\)"):
        mfg.OperatorInformed(line, OU, np.r_[np.zeros(19), 7.0][:, None])
    with pytest.raises(ValueError, match="is not the generator's"):
        mfg.OperatorInformed(line, HEAT, np.zeros((20, 1)))
    with pytest.raises(ValueError, match="another generator"):
        mfg.OperatorInformed(line, mfg.processes.MarkovGenerator(), np.zeros((20, 1)))
    with pytest.raises(ValueError, match="do not fit the mesh, which bears"):
        mfg.finite_element.FiniteElementBasis(
            mfg.processes.MarkovGenerator(), mfg.FiniteElement(mfg.meshes.interval(0, 1, 8), 1), 4
        )
    bare = mfg.finite_element.FiniteElementBasis(
        mfg.processes.MarkovGenerator(line.generator.potential), line.discretisation, 3
    )
    with pytest.raises(ValueError, match="no gradient"):
        bare.stationary(np.zeros((1, 1)), 1)
    skew = mfg.processes.MarkovGenerator(tensor=lambda x: np.broadcast_to([[1.0, 0.3], [-0.3, 1.0]], (len(x), 2, 2)))
    flat = mfg.FiniteElement(mfg.meshes.box((0, 0), (1, 1), 4), 1)
    with pytest.raises(ValueError, match=r"not symmetric .* not reversible"):
        mfg.eigenpairs(flat, 3, skew)
    with pytest.raises(ValueError, match="must be positive"):
        mfg.eigenpairs(
            flat,
            3,
            mfg.processes.MarkovGenerator(tensor=lambda x: np.broadcast_to(np.diag([1.0, -1.0]), (len(x), 2, 2))),
        )
    bent = mfg.processes.MarkovGenerator(tensor=lambda x: np.full((*x.shape, 1), 2.0))
    basis = mfg.finite_element.FiniteElementBasis(bent, line.discretisation, 3)
    with pytest.raises(ValueError, match="a process has scalar noise"):
        mfg.OperatorInformed(basis, OU, np.zeros((20, 1)))
