"""Eigenbases and the operator-informed estimator: identities of the generator, closed forms, bars that hold, bad input."""

import numpy as np
import pytest

import mfgpde as mfg

BASES = {
    "Hermite, 1D": mfg.scores.HermiteBasis(1, 9, 0.5),
    "Hermite, 2D": mfg.scores.HermiteBasis(2, 5, 2.0),
    "Hermite, 4D, hyperbolic": mfg.scores.HermiteBasis(4, 4, 1.0, "hyperbolic"),
    "Fourier, 1D": mfg.scores.FourierBasis(1, 4),
    "Fourier, 2D": mfg.scores.FourierBasis(2, 2),
}
VP = mfg.VariancePreserving()
LAW = mfg.GaussianMixture([0.5, 0.5], [[0.8, 0.0], [-0.6, 0.5]], [0.3, 0.4])


@pytest.mark.parametrize("basis", BASES.values(), ids=BASES)
def test_functions_are_eigenfunctions_and_products_of_gradients_close(basis, rng):
    x, p, D = rng.normal(size=(30, basis.dimension)), len(basis.eigenvalues), basis.derivatives
    values, scale = basis(x), getattr(basis, "variance", 1.0)
    np.testing.assert_allclose(basis.extended(x)[:, :p], values, atol=1e-11)
    np.testing.assert_array_equal(basis.extended_eigenvalues[:p], basis.eigenvalues)
    assert basis.eigenvalues[0] == 0
    h = 1e-5
    for k, e in enumerate(np.eye(basis.dimension)):
        slope = (basis(x + h * e) - basis(x - h * e)) / (2 * h)
        np.testing.assert_allclose(values @ D[k], slope, rtol=1e-5, atol=1e-5)
    gradients = np.stack([values @ d for d in D], axis=-1)
    laplacians = sum(values @ (d @ d) for d in D)
    generator = scale * (laplacians + np.einsum("npd,nd->np", gradients, basis.stationary(x, 1)[1]))
    np.testing.assert_allclose(generator, -basis.eigenvalues * values, rtol=1e-9, atol=1e-9)
    squares = scale * np.einsum("nad,nbd->nab", gradients, gradients).reshape(len(x), -1)
    np.testing.assert_allclose(squares, basis.extended(x) @ basis.gram.T, rtol=1e-10, atol=1e-9)


def test_functions_are_orthonormal():
    nodes, weights = np.polynomial.hermite_e.hermegauss(30)
    values = mfg.scores.HermiteBasis(1, 9, 0.5)(np.sqrt(0.5) * nodes[:, None])
    np.testing.assert_allclose((values.T * weights) @ values / weights.sum(), np.eye(10), atol=1e-12)
    x = 2 * np.pi * np.arange(40)[:, None] / 40
    waves = mfg.scores.FourierBasis(1, 4)(x)
    np.testing.assert_allclose(waves.T @ waves / 40, np.eye(9), atol=1e-13)


def test_the_hyperbolic_cross_is_sparse_and_closed_under_derivatives():
    basis = mfg.scores.HermiteBasis(4, 4, 1.0, "hyperbolic")
    assert np.all(np.prod(basis.indices + 1, axis=1) <= 5)
    assert len(basis.indices) < len(mfg.scores.HermiteBasis(4, 4).indices) / 2
    assert len({tuple(n) for n in basis.indices}) == len(basis.indices)


def test_pulled_back_averages_are_those_of_the_noised_law(rng):
    """E_{p_t} by 200 000 noised points against averages over the data alone."""
    x, basis = LAW.sample(500, rng), mfg.scores.HermiteBasis(2, 4)
    estimator = mfg.OperatorInformed(basis, VP, x)
    t, p = 0.3, len(basis.eigenvalues)
    m, v = float(VP.mean_coefficient(t)), float(VP.variance(t))
    noised = m * x[rng.integers(500, size=200_000)] + np.sqrt(v) * rng.normal(size=(200_000, 2))
    squares = np.mean(basis.extended(noised), axis=0) @ basis.gram.T
    roots = np.sqrt(np.outer(basis.eigenvalues[1:], basis.eigenvalues[1:]))
    B, c = estimator.system(estimator.clock(t), estimator.moments.mean(axis=0))
    np.testing.assert_allclose(B, squares.reshape(p, p)[1:, 1:] / roots, atol=0.05)  # five deviations of 200 000 draws
    np.testing.assert_allclose(c, np.sqrt(basis.eigenvalues[1:]) * basis(noised).mean(axis=0)[1:], atol=0.03)


