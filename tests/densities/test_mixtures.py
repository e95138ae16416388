"""Sums over many components: against plain formulas, in every storage of the covariances, far away, and in odd sizes."""

import numpy as np
import pytest
from scipy.special import logsumexp, softmax
from scipy.stats import multivariate_normal

import mfgpde as mfg
from mfgpde.densities import Dense, LowRank


def plain(mixture, x):
    """Log p and ∇log p as they are written down, all components in memory."""
    logs, pulls = [], []
    for w, m, C in zip(mixture.weights, mixture.means, mixture.covariances, strict=True):
        logs.append(np.log(w) + multivariate_normal(m, C).logpdf(x).reshape(len(x)))
        pulls.append(np.linalg.solve(C, (m - x).T).T)
    logs, pulls = np.array(logs).T, np.array(pulls)
    return logsumexp(logs, axis=1), np.einsum("nk,knd->nd", softmax(logs, axis=1), pulls)


def mixture(kind, k, d, rng):
    weights, means = rng.uniform(0.1, 1, k), rng.normal(size=(k, d))
    diagonal, factors = rng.uniform(0.05, 0.5, (k, d)), 0.5 * rng.normal(size=(k, d, 2))
    return mfg.GaussianMixture(
        weights,
        means,
        {
            "isotropic": lambda: diagonal[:, 0],
            "diagonal": lambda: diagonal,
            "low rank": lambda: LowRank.of(diagonal, factors),
            "full": lambda: LowRank.of(diagonal, factors).dense(),
        }[kind](),
    )