def test_gaussian_data_are_exact_up_to_their_moments(rng):
    """With linear and quadratic functions and no ridge the score is that of the Gaussian with the sample's moments."""
    x = rng.multivariate_normal([0.3, -0.2], [[0.5, 0.2], [0.2, 0.4]], 4000)
    score = mfg.OperatorInformed(mfg.scores.HermiteBasis(2, 2), VP, x, ridge=0.0)
    fitted = mfg.ExactScore(VP, mfg.gaussian(x.mean(axis=0), np.cov(x.T, bias=True)))
    y = x[:20]
    for t in (0.01, 0.2, 0.8):
        # folds of equal size: the mean of their means is the mean
        np.testing.assert_allclose(score(y, t), fitted(y, t), rtol=1e-8, atol=1e-10)
        rise, expected = (s.potential(y, t) - s.potential(y[:1], t) for s in (score, fitted))
        np.testing.assert_allclose(rise, expected, atol=1e-9)


@pytest.mark.parametrize(
    "basis", [mfg.scores.HermiteBasis(2, 6), mfg.scores.FourierBasis(2, 2)], ids=["Hermite", "Fourier"]
)
def test_all_derivatives_are_those_of_the_values(basis, rng):
    process = VP if isinstance(basis, mfg.scores.HermiteBasis) else mfg.Brownian(horizon=2.0)
    score = mfg.OperatorInformed(basis, process, LAW.sample(400, rng), ridge=1e-3)
    x, v, t = 0.7 * rng.normal(size=(15, 2)), rng.normal(size=(15, 2)), 0.4
    if np.isfinite(score.reach(t)).all():  # also where the polynomials are turned off
        x[:6] = score.reach(t) * (1 + 0.25 * rng.uniform(0.1, 0.9, size=(6, 2))) * [1, -1]
        x[4:6, 0] = 0.1
    values = mfg.scores.Differenced(score, 2, end=process.horizon)
    for what in ("jacobian", "divergence", "time_derivative", "divergence_gradient"):
        want = getattr(values, what)(x, t)
        np.testing.assert_allclose(
            getattr(score, what)(x, t), want, rtol=1e-5, atol=max(values.uncertainty.values()) + 1e-6
        )
    for got, want in zip(score.directional_derivatives(x, t, v), values.directional_derivatives(x, t, v), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-4)
    h = 1e-5
    slope = [(score.potential(x + h * e, t) - score.potential(x - h * e, t)) / (2 * h) for e in np.eye(2)]
    np.testing.assert_allclose(score(x, t), np.stack(slope, axis=-1), rtol=1e-6, atol=1e-6)
    rate = (score.potential(x, t + h) - score.potential(x, t - h)) / (2 * h)
    np.testing.assert_allclose(score.potential_time_derivative(x, t), rate, rtol=1e-4, atol=1e-4)


def test_standard_errors_are_the_scatter_over_data_sets(rng):
    x, t, basis = rng.normal(size=(12, 2)), 0.2, mfg.scores.HermiteBasis(2, 3)
    found = [mfg.OperatorInformed(basis, VP, LAW.sample(800, rng), ridge=1e-2) for _ in range(200)]
    scatter = np.std([score(x, t) for score in found], axis=0)
    stated = np.mean([score.standard_error(x, t) for score in found], axis=0)
    np.testing.assert_allclose(stated, scatter, rtol=0.25)  # five standard errors of a deviation from 200


def test_standard_errors_keep_their_digits_at_high_degrees(rng):
    """Degree 12 on a line: covariances of the functions reach 1e12, and a small ridge divides by next to nothing."""
    law = mfg.GaussianMixture([0.5, 0.5], [[0.9], [-0.7]], [0.08, 0.12])
    x, t, basis = np.array([[-1.2], [-0.5], [0.0], [0.4], [1.2]]), 0.1, mfg.scores.HermiteBasis(1, 12)
    found = [mfg.OperatorInformed(basis, VP, law.sample(1000, rng), ridge=5e-9) for _ in range(60)]
    scatter = np.std([score(x, t) for score in found], axis=0)
    stated = np.median([score.standard_error(x, t) for score in found], axis=0)
    np.testing.assert_allclose(stated, scatter, rtol=0.45)  # half again: the formula is linear in the system's noise


@pytest.mark.parametrize(("degree", "t"), [(4, 0.02), (3, 0.1)])
def test_standard_errors_cover_with_the_ridge_that_is_chosen(degree, t):
    """Two of them hold the best score of the span, that of 200 000 samples: 0.72 and 0.83 without the ridge's share."""
    law, basis, rng = mfg.densities.four_blobs(), mfg.scores.HermiteBasis(2, degree), np.random.default_rng(0)
    best = mfg.OperatorInformed(basis, VP, law.sample(200_000, np.random.default_rng(7)), ridge=0.0)
    held, sizes = [], []
    for _ in range(25):
        score, x = mfg.OperatorInformed(basis, VP, law.sample(600, rng)), mfg.marginal(VP, law, t).sample(12, rng)
        off, bar = np.abs(score(x, t) - best(x, t)), 2 * score.standard_error(x, t)
        held.append(np.mean(off <= bar))
        sizes.append(np.median(bar / off))
    assert np.mean(held) == pytest.approx(0.95, abs=0.04)  # of 25 data sets, whose points move together
    assert np.median(sizes) < 5  # and are no wider than they must be: 3 for a normal error


def test_the_ridge_is_near_the_best(rng):
    x, t = LAW.sample(300, rng), 0.1
    truth = mfg.marginal(VP, LAW, t)
    y = truth.sample(4000, rng)

    def risk(ridge):
        score = mfg.OperatorInformed(mfg.scores.HermiteBasis(2, 8), VP, x, ridge=ridge)
        return np.mean(np.sum((score(y, t) - truth.score(y)) ** 2, axis=1))

    best = min(risk(r) for r in np.geomspace(1e-6, 10, 15))
    assert risk(None) < 2 * best
    assert risk(1e-6) > 2 * best
    ranks = [mfg.OperatorInformed(mfg.scores.HermiteBasis(2, 8), VP, x, ridge=r).rank(t) for r in (1e-6, 1e-1)]
    assert 44 > ranks[0] > ranks[1] > 1


def test_a_wrapped_law_on_the_circle(rng):
    """Data of a von Mises kind on the torus: the estimator tends to the score of the heat flow as n grows."""
    process, basis = mfg.Brownian(horizon=2.0), mfg.scores.FourierBasis(1, 4)
    x = 1.0 + 0.5 * rng.normal(size=(40_000, 1))
    score, t = mfg.OperatorInformed(basis, process, x), 0.4
    y = np.linspace(0, 2 * np.pi, 25)[:, None]
    shifts = 2 * np.pi * np.arange(-4, 5)
    law = mfg.GaussianMixture(np.ones(9), 1.0 + shifts[:, None], 0.25 + t)
    p = law.density(y)
    assert np.sum(p * np.sum((score(y, t) - law.score(y)) ** 2, axis=1)) / p.sum() < 5e-3


def test_far_out_the_score_is_that_of_the_stationary_law(rng):
    score = mfg.OperatorInformed(mfg.scores.HermiteBasis(2, 8), VP, LAW.sample(300, rng))
    x = np.array([[50.0, -40.0], [1e6, 1e6]])
    np.testing.assert_allclose(score(x, 0.1), -x)
    near = 0.999 * score.reach(0.1)
    assert np.abs(score(near, 0.1) + near).max() > 1e-3