KINDS = ("isotropic", "diagonal", "low rank", "full")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("k", "d", "n"), [(1, 1, 1), (127, 2, 33), (128, 3, 32), (300, 5, 65)])
def test_sums_are_those_of_the_plain_formula(kind, k, d, n, rng):
    law, x = mixture(kind, k, d, rng), 2 * rng.normal(size=(n, d))
    values, slope = plain(law, x)
    np.testing.assert_allclose(law.log_density(x), values, rtol=1e-11, atol=1e-11)
    np.testing.assert_allclose(law.score(x), slope, rtol=1e-9, atol=1e-9)
    for got, want in zip(law.pieces(x), (values, slope, law.laplacian(x)), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_derivatives_are_those_of_lower_ones(kind, rng):
    law, x, v, h = mixture(kind, 40, 3, rng), rng.normal(size=(30, 3)), rng.normal(size=(30, 3)), 1e-5

    def slopes(f):
        return np.stack([(f(x + h * e) - f(x - h * e)) / (2 * h) for e in np.eye(3)], axis=-1)

    hessian = slopes(law.score)
    tight = {"rtol": 1e-6, "atol": 1e-5}  # h² of the third derivative, rounding of 1e-16/h, stiffness 20
    np.testing.assert_allclose(law.hessian(x), hessian, **tight)
    np.testing.assert_allclose(law.laplacian(x), np.trace(hessian, axis1=1, axis2=2), **tight)
    pushed, slope = law.directional_derivatives(x, v)
    np.testing.assert_allclose(pushed, np.einsum("nij,nj->ni", hessian, v), **tight)
    curved = slopes(lambda y: np.einsum("ni,ni->n", v, law.directional_derivatives(y, v)[0]))
    np.testing.assert_allclose(slope, curved, rtol=1e-5, atol=1e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_far_away_the_nearest_component_pulls_though_every_density_underflows(kind, rng):
    law = mixture(kind, 200, 2, rng)
    x = 1e4 * np.array([[1.0, 0.3], [-0.2, 1.0]])
    values, slope = plain(law, x)
    assert np.all(values < -1e5)
    np.testing.assert_allclose(law.log_density(x), values, rtol=1e-12)
    np.testing.assert_allclose(law.score(x), slope, rtol=1e-9)


def test_sharp_kernels_far_from_the_origin_lose_no_digits(rng):
    """Differences x − m are formed before squares: at width 1e-6 and distance 1e3 expanded squares would be noise."""
    centres = 1e3 + rng.normal(size=(50, 2))
    law = mfg.GaussianMixture(np.ones(50), centres, 1e-12)
    x = centres + 1e-6 * rng.normal(size=(50, 2))
    np.testing.assert_allclose(law.score(x), (centres - x) * 1e12, rtol=1e-9)


def test_weights_may_vanish_and_nan_stays_nan(rng):
    law = mfg.GaussianMixture([1.0, 0.0], [[0.0], [5.0]], 1.0)
    alone = mfg.gaussian(0.0, 1.0)
    x = rng.normal(size=(20, 1)) + 3
    np.testing.assert_allclose(law.log_density(x), alone.log_density(x), rtol=1e-13)
    x[3] = np.nan
    assert np.isnan(law.log_density(x)[3])
    assert np.isnan(law.score(x)[3]).all()
    assert np.isnan(law.directional_derivatives(x, np.ones((20, 1)))[0][3]).all()
    assert np.isfinite(law.score(x)[4]).all()


@pytest.mark.parametrize("kind", KINDS)
def test_noise_moves_every_storage_alike(kind, rng):
    law, process = mixture(kind, 20, 3, rng), mfg.VariancePreserving()
    full = mfg.GaussianMixture(law.weights, law.means, law.covariances)
    x = rng.normal(size=(50, 3))
    for transition in (
        process.transition(0.0, 0.3),
        mfg.Linear(rng.normal(size=(3, 3)), offset=np.array([0.1, 0.2, 0.3])).transition(0.0, 0.4),
    ):
        np.testing.assert_allclose(law.after(transition).score(x), full.after(transition).score(x), rtol=1e-9)
    kept = law.after(process.transition(0.0, 0.3)).structure
    assert isinstance(kept, Dense if kind == "full" else LowRank)


@pytest.mark.parametrize("kind", KINDS)
def test_samples_have_the_covariance(kind, rng):
    law = mixture(kind, 1, 3, rng)
    cloud, n = law.sample(100_000, rng), 100_000
    C = law.covariances[0]
    error = np.sqrt((C**2 + np.outer(np.diag(C), np.diag(C))) / n)
    assert np.all(np.abs(np.cov(cloud.T) - C) < 5 * error)


@pytest.mark.parametrize(
    ("covariances", "message"),
    [
        (np.array([[1.0, -1.0]]), "diagonal must be positive"),
        (np.array([0.0]), "variances must be positive"),
        (np.array([np.nan]), "variances must be positive"),
        (np.array([np.inf]), "variances must be positive"),
        (np.ones((1, 3)), "shapes must be"),
    ],
)
def test_bad_covariances(covariances, message):
    with pytest.raises(ValueError, match=message):
        mfg.GaussianMixture([1.0], [[0.0, 0.0]], covariances)


def test_one_variance_stands_for_all_and_a_bad_one_among_good_ones_is_seen(rng):
    means, x = rng.normal(size=(3, 2)), rng.normal(size=(5, 2))
    each = mfg.GaussianMixture(np.ones(3), means, [0.3, 0.3, 0.3])
    for one in (0.3, [0.3]):
        assert np.array_equal(mfg.GaussianMixture(np.ones(3), means, one).log_density(x), each.log_density(x))
    with pytest.raises(ValueError, match="shapes must be"):
        mfg.GaussianMixture(np.ones(3), means, [0.3, 0.3])
    for bad in (np.inf, np.nan, 0.0):
        with pytest.raises(ValueError, match="variances must be positive"):
            mfg.GaussianMixture(np.ones(3), means, [0.3, bad, 0.3])


def test_bad_factors():
    with pytest.raises(ValueError, match="factors must be finite"):
        LowRank.of(np.ones((2, 3)), np.ones((2, 2, 1)))
    with pytest.raises(ValueError, match="means must be finite"):
        mfg.GaussianMixture([1.0], [[np.nan]], 1.0)