def test_bad_input(rng):
    x, basis = LAW.sample(100, rng), mfg.scores.HermiteBasis(2, 3)
    with pytest.raises(ValueError, match=r"N\(0, 0.5 I\), the basis in N\(0, 1 I\)"):
        mfg.OperatorInformed(basis, mfg.OrnsteinUhlenbeck(), x)
    with pytest.raises(ValueError, match="no Gaussian"):
        mfg.OperatorInformed(basis, mfg.VarianceExploding(), x)
    with pytest.raises(ValueError, match="no heat flow"):
        mfg.OperatorInformed(mfg.scores.FourierBasis(2, 2), VP, x)
    with pytest.raises(ValueError, match="shape"):
        mfg.OperatorInformed(basis, VP, x[:, :1])
    with pytest.raises(ValueError, match="at least 10 samples"):
        mfg.OperatorInformed(basis, VP, x[:5])
    with pytest.raises(ValueError, match="ridge"):
        mfg.OperatorInformed(basis, VP, x, ridge=-1.0)
    with pytest.warns(UserWarning, match="which bear about 50"):
        mfg.OperatorInformed(mfg.scores.HermiteBasis(2, 12), VP, x)
    for bad in ({"degree": 0}, {"variance": 0.0}, {"truncation": "square"}):
        with pytest.raises(ValueError, match=r"must be|at least"):
            mfg.scores.HermiteBasis(**{"dimension": 2, "degree": 3} | bad)


def test_degenerate_data_say_how_much_they_decide():
    """All samples in one point: at small t two coordinates' functions cannot be told apart."""
    line = np.linspace(-1, 1, 40)[:, None] * np.array([1.0, 1.0])
    score = mfg.OperatorInformed(mfg.scores.HermiteBasis(2, 4), VP, line, ridge=0.0)
    with pytest.warns(UserWarning, match=r"the data decide \d+ of 14 coefficients; a ridge of"):
        score.coefficients(1e-12)
    assert mfg.OperatorInformed(mfg.scores.HermiteBasis(2, 4), VP, line).rank(1e-3) < 14


@pytest.mark.parametrize("basis", BASES.values(), ids=BASES)
def test_the_semigroup_composes_and_keeps_mass(basis, rng):
    semigroup, c = mfg.scores.Semigroup(basis), rng.normal(size=len(basis.eigenvalues))
    np.testing.assert_allclose(semigroup(semigroup(c, 0.3), 0.4), semigroup(c, 0.7))
    y = rng.normal(size=(5, basis.dimension))
    embedding = semigroup.embedding(y)
    x = rng.normal(size=(6, basis.dimension))
    mean = semigroup.kernel(x, y, 0.5).mean(axis=1)
    np.testing.assert_allclose(embedding.density(x, 0.5), mean, rtol=1e-10, atol=1e-14)
    backward = (basis(y) @ semigroup(c, 0.5)).mean()  # E P_τ h over the samples
    assert embedding.expectation(c, 0.5) == pytest.approx(backward)
    h = 1e-5
    slopes = [
        (np.log(np.abs(embedding.density(x + h * e, 0.5))) - np.log(np.abs(embedding.density(x - h * e, 0.5))))
        / (2 * h)
        for e in np.eye(basis.dimension)
    ]
    found = embedding.score(x, 0.5)
    known = np.isfinite(found)
    assert known.any()
    np.testing.assert_allclose(found[known], np.stack(slopes, axis=-1)[known], rtol=1e-4, atol=1e-5)


def test_a_basis_says_that_it_cannot_show_a_short_time():
    basis, x = mfg.scores.HermiteBasis(1, 8), np.linspace(-3, 3, 61)[:, None]
    embedding = mfg.scores.Embedding(basis, np.zeros((1, 1)))
    with pytest.warns(UserWarning, match="cannot show so short a time"):
        assert embedding.density(x, 0.01).min() < 0
    with pytest.warns(UserWarning, match="cannot show so short a time"):
        assert np.isnan(embedding.score(x, 0.01)).any()
    assert embedding.density(x[20:41], 2.0).min() > 0
